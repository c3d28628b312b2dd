"""A detector's scores and its own threshold, whatever head it has; higher = more photographic."""

from typing import NamedTuple

import numpy as np
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import column_or_1d

from ..statistics.intervals import exact_interval

PHOTOGRAPHS, GENERATED = "photographs", "generated"


class Response(NamedTuple):
    """Scores, the threshold below which the detector flags, its promise, and the scores' name."""

    scores: np.ndarray
    threshold: float
    target_fpr: float | None
    unit: str


def respond(detector, X, pos_label=1):
    """Ask a detector for scores, higher = more photographic.

    Parameters
    ----------
    detector : estimator or Pipeline
        With ``decision_function``, or as scikit-learn's calibrated classifiers with
        ``predict_proba`` alone.
    X : array-like
        What the detector takes.
    pos_label : label
        Of photographs; of no consequence for an outlier detector, which has no classes.

    Returns
    -------
    Response
    """
    head = detector.steps[-1][1] if hasattr(detector, "steps") else detector
    classes = getattr(detector, "classes_", None)
    if classes is not None and pos_label not in list(classes):
        raise ValueError(
            f"pos_label={pos_label!r} is none of the detector's labels {list(classes)}: pass the "
            "label of photographs."
        )
    promise = getattr(head, "target_fpr", None)
    # Of scikit-learn's tuned and fixed thresholds, on probabilities where there are any.
    tuned = getattr(head, "best_threshold_", getattr(head, "threshold", None))
    tuned = None if tuned == "auto" else tuned
    if hasattr(detector, "predict_proba") and (
        tuned is not None or not hasattr(detector, "decision_function")
    ):
        column = list(classes).index(pos_label)
        if tuned is None:
            cut = 0.5
        else:
            cut = tuned if column == 1 else 1 - tuned
        scores = detector.predict_proba(X)[:, column]
        return Response(scores, cut, promise, "probability of a photograph")
    scores, cut = detector.decision_function(X), tuned or 0.0
    if classes is None:
        density = hasattr(head, "mixture_")
        unit = "log-likelihood above the threshold (nats)" if density else "decision function"
        return Response(scores, cut, promise, unit)
    sign = 1 if list(classes).index(pos_label) == 1 else -1
    unit = "log-odds of a photograph" if hasattr(head, "predict_proba") else "decision function"
    return Response(sign * scores, sign * cut, promise, unit)


def scores_by_generator(y_true, y_score, generators=None, pos_label=1):
    """Part scores into those of photographs and of each generator.

    Parameters
    ----------
    y_true, y_score : array-like of shape (n,)
    generators : array-like of shape (n,), optional
        Name of each row's generator; what it says of photographs does not matter.
    pos_label : label
        Of photographs.

    Returns
    -------
    photographs : ndarray
    generated : dict of str to ndarray
        In the order in which the names first come; one ``"generated"`` without ``generators``.

    Raises
    ------
    ValueError
        If a score is not finite, or labels and generators cannot be right.
    """
    check_consistent_length(y_true, y_score, generators)
    y_score = column_or_1d(y_score).astype(float)
    bad = np.flatnonzero(~np.isfinite(y_score))
    if bad.size:
        raise ValueError(
            f"{bad.size} of {len(y_score)} scores are NaN or infinite (first: row {bad[0]}). "
            "Leave those rows out with `keep = np.isfinite(y_score)`."
        )
    photographs = column_or_1d(y_true) == pos_label
    if not photographs.any():
        raise ValueError(f"y_true holds no photographs: none is pos_label={pos_label!r}.")
    names = np.full(len(y_score), GENERATED) if generators is None else np.asarray(generators)
    names = column_or_1d(names).astype(str)
    parts = {
        name: y_score[~photographs & (names == name)]
        for name in dict.fromkeys(names[~photographs].tolist())
    }
    if PHOTOGRAPHS in parts:
        raise ValueError(
            f"Rows with another label than pos_label={pos_label!r} have the generator "
            f"{PHOTOGRAPHS!r}: is that label right?"
        )
    return y_score[photographs], parts


def flagged(scores, threshold):
    """Share of scores below a threshold, with the exact 95 % interval.

    Returns
    -------
    tuple of three floats
        Share, lower end, upper end.
    """
    count = int((np.asarray(scores) < threshold).sum())
    return count / len(scores), *exact_interval(count, len(scores))
