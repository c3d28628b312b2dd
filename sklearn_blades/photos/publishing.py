"""What publishers do to a photograph on its way to a page: for training that shall survive it."""

import io

import numpy as np
from PIL import Image, ImageFilter

from .degradations import blurred, recompressed

_KERNELS = (
    Image.Resampling.BOX,
    Image.Resampling.BILINEAR,
    Image.Resampling.HAMMING,
    Image.Resampling.BICUBIC,
    Image.Resampling.LANCZOS,
)
_AS_IT_IS = 0.2  # of the pictures are not processed at all
_OFTEN = 0.35  # is how often each step is taken of the others


def published(pixels, rng):
    """A picture as a publisher might show it: some of `STEPS`, in random order and strength.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (h, w, 3)
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
        A fifth stay as they are. At a tower's own size each step bites harder than on the file.
    """
    if rng.random() < _AS_IT_IS:
        return pixels
    order, taken = rng.permutation(len(STEPS)), rng.random(len(STEPS)) < _OFTEN
    for number in order[taken[order]]:
        pixels = STEPS[number](pixels, rng)
    return pixels


def jpeg(pixels, rng):
    """Saved as JPEG of quality 50 to 98, its chroma whole or halved along both sides."""
    buffer = io.BytesIO()
    halved = int(rng.choice([0, 2]))  # Pillow's numbers for 4:4:4 and 4:2:0
    Image.fromarray(pixels).save(
        buffer, "JPEG", quality=int(rng.integers(50, 99)), subsampling=halved
    )
    with Image.open(buffer) as image:
        return np.array(image.convert("RGB"))


def webp(pixels, rng):
    """Saved as WebP of quality 50 to 98."""
    return recompressed(pixels, quality=int(rng.integers(50, 99)), form="WEBP")


def rescaled(pixels, rng):
    """Scaled to 0.5 to 1.5 of its size and back, by kernels of Pillow drawn for each way."""
    size = pixels.shape[1::-1]
    factor = np.exp(rng.uniform(np.log(0.5), np.log(1.5)))
    other = [max(1, round(side * factor)) for side in size]
    there, back = (_KERNELS[number] for number in rng.integers(len(_KERNELS), size=2))
    return np.array(Image.fromarray(pixels).resize(other, there).resize(size, back))


def sharpened(pixels, rng):
    """An unsharp mask of radius 0.5 to 2 pixels and 20 to 150 per cent."""
    mask = ImageFilter.UnsharpMask(
        rng.uniform(0.5, 2), percent=int(rng.integers(20, 151)), threshold=int(rng.integers(4))
    )
    return np.array(Image.fromarray(pixels).filter(mask))


def softened(pixels, rng):
    """A Gaussian blur of 0.3 to 1 pixel."""
    return blurred(pixels, sigma=rng.uniform(0.3, 1))


def toned(pixels, rng):
    """A tone curve: a gamma of 0.7 to 1.4, and contrast added or taken about the middle."""
    levels = np.linspace(0, 1, 256) ** np.exp(rng.uniform(np.log(0.7), np.log(1.4)))
    bend = rng.uniform(-0.25, 0.35)
    levels = levels + bend * levels * (1 - levels) * (2 * levels - 1) * 2
    return np.rint(255 * np.clip(levels, 0, 1)).astype(np.uint8)[pixels]


def cast(pixels, rng):
    """A colour cast: each channel by 0.88 to 1.12, and saturation by 0.7 to 1.3."""
    tinted = pixels.astype(np.float32) * rng.uniform(0.88, 1.12, 3)
    grey = tinted @ np.array([0.299, 0.587, 0.114])
    tinted = grey[..., None] + rng.uniform(0.7, 1.3) * (tinted - grey[..., None])
    return np.clip(np.rint(tinted), 0, 255).astype(np.uint8)


def trimmed(pixels, rng):
    """Up to a tenth of each side cut away, scaled back to the size it had."""
    height, width = pixels.shape[:2]
    left, right, top, bottom = rng.uniform(0, 0.05, 4)
    box = (left * width, top * height, (1 - right) * width, (1 - bottom) * height)
    kernel = _KERNELS[rng.integers(len(_KERNELS))]
    return np.array(Image.fromarray(pixels).resize((width, height), kernel, box=box))


STEPS = (jpeg, webp, rescaled, sharpened, softened, toned, cast, trimmed)
