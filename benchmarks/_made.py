"""Photographs for the benchmarks: simulated, also at the size that cameras write."""

import os
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from sklearn_blades.datasets import make_photos
from sklearn_blades.errors import NoFaceError
from sklearn_blades.photos import face_crop

SIDE = 3464
"""Pixels a side of a 12-megapixel photograph."""


@contextmanager
def photographs(n, *, large=False):
    """Yield paths of simulated photographs in which Haar's cascade finds a face.

    The files are gone afterwards.

    Parameters
    ----------
    n : int
        Photographs to make; a face is found in about two of three, and after enlargement in half.
    large : bool, default=False
        Scale them up to 12 megapixels and save them with quality 90; EXIF stays.
    """
    with TemporaryDirectory() as folder:
        paths = make_photos(n, folder, random_state=0)
        if large:
            for path in paths:
                _enlarge(Path(path))
        yield [path for path in paths if _has_face(path)]


def n_cores():
    """Cores that this process may use."""
    ours = getattr(os, "sched_getaffinity", None)
    return len(ours(0)) if ours else os.cpu_count()


def _has_face(path):
    try:
        return face_crop(path, image_size=32) is not None
    except NoFaceError:
        return False


def _enlarge(path):
    with Image.open(path) as image:
        exif = image.getexif()
        large = image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    large.save(path, "JPEG", quality=90, exif=exif)
