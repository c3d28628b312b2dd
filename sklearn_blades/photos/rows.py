"""Photographs as rows of data: records without pixels, and lists of them from any container."""

import math
import os
import reprlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from PIL import Image

from ..storage.cache import file_identity
from .exif_rows import ExifRow
from .faces import Face
from .files import Missing, name_of


@dataclass(frozen=True, slots=True)
class PhotoRecord:
    """A photograph as a row of data: where it is and what is known of it, without its pixels.

    Parameters
    ----------
    path : str
        The file.
    exif : mapping of str to float or str
        As `read_exif` gives it; read-only here.
    face : Face, optional
        Where the face is, if that is known; otherwise it is located when pixels are needed.

    See Also
    --------
    read_photos : Makes records of many files.
    sklearn_blades.BladesEncoder : Takes them wherever paths go.
    """

    path: str
    exif: Mapping = field(default_factory=dict, hash=False)
    face: Face | None = None

    def __post_init__(self):
        object.__setattr__(self, "path", os.fspath(self.path))
        if not isinstance(self.exif, ExifRow):
            object.__setattr__(self, "exif", MappingProxyType(dict(self.exif)))

    def __reduce__(self):
        """Pickle with the file's identity, by which joblib tells one that changed from the old.

        A record that is loaded does not keep it: it names the file, whatever that holds then.
        """
        identity = None
        with suppress(OSError, ValueError):  # where it is opened, that is said
            identity = file_identity(self.path)
        # A mapping proxy cannot be pickled.
        return PhotoRecord, (self.path, dict(self.exif), self.face), identity

    def __setstate__(self, identity):
        pass


class IdentifiedPath(str):
    """A path that pickles, and so is hashed by joblib, with what its file is at that moment.

    Equal to the plain path in every other way, and when it is loaded just that.
    """

    __slots__ = ()

    def __reduce__(self):
        identity = None
        with suppress(OSError, ValueError):  # where it is opened, that is said
            identity = file_identity(str(self))
        return _plain_path, (str(self), identity)


def _plain_path(path, identity):
    return path


def identified(X):
    """Rows with every path as an `IdentifiedPath`; whatever else is in them stays as it is.

    Returns
    -------
    list
    """
    return [
        IdentifiedPath(os.fspath(photo)) if isinstance(photo, str | os.PathLike) else photo
        for photo in photo_list(X)
    ]


def photo_list(paths):
    """Rows as a plain list, from any of the containers that hold them.

    Returns
    -------
    list
        Paths, `PhotoRecord`s, PIL images and arrays as they are. A row without any (None, NaN, an
        empty text: an empty cell of a table) is a `~sklearn_blades.photos.files.Missing`, which
        counts as a photograph that cannot be used.

    Raises
    ------
    TypeError, ValueError
        For one photograph or a folder that is not in a list, for tables of more than one column,
        for an array of pictures, and for rows that are nothing of the above, by their number.
    """
    _refuse_single(paths)
    if hasattr(paths, "__array__") and not isinstance(paths, list | tuple):
        array = _column(paths)
    else:
        array = list(paths)
    return [_row(number, photo) for number, photo in enumerate(array)]


def _refuse_single(paths):
    """Raise for what is no list of rows at all."""
    if paths is None:
        raise ValueError("X is None; give a list of photographs, such as ['a.jpg', 'b.jpg'].")
    if isinstance(paths, str | os.PathLike) and os.path.isdir(paths):  # noqa: PTH112
        raise TypeError(
            f"{name_of(paths)}: a folder; list its photographs: "
            f"sorted(pathlib.Path({os.fspath(paths)!r}).glob('*.jpg'))."
        )
    if isinstance(paths, bytes | bytearray | memoryview) or hasattr(paths, "read"):
        raise TypeError(f"X is {_misplaced(paths)}; give a list of photographs.")
    if isinstance(paths, str | os.PathLike | PhotoRecord | Image.Image):
        raise TypeError(f"{name_of(paths)}: one photograph; wrap it in a list: [{paths!r}].")
    if not hasattr(paths, "__iter__") and not hasattr(paths, "__array__"):
        raise TypeError(f"X is {_misplaced(paths)}; give a list of photographs.")


def _column(paths):
    """An array, Series or frame of one column, as a list of its rows."""
    shape, kind = getattr(paths, "shape", ()), getattr(paths, "dtype", None)
    if kind == np.uint8 and len(shape) in (3, 4):  # pixels
        if len(shape) == 3 and shape[2] == 3:
            raise ValueError(f"an array of shape {shape}: one picture; wrap it in a list: [array].")
        raise ValueError(f"an array of pictures of shape {shape}: give them as list(array).")
    array = np.asarray(paths, dtype=object)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"photographs of shape {array.shape}: give a list or a single column.")
    return array.tolist()


def _row(number, photo):
    """A row of X as it is, marked where it is empty."""
    if isinstance(photo, str | os.PathLike):
        return photo if os.fspath(photo) else Missing(number, photo)
    if isinstance(photo, PhotoRecord | Image.Image | np.ndarray | Missing):
        return photo
    nothing = photo is None or type(photo).__name__ in ("NAType", "NaTType")
    if nothing or (isinstance(photo, float) and math.isnan(photo)):
        return Missing(number, photo)
    raise TypeError(
        f"row {number} of X is {_misplaced(photo)}; a row is a path, a PhotoRecord, a PIL image or "
        "an array of uint8."
    )


def _misplaced(value):
    """What something is that stands where a photograph should, and what to type instead."""
    if isinstance(value, bytes | bytearray | memoryview):
        return (
            f"bytes ({len(value):,} of them), not a path: open them with "
            "PIL.Image.open(io.BytesIO(...))"
        )
    if hasattr(value, "read"):
        name = getattr(value, "name", None)
        return f"an open file, not a path: give its name{f', {name!r}' if name else ''}"
    return f"not a path: {reprlib.repr(value)}, of type {type(value).__name__}"
