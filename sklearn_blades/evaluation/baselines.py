"""Features that need no learning: what a detector must beat."""

import os
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ..errors import PhotoError
from ..ground.sklearn_private import Interval, StrOptions, _fit_context
from ..ground.types import FloatArray, Locator, Photographs, StrPath
from ..photos.crops import Crops, CropSettings
from ..photos.records import photo_list
from ..storage.cache import cache_for

_LUMA = np.array([0.299, 0.587, 0.114])
_ROUNDING = 1 / 12  # variance that rounding to whole grey values adds


def radial_power_spectrum(pixels):
    """Power of a square image by spatial frequency, whatever its direction, place and contrast.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (side, side, 3)

    Returns
    -------
    ndarray of float64, shape (side // 2,)
        log10 of the mean power at 1, 2, ... side // 2 cycles an image (to the nearest whole),
        relative to the mean of all of these. The power that rounding to whole grey values has is
        added first: nothing below it can be known.
    """
    grey = pixels @ _LUMA
    side = len(grey)
    taper = np.hanning(side + 2)[1:-1]  # or the image's edges, which do not meet, add power
    window = np.outer(taper, taper)
    grey = (grey - np.average(grey, weights=window)) * window
    power = np.abs(np.fft.fft2(grey)) ** 2 + _ROUNDING * (window**2).sum()
    frequency = np.fft.fftfreq(side, 1 / side)
    ring = np.rint(np.hypot(frequency[:, None], frequency)).astype(int).ravel()
    total, cells = np.bincount(ring, power.ravel()), np.bincount(ring)
    rings = (total / cells)[1 : side // 2 + 1]
    return np.log10(rings / rings.mean())


class RadialPowerSpectrum(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Radial power spectrum of the face crop: a baseline without learning.

    Upsampling inside a generator leaves its mark at high frequencies; so does any other
    resampling. A face smaller than ``image_size`` in its file is enlarged and shows it too, as do
    JPEG compression and denoising: where this baseline separates photographs from AI-generated
    faces, so may the way the files were made, and a detector has to beat it to have shown more.

    Parameters
    ----------
    face_locator, face_margin
        As for `BladesEncoder`; give both the same.
    image_size : int, default=128
        Side of the crop in pixels; there are half as many features.
    on_error : {"raise", "nan"}, default="raise"
        For photographs that cannot be used: raise, or give NaN rows in `transform`.
    memory : str, default=None
        Folder in which to keep crops, by default in memory; shared with `BladesEncoder`.
    n_jobs : int, default=None
        Threads for decoding.

    Attributes
    ----------
    n_features_out_ : int
        Feature i is for i + 1 cycles an image.

    See Also
    --------
    sklearn_blades.BladesEncoder : Features that are learned.
    sklearn_blades.make_detector : Joins either with a head.

    References
    ----------
    Durall, Keuper and Keuper, "Watch your up-convolution: CNN based generative deep
    neural networks are failing to reproduce spectral distributions", CVPR 2020, for the idea;
    the window, the floor and the scaling are ours.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_blades.datasets import make_photos
    >>> from sklearn_blades.evaluation import RadialPowerSpectrum
    >>> paths = make_photos(3, tempfile.mkdtemp(), random_state=0)
    >>> RadialPowerSpectrum(face_locator="whole").fit_transform(paths).shape
    (3, 64)
    """

    _parameter_constraints = {
        "face_locator": [str, dict, callable],
        "face_margin": [Interval(Real, 1, None, closed="left")],
        "image_size": [Interval(Integral, 4, None, closed="left")],
        "on_error": [StrOptions({"raise", "nan"})],
        "memory": [str, os.PathLike, None],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        face_locator: Locator = "haar",
        face_margin: float = 1.3,
        image_size: int = 128,
        on_error: str = "raise",
        memory: StrPath | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.face_locator = face_locator
        self.face_margin = face_margin
        self.image_size = image_size
        self.on_error = on_error
        self.memory = memory
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Photographs | None = None, y: Any = None) -> "RadialPowerSpectrum":
        """Check the parameters; there is nothing to learn, and no photograph is opened.

        Returns
        -------
        self
        """
        self.n_features_out_ = self._n_features_out = self.image_size // 2
        return self

    def transform(self, X: Photographs) -> FloatArray:
        """Measure faces.

        Parameters
        ----------
        X : list, array or Series of paths, PhotoRecord, PIL images or uint8 arrays (h, w, 3)

        Returns
        -------
        ndarray of float64, shape (n_samples, ``n_features_out_``)
            Decades; a row depends on its photograph alone.

        Raises
        ------
        PhotoError
            For the first photograph that cannot be used, unless ``on_error="nan"``.
        """
        check_is_fitted(self)
        settings = CropSettings(self.face_locator, self.face_margin, self.image_size)
        crops = Crops(photo_list(X), settings, cache_for(self.memory))
        spectra = np.full((len(crops), self.n_features_out_), np.nan)
        for row, crop in enumerate(crops.load(n_jobs=self.n_jobs)):
            if not isinstance(crop, PhotoError):
                spectra[row] = radial_power_spectrum(crop.pixels)
            elif self.on_error == "raise":
                raise crop
        return spectra

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags
