"""Where a face is: its box, the canonical layout of eyes and mouth, and the square crop."""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import PhotoError, SmallFaceError

# Medians over some 300 portraits, in fractions of the face box. Haar's square box:
_EYES = ((0.31, 0.40), (0.69, 0.40))
_MOUTH = (0.50, 0.79)
# The middle way between that and tighter boxes (eyes at 0.31, mouth at 0.73), for ready-made crops:
_WHOLE_EYES = ((0.30, 0.35), (0.70, 0.35))
_WHOLE_MOUTH = (0.50, 0.76)
_FURTHEST = (-2.0, 3.0)  # so far a box may reach over the image: what is further is meant as pixels


@dataclass(frozen=True, slots=True)
class Face:
    """A face, in fractions of the upright image, (0, 0) being its top-left corner.

    Parameters
    ----------
    box : tuple of 4 float
        left, top, right, bottom. A box may reach a little over the image's edge.
    eyes : tuple of 2 (x, y) pairs
        The eyes; stored with the one on the image's left first.
    mouth : (x, y)
        The mouth's centre.

    Raises
    ------
    ValueError
        Where a number is not finite, the box is empty, or the box is in pixels.

    See Also
    --------
    read_photos : Takes faces that are known.
    PhotoRecord : Carries one.

    Examples
    --------
    >>> Face.from_box((0.25, 0.25, 0.75, 0.75)).mouth
    (0.5, 0.645)
    """

    box: tuple[float, float, float, float]
    eyes: tuple[tuple[float, float], tuple[float, float]]
    mouth: tuple[float, float]

    def __post_init__(self):
        numbers = np.asarray([*self.box, *self.eyes[0], *self.eyes[1], *self.mouth], dtype=float)
        if numbers.shape != (10,) or not np.isfinite(numbers).all():
            raise ValueError(f"{self!r}: four finite numbers for the box, two for each point.")
        left, top, right, bottom, *points = numbers.tolist()
        if not (left < right and top < bottom):
            raise ValueError(f"box={self.box!r}: (left, top, right, bottom) with a positive area.")
        if max(right, bottom) > _FURTHEST[1] or min(left, top) < _FURTHEST[0]:
            raise ValueError(
                f"box={self.box!r} looks like pixels; give fractions of the image: divide left "
                "and right by its width, top and bottom by its height."
            )
        first, second, mouth = zip(points[::2], points[1::2], strict=True)
        object.__setattr__(self, "box", (left, top, right, bottom))
        object.__setattr__(self, "eyes", tuple(sorted((first, second))))
        object.__setattr__(self, "mouth", mouth)

    @classmethod
    def from_box(cls, box: Any, *, eyes: Any = _EYES, mouth: Any = _MOUTH) -> "Face":
        """A face with eyes and mouth at given fractions of its box.

        By default they lie where they lie in the boxes of frontal detectors.
        """
        left, top, right, bottom = (float(number) for number in box)

        def at(point):
            return left + point[0] * (right - left), top + point[1] * (bottom - top)

        return cls((left, top, right, bottom), (at(eyes[0]), at(eyes[1])), at(mouth))

    @property
    def area(self):
        """Area of the box as a fraction of the image."""
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)

    def moved(self, box: Any) -> "Face":
        """The same face in fractions of ``box``, a part of the image it is in now.

        Of a face box that is many times as large, as one over all of a narrow picture may be, what
        is far outside is left out.
        """
        left, top, right, bottom = box

        def at(point):
            return (point[0] - left) / (right - left), (point[1] - top) / (bottom - top)

        corners = np.clip((*at(self.box[:2]), *at(self.box[2:])), *_FURTHEST).tolist()
        return Face(corners, (at(self.eyes[0]), at(self.eyes[1])), at(self.mouth))


def as_face(value):
    """A `Face` from a `Face` or from a plain ``(left, top, right, bottom)`` in fractions."""
    return value if isinstance(value, Face) else Face.from_box(value)


def whole(margin):
    """The face of an image that is itself a crop at ``margin`` times its face box.

    Examples
    --------
    >>> whole(2.0).box
    (0.25, 0.25, 0.75, 0.75)
    """
    edge = (1 - 1 / check_margin(margin)) / 2
    box = (edge, edge, 1 - edge, 1 - edge)
    return Face.from_box(box, eyes=_WHOLE_EYES, mouth=_WHOLE_MOUTH)


def check_margin(margin):
    """``margin`` if it is a number of at least 1, else `ValueError`."""
    if not (isinstance(margin, int | float | np.number) and 1 <= margin < math.inf):
        raise ValueError(f"face_margin={margin!r}: a number of at least 1, such as 1.3.")
    return margin


def look_up(table, path):
    """The face that a ``{path: Face or box}`` table gives for ``path``, or None.

    Keys match as written or else, one by one, by real path; ``read_photos(paths, faces=table)``
    indexes a long table once and for all.
    """
    if not isinstance(path, str | os.PathLike):
        return None
    found = table.get(os.fspath(path), table.get(Path(path)))
    if found is None:
        real = os.path.realpath(path)
        found = next((face for key, face in table.items() if os.path.realpath(key) == real), None)
    return None if found is None else as_face(found)


def crop(image, face, margin):
    """Cut a square around a face.

    The square's side is ``margin`` times the larger side of the face box in pixels, at most the
    shorter side of the image; the square is centred on the box and shifted to stay inside.

    Parameters
    ----------
    image : PIL image, upright
    face : Face
        In fractions of ``image``.
    margin : float of at least 1

    Returns
    -------
    PIL image, square
    Face
        The same face in fractions of the square.
    """
    box = square(image.size, face, margin)
    width, height = image.size
    left, top, right, bottom = box
    # resize() at scale 1 is crop() without Pillow's warning about squares of over 89 megapixels.
    part = image.resize((right - left, bottom - top), resample=0, box=box)
    return part, face.moved((left / width, top / height, right / width, bottom / height))


def check_side(name: str, size: tuple[int, int], face: Face, least: float) -> None:
    """Refuse a face that has too few pixels in its file, and one that is not in it at all.

    Parameters
    ----------
    name : str
        What the error calls the photograph.
    size : (width, height)
        The photograph's, in pixels.
    face : Face
    least : float
        Pixels of the larger side of its box, of which no more count than the photograph's shorter
        side has.

    Raises
    ------
    PhotoError
        Where the box does not meet the picture.
    SmallFaceError
    """
    left, top, right, bottom = face.box
    if max(left, top) >= 1 or min(right, bottom) <= 0:
        raise PhotoError(
            name,
            f"its face box {tuple(round(x, 3) for x in face.box)} lies beside the picture; it "
            "is (left, top, right, bottom) in fractions of the upright picture, 0 to 1.",
        )
    side = min(max((right - left) * size[0], (bottom - top) * size[1]), *size)
    if round(side, 3) < least:  # 0.6 - 0.4 is a little less than 0.2
        raise SmallFaceError(
            name,
            f"its face measures {side:.0f} pixels in the file, min_face_size is {least:g}; take "
            "a larger copy of the photograph or leave it out. min_face_size=0 takes any.",
        )


def least_side(min_face_size: float | None, image_size: int) -> float:
    """``min_face_size`` in pixels; for None an eighth of ``image_size``, but at least 16.

    Examples
    --------
    >>> least_side(None, 224), least_side(None, 32), least_side(100, 224)
    (28.0, 16.0, 100.0)
    """
    if min_face_size is None:
        return max(image_size / 8, 16.0)
    if not (isinstance(min_face_size, int | float | np.number) and 0 <= min_face_size < math.inf):
        raise ValueError(f"min_face_size={min_face_size!r}: pixels, 0 or more, or None.")
    return float(min_face_size)


def square(size, face, margin):
    """The pixel box (left, top, right, bottom) that `crop` cuts from an image of ``size``."""
    width, height = size
    left, top, right, bottom = face.box
    wanted = check_margin(margin) * max((right - left) * width, (bottom - top) * height)
    side = max(1, min(round(wanted), width, height))

    def start(low, high, length):
        return min(max(round((low + high) / 2 * length - side / 2), 0), length - side)

    x, y = start(left, right, width), start(top, bottom, height)
    return x, y, x + side, y + side
