"""What is left of stored pixels when all that is smooth is taken away: 153 numbers of a face.

Grey values have the units of an 8-bit picture. Wherever a variance may be 0, the variance that
rounding to whole grey values leaves (1/12) is added: nothing below it can be known, and a plain
picture gets finite numbers.
"""

import numpy as np

from ..ground.types import FloatArray

SMALLEST_SIDE = 64
"""Pixels that a region must have on its shorter side: a quarter of them leaves 10 x 10 windows of
25 residuals, from which 24 coefficients can be told."""

STATISTICS_VERSION = 1
"""Counts the changes of these numbers, so that those kept by older code are not taken."""

CLIP = 20.0  # grey levels
RIDGE = 1e-3  # of the mean diagonal
ROUNDING = 1 / 12

RESIDUALS = ("horizontal", "vertical", "diagonal", "antidiagonal", "product")
SCALES = ("full", "half", "quarter")
_UPPER = np.triu_indices(len(RESIDUALS))
_OFFSETS = [(y, x) for y in range(-2, 3) for x in range(-2, 3)]
_NEIGHBOURS = [place for place, offset in enumerate(_OFFSETS) if offset != (0, 0)]
_CENTRE = len(_OFFSETS) // 2
_AT_ONCE = 1 << 14  # windows whose products are summed together: they stay in a core's cache

_LUMA = np.array([0.299, 0.587, 0.114])  # JPEG's Y, Cb and Cr
_CB = np.array([-0.168736, -0.331264, 0.5])
_CR = np.array([0.5, -0.418688, -0.081312])


def residuals(grey: FloatArray) -> FloatArray:
    """Second differences along both axes and both diagonals, and their product.

    Parameters
    ----------
    grey : ndarray of shape (h, w), at least 3 x 3

    Returns
    -------
    ndarray of float32, shape (5, h - 2, w - 2)
        In the order of ``RESIDUALS``, clipped to 20 grey levels either way. The product is the
        vertical difference of the horizontal one.
    """
    # Grey values have 8 bits: 24 do for what a pixel is, and sums over all pixels take 53.
    grey = grey.astype(np.float32)
    found = np.empty((len(RESIDUALS), grey.shape[0] - 2, grey.shape[1] - 2), np.float32)
    twice = 2 * grey[1:-1, 1:-1]
    found[0] = grey[1:-1, :-2] + grey[1:-1, 2:] - twice
    found[1] = grey[:-2, 1:-1] + grey[2:, 1:-1] - twice
    found[2] = grey[:-2, :-2] + grey[2:, 2:] - twice
    found[3] = grey[:-2, 2:] + grey[2:, :-2] - twice
    found[4] = _product(grey)
    return np.clip(found, -CLIP, CLIP, out=found)


def _product(grey):
    across = grey[:, :-2] - 2 * grey[:, 1:-1] + grey[:, 2:]
    return across[:-2] - 2 * across[1:-1] + across[2:]


def log_covariance(found: FloatArray) -> FloatArray:
    """Matrix logarithm of the residuals' covariance, where distances are log-Euclidean.

    Parameters
    ----------
    found : ndarray of shape (5, h, w)

    Returns
    -------
    ndarray of shape (15,)
        Upper triangle, row by row, in nats.
    """
    flat = found.reshape(len(found), -1).astype(float)
    flat -= flat.mean(axis=1, keepdims=True)
    covariance = flat @ flat.T / flat.shape[1]
    values, vectors = np.linalg.eigh(covariance)
    logs = np.log(np.maximum(values, 0) + ROUNDING)
    return ((vectors * logs) @ vectors.T)[_UPPER]


def mean_magnitudes(found: FloatArray) -> FloatArray:
    """Mean of ``log(1 + |r|)`` of every residual: 0 of a plain picture.

    Returns
    -------
    ndarray of shape (5,), in [0, log 21]
    """
    return np.log(1 + np.abs(found)).mean(axis=(1, 2), dtype=float)


def log_kurtosis(found: FloatArray) -> FloatArray:
    """Logarithm of every residual's kurtosis over that of normal noise.

    Rounding noise is added in both moments as if it were normal, so that a plain picture has 0.
    The logarithm keeps single edges in a smooth face from outweighing all other statistics.

    Returns
    -------
    ndarray of shape (5,)
        Nats: above 0 for heavier tails than a normal distribution's.
    """
    squares = np.square(found - found.mean(axis=(1, 2), keepdims=True, dtype=float))
    second, fourth = squares.mean(axis=(1, 2)), np.square(squares).mean(axis=(1, 2))
    noisy = fourth + 6 * second * ROUNDING + 3 * ROUNDING**2
    return np.log(noisy / (3 * (second + ROUNDING) ** 2))


def self_description(found: FloatArray) -> tuple[FloatArray, float]:
    """How a residual follows from its 24 neighbours.

    Parameters
    ----------
    found : ndarray of shape (h, w), at least 5 x 5
        One residual.

    Returns
    -------
    coefficients : ndarray of shape (24,)
        Of the linear prediction by the other 24 of the 5 x 5 residuals around each, with the
        least mean square (ridge: a thousandth of the neighbours' mean variance). Row by row.
    left : float
        Logarithm of the share of variance that the prediction leaves, at most 0.
    """
    products = _products(found - found.mean(dtype=float))
    among = products[np.ix_(_NEIGHBOURS, _NEIGHBOURS)]
    wanted, variance = products[_NEIGHBOURS, _CENTRE], products[_CENTRE, _CENTRE]
    ridge = RIDGE * np.trace(among) / len(among) + np.finfo(float).tiny
    coefficients = np.linalg.solve(among + ridge * np.eye(len(among)), wanted)
    error = variance - coefficients @ (2 * wanted - among @ coefficients)
    return coefficients, float(np.log((max(error, 0.0) + ROUNDING) / (variance + ROUNDING)))


def _products(found):
    """Mean products of each two of the 25 places of a window, over all windows: (25, 25)."""
    height, width = found.shape[0] - 4, found.shape[1] - 4
    total = np.zeros((len(_OFFSETS), len(_OFFSETS)))
    rows = max(1, _AT_ONCE // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        places = np.stack(
            [
                found[top + 2 + y : bottom + 2 + y, 2 + x : 2 + x + width].ravel()
                for y, x in _OFFSETS
            ]
        )
        total += places @ places.T
    return total / (height * width)


def halved(grey: FloatArray) -> FloatArray:
    """The picture at half its scale: means of 2 x 2; an odd last row or column is left out."""
    height, width = (length // 2 * 2 for length in grey.shape)
    lines = grey[0:height:2] + grey[1:height:2]
    return (lines[:, 0:width:2] + lines[:, 1:width:2]) / 4


def colour_statistics(pixels: FloatArray) -> FloatArray:
    """How much colour varies from pixel to pixel, and how the channels do so together.

    Demosaicing ties the channels, and most compression keeps half of the colours' detail.

    Parameters
    ----------
    pixels : ndarray of shape (h, w, 3)

    Returns
    -------
    ndarray of shape (5,)
        Log variance of the product residual of Cb and of Cr; its correlations between red and
        green, green and blue, red and blue. Grey pictures have correlations of nearly 1, plain
        ones of 0.
    """
    channels = [*np.moveaxis(pixels, 2, 0), pixels @ _CB, pixels @ _CR]
    found = np.stack([_product(one.astype(np.float32)).ravel() for one in channels]).astype(float)
    np.clip(found, -CLIP, CLIP, out=found)
    found -= found.mean(axis=1, keepdims=True)
    covariance = found @ found.T / found.shape[1]
    variance = np.diag(covariance) + ROUNDING
    scale = np.sqrt(np.outer(variance, variance))
    red, green, blue, cb, cr = range(5)
    pairs = ([red, green, red], [green, blue, blue])
    return np.concatenate([np.log(variance[[cb, cr]]), (covariance / scale)[pairs]])


def face_statistics(pixels: np.ndarray) -> FloatArray:
    """All 153 numbers of a face.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (h, w, 3), at least 64 x 64
        As they are stored: scaling wipes out what is measured here.

    Returns
    -------
    ndarray of float32, shape (153,)
        In the order of ``NAMES``. The share of variance that neighbours leave is told of the full
        scale alone.

    Raises
    ------
    ValueError
        For a smaller region.
    """
    if min(pixels.shape[:2]) < SMALLEST_SIDE:
        raise ValueError(
            f"a region of shape {pixels.shape}: at least {SMALLEST_SIDE} pixels are needed on "
            "both sides."
        )
    grey, numbers = pixels @ _LUMA, list[FloatArray]()
    for scale in SCALES:
        found = residuals(grey)
        coefficients, left = self_description(found[-1])
        numbers += [log_covariance(found), mean_magnitudes(found), log_kurtosis(found)]
        numbers.append(np.append(coefficients, left) if scale == "full" else coefficients)
        grey = halved(grey)
    return np.concatenate([*numbers, colour_statistics(pixels)]).astype(np.float32)


def _names():
    for scale in SCALES:
        for row, column in zip(*_UPPER, strict=True):
            yield f"{scale}_log_covariance_{RESIDUALS[row]}_{RESIDUALS[column]}"
        yield from (f"{scale}_mean_magnitude_{name}" for name in RESIDUALS)
        yield from (f"{scale}_log_kurtosis_{name}" for name in RESIDUALS)
        for place in _NEIGHBOURS:
            down, right = _OFFSETS[place]
            yield f"{scale}_neighbour_down{down:+d}_right{right:+d}"
        if scale == "full":
            yield "full_variance_left"
    yield from ("log_variance_cb", "log_variance_cr")
    yield from ("correlation_red_green", "correlation_green_blue", "correlation_red_blue")


NAMES = tuple(_names())
"""What each number is."""
