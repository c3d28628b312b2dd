"""Parts that contradict each other would answer wrongly without a word: they are refused."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

from sklearn_blades import BladesBinary, BladesEncoder, BladesOneClass
from sklearn_blades.persistence import load, save
from sklearn_blades.pretext import CategoricalTag, OrdinalTag
from tests.persistence.tampering import find, parts, refuse, tampered, tensor

X = np.random.default_rng(0).normal(size=(240, 4))
y = (X[:, 0] + 0.3 * X[:, 1] > 0).astype(int)
SOURCES = np.repeat(["web", "own"], 120)

MODELS = {
    "one class": lambda: one_class(),
    "binary": lambda: BladesBinary(max_epochs=1, random_state=0).fit(X, y),
    "regression": lambda: LogisticRegression().fit(X, y),
    "sigmoid": lambda: CalibratedClassifierCV(LogisticRegression(), cv=2).fit(X, y),
    "isotonic": lambda: CalibratedClassifierCV(
        LogisticRegression(), cv=2, method="isotonic").fit(X, y),
    "tuned": lambda: TunedThresholdClassifierCV(LogisticRegression(), cv=2).fit(X, y),
    "fixed": lambda: FixedThresholdClassifier(LogisticRegression(), threshold=0.2).fit(X, y),
    "encoder": lambda: BladesEncoder(
        tasks=[OrdinalTag("FNumber"), CategoricalTag("Make", ("canon", "nikon"))],
        image_size=32, max_epochs=0).fit(["never opened.jpg"]),
    **{covariance: lambda covariance=covariance: GaussianMixture(
        2, covariance_type=covariance, random_state=0).fit(X)
       for covariance in ("full", "tied", "diag", "spherical")},
}  # fmt: skip


def one_class():
    return BladesOneClass(2, pca_components=3, random_state=0).fit(X, sources=SOURCES)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Each model's file."""
    folder = tmp_path_factory.mktemp("saved")
    for name, make in MODELS.items():
        save(make(), folder / f"{name}.blades")
    return folder


def source(change):
    """Change the scores of the first source."""

    def changed(content, tensors):
        name = next(name for name in tensors if ".web" in name)
        tensors[name] = change(tensors[name])

    return changed


def swapped(array):
    """The same numbers, the first two the other way round."""
    array[[0, 1]] = array[[1, 0]]
    return array


def negative(array):
    array.flat[0] *= -1
    return array


def lower_left(array):
    array[..., -1, 0] = 1
    return array


def twice(array):
    array[1] = array[0]
    return array


def classes(words):
    return lambda content, tensors: find(content, "CalibratedClassifierCV")["parts"].update(
        classes_={"strings": words}
    )


def source_names(content, tensors):
    node = find(content, "BladesOneClass")["parts"]["calibration_sources_"]
    node["dict"][0][0] = 7


def no_source(content, tensors):
    find(content, "BladesOneClass")["parts"]["calibration_sources_"] = {"dict": []}
    for name in [name for name in tensors if "calibration_sources_" in name]:
        del tensors[name]


BAD = "contradict each other"
CHANGES = {
    "scores that are not sorted": ("one class", tensor("calibration_scores_", swapped), BAD),
    "no scores": ("one class", tensor("calibration_scores_", lambda a: a[:0]), BAD),
    "other scores of a source": ("one class", source(lambda a: a - 1), BAD),
    "a score of a source less": ("one class", source(lambda a: a[1:]), BAD),
    "scores of a source not sorted": ("one class", source(swapped), BAD),
    "NaN in a source": ("one class", source(lambda a: a * np.nan), BAD),
    "a source without a name": ("one class", source_names, BAD),
    "no source": ("one class", no_source, BAD),
    "labels of words": ("one class", parts("BladesOneClass", labels_={"strings": ["a"]}), BAD),
    "weights that are no shares": ("full", tensor("weights_", lambda a: 2 * a), BAD),
    "a negative weight": ("full", tensor("weights_", negative), BAD),
    "no triangle": ("full", tensor("precisions_cholesky_", lower_left), BAD),
    "no triangle in common": ("tied", tensor("precisions_cholesky_", lower_left), BAD),
    "a negative diagonal": ("full", tensor("precisions_cholesky_", negative), BAD),
    "a negative precision": ("diag", tensor("precisions_cholesky_", negative), BAD),
    "no precision": ("spherical", tensor("precisions_cholesky_", lambda a: 0 * a), BAD),
    "a parameter of the mixture": (
        "full", parts("GaussianMixture", n_components=-2), "'n_components' parameter"),
    "a negative scale": ("binary", tensor("scaler_.scale_", negative), BAD),
    "no scale": ("binary", tensor("scaler_.scale_", lambda a: 0 * a), BAD),
    "a negative variance": ("binary", tensor("scaler_.var_", negative), BAD),
    "negative variances of components": (
        "one class", tensor("explained_variance_", negative), BAD),
    "labels that are one": ("binary", tensor("classes_", twice), BAD),
    "labels out of order": ("binary", tensor("classes_", swapped), BAD),
    "a class too many": ("regression", tensor("classes_", lambda a: np.arange(3)), BAD),
    "a class twice": ("regression", tensor("classes_", twice), BAD),
    "a penalty": ("regression", parts("LogisticRegression", C=-1.0), "'C' parameter"),
    "an infinite slope": ("sigmoid", parts("_SigmoidCalibration", a_={"float": "inf"}), BAD),
    "a slope of letters": ("sigmoid", parts("_SigmoidCalibration", a_="1"), "the a_ of _Sigmoid"),
    "other classes inside": ("sigmoid", classes(["a", "b"]), BAD),
    "thresholds that fall": ("isotonic", tensor("X_thresholds_", lambda a: a[::-1]), BAD),
    "thresholds twice": ("isotonic", tensor("X_thresholds_", twice), BAD),
    "probabilities that fall": ("isotonic", tensor("y_thresholds_", lambda a: a[::-1]), BAD),
    "unknown behaviour outside": (
        "isotonic", parts("IsotonicRegression", out_of_bounds="guess"), "'out_of_bounds' param"),
    "no calibrators": (
        "sigmoid", parts("_CalibratedClassifier", calibrators=["a"]), "the calibrators of a _Cal"),
    "a threshold that is NaN": (
        "tuned", parts("TunedThresholdClassifierCV", best_threshold_={"float": "nan"}), BAD),
    "a fixed threshold that is infinite": (
        "fixed", parts("FixedThresholdClassifier", threshold={"float": "inf"}), BAD),
    "a scale that is negative": (
        "encoder", parts("OrdinalTag", scale=-1.0), "the scale of a OrdinalTag"),
    "a gamma of letters": ("encoder", parts("CategoricalTag", gamma="2"), "the gamma of a Cat"),
    "columns of another width": (
        "binary", parts("BladesBinary", feature_names_in_={"objects": ["a", "b"]}), BAD),
}  # fmt: skip


@pytest.mark.parametrize(("model", "change", "message"), CHANGES.values(), ids=CHANGES)
def test_contradictions(model, change, message, saved, tmp_path):
    path = saved / f"{model}.blades"
    load(path)
    refuse(tampered(path, tmp_path, change), message)


def test_they_are_not_saved_either(tmp_path):
    head = one_class()
    head.calibration_scores_ = head.calibration_scores_[::-1]
    with pytest.raises(ValueError, match=BAD):
        save(head, tmp_path / "head.blades")
