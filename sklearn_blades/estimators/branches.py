"""Verdicts on several kinds of features of the same faces, joined under one promise."""

from numbers import Real
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, column_or_1d, has_fit_parameter

from ..ground.fitting import whole_or_nothing
from ..ground.groups import group_codes
from ..ground.rows import check_features, says_itself
from ..ground.sklearn_private import Interval, _fit_context
from ..ground.types import Column, Features, FloatArray, IntArray, RandomState
from ..heads.calibration import promise_split
from ..heads.conformal import fewest_calibration_scores
from ..heads.fusion import log_p_values
from .hybrid_parts import generator_codes
from .one_class import BladesOneClass
from .promise import PromiseMixin, warn_if_inverted


class BladesBranches(PromiseMixin, OutlierMixin, BaseEstimator):
    """Flag AI-generated faces by several heads, each on columns of its own.

    Features of different kinds, a face tower's and statistics of stored pixels say, differ in
    number and scale: in one density the many drown the few. Here each kind has its own head, whose
    scores are brought to one scale by its own calibration, as p-values; their logarithms are
    added, and the sum is calibrated **once more**, on photographs that no branch has seen. So the
    promise of `BladesOneClass` holds, word for word, however much the branches depend on each
    other (Fisher's rule for the sum would take them for independent).

    Parameters
    ----------
    branches : list of (str, head, int or None), default=None
        Name, head that promises (`BladesOneClass`, `BladesHybrid`, or `BladesBinary` with a
        ``target_fpr``; a copy of it is fitted), and its number of columns. Branches take them from
        left to right, as `sklearn.pipeline.FeatureUnion` puts them side by side. One None stands
        for what the others leave. By default one `BladesOneClass` has all.
    target_fpr : float in (0, 1), default=0.05
        Share of photographs that may be flagged, of the sum; those of the heads are not used. Can
        be changed after `fit`.
    calibration_fraction : float in (0, 1), default=0.2
        Share of the photographs (of the groups, with ``groups``) held out for the sum, as in
        `BladesOneClass`; the heads hold out their own of what is left.
    confidence : float in (0, 1) or None, default=None
        As in `BladesOneClass`. Can be changed after `fit`.
    photographic_label : int, float, bool or None, default=None
        As in `BladesHybrid`; those of the heads are not used.
    random_state : int, RandomState or None, default=None
        Draws the calibration photographs and seeds heads that have no ``random_state``.

    Attributes
    ----------
    heads_ : dict of str to head
        Fitted.
    n_columns_ : dict of str to int
    calibration_scores_, calibration_sources_, offset_
        As in `BladesOneClass`.
    labels_ : ndarray or None
        The labels in the ``y`` of `fit`.
    n_features_in_ : int

    See Also
    --------
    BladesHybrid : Two heads on the same features, weighed by what they find.
    sklearn_blades.residuals.NativeResiduals : Features for a second branch.

    Notes
    -----
    Between a head's calibration scores p-values are interpolated, and below all of them they go on
    falling with the score (`sklearn_blades.heads.fusion.log_p_values`), so that a branch can be
    surer than its few calibration photographs. All branches count alike, and one at chance adds
    noise to the others: on real photographs residuals took 12 points of AUC from a face tower
    (docs/results.md). Join what is known to find something.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> photos, fakes = rng.normal(size=(500, 6)), rng.normal(loc=4, size=(3, 6))
    >>> head = BladesBranches(
    ...     [("face", BladesOneClass(), None), ("residuals", BladesOneClass(), 2)], random_state=0
    ... )
    >>> head.fit(photos).predict(fakes)
    array([-1, -1, -1])
    """

    _parameter_constraints: dict = {
        "branches": [list, None],
        "target_fpr": [Interval(Real, 0, 1, closed="neither")],
        "calibration_fraction": [Interval(Real, 0, 1, closed="neither")],
        "confidence": [Interval(Real, 0, 1, closed="neither"), None],
        "photographic_label": [Real, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        branches: list[tuple[str, Any, int | None]] | None = None,
        *,
        target_fpr: float = 0.05,
        calibration_fraction: float = 0.2,
        confidence: float | None = None,
        photographic_label: float | None = None,
        random_state: RandomState = None,
    ):
        self.branches = branches
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
        """Fit every branch, and calibrate their sum on photographs that none has seen.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features of all branches, side by side.
        y : array-like of shape (n_samples,), default=None
            Without it all rows are photographs. Rows other than ``photographic_label`` are
            generated faces, for heads that learn from them.
        groups : array-like of shape (n_samples,), default=None
            Person of every row, on one side of every split.
        generator : array-like of shape (n_samples,), default=None
            Whose every generated face is, for heads whose ``fit`` takes it.
        sources : array-like of shape (n_samples,), default=None
            Source of every row: each calibrates for itself, in every branch and for the sum.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the branches' columns are not those of ``X``, or as in `BladesOneClass`. The head is
            then as before.
        TypeError
            If a branch is not (name, head with a promise, number of columns).

        Warns
        -----
        SmallSampleWarning
            If the calibration photographs of the sum, or of a branch, are too few.
        UserWarning
            As in `BladesOneClass`, for labels that may be inverted.
        """
        with whole_or_nothing(self):
            features, rows, persons, names = self._photographs(X, y, groups, sources, reset=True)
            rng = check_random_state(self.random_state)
            templates, self.n_columns_ = _checked(self.branches, features.shape[1])
            others = np.setdiff1d(np.arange(len(features)), rows)
            self.labels_ = None if y is None else np.unique(column_or_1d(y).astype(float))
            codes = None if names is None else group_codes(names, len(features), "sources")
            train, fakes, held = self._split(rows, others, persons, codes, rng)

            columns = {"groups": persons, "sources": codes}
            if generator is not None:
                generators = np.full(len(features), -1)  # of photographs nobody asks
                generators[others] = generator_codes(generator, others, len(features))
                columns["generator"] = generators
            kept = np.sort(np.concatenate([train, fakes]))
            label = None if y is None else np.where(np.isin(kept, train), 1, -1)
            columns = {name: of[kept] for name, of in columns.items() if of is not None}
            self.heads_ = {}
            for (name, head), part in zip(templates.items(), self._parts(features), strict=True):
                self.heads_[name] = _fitted(head, part[kept], label, columns, rng)

            scores = self._score(features[held])
            self._calibrate(scores, held, persons, names)
            if len(fakes) and self.photographic_label is None and not says_itself(self.labels_):
                warn_if_inverted(scores, self._score(features[fakes]))
        return self

    def _split(self, rows, others, groups, sources, rng):
        if len(rows) < 4:
            raise ValueError(
                f"n_samples = {len(rows)} photographs cannot be split into those of the branches "
                "(3 at least) and a threshold's; at a 5 % false-alarm rate fit on 119 or more."
            )
        return promise_split(
            rows,
            others,
            self.calibration_fraction,
            rng,
            groups=groups,
            sources=sources,
            fewest=fewest_calibration_scores(self.target_fpr, self.confidence),
        )

    def _parts(self, X):
        """The columns of every branch."""
        return np.split(X, np.cumsum([*self.n_columns_.values()])[:-1], axis=1)

    def score_samples(self, X: Features) -> FloatArray:
        """Sum of the branches' log p-values.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            Nats, below 0; higher = more photographic.
        """
        check_is_fitted(self)
        return self._score(check_features(self, X))

    def branch_log_p_values(self, X: Features) -> dict[str, FloatArray]:
        """What every branch adds to the score: which of them it is that finds something.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        dict of str to ndarray of shape (n_samples,)
            By branch, in nats, below 0; higher = more photographic. Of photographs half are above
            log(1/2).
        """
        check_is_fitted(self)
        return self._by_branch(check_features(self, X))

    def _by_branch(self, X):
        return {
            name: log_p_values(head.score_samples(part), head._scores_of_sources().values())
            for (name, head), part in zip(self.heads_.items(), self._parts(X), strict=True)
        }

    def _score(self, X):
        return np.sum([*self._by_branch(X).values()], axis=0)

    def fit_predict(self, X: Features, y: Column | None = None, **columns: Any) -> IntArray:
        """`fit`, then `predict` of the same rows, most of which the branches have learned from.

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


def _checked(branches, n_features):
    """Heads by name, and how many of the columns each has."""
    branches = [("all", BladesOneClass(), None)] if branches is None else branches
    heads, widths = {}, {}
    for branch in branches:
        if not (isinstance(branch, tuple | list) and len(branch) == 3):
            raise TypeError(f"{branch!r}: a branch is (name, head, number of columns or None).")
        name, head, width = branch
        if not (isinstance(head, PromiseMixin) and head.target_fpr is not None):
            raise TypeError(
                f"branch {name!r}: {head!r} has no p-values; take a BladesOneClass(), a "
                "BladesHybrid(), or a BladesBinary(target_fpr=0.05)."
            )
        if name in heads or not isinstance(name, str):
            raise ValueError(f"branch {name!r}: every branch needs a name of its own.")
        heads[name], widths[name] = head, width
    rest = n_features - sum(width for width in widths.values() if width is not None)
    open_ended = [name for name, width in widths.items() if width is None]
    if len(open_ended) == 1 and rest > 0:
        widths[open_ended[0]] = rest
    elif open_ended or rest != 0 or min(widths.values(), default=0) < 1:
        raise ValueError(
            f"X has {n_features} columns, and the branches ask for {widths}: every column belongs "
            "to one branch, every branch has one at least, and one may say None for the rest."
        )
    return heads, widths


def _fitted(template, features, label, columns, rng):
    """A branch's head, fitted with what of the columns its ``fit`` takes."""
    head = clone(template)
    known, seed = head.get_params(deep=False), rng.randint(2**31 - 1)
    if known.get("random_state", 0) is None:
        head.set_params(random_state=seed)
    if "photographic_label" in known:
        head.set_params(photographic_label=1)
    taken = {name: of for name, of in columns.items() if has_fit_parameter(head, name)}
    return head.fit(features, label, **taken)
