"""A fitted detector's scores and its own verdicts, whatever it is and however it codes labels."""

import warnings

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted


def verdicts(detector, X, photographic_label=1):
    """Score rows, and flag those that the detector's ``predict`` takes for AI-generated.

    Parameters
    ----------
    detector : fitted classifier, outlier detector, or Pipeline or search of one
    X : list, array-like or matrix
        What the detector takes. The steps before a pipeline's last see it once.
    photographic_label : label
        The classifier's label of photographs; an outlier detector's are its inliers, +1.

    Returns
    -------
    scores : ndarray of shape (n_samples,), float
        Higher = more photographic.
    flagged : ndarray of shape (n_samples,), bool

    Raises
    ------
    TypeError, ValueError
        If there is no score, or the answers are not those of a detector.
    """
    check_is_fitted(detector)
    detector = getattr(detector, "best_estimator_", detector)  # that of a search
    if isinstance(detector, Pipeline):
        if len(detector) > 1:
            X = detector[:-1].transform(X)
        detector = detector[-1]
        return verdicts(detector, X, photographic_label)
    predicted = _predictions(detector, X)
    classes = getattr(detector, "classes_", None)
    if classes is None:
        if not set(predicted.tolist()) <= {1, -1}:
            raise TypeError(
                f"{_name(detector)}.predict answers {predicted[:3].tolist()} ...: neither the "
                "labels of a classifier nor the +1 and -1 of an outlier detector."
            )
        return _outlier_scores(detector, X), predicted == -1
    if photographic_label not in classes.tolist():
        raise ValueError(
            f"photographic_label={photographic_label!r} is none of the labels that "
            f"{_name(detector)} was fitted with, {classes.tolist()}; code y like those, and pass "
            "photographic_label= the one of photographs."
        )
    column = classes.tolist().index(photographic_label)
    return _class_scores(detector, X, column), predicted != photographic_label


def _predictions(detector, X):
    if not hasattr(detector, "predict"):
        raise TypeError(
            f"{_name(detector)} has no verdicts (predict): pass a fitted detector, as "
            "make_detector(encoder, head).fit(photographs) gives it."
        )
    with warnings.catch_warnings():
        # BladesOneClass fears that its +1 and -1 be compared with y; here they are not.
        warnings.filterwarnings("ignore", message="predict answers .1", category=UserWarning)
        return np.asarray(detector.predict(X))


def _outlier_scores(detector, X):
    for method in ("score_samples", "decision_function"):
        if hasattr(detector, method):
            return np.asarray(getattr(detector, method)(X), dtype=float)
    raise _no_score(detector)


def _class_scores(detector, X, column):
    if hasattr(detector, "decision_function"):
        scores = np.asarray(detector.decision_function(X), dtype=float)
        if scores.ndim == 1:
            return scores if column == 1 else -scores
        return scores[:, column]
    if hasattr(detector, "predict_proba"):
        return np.asarray(detector.predict_proba(X), dtype=float)[:, column]
    raise _no_score(detector)


def _no_score(detector):
    return TypeError(
        f"{_name(detector)} has verdicts but no score (decision_function, predict_proba or "
        "score_samples), which AUC and AP need; choose a detector that scores."
    )


def _name(detector):
    return type(detector).__name__
