"""The face region of a photograph at the scale at which it is stored."""

from typing import Any

import numpy as np

from ..errors import SmallFaceError
from ..ground.types import Locator
from .faces import check_side, square
from .files import name_of, opened
from .pixels import Picture
from .records import faces_in, source_and_face

GRID = 8  # pixels: the blocks of JPEG, and a whole number of a sensor's 2 x 2


def face_region(
    photo: Any,
    *,
    face_locator: Locator = "haar",
    face_margin: float = 1.3,
    smallest: int = 64,
    largest: int = 512,
) -> np.ndarray:
    """Cut the face out of a photograph and scale nothing.

    Parameters
    ----------
    photo, face_locator, face_margin
        As in `face_crop`. With ``"whole"`` the region is the whole picture, square or not.
    smallest, largest : int
        Pixels of the region's sides. Where a side has more than ``largest``, the central part of
        so many is taken.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
        Upright sRGB pixels of the fully decoded photograph. The region begins at a multiple of 8
        pixels, at most 7 before the place that `face_crop` cuts at, so that means of 2 x 2 meet
        the grid of JPEG's blocks alike in all photographs that were not turned.

    Raises
    ------
    SmallFaceError
        Where a side has fewer than ``smallest`` pixels.
    PhotoError
        As `face_crop` does.

    See Also
    --------
    face_crop : The same region, scaled.
    """
    source, face = source_and_face(photo)
    name = name_of(getattr(photo, "path", photo))
    with opened(source) as source:
        picture = Picture(source)
        image = picture.at_least(None)
        if isinstance(face_locator, str) and face_locator == "whole":
            box = (0, 0, *image.size)
        else:
            if face is None:  # in the copies that `face_crop` looks at: both see the same face
                face = faces_in(picture, name, face_locator)[0]
            check_side(name, image.size, face, 0)
            box = square(image.size, face, face_margin)
    left, top, right, bottom = box
    shortest = min(right - left, bottom - top)
    if shortest < smallest:
        raise SmallFaceError(
            name,
            f"its face region measures {shortest} pixels in the file, and {smallest} are needed "
            "here, where nothing is scaled; take a larger copy of the photograph or leave it out.",
        )
    (left, right), (top, bottom) = _central(left, right, largest), _central(top, bottom, largest)
    return np.array(image.resize((right - left, bottom - top), 0, box=(left, top, right, bottom)))


def _central(start, stop, largest):
    """The middle of an interval, of at most so many pixels, from a line of the grid on."""
    length = min(stop - start, largest)
    start += (stop - start - length) // 2
    start -= start % GRID
    return start, start + length
