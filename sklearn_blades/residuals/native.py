"""NativeResiduals: photographs in, 153 statistics of the stored pixels of their faces out."""

import os
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, TransformerMixin

from ..errors import PhotoError
from ..ground.jobs import local_jobs
from ..ground.sklearn_private import Interval, StrOptions, _fit_context
from ..ground.types import FloatArray, Locator, Photographs, StrPath
from ..ground.warn import warn
from ..photos.crops import CropSettings, photo_key
from ..photos.doubts import lost_rows
from ..photos.regions import face_region
from ..photos.rows import photo_list
from ..storage.cache import ArrayCache, cache_for, key_of
from .statistics import NAMES, SMALLEST_SIDE, STATISTICS_VERSION, face_statistics

_BATCH = 32  # photographs that are measured between two looks at what others have measured


class NativeResiduals(TransformerMixin, BaseEstimator):
    """Statistics of high-pass residuals of faces, at the scale at which they are stored.

    What a face scaled to a network's input has lost: noise, demosaicing, the lens, the grid of
    the compressor. Nothing is learned, and nothing tells a camera's traces from a publisher's:
    photographs that were scaled or compressed otherwise look foreign as generated faces do. **It
    is a baseline and no detector**: against photographs of a source that nobody has seen it was
    at chance or below it, and took away from a face tower beside it (docs/results.md).

    Parameters
    ----------
    face_locator, face_margin
        As for `BladesEncoder`. ``"whole"`` takes the whole picture.
    largest_side : int, default=512
        Pixels, 64 at least. Of a face region with longer sides the central part is taken. Regions
        of fewer than 64 pixels are refused.
    on_error : {"raise", "nan"}, default="raise"
        For photographs that cannot be used: raise, or give NaN rows.
    memory : str, default=None
        Folder in which to keep the statistics, by default in memory; shared with `BladesEncoder`.
    n_jobs : int, default=None
        Threads. Results do not depend on it.

    See Also
    --------
    BladesEncoder : Learns features of scaled faces.
    BladesBranches : Joins verdicts on both kinds of features.
    sklearn_blades.evaluation.RadialPowerSpectrum : Another baseline without learning.

    Notes
    -----
    Of the luminance (JPEG's Y) at full, half and quarter scale (means of 2 x 2): the log-Euclidean
    covariance of five second differences (15 numbers), their mean ``log(1 + |r|)`` (5), the
    logarithm of their kurtosis over a normal distribution's (5), and the coefficients that predict
    their product from its 24 neighbours (24); at full scale also how much of it that leaves.
    Of the colours: residual variance of Cb and Cr, correlations of the residuals of red, green and
    blue. 3 x 49 + 6 = 153; see `sklearn_blades.residuals.statistics`. About 50 ms of one core for
    a region of 384 x 384, beside decoding the photograph at its full size.

    It keeps no state: ``transform`` needs no ``fit``.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_blades.datasets import make_photos
    >>> from sklearn_blades.residuals import NativeResiduals
    >>> paths = make_photos(3, tempfile.mkdtemp(), random_state=0)
    >>> NativeResiduals("whole").transform(paths).shape
    (3, 153)
    """

    _parameter_constraints: dict = {
        "face_locator": [str, dict, callable],
        "face_margin": [Interval(Real, 1, None, closed="left")],
        "largest_side": [Interval(Integral, SMALLEST_SIDE, None, closed="left")],
        "on_error": [StrOptions({"raise", "nan"})],
        "memory": [str, os.PathLike, None],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        face_locator: Locator = "haar",
        *,
        face_margin: float = 1.3,
        largest_side: int = 512,
        on_error: str = "raise",
        memory: StrPath | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.face_locator = face_locator
        self.face_margin = face_margin
        self.largest_side = largest_side
        self.on_error = on_error
        self.memory = memory
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Photographs | None = None, y: Any = None) -> Self:
        """Check the parameters; there is nothing to learn, and no photograph is opened.

        Returns
        -------
        self
        """
        return self

    def transform(self, X: Photographs) -> FloatArray:
        """Measure faces.

        Parameters
        ----------
        X : list, array or Series of paths, PhotoRecord, PIL images or uint8 arrays (h, w, 3)

        Returns
        -------
        ndarray of float32, shape (n_samples, 153)
            In the order of ``X``; a row depends on its photograph alone.

        Raises
        ------
        PhotoError
            For the first photograph that cannot be used, unless ``on_error="nan"``.

        Warns
        -----
        UserWarning
            For rows of NaN.
        """
        self._validate_params()
        photos = photo_list(X)
        failed: dict[int, PhotoError] = {}
        named, unnamed = self._rows_by_key(photos, failed)
        rows = named | unnamed

        def make(keys):
            found = Parallel(n_jobs=local_jobs(self.n_jobs), require="sharedmem")(
                delayed(self._attempt)(photos[rows[key][0]]) for key in keys
            )
            made = dict(zip(keys, found, strict=True))
            for key, numbers in made.items():
                if isinstance(numbers, PhotoError):
                    failed.update(dict.fromkeys(rows[key], numbers))
            self._raise_first(failed)
            return {key: row for key, row in made.items() if not isinstance(row, PhotoError)}

        self._raise_first(failed)
        found = cache_for(self.memory).fill(list(named), make, batch=_BATCH)
        found |= ArrayCache(max_bytes=0, max_disk_bytes=0).fill(list(unnamed), make, batch=_BATCH)
        features = np.full((len(photos), len(NAMES)), np.nan, dtype=np.float32)
        for key, numbers in found.items():
            features[rows[key]] = numbers
        for sentence in lost_rows(failed, len(photos)):
            # Past the wrapper of set_output, to the line that called transform.
            warn(sentence, UserWarning)
        return features

    def _attempt(self, photo):
        """The statistics of a photograph, or the `PhotoError` that there is instead."""
        try:
            region = face_region(
                photo,
                face_locator=self.face_locator,
                face_margin=self.face_margin,
                smallest=SMALLEST_SIDE,
                largest=self.largest_side,
            )
        except PhotoError as error:
            return error
        return face_statistics(region)

    def _rows_by_key(self, photos, failed):
        """Rows of each photograph by its statistics' key, and of those not to be cached."""
        # What names a crop names a region, too; the sizes are of its own.
        how = CropSettings(self.face_locator, self.face_margin, self.largest_side)
        named, unnamed = {}, {}
        for row, photo in enumerate(photos):
            try:
                name = photo_key(photo, how)
            except PhotoError as error:
                failed[row] = error
                continue
            if name is None:
                unnamed[f"row {row}"] = [row]
            else:
                key = key_of("native residuals", STATISTICS_VERSION, name)
                named.setdefault(key, []).append(row)
        return named, unnamed

    def _raise_first(self, failed):
        if failed and self.on_error == "raise":
            raise failed[min(failed)]

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """What each number is, such as ``"half_mean_magnitude_diagonal"``.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str, shape (153,)
        """
        return np.array(NAMES, dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags
