"""Stand-ins for image generators: each repaints a developed picture and leaves its own trace.

All work on arrays of shape (3, side, side) in [0, 255] and return the same.
"""

import numpy as np
from scipy import ndimage


def upsampling(picture):
    """The grid of transposed convolutions.

    Three layers of stride 2 whose kernels overlap unevenly: what is painted from the coarser layer
    is brighter at every second pixel of that layer's grid, so the picture carries lattices of
    period 2, 4 and 8 (Odena et al. 2016, https://doi.org/10.23915/distill.00003).
    """
    side = picture.shape[-1]
    beyond = (0, -side % 8)
    padded = np.pad(picture, ((0, 0), beyond, beyond), mode="edge")
    return _layer(padded, depth=3)[:, :side, :side]


def _layer(picture, depth):
    if depth == 0:
        return picture
    coarse = (picture[:, 0::2] + picture[:, 1::2]) / 2
    coarse = (coarse[..., 0::2] + coarse[..., 1::2]) / 2
    detail = picture - _transposed_convolution(coarse, uneven=0.0)
    return _transposed_convolution(_layer(coarse, depth - 1), uneven=0.015) + detail


def _transposed_convolution(coarse, uneven):
    """Stride 2, kernel 3 in both directions; ``uneven`` = 0 is bilinear interpolation."""
    channels, height, width = coarse.shape
    fine = np.zeros((channels, 2 * height, 2 * width), np.float32)
    fine[:, ::2, ::2] = coarse
    for axis in (1, 2):
        kernel = [0.5 * (1 - uneven), 1 + uneven, 0.5 * (1 - uneven)]
        fine = ndimage.convolve1d(fine, kernel, axis=axis, mode="nearest")
    return fine


def oversmooth(picture):
    """Surfaces without texture between edges that stay: a median, then the old contours on top."""
    flat = ndimage.median_filter(np.rint(picture).astype(np.uint8), (1, 5, 5)).astype(np.float32)
    change = picture - flat
    return flat + np.sign(change) * np.maximum(np.abs(change) - 14, 0)


def spectral(picture):
    """A power spectrum that decays too slowly: amplitudes times (1 + (f / 0.08)^2)^0.2.

    Frequencies f in cycles per pixel. Generators miss the decay of photographs (Durall et al.
    2020, https://arxiv.org/abs/2003.01826).
    """
    side = picture.shape[-1]
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    gain = ((1 + (frequency / 0.08) ** 2) ** 0.2).astype(np.float32)
    return np.fft.irfft2(np.fft.rfft2(picture) * gain, s=(side, side))


def noiseless(picture):
    """Nothing added: the picture comes from a camera without a sensor (see ``SENSORLESS``)."""
    return picture


GENERATORS = {
    "upsampling": upsampling,
    "oversmooth": oversmooth,
    "spectral": spectral,
    "noiseless": noiseless,
}
SENSORLESS = {"noiseless"}
