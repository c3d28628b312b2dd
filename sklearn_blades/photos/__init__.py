"""Photographs: a file on disk becomes facts and pixels. Imports neither torch nor scikit-learn."""

from .exif import normalise_exif, read_exif
from .faces import Face
from .records import FaceCrop, PhotoRecord, face_crop, open_photo, read_photos

__all__ = [
    "Face",
    "FaceCrop",
    "PhotoRecord",
    "face_crop",
    "normalise_exif",
    "open_photo",
    "read_exif",
    "read_photos",
]
