"""Face crops, each located and decoded once and kept small."""

import uuid
import warnings
import weakref
from collections.abc import Callable, Mapping
from typing import NamedTuple

import joblib
import numpy as np
import PIL
from joblib import Parallel, delayed
from PIL import Image

from ..errors import NoFaceError, PhotoError
from ..storage.cache import file_identity, key_of
from .faces import Face, look_up
from .files import Missing
from .pixels import open_photo
from .records import FaceCrop, PhotoRecord, face_crop

CUT_VERSION = 3
"""Counts the changes of what a photograph's crop looks like: crops that older code cut, in a folder
that outlives it, are then not taken. Raise it with every change of pixels, crop or scaling."""

# A callable is known by being the same object: by its name or code, an edited one might pass for
# the old. Its crops are found again within one process only.
_tokens: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


class CropSettings(NamedTuple):
    """How a photograph becomes the square that the image tower sees; see `face_crop`."""

    face_locator: object = "haar"
    face_margin: float = 1.3
    image_size: int = 224
    antialias: bool = True
    harmonise: int | None = None
    min_face_size: float | None = None


def photo_key(photo, settings):
    """Name a crop by all that determines its pixels, or None where that cannot be known.

    Parameters
    ----------
    photo : PhotoRecord, str, Path, PIL image or ndarray
    settings : CropSettings

    Raises
    ------
    PhotoError
        If the file is not there.
    """
    how, face = settings.face_locator, None
    path = photo.path if isinstance(photo, PhotoRecord) else photo
    if isinstance(photo, PhotoRecord):
        face = photo.face
    elif isinstance(how, Mapping):
        face = look_up(how, path)
    if isinstance(how, Mapping) or (face is not None and how != "whole"):
        how = "given"  # "whole" keeps the image whole even where the face is known
    elif isinstance(how, Callable):
        try:
            how = _tokens.setdefault(how, uuid.uuid4().hex)
        except TypeError:  # not hashable, or no weak reference to it can be kept
            return None
    if isinstance(photo, Image.Image):
        # What it looks like, and not what it is made of: palette, transparency, orientation and
        # colour profile all count.
        identity = "image", joblib.hash(np.asarray(open_photo(photo)))
    elif isinstance(photo, np.ndarray):
        identity = "array", joblib.hash(photo)
    elif isinstance(photo, Missing):
        raise photo.error()
    else:
        try:
            identity = file_identity(path)
        except (OSError, ValueError) as error:  # ValueError: a NUL character in the name
            problem = getattr(error, "strerror", None) or error
            raise PhotoError(path, f"cannot be opened ({problem}).") from error
    box = None if face is None else (face.box, face.eyes, face.mouth)
    return key_of(CUT_VERSION, PIL.__version__, identity, box, how, *settings[1:])


class Crops:
    """The crops of a list of photographs, computed on demand through a cache.

    Parameters
    ----------
    photos : list
        What `face_crop` takes.
    settings : CropSettings
    cache : ArrayCache

    Attributes
    ----------
    measured : dict of int to (float, float)
        What `usable` saw of each usable photograph: how much its face was enlarged, and how far
        from square it was; `~sklearn_blades.photos.doubts.crop_doubts` makes words of it.
    """

    def __init__(self, photos, settings, cache):
        self.photos, self.settings, self.cache = photos, settings, cache
        self._keys = {}
        self.measured = {}

    def __len__(self):
        return len(self.photos)

    def __reduce__(self):  # another process has its own cache, and looks at the files anew
        return Crops, (self.photos, self.settings, self.cache)

    def part(self, rows):
        """The crops of some of the photographs."""
        part = Crops([self.photos[row] for row in rows], self.settings, self.cache)
        part._keys = {i: self._keys[row] for i, row in enumerate(rows) if row in self._keys}
        return part

    def key(self, index):
        """The `photo_key` of a photograph, which is looked at once: the crops stay those of then.

        Raises
        ------
        PhotoError
            If the file is not there.
        """
        if index not in self._keys:
            self._keys[index] = photo_key(self.photos[index], self.settings)
        return self._keys[index]

    def __getitem__(self, index):
        """The `FaceCrop` of a photograph; raises `PhotoError` where there is none to be had."""
        key = self.key(index)
        if key is None:
            return face_crop(self.photos[index], **self.settings._asdict())
        known = self.cache.get(key)
        if known is None:
            known = _packed(face_crop(self.photos[index], **self.settings._asdict()))
            self.cache.put(key, known)
        return _unpacked(known, self.settings.image_size)

    def attempt(self, index):
        """The `FaceCrop` of a photograph, or the `PhotoError` that there is instead."""
        try:
            return self[index]
        except PhotoError as error:
            return error

    def usable(self, *, on_error, n_jobs=None):
        """Cut every face once, and say which photographs have one to give.

        Parameters
        ----------
        on_error : {"raise", "nan"}
            Raise the first `PhotoError` at once (`NoFaceError` when all have been looked at, with
            their number), or leave such photographs out with one warning.

        Returns
        -------
        list of int
            Rows of the usable photographs.
        """
        # Only the errors stay in memory; the crops are in the cache.
        errors = Parallel(n_jobs=n_jobs, prefer="threads")(
            delayed(self._problem)(index, on_error) for index in range(len(self))
        )
        bad = [error for error in errors if error is not None]
        if bad and on_error == "raise":
            raise NoFaceError(
                bad[0].path,
                f"{bad[0].problem} {len(bad)} of {len(self)} photographs are without a face that "
                "was found; on_error='nan' goes on without them.",
            )
        if bad:
            warnings.warn(
                f"{len(bad)} of {len(self)} photographs cannot be used and are left out of "
                f"training. First: {bad[0]}",
                stacklevel=2,
            )
        return [row for row, error in enumerate(errors) if error is None]

    def load(self, *, n_jobs=None):
        """All crops, computed in ``n_jobs`` threads.

        Returns
        -------
        list of FaceCrop or PhotoError
            An error is returned, not raised.
        """
        return Parallel(n_jobs=n_jobs, prefer="threads")(
            delayed(self.attempt)(index) for index in range(len(self))
        )

    def _problem(self, index, on_error):
        result = self.attempt(index)
        if isinstance(result, PhotoError):
            if on_error == "raise" and not isinstance(result, NoFaceError):
                raise result
            return result
        self.measured[index] = result.enlarged, result.stretched
        return None


def _packed(crop):
    """A crop as one array, so that the cache has all of it or nothing: pixels, then numbers."""
    face = crop.face
    points = *face.eyes[0], *face.eyes[1], *face.mouth
    row = np.array([*face.box, *points, crop.enlarged, crop.stretched])
    return np.concatenate([crop.pixels.reshape(-1), row.view(np.uint8)])


def _unpacked(array, size):
    end = size * size * 3
    left, top, right, bottom, *points, enlarged, stretched = array[end:].view(float).tolist()
    face = Face(
        (left, top, right, bottom), (tuple(points[:2]), tuple(points[2:4])), tuple(points[4:])
    )
    return FaceCrop(array[:end].reshape(size, size, 3), face, enlarged, stretched)
