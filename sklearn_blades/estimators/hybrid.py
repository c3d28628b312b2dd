"""The hybrid head: a density of photographs and a classifier of known fakes, with one promise."""

from numbers import Real
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, column_or_1d

from ..errors import SmallSampleWarning
from ..ground.fitting import whole_or_nothing
from ..ground.groups import group_codes
from ..ground.rows import check_features, says_itself
from ..ground.sklearn_private import HasMethods, Interval, _fit_context
from ..ground.types import Column, Features, FloatArray, IntArray, RandomState
from ..ground.warn import warn
from ..heads.calibration import promise_split
from ..heads.conformal import fewest_calibration_scores
from ..heads.fusion import added, centre_and_spread
from .hybrid_parts import (
    Known,
    checked_contrast,
    doubts_of,
    fresh_parts,
    generator_codes,
    learn,
    part_names,
    scores_of,
    weigh,
)
from .one_class import BladesOneClass
from .promise import PromiseMixin, warn_if_inverted


class BladesHybrid(PromiseMixin, OutlierMixin, BaseEstimator):
    """Flag AI-generated faces after seeing photographs and some generators' faces.

    A density of photographs (`BladesOneClass`) knows no generator and so misses none on
    principle; a perceptron (`BladesBinary`) that has seen any generators' faces finds others'
    better than the density does, as far as they have something in common. Here both are learned,
    their scores standardised and added, and **one** threshold is set on photographs that neither
    has seen, so that on average at most ``target_fpr`` of new photographs are flagged. The promise
    is that of `BladesOneClass`, word for word, and it holds whatever the generated faces were.

    How much each part counts is measured inside `fit`: both are fitted without some of the sources
    of photographs (``sources``, else ``groups``) *and* some of the generators, and asked about
    those, so that a part which is at chance elsewhere counts for little.

    Without a generated face a ``contrast`` takes the classifier's place: the direction in which
    faults of generators, put into photographs, move a face. It is added to the density in equal
    parts; where there are generated faces as well, all three are added.

    Parameters
    ----------
    one_class : BladesOneClass, default=None
        The density's parameters; its threshold's are not used. None: the defaults.
    binary : BladesBinary or classifier with ``decision_function``, default=None
        The classifier, fitted with labels -1 (generated) and 1. None: `BladesBinary`'s defaults
        with ``class_weight="balanced"``.
    contrast : FrozenEstimator of a classifier with ``decision_function``, default=None
        What `make_contrast` returns, or your own: fitted, higher = more photographic. It stays as
        it is. None of the photographs that taught it may be in ``X``, or the promise is too good.
    target_fpr : float in (0, 1), default=0.05
        Share of photographs that may be flagged. Can be changed after `fit`.
    calibration_fraction : float in (0, 1), default=0.2
        Share of the photographs (of the groups, with ``groups``) held out for the threshold, as in
        `BladesOneClass`: 19 are needed at 5 %, 99 at 1 %.
    confidence : float in (0, 1) or None, default=None
        As in `BladesOneClass`. Can be changed after `fit`.
    photographic_label : int, float, bool or None, default=None
        The value of ``y`` that marks photographs; all others are AI-generated. None: 1; where
        ``y`` holds other labels than 1 and -1, that is said once a process.
    random_state : int, RandomState or None, default=None
        Draws the calibration photographs and the folds, and seeds parts that have no
        ``random_state`` of their own.

    Attributes
    ----------
    one_class_ : BladesOneClass
        The density, calibrated on the same photographs as the whole.
    binary_ : BladesBinary or classifier, or None
        None where `fit` was given no generated face.
    contrast_ : FrozenEstimator or None
        That of the parameters.
    weights_ : dict of str to float
        Of ``"one_class"`` and ``"binary"``, and of ``"contrast"`` where there is one, 0 to 1, of
        sum 1.
    left_out_auc_ : dict of str to float
        Mean over the generators of the chance that a photograph scores above one of their faces,
        both left out of what was learned: of ``"one_class"``, of ``"binary"`` and of ``"both"`` as
        weighed. The last is a little optimistic, as it chose the weights. With a ``contrast``
        ``"unknowing"``, density and contrast, stands for the first. Empty where there was too
        little to leave out.
    centre_, spread_ : ndarrays of shape (n_parts,)
        Median and spread of each part's scores of photographs it had not learned from.
    calibration_scores_, calibration_sources_, offset_
        As in `BladesOneClass`.
    labels_ : ndarray or None
        The labels in the ``y`` of `fit`.
    n_features_in_ : int

    See Also
    --------
    BladesOneClass : For photographs alone.
    BladesBinary : For known generators; promises too, with a ``target_fpr``.
    make_contrast : Contrast without a generated face.
    sklearn_blades.evaluation.evaluate_by_generator : Judges it on each generator's faces.

    Notes
    -----
    Which generated faces were seen, and how the weights came out, changes what is found and never
    the promise: both are settled before the first calibration photograph is scored. It is the
    split form of integrative conformal p-values (Liang, Sesia and Sun), which choose between
    one-class and binary scores by their p-values instead.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> photos, known = rng.normal(size=(400, 4)), rng.normal(loc=[3, 0, 0, 0], size=(60, 4))
    >>> X, y = np.r_[photos, known], np.repeat([1, -1], [400, 60])
    >>> generator = np.r_[np.repeat("", 400), np.tile(["gan", "diffusion"], 30)]
    >>> head = BladesHybrid(random_state=0).fit(
    ...     X, y, generator=generator, groups=np.arange(460)
    ... )
    >>> head.predict([[4.0, 0, 0, 0], [0, 0, 0, 0]])
    array([-1,  1])

    References
    ----------
    Liang, Sesia and Sun, *Integrative conformal p-values for out-of-distribution testing with
    labelled outliers*, 2022 (arXiv 2208.11111).
    """

    _parameter_constraints: dict = {
        "one_class": [BladesOneClass, None],
        "binary": [HasMethods(["fit", "decision_function"]), None],
        "contrast": [HasMethods(["decision_function"]), None],
        "target_fpr": [Interval(Real, 0, 1, closed="neither")],
        "calibration_fraction": [Interval(Real, 0, 1, closed="neither")],
        "confidence": [Interval(Real, 0, 1, closed="neither"), None],
        "photographic_label": [Real, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        one_class: BladesOneClass | None = None,
        binary: Any = None,
        *,
        contrast: Any = None,
        target_fpr: float = 0.05,
        calibration_fraction: float = 0.2,
        confidence: float | None = None,
        photographic_label: float | None = None,
        random_state: RandomState = None,
    ):
        self.one_class = one_class
        self.binary = binary
        self.contrast = contrast
        self.target_fpr = target_fpr
        self.calibration_fraction = calibration_fraction
        self.confidence = confidence
        self.photographic_label = photographic_label
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Features,
        y: Column | None = None,
        *,
        groups: Column | None = None,
        generator: Column | None = None,
        sources: Column | None = None,
    ) -> Self:
        """Learn both parts, weigh them, and calibrate their sum.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, as `BladesEncoder.transform` gives them.
        y : array-like of shape (n_samples,)
            Numeric or boolean: ``photographic_label``, and anything else for generated faces.
            Without it the density stands alone, which is said, or with the ``contrast``.
        groups : array-like of shape (n_samples,), default=None
            Person (or source) of every row; on one side of the calibration split and of every
            fold. One photograph of each person held out calibrates.
        generator : array-like of shape (n_samples,), default=None
            Whose every generated face is; what stands in the rows of photographs is not looked at.
        sources : array-like of shape (n_samples,), default=None
            Source of every row. Each calibrates for itself, as in `BladesOneClass`, and whole
            sources are left out where the parts are weighed.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If ``y`` holds no generated face (and there is no ``contrast``) or no photograph, or
            words; if ``contrast`` takes other features; if a row is not finite or
            has no label, group or source, a generated one no generator; or if too few rows or
            groups are left to split. The head is then as before.
        TypeError
            If ``contrast`` is not frozen.

        Warns
        -----
        SmallSampleWarning
            If the parts could not be weighed on new persons or sources and new generators, for
            lack of ``groups``, ``sources`` or ``generator`` or of two of each: what was left out
            instead. If the calibration photographs are too few for ``target_fpr``.
        UserWarning
            As in `BladesOneClass`, for labels that may be inverted.
        """
        with whole_or_nothing(self):
            features, rows, persons, names = self._photographs(X, y, groups, sources, reset=True)
            rng = check_random_state(self.random_state)
            others = np.setdiff1d(np.arange(len(features)), rows)
            if len(rows) < 3:
                raise ValueError(
                    f"n_samples = {len(rows)} photographs cannot be split into those that teach (2 "
                    "at least) and a threshold's; at a 5 % false-alarm rate fit on 95 or more."
                )
            self.contrast_ = checked_contrast(self.contrast, features.shape[1])
            if y is not None and not len(others) and self.contrast_ is None:
                raise ValueError(
                    "y holds no generated face: all of its rows are photographs. For photographs "
                    "alone use BladesOneClass; a hybrid needs some generated faces, of any "
                    "generators."
                )
            self.labels_ = None if y is None else np.unique(column_or_1d(y).astype(float))
            codes = None if names is None else group_codes(names, len(features), "sources")
            train, fakes, held = self._split(rows, others, persons, codes, rng)
            known = Known(
                features,
                train,
                fakes,
                generator_codes(generator, fakes, len(features)),
                persons,
                persons if codes is None else codes,
            )
            self._learn(known, generator, rng)
            self._calibrate(self._score(features[held]), held, persons, names)
            likely = self.one_class_.score_samples(features[held])
            self.one_class_._keep(likely, held, names)
            if len(fakes) and self.photographic_label is None and not says_itself(self.labels_):
                warn_if_inverted(likely, self.one_class_.score_samples(features[fakes]))
        return self

    def _split(self, rows, others, groups, sources, rng):
        train, fakes, held = promise_split(
            rows,
            others,
            self.calibration_fraction,
            rng,
            groups=groups,
            sources=sources,
            fewest=fewest_calibration_scores(self.target_fpr, self.confidence),
        )
        if len(train) < 2:
            raise ValueError(
                f"calibration_fraction={self.calibration_fraction} leaves {len(train)} of "
                f"{len(rows)} photographs to learn from; use a smaller fraction."
            )
        if len(others) and not len(fakes):
            raise ValueError(
                "All generated faces belong to groups whose photographs were held out, so none is "
                "left to learn from; give generated faces groups of their own, or more groups."
            )
        return train, fakes, held

    def _learn(self, known, generator, rng):
        """The parts, what each counts, and what their scores are standardised by."""
        names = part_names(self.contrast_)
        fixed = () if self.contrast_ is None else (self.contrast_,)
        templates = (*fresh_parts(self.one_class, self.binary, rng), *fixed)
        doubts = doubts_of(known, generator, self.contrast_)
        if doubts:
            warn(doubts, SmallSampleWarning)
        weighing = weigh(templates, known, rng)
        self.weights_ = dict(zip(names, weighing.weights.tolist(), strict=True))
        self.left_out_auc_ = weighing.areas
        self.one_class_, self.binary_, *_ = learn(
            templates, known, known.photographs, known.generated
        )
        self.one_class_._warn_if_unconverged()
        self.centre_, self.spread_ = weighing.centre, weighing.spread
        if weighing.centre is None:  # nothing was left out
            seen = scores_of(self._parts(), known.X[known.photographs])
            self.centre_, self.spread_ = centre_and_spread(seen)

    def _parts(self):
        """The fitted parts, in the order of ``weights_``."""
        parts = (self.one_class_, self.binary_)
        return parts if self.contrast_ is None else (*parts, self.contrast_)

    def score_samples(self, X: Features) -> FloatArray:
        """Weighted sum of both parts' standardised scores.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            In about standard deviations of photographs, unbounded; higher = more photographic.
        """
        check_is_fitted(self)
        return self._score(check_features(self, X))

    def _score(self, X):
        scores = scores_of(self._parts(), X)
        weights = np.array([*self.weights_.values()])
        total = added(scores, self.centre_, self.spread_, weights)
        # Rounded, so that a row's score, and with it whether a photograph that set the threshold
        # passes it, does not hang on the rows beside it.
        return total.astype(np.float32).astype(float)

    def fit_predict(self, X: Features, y: Column | None = None, **columns: Any) -> IntArray:
        """`fit`, then `predict` of the same rows, most of which the head has learned from.

        Parameters
        ----------
        X, y, **columns
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples,), int
            +1 = not flagged, -1 = flagged as AI-generated. The promise is not for these rows.
        """
        return self.fit(X, y, **columns).predict(X)
