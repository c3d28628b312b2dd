"""What generators get wrong about faces, done to photographs: one pure function a fault.

All take an untouched view that has passed the small map of `manipulations`, so that an edit is
never told by resampling alone; where one moves pixels, the coarse part is interpolated and blended
and the fine part, noise, is only moved and cut.
"""

import numpy as np
from PIL import Image, ImageFilter
from scipy.ndimage import gaussian_filter, map_coordinates, uniform_filter

from .manipulations import jitter, warp

_NOISE_SIGMA = 1.5  # px: what is finer than this is cut, what is coarser is blended
_SHIFT = 0.015  # of the face box: sd of how far a blended copy lies from its place ...
_ZOOM = 0.025  # ... and of its scale and shear
_GAIN, _LIFT = 0.05, 5.0  # sd of its channels' factors, and of its brightness in gray levels
_PATCH = 8  # px: side of what the patch autoencoder sees at once
_KEPT = (0.98, 0.998)  # share of the patches' variance that passes its bottleneck
_DETAIL = (0.0, 0.5)  # share of the detail lost in upsampling that is put back
_EYE = (0.30, 0.22)  # half sizes of an eye, in distances between the eyes
_IRIS = 0.095  # its radius, in the same
_GLINT = (0.022, 0.04)  # a catch-light's


def self_blended(pixels, face, rng, *, resampled=True):
    """A face blended with a moved, resized and recoloured copy of itself, under a soft ellipse.

    Both are interpolated once, by the small map and by the map with the copy's own added, so that
    neither is softer than the other.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (h, w, 3)
    face : Face
    rng : numpy.random.Generator
    resampled : bool
        False leaves out the small map.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)

    References
    ----------
    The idea of blending a face with itself is K. Shiohara and T. Yamasaki, "Detecting deepfakes
    with self-blended images", CVPR 2022, arXiv:2204.08376.
    """
    height, width = pixels.shape[:2]
    field = jitter((height, width), rng) * resampled
    left, top, right, bottom = face.box
    lines = [np.linspace(0, 1, n) for n in field.shape[1::-1]]
    place = np.stack(np.meshgrid(*lines), axis=-1)
    away = (place - ((left + right) / 2, (top + bottom) / 2)) * (width, height)
    side = max((right - left) * width, (bottom - top) * height)
    own = away @ rng.normal(0, _ZOOM, (2, 2)) + rng.normal(0, _SHIFT * side, 2)
    target = warp(pixels, field) if resampled else pixels
    copy = warp(pixels, field + own).astype(np.float32)
    copy = (copy - 128) * (1 + rng.normal(0, _GAIN, 3)) + 128 + rng.normal(0, _LIFT)
    return _blend(target, copy, ellipse((height, width), face, rng))


def upsampled(view, face, rng):
    """The face at half or a quarter of its size and up again, as a generator's last layers do.

    Up by repeating pixels, bilinearly, or by a transposed convolution whose kernel does not weigh
    all phases alike, which leaves its checkerboard. Parameters and result as for `oversmoothed`.
    """
    factor = int(rng.choice([2, 4]))
    height, width = view.shape[:2]
    rows, cols = (-(-side // factor) for side in (height, width))
    wide = np.pad(view, ((0, rows * factor - height), (0, cols * factor - width), (0, 0)), "edge")
    small = wide.reshape(rows, factor, cols, factor, 3).mean(axis=(1, 3), dtype=np.float32)
    up = _UP[rng.integers(len(_UP))](small, factor, rng)[:height, :width]
    keep = rng.uniform(*_DETAIL) if factor == 2 else rng.uniform(0.3, 0.7)
    mixed = up + keep * (view - up)
    return _mixed(view, mixed, ellipse(view.shape[:2], face, rng))


def _repeated(small, factor, rng):
    return small.repeat(factor, axis=0).repeat(factor, axis=1)


def _bilinear(small, factor, rng):
    return _convolved(small, _triangle(factor))


def _transposed(small, factor, rng):
    taps = _triangle(factor)
    return _convolved(small, taps * (1 + rng.normal(0, 0.04, len(taps))))


_UP = (_repeated, _bilinear, _transposed)


def _triangle(factor):
    """A bilinear kernel: each output pixel gets weights that sum to one."""
    reach = np.arange(2 * factor) - factor + 0.5
    return 1 - np.abs(reach) / factor


def _convolved(small, taps):
    """A separable transposed convolution of stride len(taps) / 2, edges repeated."""
    for axis in (0, 1):
        factor, n = len(taps) // 2, small.shape[axis]
        wide = np.moveaxis(small, axis, 0)
        wide = np.concatenate([wide[:1], wide, wide[-1:]])
        out = np.zeros(((n + 3) * factor, *wide.shape[1:]), np.float32)
        for tap, weight in enumerate(taps):
            out[tap : tap + (n + 2) * factor : factor] += weight * wide
        start = factor + factor // 2
        small = np.moveaxis(out[start : start + n * factor], 0, axis)
    return small


def patch_autoencoded(view, face, rng):
    """The face through a linear autoencoder of its own patches, few components of which are kept.

    Its patches are 8 by 8 pixels, half overlapping and averaged; the components are the principal
    ones of this photograph alone. Parameters and result as for `oversmoothed`.
    """
    step = _PATCH // 2
    height, width = view.shape[:2]
    before = rng.integers(_PATCH, size=2)
    after = [-(side + int(b)) % _PATCH + _PATCH for side, b in zip((height, width), before,
                                                                   strict=True)]  # fmt: skip
    margins = [(int(b), a) for b, a in zip(before, after, strict=True)]
    wide = np.pad(view, (*margins, (0, 0)), mode="symmetric").astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(wide, (_PATCH, _PATCH), (0, 1))
    grid = windows[::step, ::step]
    patches = grid.reshape(-1, 3 * _PATCH**2)
    mean = patches.mean(axis=0)
    spread, components = np.linalg.eigh(np.cov(patches - mean, rowvar=False))
    share = np.cumsum(spread[::-1]) / max(spread.sum(), 1e-9)
    kept = components[:, ::-1][:, : 1 + int(np.searchsorted(share, rng.uniform(*_KEPT)))]
    coded = ((patches - mean) @ kept @ kept.T + mean).reshape(grid.shape)
    total, count = np.zeros_like(wide), np.zeros((*wide.shape[:2], 1), np.float32)
    for row in range(_PATCH):
        for col in range(_PATCH):
            place = np.s_[row : row + step * grid.shape[0] : step,
                          col : col + step * grid.shape[1] : step]  # fmt: skip
            total[place] += coded[..., row, col]
            count[place] += 1
    decoded = (total / np.maximum(count, 1))[before[0] :, before[1] :][:height, :width]
    return _mixed(view, decoded, ellipse((height, width), face, rng))


def oversmoothed(view, face, rng):
    """Skin without its pores: an edge-preserving or a median filter, but not on eyes and mouth.

    Parameters
    ----------
    view : ndarray of uint8, shape (h, w, 3)
        That has passed the small map.
    face : Face
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
    """
    height, width = view.shape[:2]
    unit = _unit(view.shape, face)
    if rng.random() < 0.7:
        smooth = _guided(view.astype(np.float32), max(1, round(unit * rng.uniform(0.04, 0.1))),
                         rng.uniform(8, 20))  # fmt: skip
    else:
        side = 3 if unit < 50 else 5
        smooth = np.asarray(Image.fromarray(view).filter(ImageFilter.MedianFilter(side)))
    mask = ellipse((height, width), face, rng)[:, :, 0]
    rows, cols = np.ogrid[:height, :width]
    for (x, y), (across, down) in zip((*face.eyes, face.mouth), (_EYE, _EYE, (0.5, 0.25)),
                                      strict=True):  # fmt: skip
        far = np.hypot((cols - x * width) / (across * unit), (rows - y * height) / (down * unit))
        mask = mask * np.clip(2 * far - 1.4, 0, 1)
    return _mixed(view, smooth, mask[:, :, None] * rng.uniform(0.7, 1))


def _guided(pixels, radius, contrast):
    """An edge-preserving mean: what differs by less than ``contrast`` gray levels is smoothed."""
    size = (2 * radius + 1, 2 * radius + 1, 1)
    mean = uniform_filter(pixels, size, mode="nearest")
    variance = np.maximum(uniform_filter(pixels**2, size, mode="nearest") - mean**2, 0)
    slope = variance / (variance + contrast**2)
    offset = uniform_filter(mean * (1 - slope), size, mode="nearest")
    return uniform_filter(slope, size, mode="nearest") * pixels + offset


def mismatched_eyes(view, face, rng):
    """One eye replaced by the mirrored other, resized, turned or set a little aside.

    It is shaded as the one that it replaces. Parameters and result as for `oversmoothed`.
    """
    extent = np.array(view.shape[1::-1])
    eyes = [_pupil(view, np.array(eye) * extent, _unit(view.shape, face)) for eye in face.eyes]
    here = int(rng.integers(2))
    unit = _unit(view.shape, face)
    angle, scale = rng.normal(0, 0.08), np.exp(rng.choice([-1, 1]) * rng.uniform(0.05, 0.22))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
    if rng.random() < 0.5:
        source, turn = eyes[1 - here], turn * np.array([[-1.0], [1.0]])  # mirrored: x is turned
    else:
        source = eyes[here] + rng.normal(0, 0.04 * unit, 2)
    half = np.array(_EYE) * unit * rng.uniform(0.9, 1.2)
    return _transplanted(view, eyes[here], source, turn, half)


def _transplanted(view, centre, source, turn, half):
    """What lies around ``source``, under the linear map ``turn``, put around ``centre``."""
    height, width = view.shape[:2]
    low = np.clip(np.floor(centre - half), 0, (width - 1, height - 1)).astype(int)
    high = np.clip(np.ceil(centre + half) + 1, low + 1, (width, height)).astype(int)
    place = np.s_[low[1] : high[1], low[0] : high[0]]
    x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    away = np.stack([x, y], axis=-1) - centre
    at = (away @ turn.T + source)[..., ::-1].transpose(2, 0, 1)
    coarse = _coarse(view)
    fine = view - coarse

    def sampled(part, order):  # smooth parts bear interpolation, noise does not
        return np.stack([map_coordinates(part[..., c], at, order=order, mode="nearest")
                         for c in range(3)], axis=-1)  # fmt: skip

    mask = _soft(np.hypot(*(away / half).transpose(2, 0, 1)), 0.5)[:, :, None]
    new, old = sampled(coarse, 1), coarse[place]
    rim = (mask > 0) & (mask < 0.6)
    weight = np.maximum(rim.sum(), 1)
    new = new + ((old - new) * rim).sum(axis=(0, 1)) / weight
    mixed = old + mask * (new - old) + np.where(mask > 0.5, sampled(fine, 0), fine[place])
    edited = view.copy()
    edited[place] = _rounded(mixed)
    return edited


def wrong_catch_lights(view, face, rng):
    """Highlights in the eyes that no lamp could make: each eye's in a place of its own.

    Those that are there are dimmed. Parameters and result as for `oversmoothed`.
    """
    height, width = view.shape[:2]
    unit = _unit(view.shape, face)
    rows, cols = np.ogrid[:height, :width]
    edited = view.astype(np.float32)
    angles = rng.uniform(0, 2 * np.pi) + np.array([0, rng.uniform(0.5, 1.5) * np.pi])
    dark = rng.integers(3)  # 2: neither
    for number, (eye, angle) in enumerate(zip(face.eyes, angles, strict=True)):
        x, y = _pupil(view, np.array(eye) * (width, height), unit)
        iris = _soft(np.hypot(cols - x, rows - y) / (_IRIS * unit), 0.5)
        if (iris > 0.5).any():
            usual = np.percentile(edited[iris > 0.5], 60, axis=0)
            edited += iris[:, :, None] * np.minimum(0.8 * (usual - edited), 0)
        if number == dark:
            continue
        away = rng.uniform(0.25, 0.6) * _IRIS * unit
        x, y = x + away * np.cos(angle), y + away * np.sin(angle)
        radius = max(unit * rng.uniform(*_GLINT), 0.7)
        shape = 1 + rng.uniform(0, 0.5)
        far = np.hypot((cols - x) / radius, (rows - y) / radius * shape)
        glint = np.exp(-(far**4) / 2)[:, :, None] * rng.uniform(0.6, 0.95)
        edited += glint * (rng.uniform(225, 255) - edited)
    return _rounded(edited)


def _pupil(view, eye, unit):
    """The darkest place near an eye, the nearer the better: locators know eyes to a few pixels."""
    height, width = view.shape[:2]
    reach = max(1, round(0.13 * unit))
    x, y = np.clip(np.rint(eye).astype(int), 0, (width - 1, height - 1))
    top, left = max(y - reach // 2, 0), max(x - reach, 0)
    part = view[top : y + reach // 2 + 1, left : x + reach + 1].mean(axis=-1)
    smooth = gaussian_filter(part, max(0.06 * unit, 0.5), mode="nearest")
    rows, cols = np.ogrid[: part.shape[0], : part.shape[1]]
    far = np.hypot((cols + left - x) / reach, 2 * (rows + top - y) / reach)
    row, col = np.unravel_index((smooth + 40 * far**2).argmin(), smooth.shape)
    return np.array([left + col, top + row], dtype=float)


def _unit(shape, face):
    """The distance between the eyes in pixels; profiles hide one."""
    extent = np.array(shape[1::-1])
    first, second = np.array(face.eyes) * extent
    return max(np.hypot(*(second - first)), 0.2 * (face.box[2] - face.box[0]) * extent[0], 1.0)


def ellipse(shape, face, rng):
    """A soft ellipse about the face, drawn a little otherwise each time: (h, w, 1), 0 to 1."""
    height, width = shape
    left, top, right, bottom = face.box
    centre = np.array([(left + right) / 2, top + 0.55 * (bottom - top)])
    centre = (centre + rng.normal(0, 0.03, 2) * (right - left)) * (width, height)
    half = np.array([0.42 * (right - left) * width, 0.5 * (bottom - top) * height])
    half = np.maximum(half * rng.uniform(0.8, 1.1, 2), 1)
    rows, cols = np.ogrid[:height, :width]
    far = np.hypot((cols - centre[0]) / half[0], (rows - centre[1]) / half[1])
    return _soft(far, rng.uniform(0.15, 0.5))[:, :, None]


def _soft(far, feather):
    """1 in the middle, 0 from ``far`` = 1 on, a raised cosine over ``feather`` between."""
    return 0.5 - 0.5 * np.cos(np.pi * np.clip((1 - far) / feather, 0, 1)).astype(np.float32)


def _coarse(pixels):
    return gaussian_filter(pixels.astype(np.float32), _NOISE_SIGMA, axes=(0, 1), mode="nearest",
                           truncate=2.0)  # fmt: skip


def _blend(target, copy, mask):
    """``copy`` under ``mask``: coarse parts blended, fine ones cut, so that noise stays noise."""
    ground, cover = _coarse(target), _coarse(copy)
    mixed = ground + mask * (cover - ground)
    return _rounded(mixed + np.where(mask > 0.5, copy - cover, target - ground))


def _mixed(view, other, mask):
    ground = view.astype(np.float32)
    return _rounded(ground + mask * (other - ground))


def _rounded(pixels):
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
