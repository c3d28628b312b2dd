"""What is known of photographs, read; and the face crop that every model sees."""

import os
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from PIL import Image

from ..errors import NoFaceError, PhotoError
from ..ground.jobs import local_jobs
from ..ground.types import Locator, Photographs
from ..ground.warn import warn
from .exif import read_exif
from .exif_rows import ExifRow, ExifTable
from .faces import (
    Face,
    check_margin,
    check_side,
    crop,
    least_side,
    look_up,
    square,
    whole,
)
from .files import Missing, name_of, opened
from .locators import locator
from .pixels import Picture, harmonised, open_photo, resized
from .rows import PhotoRecord, photo_list
from .tables import exif_table, face_table, warn_if_strangers

__all__ = ["FaceCrop", "PhotoRecord", "face_crop", "open_photo", "photo_list", "read_photos"]


@dataclass(frozen=True, slots=True, eq=False)
class FaceCrop:
    """A face, cut out and scaled.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (image_size, image_size, 3)
    face : Face
        In fractions of the crop.
    enlarged : float
        Pixels of the crop's side for one in the file: above 1, the file shows less than the crop.
    stretched : float
        Longer over shorter side of what was scaled to the square; above 1 only where
        ``face_locator="whole"`` met a picture that is not square.

    See Also
    --------
    face_crop : Makes it.
    """

    pixels: np.ndarray
    face: Face
    enlarged: float = 1.0
    stretched: float = 1.0


def read_photos(
    paths: Photographs,
    *,
    exif: Any = None,
    faces: Any = None,
    n_jobs: int | None = None,
    on_error: str = "raise",
) -> list[PhotoRecord]:
    """Read what is known of photographs: headers and EXIF, no pixels.

    Parameters
    ----------
    paths : list, 1-D array, Series or one-column frame of str, Path or PhotoRecord
        Records keep what they know and are completed from the tables.
    exif : mapping {path: {tag: value}} or DataFrame indexed by path, optional
        Goes before what the file says, tag by tag; in the form of
        `~sklearn_blades.photos.exif.normalise_exif`.
    faces : mapping {path: Face or (left, top, right, bottom)}, optional
        In fractions of the upright image. Keys of both tables match by real path.
    n_jobs : int, optional
        Threads, as in joblib.
    on_error : {"raise", "skip"}
        ``"skip"`` leaves unreadable files out, with one warning.

    Returns
    -------
    list of PhotoRecord
        In the order of ``paths``; shorter only with ``on_error="skip"``.

    Raises
    ------
    PhotoError
        For the first unreadable file, with ``on_error="raise"``.
    TypeError, ValueError
        For a table that is none, or holds no EXIF tags; for a box that is none, by its path.

    Warns
    -----
    UserWarning
        Where a table has no row of these photographs, or no value that can be used.

    See Also
    --------
    read_exif : The EXIF of one file.
    face_crop : The pixels that every model sees.
    sklearn_blades.datasets.load_generator_folders : One folder a generator.
    """
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error={on_error!r}; use 'raise' or 'skip'.")
    photos = photo_list(paths)
    facts, found = exif_table(exif), face_table(faces)
    table = ExifTable()
    records = Parallel(n_jobs=local_jobs(n_jobs), require="sharedmem")(
        delayed(_read)(photo, facts, found, table, on_error == "skip") for photo in photos
    )
    failed = [record for record in records if isinstance(record, PhotoError)]
    if failed:
        names = "; ".join(str(error) for error in failed[:3])
        more = f"; and {len(failed) - 3} more" if len(failed) > 3 else ""
        warn(f"{len(failed)} of {len(photos)} photographs left out: {names}{more}")
    records = [record for record in records if isinstance(record, PhotoRecord)]
    for name, known in (("exif", facts), ("faces", found)):
        warn_if_strangers(name, known, (record.path for record in records))
    return records


def face_crop(
    photo: Any,
    *,
    face_locator: Locator = "haar",
    face_margin: float = 1.3,
    image_size: int = 224,
    antialias: bool = True,
    harmonise: int | None = None,
    min_face_size: float | None = None,
) -> FaceCrop:
    """Cut the face out of a photograph and scale it.

    Parameters
    ----------
    photo : PhotoRecord, str, Path, bytes, PIL image or ndarray of uint8, (h, w, 3) or (h, w)
        A record's own face goes before the locator.
    face_locator : "haar", "yunet", "whole", "yunet:/path.onnx", {path: Face} or callable
        ``"whole"`` keeps the whole image and takes it for a crop at ``face_margin`` times the
        face box. Of several faces the largest is taken.
    face_margin : float of at least 1
        The crop's side over the larger side of the face box.
    image_size : int
        Pixels of the result's side.
    antialias : bool
        False: plain bilinear sampling of the fully decoded picture.
    harmonise : int, optional
        JPEG quality, 1 to 100, at which the scaled face is compressed once more: see
        `~sklearn_blades.photos.pixels.harmonised`.
    min_face_size : float, optional
        Least pixels that the larger side of the face's box must have in the file. By default an
        eighth of ``image_size``, but at least 16. 0 takes any.

    Returns
    -------
    FaceCrop

    Raises
    ------
    NoFaceError
        Where no face was found.
    SmallFaceError
        Where the face is smaller than ``min_face_size``.
    AnimatedPhotoError
        Where the file has several frames.
    PhotoError
        Where the photograph cannot be read.

    See Also
    --------
    open_photo : The whole picture, upright.
    PhotoRecord : May bring the face along.

    Notes
    -----
    The scale at which a JPEG is decoded follows from the face and ``image_size`` alone, so that
    a face from a table and the same face from a locator give the same pixels.
    """
    check_margin(face_margin)
    least = least_side(min_face_size, image_size)
    how = {"antialias": antialias, "harmonise": harmonise}
    source, face = source_and_face(photo)
    name = name_of(getattr(photo, "path", photo))
    with opened(source) as source:
        picture = Picture(source)
        size = picture.size
        if isinstance(face_locator, str) and face_locator == "whole":
            face = face or whole(face_margin)
            check_side(name, size, face, least)
            pixels = _scaled(picture.at_least(image_size if antialias else None), image_size, **how)
            return FaceCrop(pixels, face, image_size / min(size), max(size) / min(size))
        if face is None:
            face = faces_in(picture, name, face_locator)[0]
        check_side(name, size, face, least)
        left, _, right, _ = square(size, face, face_margin)
        enough = -(-image_size * min(size) // (right - left))
        image, face = crop(picture.at_least(enough if antialias else None), face, face_margin)
        del picture  # and with it the copies that were decoded
        return FaceCrop(_scaled(image, image_size, **how), face, image_size / (right - left))


def _scaled(image, size, antialias, harmonise):
    pixels = resized(image, size, antialias=antialias)
    return pixels if harmonise is None else harmonised(pixels, harmonise)


def _read(photo, facts, found, table, skip):
    """One record, or with ``skip`` the `PhotoError` that prevented it."""
    try:
        path, exif = getattr(photo, "path", photo), exif_of(photo)
    except PhotoError as error:
        if skip:
            return error
        raise
    real = os.path.realpath(path) if facts or found else None
    return PhotoRecord(
        path,
        ExifRow({**exif, **facts.get(real, {})}, table),
        found.get(real, getattr(photo, "face", None)),
    )


def exif_of(photo: Any) -> dict[str, Any]:
    """What is known of a row of photographs before its pixels are: a record's own, or its file's.

    Parameters
    ----------
    photo : PhotoRecord, str, Path or OpenFile

    Raises
    ------
    PhotoError
        Where there is no such file, or the row is empty.
    TypeError
        Where the row is no file.
    """
    if isinstance(photo, PhotoRecord):
        return dict(photo.exif)
    if isinstance(photo, Missing):
        raise photo.error()
    if isinstance(photo, str | os.PathLike):
        return read_exif(photo)
    raise TypeError(
        f"{reprlib.repr(photo)}: a path or a PhotoRecord is needed here, not "
        f"{type(photo).__name__}."
    )


def source_and_face(photo):
    """What `open_photo` takes, and the face if it is known already."""
    if isinstance(photo, PhotoRecord):
        return photo.path, photo.face
    if isinstance(photo, np.ndarray):
        if photo.dtype != np.uint8 or photo.ndim not in (2, 3) or photo.shape[2:] not in ((), (3,)):
            raise ValueError(
                f"an array of {photo.dtype}, shape {photo.shape}: images as arrays are uint8 of "
                "shape (height, width, 3) or (height, width)."
            )
        return Image.fromarray(np.ascontiguousarray(photo)), None
    return photo, None


def faces_in(picture: Picture, name: str, face_locator: Locator) -> list[Face]:
    """All faces that are found, or the one that a table names; the largest is first.

    Parameters
    ----------
    picture : Picture
    name : str
        By which a table knows the photograph, and what errors call it.
    face_locator : as in `face_crop`, but for "whole"

    Returns
    -------
    list of Face
        In fractions of the upright image; at least one.

    Raises
    ------
    NoFaceError
        Where there is none.
    """
    if isinstance(face_locator, Mapping):
        face = look_up(face_locator, name)
        if face is None:
            raise NoFaceError(name, "has no row in the table of faces.")
        return [face]
    shorter, longer = sorted(picture.size)
    faces = locator(face_locator).among(
        picture.size, lambda side: picture.at_least(-(-side * shorter // longer))
    )
    if not faces:
        raise NoFaceError(
            name,
            f"face_locator={face_locator!r} found no face; leave the photograph out, give its "
            "face box in a {path: box} table, or use face_locator='whole' for face crops.",
        )
    return sorted(faces, key=lambda face: face.area, reverse=True)
