"""What a saved model may consist of, and what makes no sense in it."""

import math
import types
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from skorch import NeuralNetClassifier

from ..estimators.binary import BladesBinary
from ..estimators.blades_detector import BladesDetector
from ..estimators.branches import BladesBranches
from ..estimators.detector import DetectorPipeline, FrozenEncoder
from ..estimators.encoder import BladesEncoder
from ..estimators.hybrid import BladesHybrid
from ..estimators.one_class import BladesOneClass
from ..ground.device import parse_device
from ..ground.sklearn_private import CALIBRATORS, CalibratedClassifier
from ..photos.faces import Face
from ..pretext.face_tasks import Manipulated, ManipulatedRegions, WhichManipulation
from ..pretext.tags import CategoricalTag, OrdinalTag
from ..pretext.tasks import TaskSet
from ..residuals import NativeResiduals
from ..towers.architectures import Preprocessing
from ..towers.embedding import JointEmbedding
from .consistency import CONSISTENT

# Estimators, with fitted attributes that would go wrong silently: their type, or for arrays of
# finite numbers their shape. Equal letters are equal lengths, d is n_features_in_, "?" allows None.
ESTIMATORS = {
    BladesEncoder: {"embedding_": JointEmbedding, "preprocessing_": Preprocessing,
                    "tasks_": TaskSet, "digest_": str, "features_": str, "crop_defaults_": dict},
    BladesOneClass: {"mixture_": GaussianMixture, "pca_": PCA | types.NoneType,
                     "calibration_scores_": "n", "calibration_sources_": dict | types.NoneType,
                     "labels_": np.ndarray | types.NoneType},
    BladesBinary: {"net_": NeuralNetClassifier, "scaler_": StandardScaler,
                   "classes_": np.ndarray},
    BladesHybrid: {"one_class_": BladesOneClass, "binary_": BaseEstimator | types.NoneType,
                   "contrast_": FrozenEstimator | types.NoneType,
                   "weights_": dict, "centre_": "p", "spread_": "p",
                   "calibration_scores_": "n", "calibration_sources_": dict | types.NoneType},
    NativeResiduals: {},
    BladesBranches: {"heads_": dict, "n_columns_": dict, "calibration_scores_": "n",
                     "calibration_sources_": dict | types.NoneType},
    BladesDetector: {"encoder_": BaseEstimator, "head_": BaseEstimator, "classes_": np.ndarray},
    FeatureUnion: {"transformer_list": list},
    Pipeline: {"steps": list}, DetectorPipeline: {"steps": list},
    FrozenEstimator: {"estimator": BaseEstimator}, FrozenEncoder: {"estimator": BaseEstimator},
    StandardScaler: {"mean_": "d?", "scale_": "d?"},
    Normalizer: {},
    PCA: {"components_": "kd", "mean_": "d", "explained_variance_": "k"},
    GaussianMixture: {"weights_": "k", "means_": "kd", "precisions_cholesky_": {
        "full": "kdd", "tied": "dd", "diag": "kd", "spherical": "k"}},
    LogisticRegression: {"coef_": "cd", "intercept_": "c", "classes_": np.ndarray},
    NearestCentroid: {"centroids_": "cd", "within_class_std_dev_": "d", "class_prior_": "c",
                      "classes_": np.ndarray},
    IsotonicRegression: {"X_thresholds_": "t", "y_thresholds_": "t"},
    CalibratedClassifierCV: {"calibrated_classifiers_": list, "classes_": np.ndarray},
    TunedThresholdClassifierCV: {"estimator_": BaseEstimator},
    FixedThresholdClassifier: {"estimator_": BaseEstimator},
    **{cls: {name: float for name in names} for cls, names in CALIBRATORS.items()},
}  # fmt: skip

# Those whose parameters are checked whatever the version of scikit-learn.
OURS = (BladesEncoder, BladesOneClass, BladesBinary, BladesHybrid, BladesBranches, BladesDetector,
        NativeResiduals)  # fmt: skip

# Other classes, with the arguments that make them.
RECORDS = {
    TaskSet: ("tasks",),
    OrdinalTag: ("tag", "scale"),
    CategoricalTag: ("tag", "classes", "max_classes", "gamma"),
    Manipulated: ("manipulations",),
    ManipulatedRegions: ("regions", "manipulations"),
    WhichManipulation: ("manipulations",),
    Preprocessing: Preprocessing._fields,
    Face: ("box", "eyes", "mouth"),
    CalibratedClassifier: ("estimator", "calibrators", "classes", "method"),
}

# Fitted attributes that files of older versions lack, and what they stand for there.
LATER = {
    BladesEncoder: {"features_": "embedding", "crop_defaults_": {}},
    BladesOneClass: {"calibration_sources_": None},
    BladesHybrid: {"contrast_": None},
}

_ABSENT = object()


def check(estimator, *, all_params=True):
    """Raise ValueError for what would go wrong silently, or late; not saved, and not loaded.

    Parameters
    ----------
    estimator : estimator
    all_params : bool, default=True
        Also those of scikit-learn's own classes, which other versions of it took otherwise.
    """
    cls, found = type(estimator), vars(estimator)
    ours = cls in OURS
    if ours or (all_params and hasattr(cls, "_parameter_constraints")):
        estimator._validate_params()
    if ours and getattr(estimator, "device", None) not in (None, "auto"):
        parse_device(estimator.device)
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
    agrees = CONSISTENT.get(cls)
    if not _columns_agree(found) or (agrees and not agrees(estimator)):
        raise ValueError(f"the parts of {cls.__name__} contradict each other.")


def check_record(cls, parts):
    """Raise ValueError for an argument of a record that its class would take, and fail on later."""
    for name, value in parts.items():
        if name in _ARGUMENTS and not _ARGUMENTS[name](value):
            raise ValueError(f"the {name} of a {cls.__name__} cannot be right.")


def _are_words(value):
    return isinstance(value, list | tuple) and all(isinstance(word, str) for word in value)


_ARGUMENTS = {
    "scale": lambda value: isinstance(value, Real) and 0 < float(value) < math.inf,
    "gamma": lambda value: isinstance(value, Real) and 0 <= float(value) < math.inf,
    "max_classes": lambda value: isinstance(value, Integral) and int(value) > 0,
    "regions": _are_words,
    "manipulations": lambda value: isinstance(value, str) or _are_words(value),
    "calibrators": lambda value: (
        isinstance(value, list)
        and all(type(item) in (IsotonicRegression, *CALIBRATORS) for item in value)
    ),
}


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


def _columns_agree(found):
    width, names = found.get("n_features_in_"), found.get("feature_names_in_")
    return (width is None or (isinstance(width, Integral) and width > 0)) and (
        names is None or (isinstance(names, np.ndarray) and names.shape == (width,))
    )
