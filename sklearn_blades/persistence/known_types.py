"""What a saved model may consist of, and what makes no sense in it."""

import types

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from skorch import NeuralNetClassifier

from ..estimators.binary import BladesBinary
from ..estimators.blades_detector import BladesDetector
from ..estimators.detector import FrozenEncoder
from ..estimators.encoder import BladesEncoder
from ..estimators.hybrid import PARTS, BladesHybrid
from ..estimators.one_class import BladesOneClass
from ..ground.device import PRECISIONS
from ..ground.sklearn_private import CALIBRATORS, CalibratedClassifier
from ..photos.faces import Face
from ..pretext.tasks import CategoricalTag, Manipulated, ManipulatedRegions, OrdinalTag, TaskSet
from ..towers.embedding import JointEmbedding, Preprocessing

# Estimators, with fitted attributes that would go wrong silently: their type, or for arrays of
# finite numbers their shape. Equal letters are equal lengths, d is n_features_in_, "?" allows None.
ESTIMATORS = {
    BladesEncoder: {"embedding_": JointEmbedding, "preprocessing_": Preprocessing,
                    "tasks_": TaskSet, "digest_": str},
    BladesOneClass: {"mixture_": GaussianMixture, "pca_": PCA | types.NoneType,
                     "calibration_scores_": "n", "calibration_sources_": dict | types.NoneType},
    BladesBinary: {"net_": NeuralNetClassifier, "scaler_": StandardScaler,
                   "classes_": np.ndarray},
    BladesHybrid: {"one_class_": BladesOneClass, "binary_": BaseEstimator | types.NoneType,
                   "weights_": dict, "centre_": "p", "spread_": "p",
                   "calibration_scores_": "n", "calibration_sources_": dict | types.NoneType},
    BladesDetector: {"encoder_": BaseEstimator, "head_": BaseEstimator, "classes_": np.ndarray},
    Pipeline: {"steps": list},
    FrozenEstimator: {"estimator": BaseEstimator}, FrozenEncoder: {"estimator": BaseEstimator},
    StandardScaler: {"mean_": "d?", "scale_": "d?"},
    Normalizer: {},
    PCA: {"components_": "kd", "mean_": "d", "explained_variance_": "k"},
    GaussianMixture: {"weights_": "k", "means_": "kd", "precisions_cholesky_": {
        "full": "kdd", "tied": "dd", "diag": "kd", "spherical": "k"}},
    LogisticRegression: {"coef_": "cd", "intercept_": "c", "classes_": np.ndarray},
    IsotonicRegression: {"X_thresholds_": "t", "y_thresholds_": "t"},
    CalibratedClassifierCV: {"calibrated_classifiers_": list, "classes_": np.ndarray},
    TunedThresholdClassifierCV: {"estimator_": BaseEstimator},
    FixedThresholdClassifier: {"estimator_": BaseEstimator},
    **{cls: {} for cls in CALIBRATORS},
}  # fmt: skip

# Other classes, with the arguments that make them.
RECORDS = {
    TaskSet: ("tasks",),
    OrdinalTag: ("tag", "scale"),
    CategoricalTag: ("tag", "classes", "max_classes", "gamma"),
    Manipulated: (),
    ManipulatedRegions: ("regions",),
    Preprocessing: Preprocessing._fields,
    Face: ("box", "eyes", "mouth"),
    CalibratedClassifier: ("estimator", "calibrators", "classes", "method"),
}

# Fitted attributes that files of older versions lack, and what they stand for there.
LATER = {BladesOneClass: {"calibration_sources_": None}}

_ABSENT = object()


def check(estimator):
    """Raise ValueError for what would go wrong silently, or late; not saved, and not loaded."""
    cls, found = type(estimator), vars(estimator)
    if cls in (BladesEncoder, BladesOneClass, BladesBinary, BladesHybrid, BladesDetector):
        estimator._validate_params()
    if not any(name in found for name in ESTIMATORS[cls]):
        return  # not fitted, as what stands in CalibratedClassifierCV(estimator) is not
    lengths = {"d": found.get("n_features_in_")}
    for name, form in ESTIMATORS[cls].items():
        if isinstance(form, dict):
            form = form[estimator.covariance_type]
        value = found.get(name, _ABSENT)
        fits = (
            _has_shape(value, form, lengths) if isinstance(form, str) else isinstance(value, form)
        )
        if not fits:
            raise ValueError(f"the {name} of {cls.__name__} cannot be right.")
    if cls in _CONSISTENT and not _CONSISTENT[cls](estimator):
        raise ValueError(f"the parts of {cls.__name__} contradict each other.")


def _has_shape(value, letters, lengths):
    if value is None:
        return letters.endswith("?")
    letters = letters.removesuffix("?")
    return (
        isinstance(value, np.ndarray)
        and value.dtype.kind == "f"
        and np.isfinite(value).all()
        and value.ndim == len(letters)
        and all(
            lengths.setdefault(*pair) == pair[1] for pair in zip(letters, value.shape, strict=True)
        )
    )


def _encoder_agrees(encoder):
    embedding = encoder.embedding_
    return (
        encoder.digest_ == embedding.digest()  # features are cached under it
        and encoder.preprocessing_ == embedding.preprocessing
        and encoder.tasks_.prompts == embedding.prompts
        and encoder.precision_ in PRECISIONS
        and encoder.n_features_out_ == encoder._n_features_out == embedding.n_features
    )


def _binary_agrees(head):
    found = vars(head)
    weights = head.net_.module_.state_dict()
    return (
        weights["0.weight"].shape[1] == head.n_features_in_ == head.scaler_.n_features_in_
        and all(weight.isfinite().all() for weight in weights.values())
        and head.classes_.shape == (2,)
        and (
            "calibration_scores_" not in found or _has_shape(found["calibration_scores_"], "n", {})
        )
    )


def _hybrid_agrees(head):
    weights, centre, spread = head.weights_, head.centre_, head.spread_
    parts = [part for part in (head.one_class_, head.binary_) if part is not None]
    widths = {getattr(part, "n_features_in_", None) for part in parts}
    return (
        tuple(weights) == PARTS
        and all(isinstance(weight, float) and 0 <= weight <= 1 for weight in weights.values())
        and abs(sum(weights.values()) - 1) < 1e-9
        and centre.shape == spread.shape == (len(PARTS),)
        and (spread > 0).all()
        and (head.binary_ is None or hasattr(head.binary_, "decision_function"))
        and widths == {head.n_features_in_}
    )


def _detector_agrees(detector):
    return (
        detector.classes_.tolist() == [-1, 1]
        and hasattr(detector.encoder_, "transform")
        and hasattr(detector.head_, "predict")
    )


def _steps_are_steps(pipeline):
    return all(
        isinstance(name, str)
        and (step is None or step == "passthrough" or isinstance(step, BaseEstimator))
        for name, step in pipeline.steps
    )


_CONSISTENT = {
    BladesEncoder: _encoder_agrees,
    BladesBinary: _binary_agrees,
    BladesHybrid: _hybrid_agrees,
    BladesDetector: _detector_agrees,
    Pipeline: _steps_are_steps,
}
