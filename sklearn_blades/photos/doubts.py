"""What makes rows doubtful as photographs of faces, though each of them can be read."""

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import joblib
import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from ..errors import PhotoError
from ..storage.cache import file_identity
from .locators import locator
from .pixels import open_photo

MANY = 0.1
"""The share of the rows from which on they are worth a word."""

FULL = 0.6
"""A face that is less than this times what a crop's would be was never cropped to."""

SAMPLE = 32
"""Crops that are looked at for this; each takes 2 to 10 ms."""

_FINE = 256  # px
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


def lost_rows(failed: Mapping[int, PhotoError], n: int) -> list[str]:
    """What to say where rows are NaN: a sentence, or none.

    Parameters
    ----------
    failed : dict of row to PhotoError
    n : int
        Of how many photographs.
    """
    if not failed:
        return []
    return [
        f"{len(failed)} of {n} photographs cannot be used; their rows are NaN. "
        f"First: {failed[min(failed)]}"
    ]


def crop_doubts(measured: ArrayLike) -> list[str]:
    """What is doubtful about many of the crops, in sentences for a warning.

    Parameters
    ----------
    measured : array-like of shape (n_photos, 2)
        How much each face of a fit was enlarged, and how far from square it was; see
        `~sklearn_blades.photos.records.FaceCrop`.

    Returns
    -------
    list of str
        Empty where there is nothing to say.
    """
    enlarged, stretched = np.asarray(measured, dtype=float).reshape(-1, 2).T
    doubts: list[str] = []
    if not (n := len(enlarged)):
        return doubts
    if np.mean(enlarged > _TWICE) > MANY:
        doubts.append(
            f"{np.sum(enlarged > _TWICE)} of {n} faces are enlarged more than twice, up "
            f"to {enlarged.max():.1f} times: their files have no fine detail to judge. Take larger "
            "files, a smaller image_size, or leave them out with min_face_size=."
        )
    if np.mean(stretched > _SQUARE) > MANY:
        doubts.append(
            f"{np.sum(stretched > _SQUARE)} of {n} pictures are far from square (up to "
            f"{stretched.max():.2f} : 1), and face_locator='whole' squeezes each into a square as "
            "if it were a face crop. If they are full pictures, use face_locator='yunet'."
        )
    return doubts


def full_pictures(crops: Sequence, face_margin: float) -> list[str]:
    """What to say where pictures that are taken for face crops show far more than a face.

    A crop's side is ``face_margin`` times its face's. YuNet looks at a sample, evenly spread; a
    picture counts where its largest face is less than `FULL` of that. Of 400 real crops and 200
    simulated ones none is counted, of 29 full pictures 20; close portraits are not.

    Parameters
    ----------
    crops : Crops or list of FaceCrop
        Of ``face_locator="whole"``, as the image tower sees them.
    face_margin : float

    Returns
    -------
    list of str
        At most one sentence for a warning; none where the extra ``faces`` is not installed.
    """
    try:
        find = locator("yunet")
    except ImportError:
        return []
    rows = np.unique(np.linspace(0, len(crops) - 1, min(SAMPLE, len(crops))).astype(int))
    shares = [share for row in rows if (share := _share(crops[row].pixels, find)) is not None]
    full = sum(share * face_margin < FULL for share in shares)
    if full <= MANY * len(shares):
        return []
    return [
        f"in {full} of {len(shares)} pictures looked at, the face is far smaller than in a crop of "
        f"face_margin={face_margin:g}: face_locator='whole' takes each picture as a face crop. If "
        "they are full pictures, use an encoder with face_locator='yunet', or cut the faces first."
    ]


def _share(pixels, find):
    """The largest face's side over the crop's, or None where there is no face."""
    image = Image.fromarray(pixels)
    if len(pixels) < _FINE:  # the faces that matter here are the small ones
        image = image.resize((_FINE, _FINE), Image.Resampling.BICUBIC)
    faces = find(image)
    if not faces:
        return None
    left, top, right, bottom = max(faces, key=lambda face: face.area).box
    return max(right - left, bottom - top)


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
