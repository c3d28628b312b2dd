"""The made-up cameras of the two sources: invented makes, so nothing is claimed of real ones."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Body:
    """A camera model: its lens, its sensor, its processing and its JPEG tables.

    ``electrons`` is the charge of a white pixel at ISO 100 and ``read_noise`` is in electrons, both
    per pixel of the small picture; ``crop`` the full-frame crop factor; ``focal_range`` in mm;
    ``matrix_tilt`` turns hues, ``tint`` is the residue of the white balance (log gain of red and
    of blue); ``denoise`` and ``sharpen`` are strengths in [0, 1] and ``radius`` is in pixels;
    ``jpeg`` = (lowest frequency's step, growth with frequency, chroma factor) at quality scale 1.
    """

    make: str
    model: str
    crop: float
    focal_range: tuple[float, float]
    widest: float
    electrons: float
    read_noise: float
    iso_max: int
    saturation: float
    matrix_tilt: float
    tint: tuple[float, float]
    contrast: float
    denoise: float
    sharpen: float
    radius: float
    jpeg: tuple[float, float, float]
    subsampling: int

    @property
    def fixed_lens(self):
        """True for a phone: one focal length, one aperture."""
        return self.focal_range[0] == self.focal_range[1]

    def quantisation(self, scale):
        """Luma and chroma tables of JPEG, two lists of 64 steps, coarser as ``scale`` rises."""
        row, column = np.mgrid[:8, :8]
        first, growth, chroma = self.jpeg
        luma = scale * first * (1 + growth * (row + column) ** 1.3)
        tables = np.clip(np.rint([luma, luma * chroma]), 1, 255).astype(int)
        return tables.reshape(2, 64).tolist()


_ALDRA: dict[str, Any] = dict(
    make="ALDRA", crop=1.5, focal_range=(18, 140), widest=2.8, read_noise=4.0, iso_max=12800,
    saturation=1.15, matrix_tilt=0.04, tint=(0.03, -0.02), contrast=0.9, denoise=0.35, sharpen=0.5,
    radius=0.8, jpeg=(2.0, 0.16, 1.5), subsampling=1,
)  # fmt: skip
_BOREL: dict[str, Any] = dict(
    make="Borel", crop=1.0, focal_range=(24, 200), widest=1.8, read_noise=5.0, iso_max=25600,
    saturation=1.0, matrix_tilt=-0.05, tint=(-0.02, 0.03), contrast=0.55, denoise=0.15, sharpen=0.3,
    radius=1.0, jpeg=(1.6, 0.24, 1.2), subsampling=0,
)  # fmt: skip
_CORVID: dict[str, Any] = dict(
    make="corvid", crop=7.0, focal_range=(4.2, 4.2), widest=1.8, read_noise=2.5, iso_max=3200,
    saturation=1.3, matrix_tilt=0.0, tint=(0.0, 0.05), contrast=1.2, denoise=0.75, sharpen=0.9,
    radius=1.2, jpeg=(2.4, 0.10, 2.0), subsampling=2,
)  # fmt: skip
_DUNLIN: dict[str, Any] = dict(
    make="Dunlin", crop=2.7, focal_range=(8.8, 36), widest=2.0, read_noise=3.0, iso_max=6400,
    saturation=0.85, matrix_tilt=-0.10, tint=(0.06, -0.06), contrast=1.5, denoise=0.55,
    sharpen=0.75, radius=1.6, jpeg=(2.2, 0.30, 1.0), subsampling=2,
)  # fmt: skip
_EMBER: dict[str, Any] = dict(
    make="EMBER", crop=2.0, focal_range=(12, 100), widest=2.8, read_noise=3.5, iso_max=12800,
    saturation=1.4, matrix_tilt=0.10, tint=(0.08, -0.04), contrast=0.7, denoise=0.1, sharpen=0.65,
    radius=0.6, jpeg=(3.0, 0.08, 1.8), subsampling=0,
)  # fmt: skip

SOURCES = {
    "first": (
        Body(model="A-100", electrons=22000, **_ALDRA),
        Body(model="A-700", electrons=34000, **_ALDRA),
        Body(model="Borel 5", electrons=60000, **_BOREL),
        Body(model="Corvid One", electrons=7000, **_CORVID),
        Body(model="Corvid Two", electrons=10000, **_CORVID),
    ),
    "second": (
        Body(model="D3", electrons=12000, **_DUNLIN),
        Body(model="D9", electrons=18000, **_DUNLIN),
        Body(model="Ember M", electrons=26000, **_EMBER),
    ),
}
