"""What scikit-learn users may rely on, row by row: read it as the specification.

scikit-learn's common checks feed matrices of numbers. An estimator of paths gets one check and no
more, so a pass would mean nothing: `ENCODER_CHECKS` ask of `BladesEncoder` what they ask of the
others, on paths and on records, and each is shown to catch an encoder that is broken on purpose.
The heads pass all of the common checks (test_common_checks.py); here stands what those do not
ask: labels, scorers, groups, rows that cannot be read.
"""

import hashlib
import inspect
import pickle
import random
from pathlib import Path

import numpy as np
import pytest
import sklearn
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier
from sklearn.exceptions import NotFittedError, UndefinedMetricWarning
from sklearn.model_selection import (
    GroupKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_score,
    cross_validate,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler

from sklearn_blades import BladesBinary, BladesEncoder, BladesOneClass, make_detector
from sklearn_blades.errors import PhotoError, SmallSampleWarning
from sklearn_blades.ground import rows
from sklearn_blades.heads.conformal import conformal_offset
from sklearn_blades.photos import read_photos
from sklearn_blades.pretext import Manipulated
from sklearn_blades.storage.cache import cache_for
from tests.data_free import each_data_free_check, run_check

SMALL = {
    "face_locator": "whole",
    "face_margin": 1.6,  # not the default: a clone that forgets it embeds otherwise
    "image_size": 32,
    "tasks": [Manipulated()],
    "max_epochs": 1,
    "batch_size": 16,
    "device": "cpu",
    "random_state": 0,
}


@pytest.fixture(params=["paths", "records"])
def X(request, photos):
    return photos[:8] if request.param == "paths" else read_photos(photos[:8])


# The encoder ------------------------------------------------------------------------------------


def embed(encoder, X):
    """Features, none of them remembered."""
    cache_for().clear()
    return np.asarray(encoder.transform(X))


def rng_states():
    legacy = np.random.get_state()  # noqa: NPY002  it is the global one that must not move
    return repr([random.getstate(), legacy, torch.get_rng_state().tolist()])


def check_fit_returns_itself_and_fit_transform_is_both(encoder, X):
    features = encoder.fit_transform(X)
    assert encoder.fit(X) is encoder
    assert_array_equal(embed(encoder, X), features)


def check_rows_are_unit_float32_and_finite(encoder, X):
    features = embed(encoder.fit(X), X)
    assert features.shape == (len(X), encoder.n_features_out_)
    assert features.dtype == np.float32
    assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)


def check_order_does_not_matter(encoder, X):
    features = embed(encoder.fit(X), X)
    assert_allclose(embed(encoder, X[::-1])[::-1], features, atol=1e-6)


def check_a_row_depends_on_its_photograph_alone(encoder, X):
    features = embed(encoder.fit(X), X)
    alone = [embed(encoder, [x])[0] for x in X]
    assert_allclose(alone, features, atol=1e-6)


def check_fitting_again_changes_nothing(encoder, X):
    first = embed(encoder.fit(X), X)
    assert_array_equal(embed(encoder.fit(X), X), first)
    assert_array_equal(embed(encoder, X), first)


def check_nothing_given_is_changed(encoder, X):
    def given():
        files = [Path(getattr(x, "path", x)).read_bytes() for x in X]
        return hashlib.sha256(b"".join(files)).hexdigest(), repr(X), repr(encoder.get_params())

    y = np.ones(len(X))
    before = given()
    encoder.fit(X, y).transform(X)
    assert given() == before
    assert_array_equal(y, 1)


def check_transform_leaves_the_fit_alone(encoder, X):
    before = pickle.dumps(encoder.fit(X))
    encoder.transform(X[:3])
    assert pickle.dumps(encoder) == before


def check_clone_keeps_every_parameter(encoder, X):
    copy = clone(encoder)
    for name in list(inspect.signature(type(encoder).__init__).parameters)[1:]:
        assert repr(copy.get_params()[name]) == repr(getattr(encoder, name)), name
    assert_array_equal(embed(copy.fit(X), X), embed(encoder.fit(X), X))


def check_clone_and_new_are_not_fitted(encoder, X):
    with pytest.raises(NotFittedError, match="not fitted"):
        encoder.transform(X)
    with pytest.raises(NotFittedError, match="not fitted"):
        clone(encoder.fit(X)).transform(X)


def check_pickle_keeps_every_bit(encoder, X):
    features = embed(encoder.fit(X), X)
    assert_array_equal(embed(pickle.loads(pickle.dumps(encoder)), X), features)


def check_global_random_states_are_left_alone(encoder, X):
    before = rng_states()
    encoder.fit(X).transform(X)
    assert rng_states() == before


def check_containers_are_alike(encoder, X):
    pd = pytest.importorskip("pandas")
    features = embed(encoder.fit(X), X)
    one_d = np.empty(len(X), dtype=object)
    one_d[:] = X
    for same in (tuple(X), one_d, pd.Series(X, index=range(9, 9 + len(X))), pd.DataFrame({"x": X})):
        assert_array_equal(embed(encoder, same), features)


def check_names_and_set_output(encoder, X):
    pytest.importorskip("pandas")
    features = encoder.fit_transform(X)
    names = encoder.get_feature_names_out()
    prefix = type(encoder).__name__.lower()
    assert list(names) == [f"{prefix}{i}" for i in range(encoder.n_features_out_)]
    frame = encoder.set_output(transform="pandas").transform(X)
    assert list(frame.columns) == list(names)
    assert_array_equal(frame.to_numpy(), features)


def check_polars_out(encoder, X):
    pytest.importorskip("polars")
    features = encoder.fit_transform(X)
    assert_array_equal(encoder.set_output(transform="polars").transform(X).to_numpy(), features)


def check_labels_choose_photographs(encoder, X):
    y = np.repeat([1, 0], [len(X) - 2, 2])
    features = embed(encoder.fit(X[: len(X) - 2]), X)
    assert_array_equal(embed(encoder.fit(X, y), X), features)
    assert_array_equal(embed(encoder.fit(X, y == 1), X), features)


ENCODER_CHECKS = [value for name, value in list(globals().items()) if name.startswith("check_")]


@pytest.mark.parametrize("check", ENCODER_CHECKS, ids=lambda check: check.__name__)
def test_the_encoder(check, X):
    check(BladesEncoder(**SMALL), X)


class ChangesX(BladesEncoder):
    def fit(self, X, y=None, *, groups=None):
        super().fit(X, y, groups=groups)
        X.reverse()
        return self


class DependsOnOrder(BladesEncoder):
    def transform(self, X):
        features = super().transform(X)
        return features * np.linspace(1, 2, len(features), dtype=np.float32)[:, None]


class DependsOnOthers(BladesEncoder):
    def transform(self, X):
        features = super().transform(X)
        return features - features.mean(axis=0)


class ForgetsAParameter(BladesEncoder):
    def __init__(self, architecture="blades-tiny", *, face_margin=1.3, max_epochs=0, **others):
        super().__init__(architecture, face_margin=face_margin, max_epochs=max_epochs, **others)

    @classmethod
    def _get_param_names(cls):
        return [name for name in BladesEncoder._get_param_names() if name != "face_margin"]


class LeaksRandomness(BladesEncoder):
    def fit(self, X, y=None, *, groups=None):
        torch.manual_seed(0)
        return super().fit(X, y, groups=groups)


class LearnsFromTheTest(BladesEncoder):
    def transform(self, X):
        self.seen_ = getattr(self, "seen_", 0) + len(X)
        return super().transform(X)


class UsesAllRows(BladesEncoder):
    def fit(self, X, y=None, *, groups=None):
        return super().fit(X, groups=groups)


class LosesItsWeights(BladesEncoder):
    def __getstate__(self):
        state = super().__getstate__()
        fresh = BladesEncoder(**{**SMALL, "max_epochs": 0, "random_state": 1}).fit(["unused.jpg"])
        return {**state, "embedding_": fresh.embedding_}


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (ChangesX, check_nothing_given_is_changed),
        (DependsOnOrder, check_order_does_not_matter),
        (DependsOnOthers, check_a_row_depends_on_its_photograph_alone),
        (ForgetsAParameter, check_clone_keeps_every_parameter),
        (LeaksRandomness, check_global_random_states_are_left_alone),
        (LearnsFromTheTest, check_transform_leaves_the_fit_alone),
        (UsesAllRows, check_labels_choose_photographs),
        (LosesItsWeights, check_pickle_keeps_every_bit),
    ],
)
def test_a_broken_encoder_is_caught(broken, check, photos):
    with pytest.raises((AssertionError, KeyError)):
        check(broken(**SMALL), list(photos[:8]))


@each_data_free_check
def test_common_checks_that_need_no_data(name):
    run_check(name, BladesEncoder())


# Labels, scorers, groups ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def features():
    """200 photographs and 150 AI-generated faces, mixed, five rows a person."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([1, 0], [200, 150]))
    return rng.normal(size=(350, 6)) + 3 * (y == 0)[:, None], y, np.arange(350) // 5


def one_class():
    # A promise of 10 % needs 9 calibration photographs, which every fold has.
    return BladesOneClass(n_components=2, target_fpr=0.1, random_state=0)


def binary():
    return BladesBinary(lr=0.01, max_epochs=10, random_state=0)


CV = StratifiedKFold(3, shuffle=True, random_state=0)


class TestLabels:
    def test_without_y_all_rows_are_photographs(self, features):
        X, y, _ = features
        alone, chosen = one_class().fit(X[y == 1]), one_class().fit(X, y)
        assert_array_equal(alone.score_samples(X), chosen.score_samples(X))

    @pytest.mark.parametrize("code", [lambda y: y, lambda y: y == 1, lambda y: 2 * y - 1])
    def test_numbers_and_booleans(self, features, code):
        X, y, _ = features
        expected = one_class().fit(X[y == 1]).score_samples(X)
        assert_array_equal(one_class().fit(X, code(y)).score_samples(X), expected)

    def test_strings_are_for_the_binary_head(self, features):
        X, y, _ = features
        words = np.where(y == 1, "photograph", "generated")
        with pytest.raises(ValueError, match="For other labels use BladesBinary"):
            one_class().fit(X, words)
        assert cross_val_score(binary(), X, words, cv=CV).min() > 0.9

    def test_what_1_means_is_said_once_a_process(self, features, monkeypatch):
        X, y, _ = features
        monkeypatch.setattr(rows, "_said", False)
        with pytest.warns(UserWarning, match=r"^1 is taken for photographs; say") as caught:
            cross_val_score(one_class(), X, y, cv=CV, scoring="roc_auc")
        one_class().fit(X, y == 1)
        assert [str(warning.message) for warning in caught] == [
            "1 is taken for photographs; say photographic_label=1 (or 0)"
        ]

    @pytest.mark.filterwarnings("error")
    def test_fake_coded_as_one_can_be_said(self, features, monkeypatch):
        X, y, _ = features
        monkeypatch.setattr(rows, "_said", False)
        fake = (y == 0).astype(int)
        told = one_class().set_params(photographic_label=0).fit(X, fake)
        one_class().fit(X, 2 * y - 1)  # 1 and -1 say what they are
        one_class().set_params(photographic_label=1).fit(X, y)
        assert_array_equal(told.score_samples(X), one_class().fit(X, 2 * y - 1).score_samples(X))

    def test_rows_left_out_that_score_higher_are_said(self, features):
        X, y, _ = features
        with pytest.warns(UserWarning, match=r"AUC below 0\.3.*inverted code"):
            one_class().fit(np.where(y[:, None] == 1, X, 0.2 * (X - 3)), y)

    @pytest.mark.parametrize("head", ["one_class", "binary"])
    def test_gaps_in_labels_and_groups_are_refused_by_row(self, features, head):
        X, y, groups = features
        fit = {"one_class": one_class, "binary": binary}[head]().fit
        with pytest.raises(ValueError, match=r"y contains NaN.* 1 of 350 rows \(rows 4\)"):
            fit(X, np.where(np.arange(350) == 4, np.nan, y))
        with pytest.raises(ValueError, match=r"groups contains NaN.* 1 of 350 rows \(rows 4\)"):
            fit(X, y, groups=np.where(np.arange(350) == 4, np.nan, groups))


class TestScorers:
    @pytest.mark.parametrize("scoring", ["roc_auc", "average_precision"])
    @pytest.mark.parametrize("code", [lambda y: y, lambda y: y == 1, lambda y: 2 * y - 1])
    def test_those_without_a_threshold_take_any_code(self, features, scoring, code):
        X, y, _ = features
        scores = [cross_val_score(h(), X, code(y), cv=CV, scoring=scoring) for h in HEADS]
        assert np.min(scores) > 0.95

    @pytest.mark.parametrize("scoring", ["accuracy", "balanced_accuracy", "f1"])
    def test_those_on_predict_take_plus_and_minus_one(self, features, scoring):
        X, y, _ = features
        scores = [cross_val_score(h(), X, 2 * y - 1, cv=CV, scoring=scoring) for h in HEADS]
        assert np.min(scores) > 0.85

    def test_those_on_predict_warn_of_another_code(self, features):
        X, y, _ = features
        with pytest.warns(UserWarning, match=r"labels 0, 1: do not compare.*np.where\(y == 1"):
            cross_val_score(one_class(), X, y, cv=CV, scoring="accuracy")
        one_class().fit(X[y == 1], y[y == 1]).predict(X)  # ones alone are no other code

    def test_files_sorted_by_class_need_a_stratified_splitter(self, features):
        X, y, _ = features
        order = np.argsort(y, kind="stable")
        X, y = X[order], y[order]
        with pytest.warns(UndefinedMetricWarning, match="Only one class is present"):
            plain = cross_val_score(one_class(), X, y, cv=3, scoring="roc_auc")
        assert np.isnan(plain).any()
        assert cross_val_score(one_class(), X, y, cv=CV, scoring="roc_auc").min() > 0.95

    @pytest.mark.parametrize(
        "wrap",
        [
            lambda head: CalibratedClassifierCV(head, cv=CV),
            lambda head: TunedThresholdClassifierCV(head, cv=CV),
            lambda head: StackingClassifier([("head", head)], GaussianNB(), cv=CV),
        ],
    )
    def test_the_binary_head_serves_meta_estimators(self, features, wrap):
        X, y, _ = features
        words = np.where(y == 1, "photograph", "generated")
        assert wrap(binary()).fit(X[:250], words[:250]).score(X[250:], words[250:]) > 0.9


HEADS = [one_class, binary]


class TestGroups:
    @pytest.mark.parametrize("cv", [GroupKFold(3), StratifiedGroupKFold(3)])
    def test_they_reach_splitter_and_head(self, features, cv):
        X, y, groups = features
        with sklearn.config_context(enable_metadata_routing=True):
            head = one_class().set_fit_request(groups=True)
            result = cross_validate(
                head, X, y, cv=cv, scoring="roc_auc", params={"groups": groups},
                return_estimator=True,
            )  # fmt: skip
            assert result["test_score"].min() > 0.95
            with pytest.raises(ValueError, match="single group"):
                clone(head).fit(X, y, groups=np.zeros(350))

    def test_one_photograph_of_each_person_held_out_calibrates(self, features):
        X, y, groups = features
        head = one_class().fit(X, y, groups=groups)
        assert len(head.calibration_scores_) == np.ceil(0.2 * len(np.unique(groups[y == 1])))
        with pytest.warns(SmallSampleWarning, match="1 calibration photographs, one of each pers"):
            head.recalibrate(X[:5], groups=groups[:5])

    def test_the_share_of_persons_rises_to_what_the_promise_takes(self, features):
        X, y, groups = features
        head = one_class().set_params(target_fpr=0.05, confidence=None)
        persons = len(np.unique(groups[y == 1]))
        assert 0.2 * persons < 19 < 0.8 * persons
        assert len(head.fit(X, y, groups=groups).calibration_scores_) == 19

    def test_with_sources_only_what_is_foreign_to_all_is_flagged(self, features):
        X, y, _ = features
        sources = np.arange(350) % 2
        head = one_class().fit(X, y, sources=sources)
        assert set(head.calibration_sources_) == {"0", "1"}
        each = [conformal_offset(scores, 0.1) for scores in head.calibration_sources_.values()]
        assert head.offset_ == min(each) < max(each)

    def test_confidence_promises_more_than_the_average(self, features):
        X, y, _ = features
        head = one_class().fit(X, 2 * y - 1)
        average = head.offset_
        assert head.set_params(confidence=0.6).offset_ < average
        assert_array_equal(head.predict(X) == -1, head.p_values(X) <= head.target_fpr)


class TestDetectors:
    def test_set_output_is_for_one_detector(self, features):
        pytest.importorskip("pandas")
        X, y, _ = features
        encoder = StandardScaler().fit(X)
        first, second = (make_detector(encoder, one_class()).fit(X, 2 * y - 1) for _ in range(2))
        copy = clone(first).set_output(transform="pandas")
        assert hasattr(copy[:-1].transform(X), "columns")
        assert type(first[:-1].transform(X)) is np.ndarray
        first.set_output(transform="pandas")
        assert hasattr(first[:-1].transform(X), "columns")
        assert hasattr(clone(first)[:-1].transform(X), "columns")
        assert type(second[:-1].transform(X)) is type(encoder.transform(X)) is np.ndarray


class TestRowsThatCannotBeRead:
    @pytest.fixture
    def paths(self, photos, tmp_path):
        (tmp_path / "text.jpg").write_text("not a picture")
        return [*photos[:3], str(tmp_path / "text.jpg"), *photos[3:6]]

    def test_raised_skipped_or_kept_as_nan(self, paths):
        encoder = BladesEncoder(**{**SMALL, "max_epochs": 0}).fit(paths)
        with pytest.raises(PhotoError, match=r"text\.jpg"):
            encoder.transform(paths)
        with pytest.warns(UserWarning, match="1 of 7"):
            records = read_photos(paths, on_error="skip")
        assert len(encoder.transform(records)) == 6
        with pytest.warns(UserWarning, match="1 of 7 photographs cannot be used"):
            rows = encoder.set_params(on_error="nan").transform(paths)
        assert_array_equal(np.isnan(rows).any(axis=1), np.arange(7) == 3)

    def test_heads_count_them(self, paths):
        encoder = BladesEncoder(**{**SMALL, "max_epochs": 0, "on_error": "nan"}).fit(paths)
        detector = make_detector(encoder, one_class())
        with (
            pytest.warns(UserWarning, match="1 of 7"),
            pytest.raises(ValueError, match=r"1 of 7 rows contain NaN.*rows 3\).*Drop them"),
        ):
            detector.fit(paths)
