"""What makes rows doubtful as photographs of faces, though each of them can be read."""

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import joblib
import numpy as np
from PIL import Image

from ..errors import PhotoError
from ..storage.cache import file_identity
from .locators import SEARCH_SIDE, locator
from .pixels import open_photo

MANY = 0.1
"""The share of the rows from which on they are worth a word."""

FULL = 0.7
"""A face that is less than this times what a crop's would be was never cropped to."""

_TWICE = 2.0
_SQUARE = 1.25  # 5 : 4; upright face crops such as CelebA's have 1.22, cameras 1.33 and more


def equal_rows(photos: Sequence) -> int:
    """How many rows show exactly what a row before them shows.

    Files are compared by size, and by content only where sizes agree. Rows of one file with
    different faces differ; rows that cannot be read are not counted.

    Parameters
    ----------
    photos : list of PhotoRecord, str, Path, bytes, PIL image or ndarray

    Returns
    -------
    int
        0 where all differ.

    Examples
    --------
    >>> equal_rows([b"one", b"two", b"one", b"one"])
    2
    """
    files = [_file(photo) for photo in photos]
    sizes = Counter(size for _, size in {file[:2] for file in files if file is not None})
    digests: dict[str, bytes | str | None] = {}
    contents = []
    for photo, file in zip(photos, files, strict=True):
        if file is None:
            content = _in_memory(photo)
        else:
            real, size, face = file
            if real not in digests:
                digests[real] = _digest(real) if sizes[size] > 1 else real
            content = None if digests[real] is None else (digests[real], face)
        if content is not None:
            contents.append(content)
    return len(contents) - len(set(contents))


def crop_doubts(crops: Sequence) -> list[str]:
    """What is doubtful about many of the crops, in sentences for a warning.

    Parameters
    ----------
    crops : list of FaceCrop or of (enlarged, stretched) pairs
        Of all photographs of a fit; see `~sklearn_blades.photos.records.FaceCrop`.

    Returns
    -------
    list of str
        Empty where there is nothing to say.
    """
    pairs = [crop if isinstance(crop, tuple) else (crop.enlarged, crop.stretched) for crop in crops]
    enlarged, stretched = np.array(pairs, dtype=float).reshape(-1, 2).T
    doubts: list[str] = []
    if not pairs:
        return doubts
    if np.mean(enlarged > _TWICE) > MANY:
        doubts.append(
            f"{np.sum(enlarged > _TWICE)} of {len(pairs)} faces are enlarged more than twice, up "
            f"to {enlarged.max():.1f} times: their files have no fine detail to judge. Take larger "
            "files, a smaller image_size, or leave them out with min_face_size=."
        )
    if np.mean(stretched > _SQUARE) > MANY:
        doubts.append(
            f"{np.sum(stretched > _SQUARE)} of {len(pairs)} pictures are far from square (up to "
            f"{stretched.max():.2f} : 1), and face_locator='whole' squeezes each into a square as "
            "if it were a face crop. If they are full pictures, use face_locator='yunet'."
        )
    return doubts


def uncropped(photos: Sequence, face_margin: float, *, most: int = 32) -> tuple[int, int]:
    """How many of some pictures are far more than a face, though they are taken for face crops.

    A crop's side is ``face_margin`` times its face's. YuNet looks at a sample, evenly spread; a
    picture counts where its largest face is so small that it would be less than `FULL` of that.
    Of 1,907 crops at 1.6 none is counted, of 39 full pictures 27; close portraits are not.

    Parameters
    ----------
    photos : sequence
        What `~sklearn_blades.photos.records.face_crop` takes, for ``face_locator="whole"``.
    face_margin : float
    most : int
        Pictures looked at, each for 10 ms or, where it is large, up to 0.2 s.

    Returns
    -------
    counted : int
    looked : int
        Pictures in which a face was found; 0 where the extra ``faces`` is not installed.
    """
    try:
        find = locator("yunet")
    except ImportError:
        return 0, 0
    rows = np.unique(np.linspace(0, len(photos) - 1, min(most, len(photos))).astype(int))
    shares = [_share(photos[row], find) for row in rows]
    known = [share for share in shares if share is not None]
    return sum(share * face_margin < FULL for share in known), len(known)


def _share(photo, find):
    """The largest face's side over the picture's shorter side, or None where there is no face."""
    photo = getattr(photo, "path", photo)
    try:
        image = open_photo(
            Image.fromarray(photo) if isinstance(photo, np.ndarray) else photo,
            min_size=SEARCH_SIDE // 2,
        )
    except PhotoError:
        return None
    faces = find(image)
    if not faces:
        return None
    left, top, right, bottom = max(faces, key=lambda face: face.area).box
    return max((right - left) * image.width, (bottom - top) * image.height) / min(image.size)


def _file(photo):
    """Real path, size and face of a row that is a file; None for others and where there is none."""
    path = getattr(photo, "path", photo)
    if not isinstance(path, str | os.PathLike):
        return None
    try:
        real, size, *_ = file_identity(path)
    except (OSError, ValueError):  # ValueError: a NUL character in the name
        return None
    return real, size, getattr(photo, "face", None)


def _digest(path):
    """The hash of a file's content, or None where it cannot be read."""
    try:
        if Path(path).is_file():  # reading a pipe would wait for a writer
            with Path(path).open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").digest()
    except OSError:
        pass
    return None


def _in_memory(photo):
    if isinstance(photo, bytes):
        return hashlib.sha256(photo).digest(), None
    if isinstance(photo, np.ndarray):
        return joblib.hash(photo)
    if not isinstance(photo, Image.Image):
        return None
    try:
        return joblib.hash(np.asarray(open_photo(photo)))
    except PhotoError:
        return None
