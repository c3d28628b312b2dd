"""Which fitted attributes belong together: parts that contradict each other answer wrongly."""

import math

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import StandardScaler

from ..estimators.binary import BladesBinary
from ..estimators.blades_detector import BladesDetector
from ..estimators.branches import BladesBranches
from ..estimators.detector import DetectorPipeline
from ..estimators.encoder import BladesEncoder
from ..estimators.hybrid import BladesHybrid
from ..estimators.hybrid_parts import part_names
from ..estimators.one_class import BladesOneClass
from ..ground.device import PRECISIONS
from ..ground.sklearn_private import CALIBRATORS, CalibratedClassifier
from ..towers.weights import checked_crop

_ROUNDING = 1e-5  # of sums and products in float32, in which a GPU may have computed


def _encoder(encoder):
    embedding = encoder.embedding_
    if encoder.features_ not in ("embedding", "pooled"):
        return False
    side = embedding.image_side(encoder.features_)
    return (
        encoder.digest_ == side.digest()  # features are cached under it
        and checked_crop(encoder.crop_defaults_) == encoder.crop_defaults_
        and encoder.preprocessing_ == embedding.preprocessing
        and encoder.tasks_.prompts == embedding.prompts
        and encoder.precision_ in PRECISIONS
        and encoder.n_features_out_ == encoder._n_features_out == side.n_features
    )


def _one_class(head):
    scores, sources = head.calibration_scores_, head.calibration_sources_
    pca, mixture = head.pca_, head.mixture_
    width = head.n_features_in_ if pca is None else len(pca.components_)
    return (
        _are_sorted(scores)
        and (sources is None or _are_sources(sources, scores))
        and (pca is None or pca.n_features_in_ == head.n_features_in_)
        and mixture.means_.shape[1] == width
        and (head.labels_ is None or _are_finite(head.labels_))
    )


def _are_sources(sources, scores):
    return (
        len(sources) > 0
        and all(isinstance(name, str) for name in sources)
        and all(isinstance(part, np.ndarray) and _are_sorted(part) for part in sources.values())
        and np.array_equal(np.sort(np.concatenate([*sources.values()])), scores)
    )


def _are_sorted(scores):
    """Whether scores are a column of numbers, one at least, in the order that thresholds need."""
    return scores.size > 0 and _are_finite(scores) and bool((np.diff(scores) >= 0).all())


def _are_finite(values):
    return values.ndim == 1 and values.dtype.kind in "fiub" and bool(np.isfinite(values).all())


def _binary(head):
    weights = head.net_.module_.state_dict()
    return (
        weights["0.weight"].shape[1] == head.n_features_in_ == head.scaler_.n_features_in_
        and all(weight.isfinite().all() for weight in weights.values())
        and _are_classes(head.classes_)
        and len(head.classes_) == 2
        and _are_sorted(getattr(head, "calibration_scores_", np.zeros(1)))
    )


def _hybrid(head):
    weights, centre, spread = head.weights_, head.centre_, head.spread_
    contrast, names = head.contrast_, part_names(head.contrast_)
    parts = [part for part in (head.one_class_, head.binary_, contrast) if part is not None]
    widths = {getattr(part, "n_features_in_", None) for part in parts}
    scores, sources = head.calibration_scores_, head.calibration_sources_
    return (
        tuple(weights) == names
        and all(isinstance(weight, float) and 0 <= weight <= 1 for weight in weights.values())
        and math.isclose(sum(weights.values()), 1, abs_tol=1e-9)
        and centre.shape == spread.shape == (len(names),)
        and bool((spread > 0).all())
        and (head.binary_ is None or hasattr(head.binary_, "decision_function"))
        and widths == {head.n_features_in_}
        and _are_sorted(scores)
        and (sources is None or _are_sources(sources, scores))
    )


def _centroids(classifier):
    return (
        _are_classes(classifier.classes_)
        and len(classifier.classes_) == len(classifier.centroids_) == 2
        and classifier.within_class_std_dev_.shape == (classifier.n_features_in_,)
        and bool((classifier.within_class_std_dev_ >= 0).all())
        and bool((classifier.class_prior_ > 0).all())
    )


def _branches(head):
    scores, sources = head.calibration_scores_, head.calibration_sources_
    return (
        len(head.heads_) > 0
        and tuple(head.heads_) == tuple(head.n_columns_)
        and sum(head.n_columns_.values()) == head.n_features_in_
        and all(
            hasattr(part, "p_values")
            and hasattr(part, "calibration_scores_")
            and part.n_features_in_ == head.n_columns_[name]
            for name, part in head.heads_.items()
        )
        and _are_sorted(scores)
        and (sources is None or _are_sources(sources, scores))
    )


def _detector(detector):
    return (
        detector.classes_.tolist() == [-1, 1]
        and hasattr(detector.encoder_, "transform")
        and hasattr(detector.head_, "predict")
    )


def _are_classes(classes):
    return classes.ndim == 1 and len(classes) > 1 and np.array_equal(np.unique(classes), classes)


def _are_transformers(union):
    names = [name for name, _ in union.transformer_list]
    return (
        len(names) > 0
        and all(isinstance(name, str) for name in names)
        and len(set(names)) == len(names)
        and all(
            isinstance(part, BaseEstimator) or part in ("drop", "passthrough")
            for _, part in union.transformer_list
        )
    )


def _scaler(scaler):
    variances = getattr(scaler, "var_", None)
    return (scaler.scale_ is None or bool((scaler.scale_ > 0).all())) and (
        variances is None or bool((np.asarray(variances, dtype=float) >= 0).all())
    )


def _pca(pca):
    return bool((pca.explained_variance_ >= 0).all())


def _mixture(mixture):
    roots, weights = mixture.precisions_cholesky_, mixture.weights_
    diagonals = roots
    if mixture.covariance_type in ("full", "tied"):  # upper triangles: only these are multiplied
        diagonals = np.diagonal(roots, axis1=-2, axis2=-1)
        if abs(np.tril(roots, -1)).max(initial=0) > _ROUNDING * abs(roots).max():
            return False
    return bool((diagonals > 0).all() and (weights > 0).all()) and math.isclose(
        weights.sum(), 1, abs_tol=_ROUNDING
    )


def _regression(model):
    n_rows = 1 if len(model.classes_) == 2 else len(model.classes_)
    return _are_classes(model.classes_) and len(model.coef_) == n_rows


def _isotonic(model):
    x, y = model.X_thresholds_, model.y_thresholds_
    steps = np.diff(y) if model.increasing_ else -np.diff(y)
    return (
        len(x) > 0
        and bool((np.diff(x) > 0).all() and (steps >= 0).all())
        and (model.X_min_, model.X_max_) == (x[0], x[-1])
    )


def _calibrator(calibrator):
    return all(math.isfinite(value) for name, value in vars(calibrator).items() if name[-1] == "_")


def _calibrated(model):
    n_classes = len(model.classes_)
    parts = model.calibrated_classifiers_
    return (
        len(parts) > 0
        and _are_classes(model.classes_)
        and all(
            isinstance(part, CalibratedClassifier)
            and np.array_equal(part.classes, model.classes_)
            and len(part.calibrators) in (1, n_classes)
            for part in parts
        )
    )


def _tuned(model):
    return math.isfinite(model.best_threshold_)


def _fixed(model):
    return model.threshold == "auto" or math.isfinite(model.threshold)


def _steps_are_steps(pipeline):
    names = [name for name, _ in pipeline.steps]
    return (
        len(names) > 0
        and all(isinstance(name, str) for name in names)
        and len(set(names)) == len(names)
        and all(
            step is None or step == "passthrough" or isinstance(step, BaseEstimator)
            for _, step in pipeline.steps
        )
    )


CONSISTENT = {
    BladesEncoder: _encoder,
    BladesOneClass: _one_class,
    BladesBinary: _binary,
    BladesHybrid: _hybrid,
    BladesBranches: _branches,
    BladesDetector: _detector,
    FeatureUnion: _are_transformers,
    Pipeline: _steps_are_steps,
    DetectorPipeline: _steps_are_steps,
    StandardScaler: _scaler,
    PCA: _pca,
    GaussianMixture: _mixture,
    LogisticRegression: _regression,
    NearestCentroid: _centroids,
    IsotonicRegression: _isotonic,
    CalibratedClassifierCV: _calibrated,
    TunedThresholdClassifierCV: _tuned,
    FixedThresholdClassifier: _fixed,
    **dict.fromkeys(CALIBRATORS, _calibrator),
}
"""A fitted estimator of each class -> whether its parts agree."""
