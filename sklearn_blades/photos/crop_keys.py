"""What names a crop: all that determines its pixels, from the file to the libraries."""

import uuid
import weakref
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import joblib
import numpy as np
import PIL
from PIL import Image, features

from ..errors import PhotoError
from ..storage.cache import file_identity, key_of
from .faces import look_up
from .files import Missing
from .locators import locator_identity
from .pixels import open_photo
from .rows import PhotoRecord

CUT_VERSION = 4
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
    elif how != "whole":
        how = locator_identity(how)
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
    return key_of(CUT_VERSION, libraries(), identity, box, how, *settings[1:])


@cache
def libraries():
    """Versions of all that decodes, colours and scales a picture: other pixels, other crops.

    Returns
    -------
    tuple of (str, str or None)
        None for what is not installed. What finds the face is named by its locator.
    """
    codecs = ("jpg", "libjpeg_turbo", "libtiff", "webp", "avif", "littlecms2")
    try:
        heif = version("pillow_heif")
    except PackageNotFoundError:
        heif = None
    return (
        ("numpy", np.__version__),
        ("pillow", PIL.__version__),
        ("pillow_heif", heif),
        *((codec, features.version(codec)) for codec in codecs),
    )
