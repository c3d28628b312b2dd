"""What happens to a picture on its way: saved again, scaled, blurred, cropped, made noisy."""

import io
from functools import partial
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter


def default_degradations() -> dict[str, list[tuple[Any, Any]]]:
    """The degradations of `robustness_curve`, mild to severe.

    Returns
    -------
    dict of str to list of (severity, callable)
        Callables take pixels, uint8 of shape (h, w, 3), and a numpy Generator, and return pixels
        of the same kind, perhaps of another size; they change nothing in place.

    See Also
    --------
    robustness_curve : Takes them.
    """
    return {
        "jpeg": _family(recompressed, "quality", (95, 85, 75, 65, 50), form="JPEG"),
        "webp": _family(recompressed, "quality", (95, 80, 65, 50), form="WEBP"),
        "blur": _family(blurred, "sigma", (0.5, 1.0, 2.0)),
        "downscale": _family(scaled, "factor", (0.75, 0.5, 0.25)),
        "upscale": _family(scaled, "factor", (1.5, 2.0)),
        "crop": _family(cropped, "fraction", (0.9, 0.8, 0.7)),
        "noise": _family(noisy, "sigma", (2.0, 5.0, 10.0)),
    }


def _family(function, parameter, severities, **fixed):
    return [(s, partial(function, **{parameter: s}, **fixed)) for s in severities]


def recompressed(pixels, rng=None, *, quality, form="JPEG"):
    """Saved and opened again, at ``quality`` 1 to 100 of Pillow's ``form``: "JPEG" or "WEBP"."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, quality=quality)
    with Image.open(buffer) as image:
        return np.array(image.convert("RGB"))


def blurred(pixels, rng=None, *, sigma):
    """A Gaussian blur of ``sigma`` pixels."""
    smooth = gaussian_filter(pixels.astype(np.float32), sigma, axes=(0, 1), mode="nearest")
    return np.rint(smooth).astype(np.uint8)


def scaled(pixels, rng=None, *, factor):
    """Both sides times ``factor``, bicubic."""
    size = [max(1, round(side * factor)) for side in pixels.shape[1::-1]]
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def cropped(pixels, rng=None, *, fraction):
    """The central part, ``fraction`` of each side."""
    kept = [max(1, round(side * fraction)) for side in pixels.shape[:2]]
    top, left = ((side - k) // 2 for side, k in zip(pixels.shape, kept, strict=False))
    return pixels[top : top + kept[0], left : left + kept[1]].copy()


def noisy(pixels, rng, *, sigma):
    """White Gaussian noise of ``sigma`` gray levels (of 255), for each channel its own."""
    noise = rng.normal(scale=sigma, size=pixels.shape)
    return np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)
