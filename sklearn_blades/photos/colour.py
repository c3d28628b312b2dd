"""Colours as their embedded profile means them, brought to sRGB."""

import io
import threading
from collections import OrderedDict
from hashlib import sha256

import numpy as np
from PIL import Image, ImageCms

_SRGB = ImageCms.createProfile("sRGB")
# By default LittleCMS draws a gray curve through 33 points: in the shadows up to 10 levels off.
_EXACT = {"L": ImageCms.Flags.NOOPTIMIZE}
_ALIKE = 2  # levels of 255: profiles of sRGB by different makers differ by rounding
_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # as profiles spell their colour space
_KEPT = 64  # transforms; a collection has a few, each of some 100 kB
_transforms: OrderedDict = OrderedDict()
_lock = threading.Lock()


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """An image as 8-bit RGB in sRGB.

    Parameters
    ----------
    image : PIL image of mode L, RGB, CMYK or another one that `convert` takes to RGB
    profile : bytes, optional
        An ICC profile. One that is damaged, or made for another kind of colours than the image
        has, says nothing, and the image counts as sRGB.
    """
    mode = "L" if image.mode == "1" else image.mode
    for_grays, for_inks, transform = _transform(profile) if profile else (False, False, None)
    if transform is None or for_inks != (mode == "CMYK") or (for_grays and mode != "L"):
        return image.convert("RGB")
    if not for_grays and not for_inks:  # grays in a colour profile are its neutral colours
        image = image.convert("RGB")
    elif image.mode != mode:
        image = image.convert(mode)
    return transform.apply(image)


def _transform(profile):
    """Whether a profile is for grays, whether for inks, and the way to sRGB; None for sRGB."""
    key = sha256(profile).digest()
    with _lock:
        if key in _transforms:
            _transforms.move_to_end(key)
            return _transforms[key]
    made = _made(profile)
    with _lock:
        _transforms[key] = made
        while len(_transforms) > _KEPT:
            _transforms.popitem(last=False)
    return made


def _made(profile):
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODES[source.profile.xcolor_space]
        # Black point compensation: else the paper's darkest ink would be a dark gray.
        transform = ImageCms.buildTransform(
            source,
            _SRGB,
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION | _EXACT.get(mode, 0),
        )
        alike = mode != "CMYK" and _changes(transform, mode) <= _ALIKE
        return mode == "L", mode == "CMYK", None if alike else transform
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, KeyError):
        return False, False, None


def _changes(transform, mode):
    """The largest difference in levels that a transform makes, over colours of all kinds."""
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    probes = [ramp] if mode == "L" else [cube, np.stack([ramp] * 3, axis=-1)]
    images = [Image.fromarray(probe) for probe in probes]
    before = [np.asarray(image.convert("RGB")).astype(int) for image in images]
    after = [np.asarray(transform.apply(image)).astype(int) for image in images]
    return max(np.abs(a - b).max() for a, b in zip(after, before, strict=True))
