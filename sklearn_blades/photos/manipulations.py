"""The four face manipulations of the method, and the untouched view that hides their traces.

An edit must be seen by what it does to the face, not by how its pixels were computed. So every
view, the untouched one included, is first interpolated once by a map that is small, random and
nearly affine; the flips then only move pixels, and the distortion adds its field to that map
before the single interpolation. Patches keep their noise where they are blended in.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

REGIONS = ("eye", "mouth")

_BICUBIC = Image.Resampling.BICUBIC
_TILT = 0.03  # sd of the four numbers of the affine map that every view passes through ...
_LIMIT = 0.06  # ... and their limit: rotation, zoom and shear of at most a few per cent
_TREMBLE = 0.5  # px: sd of what each corner of the mesh adds to it
_CELLS = 6  # along each side of the mesh
_COARSE = 3  # the distortion's random vectors along each side, smoothly interpolated
_STRENGTH = (0.06, 0.11)  # of the face box: the distortion's largest shift
_EYE = (0.46, 0.34)  # half sizes of a region, in distances between the eyes
_LIPS = (0.66, 0.38)
_SCALE = (0.85, 1.15)  # both vary by this factor
_FEATHER = 0.5  # of a patch's half size
_NOISE_SIGMA = 1.5  # px: what is finer than this is cut, what is coarser is blended


@dataclass(frozen=True)
class Manipulation:
    """A way to edit a face.

    Parameters
    ----------
    name : str
    regions : tuple of str
        What it touches, out of `REGIONS`.
    apply : callable
        ``apply(pixels, face, rng, *, resampled=True) -> new pixels``: uint8 arrays of shape
        (h, w, 3), a `Face` in fractions of them, a ``numpy.random.Generator``. Pure: the input
        is never changed, and equal generators give equal results. ``resampled=False`` leaves
        out the small map (for ablation: edits then betray themselves by resampling).
    edit : callable, optional
        ``edit(view, face, rng) -> new pixels``, where `apply` is `resample` and then this: an
        untouched view and its edited copy can then share the map, and the time for it.
    """

    name: str
    regions: tuple[str, ...]
    # Shown by its name: a function's repr is an address, which another process does not have.
    apply: Callable = field(repr=False)
    edit: Callable | None = field(default=None, repr=False)


def resample(pixels, face, rng, *, resampled=True):
    """The untouched view: the pixels under a small random map, nothing else.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (h, w, 3)
    face : Face
        Not looked at: all views have one signature.
    rng : numpy.random.Generator
    resampled : bool
        False: a plain copy.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
    """
    return warp(pixels, jitter(pixels.shape[:2], rng)) if resampled else pixels.copy()


def flip(pixels, face, rng, *, resampled=True, region, axis):
    """`resample`, then `mirror`; parameters and result as for these."""
    view = resample(pixels, face, rng, resampled=resampled)
    return mirror(view, face, rng, region=region, axis=axis)


def mirror(view, face, rng, *, region, axis):
    """Mirror a region in place, feathered.

    Parameters
    ----------
    view : ndarray of uint8, shape (h, w, 3)
    face : Face
    rng : numpy.random.Generator
    region : {"eye", "mouth"}
        ``"eye"`` is one of the two, drawn at random.
    axis : {0, 1}
        0 turns the region upside down, 1 swaps its left and right.

    Returns
    -------
    ndarray of uint8, shape (h, w, 3)
    """
    edited = view.copy()
    rows, cols = _region(view.shape[:2], face, rng, region)
    edited[rows, cols] = _blended(view[rows, cols], axis)
    return edited


def distort(pixels, face, rng, *, resampled=True):
    """Bend the face along a smooth random field that vanishes a little outside of it.

    Parameters and result as for `resample`.
    """
    shape = pixels.shape[:2]
    # The small map is drawn first in every view: equal generators give it to all alike.
    small = jitter(shape, rng) if resampled else 0
    return warp(pixels, small + _bend(shape, face, rng))


def _flipped(name, region, axis):
    apply, edit = (partial(step, region=region, axis=axis) for step in (flip, mirror))
    return Manipulation(name, (region,), apply, edit)


MANIPULATIONS = (
    _flipped("eye_flip", "eye", axis=1),
    _flipped("mouth_flip", "mouth", axis=1),
    _flipped("mouth_upside_down", "mouth", axis=0),
    Manipulation("distortion", REGIONS, distort),
)
UNTOUCHED = Manipulation("untouched", (), resample)


def jitter(shape, rng):
    """Displacements that every view passes through, in pixels at the mesh's corners.

    A random affine map near identity and a little trembling: together they sweep through all
    sampling phases as quickly as the distortion does, and leave a face its shape.
    """
    height, width = shape
    steps = np.linspace(-0.5, 0.5, _CELLS + 1)
    linear = np.clip(rng.normal(0, _TILT, (2, 2)), -_LIMIT, _LIMIT)
    affine = np.stack(np.meshgrid(steps * width, steps * height), axis=-1) @ linear
    return affine + rng.normal(0, _TREMBLE, affine.shape)


def _bend(shape, face, rng):
    """The distortion's field: largest shift `_STRENGTH` of the face box, 0 away from it."""
    height, width = shape
    left, top, right, bottom = face.box
    window = np.outer(_bump(top, bottom), _bump(left, right))[:, :, None]
    coarse = rng.standard_normal((2, _COARSE, _COARSE)).astype(np.float32)
    smooth = [Image.fromarray(part).resize(window.shape[:2], _BICUBIC) for part in coarse]
    field = window * np.stack([np.asarray(part) for part in smooth], axis=-1)
    largest = max(np.hypot(field[..., 0], field[..., 1]).max(), 1e-6)
    side = max((right - left) * width, (bottom - top) * height)
    return field / largest * rng.uniform(*_STRENGTH) * side


def _bump(low, high):
    """At the mesh's lines: 1 in the middle of a face box, 0 outside and at the image's edges."""
    low, high = max(low - 0.1, 0), min(high + 0.1, 1)
    inside = (np.linspace(0, 1, _CELLS + 1) - low) / max(high - low, 1e-6)
    return np.sin(np.pi * np.clip(inside, 0, 1))


def warp(pixels, field):
    """Sample ``pixels`` where ``field``, in pixels at a mesh's corners, points: bicubic, once."""
    height, width = pixels.shape[:2]
    pad = 4 + int(_LIMIT * max(height, width))  # what the affine map can reach over the edge
    wide = Image.fromarray(np.pad(pixels, ((pad, pad), (pad, pad), (0, 0)), mode="symmetric"))
    lines = [np.rint(np.linspace(0, length, _CELLS + 1)).astype(int) for length in (width, height)]
    corners = np.stack(np.meshgrid(*lines), axis=-1)
    source = np.clip(corners + field, 2 - pad, (width + pad - 2, height + pad - 2)) + pad
    quads = np.concatenate(  # Pillow's order: upper left, lower left, lower right, upper right
        [source[:-1, :-1], source[1:, :-1], source[1:, 1:], source[:-1, 1:]], axis=-1
    ).reshape(-1, 8)
    boxes = np.concatenate([corners[:-1, :-1], corners[1:, 1:]], axis=-1).reshape(-1, 4)
    mesh = [
        ((x0, y0, x1, y1), quad)
        for (x0, y0, x1, y1), quad in zip(boxes.tolist(), quads.tolist(), strict=True)
        if x0 < x1 and y0 < y1  # a mesh finer than the pixels has empty cells
    ]
    return np.array(wide.transform((width, height), Image.Transform.MESH, mesh, _BICUBIC))


def _region(shape, face, rng, region):
    """Row and column slices of a region, moved to lie inside the image."""
    extent = np.array(shape[::-1])
    first, second = np.array(face.eyes) * extent
    box_width = (face.box[2] - face.box[0]) * extent[0]
    unit = max(np.hypot(*(second - first)), 0.2 * box_width)  # profiles hide one eye
    if region == "eye":
        centre, half = (first, second)[rng.integers(2)], np.array(_EYE)
    else:
        centre, half = np.array(face.mouth) * extent, np.array(_LIPS)
    half = half * unit * rng.uniform(*_SCALE)
    size = np.clip(np.rint(2 * half), 4, extent).astype(int)
    start = np.clip(np.rint(centre - size / 2), 0, np.maximum(extent - size, 0)).astype(int)
    return slice(start[1], start[1] + size[1]), slice(start[0], start[0] + size[0])


def _blended(patch, axis):
    """``patch`` mirrored along ``axis`` in its middle, itself at its rim.

    Averaging two patches would lower the noise along the seam, which is a trace. So the coarse
    part is blended and the fine part is cut.
    """
    fine = patch.astype(np.float32)
    coarse = gaussian_filter(fine, _NOISE_SIGMA, axes=(0, 1), mode="nearest", truncate=2.0)
    fine -= coarse
    mask = np.outer(_ramp(patch.shape[0]), _ramp(patch.shape[1]))[:, :, None]
    mixed = coarse + mask * (np.flip(coarse, axis) - coarse)
    mixed += np.where(mask > 0.5, np.flip(fine, axis), fine)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def _ramp(length):
    """0 at both ends, 1 in the middle, a raised cosine between: shape (length,)."""
    to_edge = np.minimum(np.arange(length), np.arange(length)[::-1]) / (length / 2)
    return (0.5 - 0.5 * np.cos(np.pi * np.clip(to_edge / _FEATHER, 0, 1))).astype(np.float32)
