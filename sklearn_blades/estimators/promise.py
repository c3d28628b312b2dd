"""What heads that promise a false-alarm rate have in common: threshold, p-values, recalibration."""

import math
from typing import Any, Self
from weakref import WeakKeyDictionary

import numpy as np
from scipy.stats import mannwhitneyu
from sklearn.utils import check_consistent_length
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ..errors import SmallSampleWarning
from ..ground.groups import group_codes
from ..ground.rows import LABEL_OF_PHOTOGRAPHS, check_features, photograph_rows, says_itself
from ..ground.sklearn_private import _fit_context
from ..ground.types import Column, Features, FloatArray, IntArray, RandomState
from ..ground.warn import warn
from ..heads.calibration import by_source, independent_rows
from ..heads.conformal import (
    fewest_calibration_scores,
    offset_of_all,
    p_values_of_all,
    positive,
    too_few,
)

# What each head has said since it was calibrated: predict is called once a photograph, or once a
# chunk of a million, and must neither change the head nor say it every time.
_said: WeakKeyDictionary[Any, set[Any]] = WeakKeyDictionary()

# Below this the rows left out look more like photographs than the photographs do.
INVERTED_AUC = 0.3


def promises(head: Any) -> bool:
    """Whether a head promises a rate; raises AttributeError, so that ``hasattr`` says it too."""
    if head.target_fpr is None:
        raise AttributeError(
            f"{type(head).__name__} promises no false-alarm rate: set target_fpr, 0.05 say."
        )
    return True


class PromiseMixin:
    """Threshold and verdicts of a head with ``score_samples`` and held-out photographs.

    The head has parameters ``target_fpr`` (None: it promises nothing), ``confidence``,
    ``calibration_fraction``, ``photographic_label`` and ``random_state``, calls `_calibrate` at
    the end of its ``fit``, and sets ``labels_`` if ``predict`` is the one below.
    """

    target_fpr: Any
    confidence: float | None
    calibration_fraction: float
    photographic_label: float | None
    random_state: RandomState
    labels_: Any
    score_samples: Any

    @available_if(promises)
    @_fit_context(prefer_skip_nested_validation=True)
    def recalibrate(
        self,
        X: Features,
        y: Column | None = None,
        *,
        groups: Column | None = None,
        sources: Column | None = None,
    ) -> Self:
        """Set the threshold anew from other photographs; what was learned stays as it is.

        From then on the promise is for photographs exchangeable with these, a new source's say.
        Like `fit` it changes this head; `sklearn_blades.evaluation.recalibrate` makes a new
        detector.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features of photographs that neither the head nor the encoder was trained on.
        y : array-like of shape (n_samples,), default=None
            As in `fit`: rows other than ``photographic_label`` are left out.
        groups : array-like of shape (n_samples,), default=None
            Person of every row. Photographs of one person are no independent evidence: one of
            each, drawn with ``random_state``, is used, and the promise is for new persons.
        sources : array-like of shape (n_samples,), default=None
            Source of every row: only what is foreign to all of them is flagged, as in `fit`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a row is not finite or has no label, group or source, or ``y`` holds strings or no
            photograph.

        Warns
        -----
        SmallSampleWarning
            If the photographs (the persons, with ``groups``) of a source are too few for
            ``target_fpr``.
        """
        check_is_fitted(self)
        features, rows, persons, names = self._photographs(X, y, groups, sources)
        codes = None if names is None else group_codes(names, len(features), "sources")
        rows = independent_rows(rows, persons, codes, self.random_state)
        self._calibrate(self.score_samples(features[rows]), rows, persons, names)
        return self

    def _photographs(self, X, y, groups, sources, *, reset=False):
        """Checked features, the rows of photographs among them, and persons as numbers."""
        X = check_features(self, X, reset=reset)
        check_consistent_length(X, y, groups, sources)
        # Of all rows: a gap is refused where it stands, whichever rows are photographs.
        groups = None if groups is None else group_codes(groups, len(X))
        if sources is not None:
            group_codes(sources, len(X), "sources")
            sources = np.asarray(sources, dtype=object).ravel().tolist()
        y, label = self._coded(y)
        rows = np.flatnonzero(photograph_rows(y, label, len(X)))
        return X, rows, groups, sources

    def _coded(self, y):
        """Labels as numbers or booleans, and which of them marks photographs."""
        return y, self.photographic_label

    def _keep(self, scores: FloatArray, rows: IntArray, sources: Any) -> None:
        """Keep the scores of ``rows``, held out and independent of each other."""
        self.calibration_scores_ = np.sort(scores)
        self.calibration_sources_ = by_source(
            scores, None if sources is None else [sources[row] for row in rows]
        )
        _said.pop(self, None)

    def _calibrate(self, scores: FloatArray, rows: IntArray, groups: Any, sources: Any) -> None:
        """As `_keep`, and say where they are too few."""
        self._keep(scores, rows, sources)
        one_of_each = "" if groups is None else ", one of each person,"
        self._warn_if_too_few(one_of_each)

    def _scores_of_sources(self):
        later = "This %(name)s was fitted without a target_fpr: recalibrate it, or fit it anew."
        check_is_fitted(self, "calibration_scores_", msg=later)
        return self.calibration_sources_ or {"": self.calibration_scores_}

    def _warn_if_too_few(self, one_of_each=""):
        lacking = too_few(self._scores_of_sources(), self.target_fpr, self.confidence)
        if not lacking:
            return
        fewest = fewest_calibration_scores(self.target_fpr, self.confidence)
        enough = math.ceil(round(fewest / self.calibration_fraction, 6))  # 19 / 0.2 is 95
        name, n = min(lacking.items(), key=lambda item: item[1])
        of = f" of source {name!r}" if name else ""
        sure = "" if self.confidence is None else f" with confidence {self.confidence:g}"
        each = " of every source" if name else ""
        warn(
            f"{n} calibration photographs{one_of_each}{of} cannot promise a false-alarm rate of "
            f"{self.target_fpr:.3g}{sure}: at least {fewest} are needed{each}. offset_ is -inf and "
            f"nothing is flagged. Fit on {enough} or more, of which calibration_fraction="
            f"{self.calibration_fraction} calibrate, recalibrate on {fewest} or more, or raise "
            "target_fpr.",
            SmallSampleWarning,
        )

    @property
    def offset_(self) -> float:
        promises(self)
        check_is_fitted(self)
        return self._offset("offset_")

    def _offset(self, asked_by):
        if _once(self, (asked_by, self.target_fpr, self.confidence)):
            self._warn_if_too_few()
        known = self._scores_of_sources().values()
        return offset_of_all(known, self.target_fpr, self.confidence)

    def decision_function(self, X: Features) -> FloatArray:
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
        scores, offset = self.score_samples(X), self._offset("decision_function")
        if np.isneginf(offset):
            return positive(scores - self.calibration_scores_[0])
        return scores - offset

    def predict(self, X: Features) -> IntArray:
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
            Once, if `fit` was given labels in another code, 0 and 1 say: a scorer that compares
            these predictions with them ("accuracy", "f1") is wrong without a sign of it.
        """
        scores = self.score_samples(X)
        warn_if_coded_otherwise(self)
        return np.where(scores < self._offset("predict"), -1, 1)

    @available_if(promises)
    def p_values(self, X: Features) -> FloatArray:
        """Conformal p-value of "this is a photograph like those held out".

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            In [1 / (n_calibration + 1), 1]; low = AI-generated. Always the smallest
            ``target_fpr`` at which `predict` would flag the row: with a ``confidence`` the
            p-values are raised accordingly, with ``sources`` each is the largest over them.
        """
        known = self._scores_of_sources().values()
        return p_values_of_all(self.score_samples(X), known, self.confidence)


def _once(head, key):
    """Whether this is the first time since the calibration; then it is said, and done."""
    said = _said.setdefault(head, set())
    if key in said:
        return False
    said.add(key)
    return True


def warn_if_coded_otherwise(detector: Any) -> None:
    """Say, once, that +1 and -1 are not the labels (``labels_``) that ``fit`` was given."""
    if detector.labels_ is None:
        return
    label = detector.photographic_label
    label = LABEL_OF_PHOTOGRAPHS if label is None else label
    if (label == 1 and says_itself(detector.labels_)) or not _once(detector, "coded"):
        return
    coded = ", ".join(f"{known:g}" for known in detector.labels_[:5])
    warn(
        f"predict answers +1 (photograph) and -1 (AI-generated), but fit was given labels "
        f"{coded}: do not compare the two. Code y as `np.where(y == {label!r}, 1, -1)` and "
        "leave photographic_label out, or use a scorer without a threshold, such as "
        '"roc_auc".',
        UserWarning,
    )


def warn_if_inverted(photographs: FloatArray, left_out: FloatArray) -> None:
    """Say so where the rows left out score higher, beyond what a few rows do by chance."""
    lower = mannwhitneyu(photographs, left_out, alternative="less")
    auc = lower.statistic / (len(photographs) * len(left_out))
    if auc < INVERTED_AUC and lower.pvalue < 0.01:
        warn(
            "The rows that y leaves out score higher than the photographs held out (AUC below "
            f"{INVERTED_AUC}): it is what an inverted code looks like. If photographs have another "
            "label in y, pass photographic_label=; if not, these features take generated faces for "
            "the better photographs.",
            UserWarning,
        )
