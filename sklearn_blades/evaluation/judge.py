"""A fitted detector's scores and its own answers, whatever it is and however it codes labels."""

import warnings
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import is_outlier_detector
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from ..errors import SmallSampleWarning
from ..ground.types import BoolArray, FloatArray

_THRESHOLDED = (FixedThresholdClassifier, TunedThresholdClassifierCV)


@dataclass(frozen=True)
class Judgement:
    """What a detector says of some rows.

    Attributes
    ----------
    scores : ndarray of shape (n,), float
        Higher = more photographic.
    flags : ndarray of shape (n,), bool
        True where the detector's own ``predict`` takes a row for AI-generated.
    threshold : float or None
        The flagged rows are those that score less. None where no cut through the scores gives the
        flags, as with a classifier of more than two classes.
    promise : float or None
        The false-alarm rate that the detector promised, ``target_fpr``.
    unit : str
        Name of the score.
    """

    scores: FloatArray
    flags: BoolArray
    threshold: float | None
    promise: float | None
    unit: str


def judge(detector: Any, X: Any, photographic_label: Any = 1) -> Judgement:
    """Score rows, and flag those that the detector's ``predict`` takes for AI-generated.

    Parameters
    ----------
    detector : fitted classifier, outlier detector, or what is around one
        Pipelines, searches, `FrozenEstimator`, calibrated classifiers and those with a fixed or
        tuned threshold, in any order. A pipeline's transformers see the rows once.
    X : list, array-like or matrix
        What the detector takes.
    photographic_label : label
        The classifier's label of photographs; an outlier detector's are its inliers, +1.

    Returns
    -------
    Judgement

    Raises
    ------
    TypeError, ValueError
        If there is no score, or the answers are not those of a detector.
    """
    check_is_fitted(detector)
    head = head_of(detector)
    detector = _transforming_once(detector, {})
    predicted = _predictions(detector, head, X)
    # A detector that answers +1 and -1 may name them, too.
    classes = None if is_outlier_detector(detector) else getattr(detector, "classes_", None)
    if classes is None:
        if not set(predicted.tolist()) <= {1, -1}:
            raise TypeError(
                f"{_name(head)}.predict answers {predicted[:3].tolist()} ...: neither the "
                "labels of a classifier nor the +1 and -1 of an outlier detector."
            )
        flags = predicted == -1
        scores, cuts, unit = _outlier_response(detector, head, X)
    else:
        if photographic_label not in list(classes):
            raise ValueError(
                f"photographic_label={photographic_label!r} is none of the labels that "
                f"{_name(head)} was fitted with, {np.asarray(classes).tolist()}; code y like "
                "those, and pass photographic_label= the one of photographs."
            )
        flags = predicted != photographic_label
        column = list(classes).index(photographic_label)
        scores, cuts, unit = _class_response(detector, head, X, column)
    threshold = next((c for cut in cuts if (c := _cut(cut, scores, flags)) is not None), None)
    return Judgement(scores, flags, threshold, promise_of(detector), unit)


def unwrapped(estimator: Any) -> Any:
    """What is inside of frozen estimators and fitted searches, however many."""
    while True:
        if isinstance(estimator, FrozenEstimator):  # first: it shows its estimator's attributes
            estimator = estimator.estimator
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        else:
            return estimator


def head_of(detector: Any) -> Any:
    """The estimator that decides: in detectors, searches, frozen estimators, pipelines the last."""
    while True:
        detector = unwrapped(detector)
        if isinstance(detector, Pipeline):
            detector = detector.steps[-1][1]
        elif hasattr(detector, "head_"):  # a detector of one line
            detector = detector.head_
        else:
            return detector


def promise_of(detector: Any) -> float | None:
    """The false-alarm rate that a detector promises, None where it promises none."""
    return getattr(head_of(detector), "target_fpr", None)


def promising_head(detector: Any) -> Any:
    """The head of a detector that promises a false-alarm rate and can be calibrated anew.

    Raises
    ------
    TypeError
        If there is none.
    """
    head = head_of(detector)
    # By what it can do: heads live above this room, and those that promise share these names.
    if promise_of(detector) is None or not hasattr(head, "recalibrate"):
        raise TypeError(
            f"The detector ends in {_name(head)}, which promises no false-alarm rate; pass a "
            "fitted BladesOneClass, BladesHybrid or BladesBinary(target_fpr=...), or a pipeline, "
            "frozen estimator or search that ends in one."
        )
    return head


class _Once:
    """A transformer that remembers its last answer: `predict` and the score ask for the same."""

    def __init__(self, step):
        self.step, self.asked, self.answer = step, None, None

    def transform(self, X):
        if self.asked is not X:
            self.asked, self.answer = X, self.step.transform(X)
        return self.answer

    def __sklearn_tags__(self):
        return get_tags(self.step)


def _transforming_once(detector, seen):
    """The same detector, of which every transformer is asked once for the same rows.

    ``seen`` holds the transformers met so far: the folds of a calibrated classifier may share one.
    """

    def inner(estimator):
        return _transforming_once(estimator, seen)

    if isinstance(detector, Pipeline):
        *before, (name, last) = detector.steps
        steps = [(n, _remembered(step, seen)) for n, step in before]
        return _changed(detector, steps=[*steps, (name, inner(last))])
    if isinstance(detector, FrozenEstimator):  # first: it shows its estimator's attributes as its
        return FrozenEstimator(inner(detector.estimator))
    if hasattr(detector, "best_estimator_"):
        return _changed(detector, best_estimator_=inner(detector.best_estimator_))
    if hasattr(detector, "head_"):
        return _changed(detector, encoder_=_remembered(detector.encoder_, seen))
    if isinstance(detector, _THRESHOLDED):
        fitted = getattr(detector, "estimator_", detector.estimator)
        return _changed(detector, estimator_=inner(fitted))
    if isinstance(detector, CalibratedClassifierCV):
        folds = [
            _changed(f, estimator=inner(f.estimator)) for f in detector.calibrated_classifiers_
        ]
        return _changed(detector, calibrated_classifiers_=folds)
    return detector


def _remembered(step, seen):
    if step is None or isinstance(step, str):  # "passthrough"
        return step
    return seen.setdefault(id(step), _Once(step))


def _changed(estimator, /, **attributes):
    changed = copy(estimator)
    vars(changed).update(attributes)
    return changed


def _predictions(detector, head, X):
    if not hasattr(detector, "predict"):
        raise TypeError(
            f"{_name(head)} has no verdicts (predict): pass a fitted detector, as "
            "make_detector(encoder, head).fit(photographs) gives it."
        )
    with warnings.catch_warnings():
        # BladesOneClass fears that its +1 and -1 be compared with y; here they are not.
        warnings.filterwarnings("ignore", message="predict answers .1", category=UserWarning)
        return np.asarray(detector.predict(X))


def _outlier_response(detector, head, X):
    """Scores, where the cut may be, and the scores' name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SmallSampleWarning)  # predict has said it
        offset = getattr(head, "offset_", None)
    if hasattr(detector, "score_samples") and offset is not None:
        unit = "log-likelihood (nats)" if hasattr(head, "mixture_") else "score"
        scores = np.asarray(detector.score_samples(X), dtype=float)
        return scores, [float(np.ravel(offset)[0])], unit
    if hasattr(detector, "decision_function"):
        scores = np.asarray(detector.decision_function(X), dtype=float)
        return scores, [0.0], "decision function"
    if hasattr(detector, "score_samples"):
        return np.asarray(detector.score_samples(X), dtype=float), [], "score"
    raise _no_score(head)


def _class_response(detector, head, X, column):
    """Scores of a class, where the cut may be, and the scores' name."""
    methods = ["decision_function", "predict_proba"]
    if isinstance(head, _THRESHOLDED):  # it decides by the first of these that there is
        wanted = head.response_method
        methods = methods[::-1] if wanted == "auto" else [wanted]
    method = next((name for name in methods if hasattr(detector, name)), None)
    if method is None:
        raise _no_score(head)
    scores = np.asarray(getattr(detector, method)(X), dtype=float)
    scores = scores[:, column] if scores.ndim == 2 else scores if column == 1 else -scores
    probability = method == "predict_proba"
    middle = 0.5 if probability else 0.0
    if len(detector.classes_) > 2:
        cuts = []
    elif isinstance(head, _THRESHOLDED):
        cut = getattr(head, "best_threshold_", getattr(head, "threshold", middle))
        cut = middle if cut == "auto" else cut
        # Of which label the threshold is, a tuned classifier does not tell: of the second one
        # where nothing was said. The flags tell.
        cuts = [cut, 2 * middle - cut][:: 1 if column == 1 else -1]
    else:
        cuts = [middle, *np.ravel(getattr(head, "offset_", [])).tolist()]
    if probability:
        return scores, cuts, "probability of a photograph"
    odds = hasattr(detector, "predict_proba")
    return scores, cuts, "log-odds of a photograph" if odds else "decision function"


def _cut(threshold, scores, flags):
    """The threshold, moved past a tie with it; None where the flags are no cut near it."""
    highest = np.max(scores[flags], initial=-np.inf)
    lowest = np.min(scores[~flags], initial=np.inf)
    moved = min(threshold, lowest)
    if highest >= moved:
        moved = np.nextafter(highest, np.inf)
    if moved > lowest or not np.isclose(moved, threshold, rtol=1e-9, atol=1e-12):
        return None
    return float(moved)


def _no_score(head):
    return TypeError(
        f"{_name(head)} has verdicts but no score (decision_function, predict_proba or "
        "score_samples), which AUC and AP need; choose a detector that scores."
    )


def _name(detector):
    return type(detector).__name__
