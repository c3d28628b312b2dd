"""One detector in any wrapping is judged by all functions alike, and asked once for each row."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.neighbors import KNeighborsClassifier, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.svm import OneClassSVM

from sklearn_blades import BladesOneClass
from sklearn_blades.evaluation import (
    RocByGeneratorDisplay,
    ScoreDisplay,
    evaluate_by_generator,
    recalibrate,
    robustness_curve,
    source_shift,
)
from sklearn_blades.evaluation.judge import judge

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (120, 4, 4, 3)).astype(np.uint8)
PIXELS[60:] //= 2
PIXELS[::9] = 255 - PIXELS[::9] // 3  # some on the wrong side
Y = np.repeat([1, 0], 60)
GENERATOR = np.where(Y == 1, None, "g")


class Colours(TransformerMixin, BaseEstimator):
    """An encoder that counts the rows it sees."""

    n_seen = 0

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        Colours.n_seen += len(X)
        return np.array([np.asarray(pixels).mean(axis=(0, 1)) for pixels in X]) / 32


IMAGES = list(PIXELS)
ENCODER = Colours().fit(IMAGES)
FEATURES = ENCODER.transform(IMAGES)
OUTLIERS = BladesOneClass(1, target_fpr=0.2, random_state=0).fit(FEATURES[Y == 1])
CLASSES = LogisticRegression().fit(FEATURES, Y)


def searched(detector, y):
    return GridSearchCV(detector, {}, cv=2, scoring=lambda *_: 0.0).fit(IMAGES, y)


def wrapped(head):
    """The same fitted head in whatever may be around one."""
    pipe = make_pipeline(ENCODER, head)
    frozen = make_pipeline(FrozenEstimator(ENCODER), FrozenEstimator(head))
    return {
        "pipeline": pipe,
        "frozen": FrozenEstimator(pipe),
        "search": searched(frozen, Y),
        "nested": make_pipeline(ENCODER, make_pipeline("passthrough", FrozenEstimator(head))),
        "search of nested": FrozenEstimator(searched(make_pipeline(None, frozen), Y)),
    }


def answers(detector):
    """What every public function that judges says of a detector."""
    report = evaluate_by_generator(detector, IMAGES, Y, GENERATOR, n_bootstrap=40)
    robust = robustness_curve(detector, IMAGES, Y, degradations={})
    scores = ScoreDisplay.from_estimator(detector, IMAGES, Y)
    roc = RocByGeneratorDisplay.from_estimator(detector, IMAGES, Y)
    shares = [
        (report["g"].fpr.value, report["g"].tpr.value),
        (robust.rows[0].false_alarms.value, robust.rows[0].detected.value),
        (scores.flagged_["photographs"][0], scores.flagged_["generated"][0]),
        roc.operating_points["generated"],
    ]
    areas = report["g"].auc.value, robust.rows[0].auc.value, roc.roc_auc["generated"]
    return np.round(shares, 12), np.round(areas, 12), (scores.target_fpr, robust.target_fpr)


@pytest.fixture(autouse=True)
def closed_figures():
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.mark.parametrize("head", [OUTLIERS, CLASSES], ids=lambda head: type(head).__name__)
def test_all_functions_give_one_answer_whatever_is_around_the_head(head):
    flagged = head.predict(FEATURES) != 1
    expected = flagged[Y == 1].mean(), flagged[Y == 0].mean()
    bare = judge(head, FEATURES)
    np.testing.assert_array_equal(bare.flags, flagged)
    for name, detector in wrapped(head).items():
        shares, areas, promises = answers(detector)
        np.testing.assert_allclose(shares, [expected] * 4, err_msg=name)
        assert len(set(areas)) == 1, name
        assert set(promises) == {getattr(head, "target_fpr", None)}, name
        found = judge(detector, IMAGES)
        np.testing.assert_array_equal(found.scores, bare.scores)
        assert (found.threshold, found.unit) == (bare.threshold, bare.unit)


DECIDERS = {
    "fixed": lambda d: FixedThresholdClassifier(d, threshold=0.3),
    "fixed, of the other": lambda d: FixedThresholdClassifier(d, threshold=0.3, pos_label=0),
    "fixed score": lambda d: FixedThresholdClassifier(
        d, threshold=0.4, response_method="decision_function"
    ),
    "tuned": lambda d: TunedThresholdClassifierCV(d, cv=2, random_state=0),
    "calibrated": lambda d: CalibratedClassifierCV(d, cv=2),
    "searched": lambda d: GridSearchCV(FixedThresholdClassifier(d), {"threshold": [0.7]}, cv=2),
}


@pytest.mark.parametrize("label", [1, 0])
@pytest.mark.parametrize("name", DECIDERS)
def test_flags_are_those_of_whoever_decides(name, label):
    detector = DECIDERS[name](make_pipeline(FrozenEstimator(ENCODER), LogisticRegression()))
    detector.fit(IMAGES, Y)
    Colours.n_seen = 0
    found = judge(detector, IMAGES, photographic_label=label)
    assert Colours.n_seen == len(IMAGES)  # `predict` and the score share one look
    np.testing.assert_array_equal(found.flags, detector.predict(IMAGES) != label)
    np.testing.assert_array_equal(found.scores < found.threshold, found.flags)
    if label == 1:
        shares, areas, _ = answers(detector)
        assert len(set(map(tuple, shares))) == len(set(areas)) == 1


def test_ties_with_the_threshold_fall_where_predict_puts_them():
    X = np.repeat([[0.0], [1.0]], 4, axis=0)
    y = np.tile([0, 1], 4)  # every row has a probability of one half
    head = KNeighborsClassifier(4).fit(X, y)
    for label in (0, 1):
        found = judge(head, X, label)
        np.testing.assert_array_equal(found.flags, head.predict(X) != label)
        np.testing.assert_array_equal(found.scores < found.threshold, found.flags)


@pytest.mark.parametrize(
    "head",
    [OneClassSVM(gamma=0.1), IsolationForest(random_state=0), LocalOutlierFactor(novelty=True)],
    ids=lambda head: type(head).__name__,
)
def test_thresholds_of_scikit_learns_outlier_detectors(head):
    found = judge(head.fit(FEATURES[Y == 1]), FEATURES)
    assert found.threshold is not None
    np.testing.assert_array_equal(found.scores < found.threshold, found.flags)


def test_more_than_two_classes_have_no_threshold():
    named = np.where(Y == 1, "photograph", np.where(np.arange(120) % 2, "a", "b"))
    found = judge(LogisticRegression().fit(FEATURES, named), FEATURES, "photograph")
    assert found.threshold is None
    assert found.scores.shape == (120,)


def test_the_promise_through_a_search():
    detector = wrapped(OUTLIERS)["search"]
    shift = source_shift(detector, IMAGES[:60], IMAGES[60:])
    assert shift == source_shift(OUTLIERS, FEATURES[:60], FEATURES[60:])
    renewed = recalibrate(detector, IMAGES[60:])
    assert type(renewed) is GridSearchCV
    assert (renewed.predict(IMAGES[60:]) == -1).mean() <= 0.2
    np.testing.assert_array_equal(detector.predict(IMAGES), OUTLIERS.predict(FEATURES))


def test_what_is_no_detector_is_refused():
    with pytest.raises(TypeError, match=r"KMeans\.predict answers"):
        judge(KMeans(3, n_init=1, random_state=0).fit(FEATURES), FEATURES)
