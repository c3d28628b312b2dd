"""From an opened file to upright RGB pixels, and from those to a small square."""

import io
from typing import Any

import numpy as np
from PIL import Image

from ..errors import PhotoError
from .colour import to_srgb
from .files import OpenFile, check_still, name_of, open_header
from .tags import orientation

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# px: a `Picture` is decoded to an eighth only where its shorter side keeps so many (48 megapixels
# at 4:3). Elsewhere an eighth saves little more than a quarter, and a face found in such a copy
# would mostly be cut from another: two decodings for one.
_EIGHTH_FROM = 750
_MID_GRAY = (128, 128, 128)


def open_photo(source: Any, *, min_size: Any = None) -> Image.Image:
    """Decode a photograph.

    Parameters
    ----------
    source : str, os.PathLike, bytes or PIL image
        A file, its content, or an image, which is left as it is.
    min_size : int, optional
        Pixels of the shorter side that are enough. A JPEG is then decoded at a half, a quarter or
        an eighth of its size, never below ``min_size``, in a fraction of the time.

    Returns
    -------
    PIL image
        Nothing but pixels, so that opening it again changes nothing: RGB, 8 bits a channel, in
        sRGB where the file has a colour profile, upright (the EXIF orientation is applied), and
        without metadata that could say otherwise. Transparent parts lie on mid-gray; grays of 12
        and 16 bits keep their upper 8.

    Raises
    ------
    PhotoError
        Where the file is missing, no image, damaged or truncated.
    OversizedPhotoError
        Where the header announces too many pixels.
    AnimatedPhotoError
        Where there are several frames.

    See Also
    --------
    face_crop : The face of a photograph.
    read_exif : What the camera wrote.
    """
    with open_header(source) as image:
        check_still(source, image)
        turn = orientation(image)
        if isinstance(source, OpenFile):
            source.image = None
        if min_size is not None and image is not source:
            image.draft(None, (min_size, min_size))
        return _turned(to_rgb(image), turn)


def header(source):
    """The size (width, height) that `open_photo` would give, and the format, without decoding."""
    with open_header(source) as image:
        check_still(source, image)
        turn = orientation(image)
        return image.size[::-1] if turn >= 5 else image.size, image.format


def _jpeg_scale(size, side):
    """By how much a JPEG is made smaller as it is decoded, where so many pixels are enough."""
    shorter = min(size)
    least = max(side, min(shorter // 4, _EIGHTH_FROM), 1)
    return max(scale for scale in (1, 2, 4, 8) if scale * least <= max(shorter, least))


class Picture:
    """A photograph that is decoded once at most at each size that its format can be decoded to.

    Parameters
    ----------
    source : what `open_photo` takes
        A file is best `opened`, so that all that is asked for is of one and the same file.

    Attributes
    ----------
    size : (width, height)
        Upright, in pixels.
    format : str
        As Pillow names it.
    """

    def __init__(self, source):
        self.size, self.format = header(source)
        if min(self.size) < 1:  # Pillow and numpy make such pictures; no file is one
            raise PhotoError(name_of(source), "has no pixels.")
        self._source, self._decoded = source, {}

    def at_least(self, side):
        """The upright RGB picture with at least so many pixels on its shorter side.

        Parameters
        ----------
        side : int or None
            None: all of them.

        Returns
        -------
        PIL image
            The same for all who ask for this size, so not to be changed.
        """
        small = side and self.format == "JPEG" and not isinstance(self._source, Image.Image)
        scale = _jpeg_scale(self.size, side) if small else 1
        if scale not in self._decoded:
            least = min(self.size) // scale if small else None
            self._decoded[scale] = open_photo(self._source, min_size=least)
        return self._decoded[scale]


def _turned(image, turn):
    return image.transpose(_UPRIGHT[turn]) if turn in _UPRIGHT else image


def to_rgb(image):
    """Any PIL image as 8-bit RGB in sRGB, without metadata; not turned.

    Raises
    ------
    ValueError
        For 32-bit modes, whose white is unknown.
    """
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I;16"):
        plain = to_srgb(_shallow(image), profile)
    elif image.mode in ("I", "F"):
        raise ValueError(f"32-bit pixels ({image.mode}); save an 8-bit or 16-bit copy")
    elif image.has_transparency_data:
        layer = image.convert("RGBA")
        colours = layer.convert("L" if image.mode in ("1", "L", "LA", "La") else "RGB")
        plain = Image.new("RGB", layer.size, _MID_GRAY)
        plain.paste(to_srgb(colours, profile), mask=layer.getchannel("A"))
    else:
        plain = to_srgb(image, profile)
    if plain is image:
        plain = image.copy()
    plain.info = {}
    return plain


def _shallow(image):
    """The upper 8 bits of a deep gray image, which Pillow reads as 0 for black in any case."""
    deep = np.asarray(image.convert("I"))
    tags = getattr(image, "tag_v2", {})
    bits = image.info.get("bits") or (12 if tags.get(258) in (12, (12,)) else 16)
    gray = np.clip(deep >> (bits - 8), 0, 255).astype(np.uint8)
    white_is_zero = image.info.get("white_is_zero", tags.get(262) == 0)
    return Image.fromarray(255 - gray if white_is_zero else gray)


def resized(image, size, *, antialias=True):
    """Pixels of ``image`` stretched to a square.

    Parameters
    ----------
    image : PIL RGB image
    size : int
    antialias : bool
        True: bicubic over as many pixels as one output pixel covers. False: plain bilinear
        sampling of the four nearest, as early torchvision did; only for checkpoints that
        learned from such pixels.

    Returns
    -------
    ndarray of uint8, shape (size, size, 3)
    """
    if antialias:
        return np.array(image.resize((size, size), Image.Resampling.BICUBIC))
    pixels = np.asarray(image, dtype=np.float32)
    rows, cols = _bilinear(pixels.shape[0], size), _bilinear(pixels.shape[1], size)
    lines = _mix(pixels, rows, axis=0)
    return np.rint(_mix(lines, cols, axis=1)).astype(np.uint8)


def harmonised(pixels, quality):
    """Pixels as one and the same JPEG compression leaves them, whatever they went through before.

    What is finer than the steps of this compression is gone. It does not bring two copies of a
    picture closer pixel by pixel (rounding sends them apart); it makes the copies harder to tell
    by their statistics. It works on scaled faces: a crop that was never scaled still lies on its
    file's 8-pixel grid, and being compressed twice on one grid leaves a trace of its own.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (h, w, 3)
    quality : int, 1 to 100
        On libjpeg's scale; colours at full resolution (4:4:4).

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
    """
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=0)
    with Image.open(buffer, formats=["JPEG"]) as image:
        return np.array(image)


def _bilinear(length, size):
    """For each of ``size`` samples: the pixel before, the pixel after, and the latter's weight."""
    position = np.maximum((np.arange(size) + 0.5) * length / size - 0.5, 0)
    before = np.minimum(position.astype(int), length - 1)
    after = np.minimum(before + 1, length - 1)
    return before, after, (position - before).astype(np.float32)


def _mix(pixels, samples, axis):
    before, after, weight = samples
    shape = [1, 1, 1]
    shape[axis] = -1
    weight = weight.reshape(shape)
    return pixels.take(before, axis) * (1 - weight) + pixels.take(after, axis) * weight
