from .exif import normalise_exif as normalise_exif
from .exif import read_exif as read_exif
from .faces import Face as Face
from .pseudo_fakes import PseudoFakes as PseudoFakes
from .pseudo_fakes import pseudo_fakes as pseudo_fakes
from .records import FaceCrop as FaceCrop
from .records import PhotoRecord as PhotoRecord
from .records import face_crop as face_crop
from .records import open_photo as open_photo
from .records import read_photos as read_photos

__all__ = [
    "Face",
    "FaceCrop",
    "PhotoRecord",
    "PseudoFakes",
    "face_crop",
    "normalise_exif",
    "open_photo",
    "pseudo_fakes",
    "read_exif",
    "read_photos",
]
