"""What a file betrays without a look at the face: size, format, compression, light, sharpness."""

import os
import zlib

import numpy as np
from scipy.ndimage import laplace

from ...photos.exif import read_exif
from ...photos.files import open_header
from ...photos.pixels import to_rgb
from ...photos.tags import orientation

NUMERIC = (
    "bytes",
    "bytes_per_pixel",
    "jpeg_quality",
    "resolution",
    "aspect",
    "luminance",
    "sharpness",
    "high_frequency",
    "blockiness",
)
CATEGORICAL = ("format", "quantisation", "subsampling", "has_exif")

_WINDOW = 512  # px: fine structure is read from this central part, in the file's own pixels
_SUBSAMPLING = {(1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (1, 2): "4:4:0"}
# Luma table of the Independent JPEG Group at quality 50 (ITU-T T.81, table K.1), as a sum.
_SUM_AT_50 = 3688


def read_cues(path):
    """The trivial cues of one file.

    Parameters
    ----------
    path : str or os.PathLike
        The file as it was delivered, not a crop of it.

    Returns
    -------
    dict of str to float or str
        `NUMERIC` cues are floats: ``bytes``; ``bytes_per_pixel`` without the EXIF block;
        ``jpeg_quality`` on libjpeg's scale, NaN where the file is no JPEG; ``resolution``, the
        square root of the number of pixels; ``aspect``, width over height, upright;
        ``luminance``, the mean, 0 to 255; ``sharpness``, the log variance of the Laplacian;
        ``high_frequency``, the log share of the spectrum above half the highest frequency;
        ``blockiness``, the log of the steps on JPEG's 8-pixel grid over those beside it.
        `CATEGORICAL` cues are words: ``format``; ``quantisation``, one word for all JPEG
        tables; ``subsampling`` of the colours; ``has_exif``, "yes" or "no".

    Raises
    ------
    PhotoError
        Where the file cannot be decoded.
    """
    with open_header(path) as image:  # not turned upright: JPEG's grid starts at its corner
        facts = _header_cues(image, os.stat(path).st_size)  # noqa: PTH116
        gray = np.asarray(to_rgb(image).convert("L"), dtype=np.float32)
    # The tags that we know: a block that holds an orientation alone is not EXIF.
    facts["has_exif"] = "yes" if read_exif(path) else "no"
    return facts | {"luminance": float(gray.mean())} | texture(_central(gray))


def _header_cues(image, n_bytes):
    width, height = image.size[::-1] if orientation(image) >= 5 else image.size
    n_pixels = width * height
    tables = getattr(image, "quantization", None) or {}
    return {
        "bytes": float(n_bytes),
        "bytes_per_pixel": (n_bytes - len(image.info.get("exif", b""))) / n_pixels,
        "jpeg_quality": jpeg_quality(tables[0]) if 0 in tables else np.nan,
        "resolution": float(np.sqrt(n_pixels)),
        "aspect": width / height,
        "format": str(image.format),
        "quantisation": _word(tables),
        "subsampling": _subsampling(image),
    }


def _word(tables):
    """One short word for a set of quantisation tables."""
    if not tables:
        return "none"
    raw = repr(sorted((key, list(table)) for key, table in tables.items())).encode()
    return f"{zlib.crc32(raw):08x}"


def _subsampling(image):
    """Of a JPEG; of other formats Pillow does not say."""
    layers = getattr(image, "layer", None)
    if image.format != "JPEG" or not layers:
        return "none"
    if len(layers) == 1:
        return "gray"
    ratio = layers[0][1] // max(1, layers[1][1]), layers[0][2] // max(1, layers[1][2])
    return _SUBSAMPLING.get(ratio, "other")


def jpeg_quality(luma):
    """The quality, 1 to 100, at which libjpeg's luma table is about as coarse as this one.

    Parameters
    ----------
    luma : sequence of 64 int

    Examples
    --------
    >>> jpeg_quality([1] * 64), round(jpeg_quality([3688 / 64] * 64))
    (100.0, 50)
    """
    percent = 100 * float(np.sum(luma)) / _SUM_AT_50
    if np.max(luma) <= 1:
        return 100.0
    return float(np.clip((200 - percent) / 2 if percent <= 100 else 5000 / percent, 1, 100))


def _central(gray):
    """The central window, cut on the 8-pixel grid, so that the grid starts at its corner."""
    sides = []
    for length in gray.shape:
        start = max(0, (length - _WINDOW) // 2) // 8 * 8
        sides.append(slice(start, start + _WINDOW))
    return gray[tuple(sides)]


def texture(gray):
    """Sharpness, share of high frequencies and blockiness.

    Parameters
    ----------
    gray : ndarray of float, shape (h, w), 0 to 255

    Returns
    -------
    dict of str to float
        In logarithms; 0 where an image is too small or too flat to tell.
    """
    power = np.abs(np.fft.rfft2(gray - gray.mean())) ** 2
    rows, columns = np.fft.fftfreq(gray.shape[0])[:, None], np.fft.rfftfreq(gray.shape[1])
    high = power[np.hypot(rows, columns) > 0.25].sum()
    return {
        "sharpness": float(np.log(laplace(gray).var() + 1e-3)),
        "high_frequency": float(np.log((high + 1e-6) / (power.sum() + 1e-6))),
        "blockiness": (_grid_steps(gray) + _grid_steps(gray.T)) / 2,
    }


def _grid_steps(gray):
    """Log of the mean step between columns 7|8, 15|16 ... over the mean of all other steps."""
    steps = np.abs(np.diff(gray, axis=1)).mean(axis=0)
    on_grid = np.arange(len(steps)) % 8 == 7
    if not on_grid.any():
        return 0.0
    return float(np.log((steps[on_grid].mean() + 1e-3) / (steps[~on_grid].mean() + 1e-3)))
