"""Photographs: a file on disk becomes facts and pixels. Imports neither torch nor scikit-learn."""

from .exif import read_exif
from .faces import Face
from .records import PhotoRecord, read_photos

__all__ = ["Face", "PhotoRecord", "read_exif", "read_photos"]
