"""make_detector: encoder and head in one pipeline, fitted encoders left alone."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.utils.validation import check_is_fitted

from sklearn_blades import BladesBinary, BladesOneClass, make_detector


@pytest.fixture
def Xy():
    rng = np.random.default_rng(0)
    order = rng.permutation(300)
    X = np.r_[rng.normal(size=(200, 6)), rng.normal(loc=4, size=(100, 6))] * 3 + 5
    return X[order], np.repeat([1, -1], [200, 100])[order]


def test_a_fitted_encoder_is_frozen_and_an_unfitted_one_is_trained(Xy):
    X, y = Xy
    fitted = StandardScaler().fit(X[:50])
    mean = fitted.mean_.copy()
    detector = make_detector(fitted, BladesOneClass(random_state=0)).fit(X, y)
    assert list(detector.named_steps) == ["encoder", "head"]
    assert isinstance(detector["encoder"], FrozenEstimator)
    assert detector["encoder"].estimator is fitted
    assert_array_equal(fitted.mean_, mean)

    unfitted = StandardScaler()
    detector = make_detector(unfitted, BladesOneClass(random_state=0))
    assert detector["encoder"] is unfitted
    detector.fit(X, y)
    assert_array_equal(unfitted.mean_, StandardScaler().fit(X).mean_)


def test_a_frozen_encoder_is_not_wrapped_twice(Xy):
    frozen = FrozenEstimator(StandardScaler().fit(Xy[0]))
    assert make_detector(frozen, BladesOneClass())["encoder"] is frozen


def test_a_search_over_the_head_leaves_the_encoder_fitted(Xy):
    X, y = Xy
    encoder = StandardScaler().fit(X[:50])
    mean = encoder.mean_.copy()
    detector = make_detector(encoder, BladesOneClass(random_state=0))
    grid = {"head__n_components": [1, 3], "head__target_fpr": [0.05, 0.2]}
    search = GridSearchCV(detector, grid, scoring="balanced_accuracy", cv=3).fit(X, y)
    assert search.best_estimator_["encoder"].estimator is encoder
    assert_array_equal(encoder.mean_, mean)
    assert search.best_score_ > 0.85
    check_is_fitted(clone(detector)["encoder"])
    with pytest.raises(NotFittedError):
        detector.predict(X)  # its own head never was


@pytest.mark.parametrize(
    "head",
    [BladesOneClass(random_state=0), BladesBinary(random_state=0, lr=0.01, max_epochs=9)],
)
def test_a_detector_gives_what_its_parts_give(Xy, head):
    X, y = Xy
    encoder = StandardScaler().fit(X)
    detector = make_detector(encoder, head).fit(X, y)
    by_hand = clone(head).fit(encoder.transform(X), y)
    assert_array_equal(detector.predict(X), by_hand.predict(encoder.transform(X)))
    assert_array_equal(
        detector.decision_function(X), by_hand.decision_function(encoder.transform(X))
    )
    assert np.mean(detector.predict(X) == y) > 0.9


def test_p_values_and_groups_reach_the_head(Xy):
    X, y = Xy
    detector = make_detector(StandardScaler().fit(X), BladesOneClass(random_state=0))
    with pytest.raises(ValueError, match="single group"):
        detector.fit(X, y, head__groups=np.zeros(300))
    detector.fit(X, y, head__groups=np.arange(300) // 3)
    p_values = detector["head"].p_values(detector[:-1].transform(X))
    assert_array_equal(p_values <= 0.05, detector.predict(X) == -1)


def test_groups_are_routed_through_the_detector(Xy):
    X, y = Xy
    with sklearn.config_context(enable_metadata_routing=True):
        head = BladesOneClass(random_state=0).set_fit_request(groups=True)
        detector = make_detector(StandardScaler().fit(X), head)
        detector.fit(X, y, groups=np.arange(300) // 3)
        with pytest.raises(ValueError, match="single group"):
            detector.fit(X, y, groups=np.zeros(300))


@pytest.mark.parametrize(
    ("encoder", "head", "message"),
    [
        (BladesOneClass(), StandardScaler(),
         r"swap the arguments: make_detector\(StandardScaler, BladesOneClass\)"),
        (LogisticRegression(), BladesOneClass(), r"must have transform, which LogisticRegression"),
        (StandardScaler(), StandardScaler(), "head must have fit and predict"),
        (StandardScaler, BladesOneClass(), r"is the class .* pass StandardScaler\(\.\.\.\)"),
        (StandardScaler(), BladesBinary, r"head is the class BladesBinary"),
        (None, BladesOneClass(), "pass a BladesEncoder"),
    ],
)  # fmt: skip
def test_arguments_it_cannot_use(encoder, head, message):
    with pytest.raises(TypeError, match=message):
        make_detector(encoder, head)


def test_a_memory_beside_steps_that_take_no_photographs(tmp_path):
    X = np.random.default_rng(0).normal(size=(200, 4))
    detector = make_detector(Normalizer(), BladesOneClass(random_state=0))
    plain = detector.fit(X).score_samples(X[:3])
    detector.set_params(memory=str(tmp_path))
    np.testing.assert_array_equal(detector.fit(X).score_samples(X[:3]), plain)
    detector.set_params(encoder="passthrough").fit(X)
    alone = BladesOneClass(random_state=0).fit(X)
    np.testing.assert_array_equal(detector.score_samples(X[:3]), alone.score_samples(X[:3]))
