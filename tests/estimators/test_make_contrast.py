"""The contrast: a mean direction of faults, on photographs that calibrate nothing."""

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import betabinom
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import FunctionTransformer
from threadpoolctl import threadpool_limits

from sklearn_blades import (
    BladesDetector,
    BladesEncoder,
    BladesHybrid,
    BladesOneClass,
    make_contrast,
)
from sklearn_blades.app.parts import asked
from sklearn_blades.app.reasons import _parts
from sklearn_blades.errors import NoFaceError, SmallSampleWarning
from sklearn_blades.estimators import contrast as module
from sklearn_blades.estimators.dealing import wanted_by, wants_contrast
from sklearn_blades.persistence import load, save
from sklearn_blades.photos import face_crop
from sklearn_blades.photos.manipulations import MANIPULATIONS, UNTOUCHED
from sklearn_blades.photos.pixels import harmonised
from sklearn_blades.photos.pseudo_fakes import manipulations_of


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    with threadpool_limits(1):
        yield


def encoder(**params):
    settings = {"face_locator": "whole", "image_size": 32, "device": "cpu", "random_state": 0}
    return BladesEncoder(**{**settings, "max_epochs": 0, **params})


def pictures(n, seed=0):
    """Smooth pictures, all different."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, size=(n, 6, 6, 3), dtype=np.uint8)
    return [np.kron(one, np.ones((8, 8, 1), dtype=np.uint8)) for one in coarse]


@pytest.fixture(scope="module")
def fitted():
    return encoder().fit(["never opened.jpg"])


def few(*args, **params):
    with pytest.warns(SmallSampleWarning, match="learned from"):
        return make_contrast(*args, **params)


class TestDirection:
    @pytest.mark.parametrize("quality", [None, 60])
    def test_it_is_the_difference_of_the_means_in_spreads_within(self, fitted, quality):
        asker = encoder(harmonise=quality).fit(["never opened.jpg"])
        photographs = pictures(6)
        contrast = few(asker, photographs, random_state=3)

        hows = [*MANIPULATIONS, *manipulations_of(("oversmoothing",))]
        cut = {"face_locator": "whole", "image_size": 32, "harmonise": quality}
        seeds = np.random.RandomState(3).randint(2**31 - 1, size=6)
        made = {}
        for how in (*hows, UNTOUCHED):
            faces = []
            for photo, seed in zip(photographs, seeds, strict=True):
                crop = face_crop(photo, **cut)
                face = how.apply(crop.pixels, crop.face, np.random.default_rng(seed))
                faces.append(face if quality is None else harmonised(face, quality))
            made[how.name] = fitted.transform(faces).astype(float)
        faulty = np.concatenate([made[how.name] for how in hows])
        true, false = made["untouched"], faulty
        within = ((true - true.mean(0)) ** 2).sum(0) + ((false - false.mean(0)) ** 2).sum(0)
        variance = within / (len(true) + len(false) - 2)
        X = fitted.transform(pictures(9, seed=1)).astype(float)
        expected = 2 * X @ ((true.mean(0) - false.mean(0)) / variance)
        scores = contrast.decision_function(X)
        assert_allclose(scores - scores.mean(), expected - expected.mean(), rtol=1e-2, atol=0.01)

    def test_threads_and_blocks_change_nothing(self, fitted, monkeypatch):
        one = few(fitted, pictures(7), random_state=0)
        monkeypatch.setattr(module, "BLOCK", 3)
        threads = encoder(n_jobs=2).fit(["never opened.jpg"])
        other = few(FrozenEstimator(threads), pictures(7), random_state=0)
        assert_allclose(one.centroids_, other.centroids_, atol=1e-6)

    def test_photographs_that_cannot_be_used(self):
        def nobody_in_dark_ones(image):
            return [(0.2, 0.2, 0.8, 0.8)] if np.asarray(image).any() else []

        photographs = [*pictures(5), np.zeros((48, 48, 3), dtype=np.uint8)]
        strict = encoder(face_locator=nobody_in_dark_ones).fit(["never opened.jpg"])
        with pytest.raises(NoFaceError, match="1 of 6 photographs"):
            make_contrast(strict, photographs)
        lenient = encoder(face_locator=nobody_in_dark_ones, on_error="nan")
        lenient.fit(["never opened.jpg"])
        with (
            pytest.warns(SmallSampleWarning, match="from 5 photographs"),
            pytest.warns(UserWarning, match="1 of 6 photographs cannot be used"),
        ):
            make_contrast(lenient, photographs)

    def test_who_cannot_have_one(self, fitted):
        with pytest.raises(TypeError, match="FunctionTransformer is no BladesEncoder"):
            make_contrast(FunctionTransformer(), pictures(3))
        with pytest.raises(ValueError, match="1 usable photographs"):
            make_contrast(fitted, pictures(1))


def world(rng, n_photographs, n_generated, *, shift=2.0, away=0.0):
    """Photographs, and faces that faults of generators move along the first column."""
    X = rng.normal(size=(n_photographs + n_generated, 6))
    y = np.repeat([1, -1], [n_photographs, n_generated])
    X[y == -1, 0] -= shift
    X[y == -1, 1] += away
    return X, y


def taught(rng, strength=2.0):
    """A contrast of photographs of its own."""
    X, y = world(rng, 150, 150, shift=strength)
    return FrozenEstimator(NearestCentroid(priors="uniform").fit(X, y))


def hybrid(rng, **params):
    one_class = BladesOneClass(1, covariance_type="diag")
    return BladesHybrid(one_class, contrast=taught(rng), random_state=0, **params)


class TestHybrid:
    def test_it_finds_what_a_density_cannot(self):
        rng = np.random.default_rng(0)
        head = hybrid(rng).fit(rng.normal(size=(300, 6)))
        assert head.weights_ == {"one_class": 0.5, "binary": 0.0, "contrast": 0.5}
        assert head.left_out_auc_ == {}
        assert head.binary_ is None
        X, y = world(rng, 400, 400)
        both, alone = (
            roc_auc_score(y, scores)
            for scores in (head.score_samples(X), head.one_class_.score_samples(X))
        )
        assert both > alone + 0.05
        assert both > 0.85

    def test_scores_are_standardised_by_photographs_that_were_left_out(self):
        rng = np.random.default_rng(1)
        head = hybrid(rng).fit(rng.normal(size=(400, 6)))
        fresh = rng.normal(size=(4000, 6))
        parts = np.column_stack(
            [head.one_class_.score_samples(fresh), head.contrast_.decision_function(fresh)]
        )
        # Medians and quartiles of 320, by parts that learned from four fifths: within 4 errors.
        standard = (parts - head.centre_[[0, 2]]) / head.spread_[[0, 2]]
        assert np.abs(np.median(standard, axis=0)).max() < 4 * 1.25 / np.sqrt(320)
        assert_allclose(
            np.subtract(*np.quantile(standard, (0.75, 0.25), axis=0)) / 1.349, 1, atol=0.25
        )
        expected = standard @ (0.5, 0.5)
        assert_allclose(head.score_samples(fresh), expected, rtol=1e-5, atol=1e-5)

    def test_the_promise_holds(self):
        flagged, n_fits, n_new = 0, 30, 200
        for seed in range(n_fits):
            rng = np.random.default_rng(seed)
            head = hybrid(rng, target_fpr=0.1).fit(rng.normal(size=(150, 6)))
            flagged += int((head.predict(rng.normal(size=(n_new, 6))) == -1).sum())
        # Each fit: beta-binomial with the 3rd smallest of 30; their sum is nearly normal.
        one = betabinom(n_new, 3, 28)
        assert abs(flagged - n_fits * one.mean()) < 4 * np.sqrt(n_fits) * one.std()

    def test_with_generated_faces_all_three_are_added(self):
        rng = np.random.default_rng(2)
        X, y = world(rng, 300, 120, shift=1.2, away=1.2)
        generator = np.where(np.arange(420) % 2, "gan", "diffusion")
        columns = {"generator": generator, "groups": np.arange(420)}
        binary = LogisticRegression()
        head = hybrid(rng, binary=binary).fit(X, y, **columns)
        assert list(head.weights_) == ["one_class", "binary", "contrast"]
        assert head.weights_["one_class"] == head.weights_["contrast"]
        assert sum(head.weights_.values()) == pytest.approx(1)
        assert set(head.left_out_auc_) == {"unknowing", "binary", "both"}
        new, label = world(rng, 1000, 1000, shift=1.2, away=1.2)
        area = roc_auc_score(label, head.score_samples(new))
        for part in (
            head.one_class_.score_samples,
            head.contrast_.decision_function,
            head.binary_.decision_function,
        ):
            assert area > roc_auc_score(label, part(new)) - 0.02

    def test_what_it_takes(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(60, 6))
        plain = NearestCentroid().fit(X, np.arange(60) % 2)
        with pytest.raises(TypeError, match="pass what make_contrast"):
            BladesHybrid(contrast=plain).fit(X)
        with pytest.raises(ValueError, match="learned from 6 features, and X has 5"):
            BladesHybrid(contrast=FrozenEstimator(plain)).fit(X[:, :5])

    def test_clones_pickles_and_files(self, tmp_path):
        rng = np.random.default_rng(0)
        head = hybrid(rng, target_fpr=0.1).fit(rng.normal(size=(200, 6)))
        X = rng.normal(size=(50, 6))
        again = clone(head).fit(rng.normal(size=(200, 6)))
        assert again.contrast_.estimator is head.contrast_.estimator
        save(head, tmp_path / "head.blades")
        for other in (pickle.loads(pickle.dumps(head)), load(tmp_path / "head.blades")):
            assert_array_equal(other.score_samples(X), head.score_samples(X))
        # Another contrast counts from the next fit on, and parts that disagree are no file.
        before = head.score_samples(X)
        assert_array_equal(head.set_params(contrast=None).score_samples(X), before)
        head.contrast_ = None
        with pytest.raises(ValueError, match=r"contradict|agree|belong"):
            save(head, tmp_path / "other.blades")


@pytest.fixture(scope="module")
def detector():
    detector = BladesDetector(encoder(), target_fpr=0.1, random_state=0)
    return detector.fit(pictures(200), groups=np.arange(200) // 2)


class TestDetector:
    def test_photographs_that_teach_it_calibrate_nothing(self, detector):
        persons = np.arange(200) // 2
        assert len(detector.contrast_rows_) == 100
        assert not len(detector.encoder_rows_)
        ours, theirs = persons[detector.contrast_rows_], persons[detector.head_rows_]
        assert not set(ours) & set(theirs)
        assert len(detector.contrast_rows_) + len(detector.head_rows_) == 200
        assert detector.head_.contrast_ is not None
        assert detector.predict(pictures(3, seed=9)).shape == (3,)

    def test_reasons_and_pages_name_it(self, detector, tmp_path):
        assert "taught the contrast" in detector.report()
        parts = asked(detector)
        photographs = pictures(2, seed=9)
        features = detector.encoder_.transform(photographs)
        total = parts.head_.score_samples(features)

        for row, score in zip(features, total, strict=True):
            shares = _parts(parts, row[None])
            assert set(shares) == {"one_class", "binary", "contrast"}
            assert sum(shares.values()) == pytest.approx(score, abs=1e-4)

    def test_files(self, detector, tmp_path):
        save(detector, tmp_path / "detector.blades")
        again, X = load(tmp_path / "detector.blades"), pictures(4, seed=9)
        assert_array_equal(again.score_samples(X), detector.score_samples(X))
        assert_array_equal(again.contrast_rows_, detector.contrast_rows_)

    def test_fewer_photographs_have_none_unless_it_is_asked_for(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            plain = BladesDetector(encoder(), target_fpr=0.1, random_state=0).fit(pictures(60))
        assert isinstance(plain.head_, BladesOneClass)
        assert not len(plain.contrast_rows_)
        asked_for = BladesDetector(encoder(), target_fpr=0.1, contrast=True, random_state=0)
        with pytest.warns(SmallSampleWarning, match="learned from 30 photographs"):
            asked_for.fit(pictures(60))
        assert asked_for.head_.weights_["contrast"] == 0.5
        without = clone(asked_for).set_params(contrast=False).fit(pictures(60))
        assert isinstance(without.head_, BladesOneClass)

    @pytest.mark.parametrize(
        ("n", "n_persons", "target_fpr", "wanted"),
        [(199, None, 0.05, False), (200, None, 0.05, True), (200, 40, 0.05, False),
         (200, 80, 0.05, True), (395, None, 0.01, False), (396, None, 0.01, True)],
    )  # fmt: skip
    def test_it_takes_no_photograph_that_the_promise_needs(self, n, n_persons, target_fpr, wanted):
        needs = wanted_by(None, target_fpr, n_persons is not None)
        units = n if n_persons is None else n_persons
        assert wants_contrast("auto", encoder(), None, n, units, needs) is wanted

    def test_with_a_head_of_ones_own(self):
        own = BladesDetector(encoder(), BladesOneClass(), contrast=True)
        with pytest.raises(ValueError, match="contrast=True is for the default head"):
            own.fit(pictures(60))
