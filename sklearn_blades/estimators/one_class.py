"""The one-class head: learn what photographs look like, and how often that may be wrong."""

import math
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, column_or_1d

from ..ground.fitting import whole_or_nothing
from ..ground.groups import group_codes
from ..ground.rows import check_features, says_itself
from ..ground.sklearn_private import Interval, StrOptions, _fit_context
from ..ground.types import Column, Features, FloatArray, RandomState
from ..ground.warn import warn
from ..heads.calibration import calibration_split
from ..heads.conformal import fewest_calibration_scores
from ..heads.density import choose_shape, fit_density, log_density
from .promise import PromiseMixin, warn_if_inverted

MOST_LEFT_OUT = 10_000  # of the rows left out are scored to tell an inverted code


class BladesOneClass(PromiseMixin, OutlierMixin, BaseEstimator):
    """Flag AI-generated faces after seeing photographs only.

    A density is learned from most photographs: kernels, or of very many a Gaussian mixture.
    The others, held out, set the threshold so that on average at most ``target_fpr`` of new
    photographs are flagged. The promise is for photographs exchangeable with the held-out ones
    (same sources) that neither the density nor the encoder was trained on. On a new source of
    photographs it does not hold.

    Parameters
    ----------
    n_components : int or "auto", default="auto"
        Components of the mixture. ``"auto"``: one per 10 rows, 1 to 10; of kernels one a row,
        2,000 at most. The paper's: 10.
    covariance_type : {"auto", "full", "tied", "diag", "spherical", "kernel"}, default="auto"
        ``"kernel"``: a component stands on every photograph, all equally wide (a tenth of the
        mean squared distance to the nearest other one), and no mixture is fitted. ``"auto"``: for
        features wider than 64, as encoders make them, kernels, and ``"full"`` from 25,000
        photographs on (20,000 without those that calibrate). For narrower ones, and where
        ``n_components`` is a number, ``"full"`` with at least 5 rows per component and dimension,
        else ``"diag"``. On up to 5,000 real photographs kernels found more than any mixture, and
        hung less on which photographs those were (docs/results.md). The paper's: ``"full"``.
    pca_components : int, "auto" or None, default="auto"
        Principal components (not whitened) kept before the mixture. ``"auto"``: 64, at most half
        the rows, and none where the features are no wider; 64 came out best or close in
        simulations from 160 to 20,000 rows of 128 and 768 features, and turns minutes into
        seconds. The paper's: None.
    target_fpr : float in (0, 1), default=0.05
        Share of photographs that may be flagged. Can be changed after `fit`.
    calibration_fraction : float in (0, 1), default=0.2
        Share of the photographs (of the groups, with ``groups``) held out for the threshold.
        The threshold needs ``1 / target_fpr - 1`` of them: 19 at 5 %, 99 at 1 %. With ``groups``
        or ``sources`` in `fit` the share rises to what that takes, up to 80 % of them.
    confidence : float in (0, 1) or None, default=None
        None: the rate is at most ``target_fpr`` on average over calibration sets. With 0.9 it is
        in 9 of 10 of them, which takes 45 photographs at 5 %, and 230 at 1 %. Can be changed
        after `fit`.
    reg_covar : float >= 0, default=1e-6
        Added to every variance; floored at the numerical noise of float32 features (1e-5 of
        their root mean square), so that a score never hangs on a machine's rounding. It is no
        cure for another precision: noise of bfloat16's size moved 5 % false alarms to as much as
        9 % in simulations at any value up to 1e-3. Calibrate in the precision you will use.
    n_init, max_iter : int, default=1, 100
        Starts of the mixture, each from k-means++ seeds, and its most iterations.
    photographic_label : int, float, bool or None, default=None
        The value of ``y`` that marks photographs. None: 1; where ``y`` holds other labels than 1
        and -1, that is said once a process.
    device : str or None, default=None
        Where `fit` fits the mixture: ``None`` in numpy; "cuda" by scikit-learn's array API
        dispatch, which takes scikit-learn 1.8 and ``SCIPY_ARRAY_API=1`` in the environment;
        "auto" on a GPU where there is one, else in numpy. The same seeds, in float64 as well;
        scores differ by rounding. Scores are computed in numpy, and the attributes are numpy
        arrays, always.
    random_state : int, RandomState or None, default=None
        Draws the calibration photographs and starts the mixture.

    Attributes
    ----------
    mixture_ : GaussianMixture
        The density; of projected features if ``pca_`` is not None. With kernels its ``means_`` are
        the (projected) features of the photographs, and a saved head holds them.
    pca_ : PCA or None
    calibration_scores_ : ndarray of shape (n_calibration,), sorted
        Scores of the held-out photographs, or of those of the last `recalibrate`.
    calibration_sources_ : dict of str to ndarray, sorted, or None
        The same scores by source, if ``sources`` were given.
    offset_ : float
        Threshold on `score_samples`, from ``calibration_scores_`` and the present
        ``target_fpr`` and ``confidence``, the lowest of the sources' thresholds with ``sources``;
        ``-inf``, with a `SmallSampleWarning`, where those are too few.
    n_components_, covariance_type_, pca_components_ : int, str, int or None
        What was used.
    n_iter_ : int
        Iterations of the best start; 0 of kernels.
    labels_ : ndarray or None
        The labels in the ``y`` of `fit`, None without one.
    n_features_in_ : int

    See Also
    --------
    BladesBinary : Head for photographs and AI-generated faces.
    BladesHybrid : Head of both kinds, with the same promise.
    BladesEncoder : Makes the features.
    sklearn_blades.evaluation.source_shift : Does the promise hold on another source?
    sklearn_blades.evaluation.benjamini_hochberg : Flags in a folder by ``p_values``.
    sklearn_blades.evaluation.ScoreDisplay : Draws scores and threshold.

    Notes
    -----
    With ``y``, only rows equal to ``photographic_label`` are used, so that a cross-validation
    over both classes never trains on fakes. ``fit_predict(X)``, inherited, passes no ``y`` on: it
    takes every row for a photograph, and most were in the mixture, so the promise is not for it.

    Scorers that need no threshold (``"roc_auc"``) take any numeric ``y`` in which photographs are
    larger; those on `predict` need ``y`` in {+1, -1}. For calibrated probabilities or other
    labels see `BladesBinary`.

    References
    ----------
    docs/method.md, section 6 (arXiv 2507.22824) for the mixture; Vovk, Gammerman and Shafer,
    *Algorithmic Learning in a Random World*, 2005, for the threshold.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> photos, fakes = rng.normal(size=(500, 4)), rng.normal(loc=6, size=(3, 4))
    >>> head = BladesOneClass(random_state=0).fit(photos)
    >>> head.predict(fakes)
    array([-1, -1, -1])
    >>> head.p_values(fakes).round(3)
    array([0.01, 0.01, 0.01])
    """

    _parameter_constraints: dict = {
        "n_components": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "covariance_type": [StrOptions({"auto", "full", "tied", "diag", "spherical", "kernel"})],
        "pca_components": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left"), None],
        "target_fpr": [Interval(Real, 0, 1, closed="neither")],
        "calibration_fraction": [Interval(Real, 0, 1, closed="neither")],
        "reg_covar": [Interval(Real, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "confidence": [Interval(Real, 0, 1, closed="neither"), None],
        "photographic_label": [Real, None],
        "device": [str, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components: Any = "auto",
        *,
        covariance_type: str = "auto",
        pca_components: Any = "auto",
        target_fpr: float = 0.05,
        calibration_fraction: float = 0.2,
        confidence: float | None = None,
        reg_covar: float = 1e-6,
        n_init: int = 1,
        max_iter: int = 100,
        photographic_label: float | None = None,
        device: str | None = None,
        random_state: RandomState = None,
    ):
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.pca_components = pca_components
        self.target_fpr = target_fpr
        self.calibration_fraction = calibration_fraction
        self.confidence = confidence
        self.reg_covar = reg_covar
        self.n_init = n_init
        self.max_iter = max_iter
        self.photographic_label = photographic_label
        self.device = device
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Features,
        y: Column | None = None,
        *,
        groups: Column | None = None,
        sources: Column | None = None,
    ) -> Self:
        """Learn the density of photographs and calibrate its threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, as `BladesEncoder.transform` gives them.
        y : array-like of shape (n_samples,), default=None
            Numeric or boolean; rows other than ``photographic_label`` are left out.
        groups : array-like of shape (n_samples,), default=None
            Person of every row, on one side of the calibration split. One photograph of each
            person held out calibrates: more of them are no further evidence. The promise is for
            new persons.
        sources : array-like of shape (n_samples,), default=None
            Source of every row (camera, site, data set). Each calibrates for itself, with 19
            photographs or persons at 5 %, and only what is foreign to all of them is flagged: the
            promise is then for any mixture of the sources. What it costs in detections is in
            docs/scikit_learn.md.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a row is not finite or has no label, group or source, ``y`` holds strings or no
            photograph, or too few rows or groups are left to split. The head is then as before.

        Warns
        -----
        SmallSampleWarning
            If the calibration photographs (the persons, with ``groups``) are too few for
            ``target_fpr``, or a number of components is capped.
        UserWarning
            If ``photographic_label`` is None, the labels are not 1 and -1, and the rows left out
            score higher than the photographs: an inverted code, perhaps.
        ConvergenceWarning
            If no start of the mixture converged in ``max_iter`` iterations.
        """
        with whole_or_nothing(self):
            features, rows, persons, names = self._photographs(X, y, groups, sources, reset=True)
            random_state = check_random_state(self.random_state)
            train, held = self._split(rows, persons, names, random_state)
            others = _spread(np.setdiff1d(np.arange(len(features)), rows), MOST_LEFT_OUT)
            # The whole matrix, of gigabytes perhaps, is not kept while the mixture is fitted.
            features, fresh, others = features[train], features[held], features[others]

            self._learn(features, random_state)
            self.labels_ = None if y is None else np.unique(column_or_1d(y).astype(float))
            self._warn_if_unconverged()
            scores = log_density(fresh, self.pca_, self.mixture_)
            self._calibrate(scores, held, persons, names)
            # Who says which label marks photographs, or writes 1 and -1, has not mixed them up.
            if len(others) and self.photographic_label is None and not says_itself(self.labels_):
                warn_if_inverted(scores, log_density(others, self.pca_, self.mixture_))
        return self

    def _learn(self, features, random_state):
        """Fit the density alone, of features that are checked."""
        shape = choose_shape(
            len(features),
            features.shape[1],
            self.pca_components,
            self.n_components,
            self.covariance_type,
        )
        self.pca_components_, self.n_components_, self.covariance_type_ = shape
        self.pca_, self.mixture_ = fit_density(
            features,
            shape,
            reg_covar=self.reg_covar,
            n_init=self.n_init,
            max_iter=self.max_iter,
            random_state=random_state,
            device=self.device,
        )
        self.n_iter_ = self.mixture_.n_iter_

    def _split(self, rows, groups, sources, random_state):
        n = len(rows)
        if n < 3:
            raise ValueError(
                f"n_samples = {n} photographs cannot be split into a mixture's (2 at "
                "least) and a threshold's; at a 5 % false-alarm rate fit on 95 or more."
            )
        train, held = calibration_split(
            n,
            self.calibration_fraction,
            random_state,
            groups=None if groups is None else groups[rows],
            sources=None if sources is None else group_codes([sources[row] for row in rows], n),
            fewest=fewest_calibration_scores(self.target_fpr, self.confidence),
        )
        if len(train) < 2:
            raise ValueError(
                f"calibration_fraction={self.calibration_fraction} leaves {len(train)} of "
                f"{n} photographs for the mixture; use a smaller fraction."
            )
        return rows[train], rows[held]

    def _warn_if_unconverged(self):
        if not self.mixture_.converged_:
            warn(
                f"The mixture had not converged after max_iter={self.max_iter} iterations; try "
                f"max_iter={3 * self.max_iter}. The threshold is calibrated all the same.",
                ConvergenceWarning,
            )

    def score_samples(self, X: Features) -> FloatArray:
        """Log-likelihood under the mixture of photographs.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            Nats, unbounded; higher = more photographic.
        """
        check_is_fitted(self)
        return log_density(check_features(self, X), self.pca_, self.mixture_)


def _spread(rows, most):
    """At most so many of the rows, evenly spread."""
    return rows[:: max(1, math.ceil(len(rows) / most))]
