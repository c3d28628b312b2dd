"""What was loaded answers once, about nothing, before anybody relies on it."""

from contextlib import contextmanager

import numpy as np
import torch
from sklearn.base import BaseEstimator, is_classifier
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.pipeline import FeatureUnion, Pipeline

from ..estimators.blades_detector import BladesDetector
from ..estimators.encoder import BladesEncoder
from ..ground.device import autocast
from ..residuals import NativeResiduals
from ..residuals.statistics import SMALLEST_SIDE, face_statistics

_MOST_FEATURES = 1_000_000  # columns of the row of zeros
# Not `predict` of a head with a promise: its warnings come once, and are for who uses it.
_ANSWERS = ("transform", "score_samples", "predict_proba")


def try_out(detector, estimators):
    """Ask a detector about a black picture, or a row of zeros.

    Parameters
    ----------
    detector : estimator
        Fitted, and not yet in anybody's hands.
    estimators : list
        All estimators in it. They are as they were afterwards.

    Raises
    ------
    ValueError
        If it fails there, or what it says is no finite number.
    """
    try:
        with _bare(estimators):
            found = _answers(detector)
    except Exception as error:  # whatever arrays that do not belong together lead to
        reason = str(error) or type(error).__name__
        raise ValueError(f"it is damaged: asked about nothing, it fails ({reason})") from error
    if not found:
        raise ValueError(f"a {type(detector).__name__} in it answers nothing.")
    for name, values in found.items():
        if name != "predict" and not np.isfinite(np.asarray(values, dtype=float)).all():
            raise ValueError(f"it is damaged: asked about nothing, {name} says NaN or infinity.")


def _answers(detector):
    first = _first(detector)
    if isinstance(first, BladesEncoder | NativeResiduals):
        X = [np.zeros((1, 1, 3), dtype=np.uint8)]  # never looked at: see `_bare`
    elif isinstance(first, IsotonicRegression):
        X = first.X_thresholds_[:1]  # elsewhere it may be told to say NaN
    else:
        width = first.n_features_in_
        if not 0 < width <= _MOST_FEATURES:
            raise ValueError(f"n_features_in_ is {width}")
        X = np.zeros((1, width))
    names = [*_ANSWERS, "predict"] if is_classifier(detector) else _ANSWERS
    if isinstance(detector, IsotonicRegression):
        names = ("predict",)
    return {name: getattr(detector, name)(X) for name in names if hasattr(detector, name)}


def _first(estimator):
    """The estimator that is asked first: it has the columns, or the photographs."""
    while True:
        if isinstance(estimator, Pipeline):
            steps = [step for _, step in estimator.steps if step not in (None, "passthrough")]
            estimator = steps[0]
        elif isinstance(estimator, FeatureUnion):
            parts = [part for _, part in estimator.transformer_list]
            estimator = next(part for part in parts if isinstance(part, BaseEstimator))
        elif isinstance(estimator, BladesDetector):
            estimator = estimator.encoder_
        elif isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        elif hasattr(estimator, "calibrated_classifiers_"):
            estimator = estimator.calibrated_classifiers_[0].estimator
        elif hasattr(estimator, "estimator_"):
            estimator = estimator.estimator_
        else:
            return estimator


@contextmanager
def _bare(estimators):
    """Estimators without names of columns, which we do not have, and without a face locator.

    An encoder embeds the black picture itself: a locator finds no face in it, and the cache of
    this process is for photographs.
    """
    before = [(estimator, dict(vars(estimator))) for estimator in estimators]
    try:
        for estimator in estimators:
            for name in ("feature_names_in_", "_sklearn_output_config"):
                vars(estimator).pop(name, None)
            if isinstance(estimator, BladesEncoder) and "embedding_" in vars(estimator):
                feature = _black(estimator)
                estimator.transform = lambda X, feature=feature: feature
            if isinstance(estimator, NativeResiduals):
                black = np.zeros((SMALLEST_SIDE, SMALLEST_SIDE, 3), dtype=np.uint8)
                row = face_statistics(black)[None]
                estimator.transform = lambda X, row=row: row
        yield
    finally:
        for estimator, attributes in before:
            vars(estimator).clear()
            vars(estimator).update(attributes)


@torch.no_grad()
def _black(encoder):
    """The feature of a black picture, of shape (1, n_features)."""
    embedding, size = encoder.embedding_, encoder.preprocessing_.image_size
    black = torch.zeros((1, size, size, 3), dtype=torch.uint8)
    with autocast("cpu", encoder.precision_):
        feature = embedding.image_side(encoder.features_).encode_image(black)
        joint = embedding.encode_image(black).float()
    if embedding.prompts and not embedding.logits(joint, slice(0, 1)).isfinite().all():
        raise ValueError("the towers say NaN or infinity")
    return feature.float().numpy()
