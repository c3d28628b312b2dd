"""The one-class head: learn what photographs look like, and how often that may be wrong."""

import math
import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted, column_or_1d

from ..errors import SmallSampleWarning
from ..ground.rows import check_features, holdout, one_of_each, photograph_rows
from ..ground.sklearn_private import Interval, StrOptions, _fit_context
from ..heads.conformal import (
    conformal_offset,
    conformal_p_values,
    fewest_calibration_scores,
    positive,
)
from ..heads.density import choose_shape, fit_density, log_density


class BladesOneClass(OutlierMixin, BaseEstimator):
    """Flag AI-generated faces after seeing photographs only.

    A Gaussian mixture is fitted on most photographs; the others, held out, set the threshold so
    that on average at most ``target_fpr`` of new photographs are flagged. The promise is for
    photographs exchangeable with the held-out ones (same sources) that neither the mixture nor
    the encoder was trained on. On a new source of photographs it does not hold.

    Parameters
    ----------
    n_components : int or "auto", default="auto"
        Components of the mixture. ``"auto"``: one per 10 rows, 1 to 10. The paper's: 10.
    covariance_type : {"auto", "full", "tied", "diag", "spherical"}, default="auto"
        ``"auto"``: ``"full"`` with at least 5 rows per component and dimension, else ``"diag"``.
        On a trained encoder's features, real and simulated, full covariances made fresh
        photographs less likely with 2.5 rows and likelier with 5 (docs/method.md). The paper's:
        ``"full"``.
    pca_components : int, "auto" or None, default="auto"
        Principal components (not whitened) kept before the mixture. ``"auto"``: 64, at most half
        the rows, and none where the features are no wider; 64 came out best or close in
        simulations from 160 to 20,000 rows of 128 and 768 features, and turns minutes into
        seconds. The paper's: None.
    target_fpr : float in (0, 1), default=0.05
        Share of photographs that may be flagged. Can be changed after `fit`.
    calibration_fraction : float in (0, 1), default=0.2
        Share of the photographs (of the groups, with ``groups``) held out for the threshold.
        The threshold needs ``1 / target_fpr - 1`` of them: 19 at 5 %, 99 at 1 %.
    reg_covar : float >= 0, default=1e-6
        Added to every variance; floored at the numerical noise of float32 features (1e-5 of
        their root mean square), so that a score never hangs on a machine's rounding. It is no
        cure for another precision: noise of bfloat16's size moved 5 % false alarms to as much as
        9 % in simulations at any value up to 1e-3. Calibrate in the precision you will use.
    n_init, max_iter : int, default=1, 100
        Starts of the mixture, each from k-means++ seeds, and its most iterations.
    photographic_label : int, float or bool, default=1
        The value of ``y`` that marks photographs.
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
        The density; of projected features if ``pca_`` is not None.
    pca_ : PCA or None
    calibration_scores_ : ndarray of shape (n_calibration,), sorted
        Scores of the held-out photographs, or of those of the last `recalibrate`.
    offset_ : float
        Threshold on `score_samples`, from ``calibration_scores_`` and the present
        ``target_fpr``; ``-inf``, with a `SmallSampleWarning`, where those are too few.
    n_components_, covariance_type_, pca_components_ : int, str, int or None
        What was used.
    n_iter_ : int
        Iterations of the best start.
    labels_ : ndarray or None
        The labels in the ``y`` of `fit`, None without one.
    n_features_in_ : int

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
    METHOD 6 (arXiv 2507.22824) for the mixture; Vovk, Gammerman and Shafer, *Algorithmic Learning
    in a Random World*, 2005, for the threshold.

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
        "covariance_type": [StrOptions({"auto", "full", "tied", "diag", "spherical"})],
        "pca_components": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left"), None],
        "target_fpr": [Interval(Real, 0, 1, closed="neither")],
        "calibration_fraction": [Interval(Real, 0, 1, closed="neither")],
        "reg_covar": [Interval(Real, 0, None, closed="left")],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "photographic_label": [Real],
        "device": [str, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_components="auto",
        *,
        covariance_type="auto",
        pca_components="auto",
        target_fpr=0.05,
        calibration_fraction=0.2,
        reg_covar=1e-6,
        n_init=1,
        max_iter=100,
        photographic_label=1,
        device=None,
        random_state=None,
    ):
        self.n_components = n_components
        self.covariance_type = covariance_type
        self.pca_components = pca_components
        self.target_fpr = target_fpr
        self.calibration_fraction = calibration_fraction
        self.reg_covar = reg_covar
        self.n_init = n_init
        self.max_iter = max_iter
        self.photographic_label = photographic_label
        self.device = device
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, *, groups=None):
        """Learn the density of photographs and calibrate its threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, as `BladesEncoder.transform` gives them.
        y : array-like of shape (n_samples,), default=None
            Numeric or boolean; rows other than ``photographic_label`` are left out.
        groups : array-like of shape (n_samples,), default=None
            Person or source of every row, kept on one side of the calibration split. All
            photographs of those held out calibrate: many of one person are less evidence than
            they count for. `recalibrate` with ``groups`` takes one of each.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a row is not finite, ``y`` holds strings or no photograph, or too few rows or
            groups are left to split.

        Warns
        -----
        SmallSampleWarning
            If the calibration photographs are too few for ``target_fpr``, or a number of
            components is capped.
        ConvergenceWarning
            If no start of the mixture converged in ``max_iter`` iterations.
        """
        X = check_features(self, X, reset=True)
        check_consistent_length(X, y, groups)
        rows = np.flatnonzero(photograph_rows(y, self.photographic_label, len(X)))
        groups = None if groups is None else column_or_1d(groups)[rows]
        random_state = check_random_state(self.random_state)
        train, held = (rows[side] for side in self._split(len(rows), groups, random_state))
        # The whole matrix, of gigabytes perhaps, is not kept while the mixture is fitted.
        X, fresh = X[train], X[held]

        shape = choose_shape(
            len(train), X.shape[1], self.pca_components, self.n_components, self.covariance_type
        )
        self.pca_components_, self.n_components_, self.covariance_type_ = shape
        self.pca_, self.mixture_ = fit_density(
            X,
            shape,
            reg_covar=self.reg_covar,
            n_init=self.n_init,
            max_iter=self.max_iter,
            random_state=random_state,
            device=self.device,
        )
        self.n_iter_ = self.mixture_.n_iter_
        self.calibration_scores_ = np.sort(log_density(fresh, self.pca_, self.mixture_))
        self.labels_ = None if y is None else np.unique(column_or_1d(y).astype(float))
        self._warn_if_unconverged()
        self._warn_if_too_few()
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def recalibrate(self, X, y=None, *, groups=None):
        """Set the threshold anew from other photographs; the mixture stays as it is.

        From then on the promise is for photographs exchangeable with these, a new source's say.
        Like `fit` it changes this head; `sklearn_blades.evaluation.recalibrate` makes a new
        detector.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features of photographs that neither the mixture nor the encoder was trained on.
        y : array-like of shape (n_samples,), default=None
            As in `fit`: rows other than ``photographic_label`` are left out.
        groups : array-like of shape (n_samples,), default=None
            Person of every row. Photographs of one person are no independent evidence: one of
            each, drawn with ``random_state``, is used, and the promise is for new persons.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a row is not finite, or ``y`` holds strings or no photograph.

        Warns
        -----
        SmallSampleWarning
            If the photographs (the persons, with ``groups``) are too few for ``target_fpr``.
        """
        check_is_fitted(self)
        X = check_features(self, X)
        check_consistent_length(X, y, groups)
        rows = np.flatnonzero(photograph_rows(y, self.photographic_label, len(X)))
        if groups is not None:
            rows = rows[one_of_each(column_or_1d(groups)[rows], self.random_state)]
        self.calibration_scores_ = np.sort(log_density(X[rows], self.pca_, self.mixture_))
        self._warn_if_too_few()
        return self

    def _split(self, n_photographs, groups, random_state):
        if n_photographs < 3:
            raise ValueError(
                f"n_samples = {n_photographs} photographs cannot be split into a mixture's (2 at "
                "least) and a threshold's; at a 5 % false-alarm rate fit on 95 or more."
            )
        train, held = holdout(n_photographs, self.calibration_fraction, random_state, groups=groups)
        if len(train) < 2:
            raise ValueError(
                f"calibration_fraction={self.calibration_fraction} leaves {len(train)} of "
                f"{n_photographs} photographs for the mixture; use a smaller fraction."
            )
        return train, held

    def _warn_if_unconverged(self):
        if not self.mixture_.converged_:
            warnings.warn(
                f"The mixture had not converged after max_iter={self.max_iter} iterations; try "
                f"max_iter={3 * self.max_iter}. The threshold is calibrated all the same.",
                ConvergenceWarning,
                stacklevel=4,  # past scikit-learn's fit wrapper, to the line that called fit
            )

    def _warn_if_too_few(self):
        n, fewest = len(self.calibration_scores_), fewest_calibration_scores(self.target_fpr)
        if n < fewest:
            enough = math.ceil(round(fewest / self.calibration_fraction, 6))  # 19 / 0.2 is 95
            warnings.warn(
                f"{n} calibration photographs cannot promise a false-alarm rate of "
                f"{self.target_fpr:.3g}: at least {fewest} are needed. offset_ is -inf and nothing "
                f"is flagged. Fit on {enough} or more, of which calibration_fraction="
                f"{self.calibration_fraction} calibrate, recalibrate on {fewest} or more, or raise "
                "target_fpr.",
                SmallSampleWarning,
                stacklevel=4,
            )

    def _warn_if_coded_otherwise(self):
        if self.labels_ is None:
            return
        if self.photographic_label == 1 and {1, -1}.issuperset(self.labels_):
            return
        coded = ", ".join(f"{label:g}" for label in self.labels_[:5])
        warnings.warn(
            f"predict answers +1 (photograph) and -1 (AI-generated), but fit was given labels "
            f"{coded}: do not compare the two. Code y as `np.where(y == "
            f"{self.photographic_label!r}, 1, -1)` and leave photographic_label at 1, or use a "
            'scorer without a threshold, such as "roc_auc".',
            UserWarning,
            stacklevel=3,
        )

    @property
    def offset_(self):
        check_is_fitted(self, "calibration_scores_")
        self._warn_if_too_few()
        return conformal_offset(self.calibration_scores_, self.target_fpr)

    def score_samples(self, X):
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

    def decision_function(self, X):
        """Score above the threshold: ``score_samples(X) - offset_``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            Negative = flagged as AI-generated; higher = more photographic. Where ``offset_`` is
            -inf, a positive, increasing function of the score instead, so that "roc_auc" and its
            like still rank.
        """
        scores, offset = self.score_samples(X), self.offset_
        if np.isneginf(offset):
            return positive(scores - self.calibration_scores_[0])
        return scores - offset

    def predict(self, X):
        """Photograph or AI-generated?

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), int
            +1 = not flagged, -1 = flagged as AI-generated.

        Warns
        -----
        UserWarning
            If `fit` was given labels in another code, 0 and 1 say: a scorer that compares these
            predictions with them ("accuracy", "f1") is wrong without a sign of it.
        """
        scores = self.score_samples(X)
        self._warn_if_coded_otherwise()
        return np.where(scores < self.offset_, -1, 1)

    def p_values(self, X):
        """Conformal p-value of "this is a photograph like those held out".

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            In [1 / (n_calibration + 1), 1]; low = AI-generated. `predict` flags where it is at
            most ``target_fpr``.
        """
        return conformal_p_values(self.score_samples(X), self.calibration_scores_)
