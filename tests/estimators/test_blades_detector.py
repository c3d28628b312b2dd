"""BladesDetector: who learns from what, whose promise holds, and rows that keep their place."""

import pickle
import warnings
from copy import copy

import joblib
import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import betabinom
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from threadpoolctl import threadpool_limits

from sklearn_blades import (
    BladesBinary,
    BladesDetector,
    BladesEncoder,
    BladesHybrid,
    BladesOneClass,
)
from sklearn_blades.errors import PhotoError, SmallSampleWarning
from sklearn_blades.estimators.blades_detector import default_encoder
from sklearn_blades.evaluation import evaluate_by_generator, recalibrate, source_shift
from sklearn_blades.persistence import load, save
from sklearn_blades.photos import read_photos
from sklearn_blades.pretext import Manipulated
from tests.data_free import each_data_free_check, run_check


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    with threadpool_limits(1):
        yield


TINY = {
    "face_locator": "whole",
    "image_size": 32,
    "tasks": [Manipulated()],
    "batch_size": 16,
    "device": "cpu",
}


def encoder(**params):
    return BladesEncoder(**{**TINY, "max_epochs": 0, **params})


def quick(**params):
    return BladesHybrid(binary=LogisticRegression(C=0.1), target_fpr=0.1, **params)


class Memorises(TransformerMixin, BaseEstimator):
    """An encoder of features that moves what it has seen far from where it was."""

    def fit(self, X, y=None, *, groups=None):
        self.seen_, self.groups_ = X.copy(), groups
        return self

    def transform(self, X):
        seen = (X[:, None] == self.seen_).all(axis=2).any(axis=1)
        return X + 50 * seen[:, None]


@pytest.fixture
def data():
    """Features of 400 photographs of 200 persons and 90 generated faces, mixed."""
    rng = np.random.default_rng(0)
    order = rng.permutation(490)
    X = np.r_[rng.normal(size=(400, 5)), rng.normal([3, 0, 0, 0, 0], size=(90, 5))][order]
    y = np.repeat([1, -1], [400, 90])[order]
    groups = np.r_[np.arange(400) // 2, 200 + np.arange(90)][order]
    generator = np.r_[np.repeat("", 400), np.resize(["gan", "flow", "sd"], 90)][order]
    return X, y, groups, generator


class TestWhoLearnsFromWhat:
    def test_persons_are_on_one_side_and_generated_faces_with_the_head(self, data):
        X, y, groups, generator = data
        detector = BladesDetector(Memorises(), random_state=0, target_fpr=0.1)
        detector.fit(X, y, groups=groups, generator=generator)
        taught, judged = detector.encoder_rows_, detector.head_rows_
        assert set(y[taught]) == {1}
        assert_array_equal(np.sort(np.r_[taught, judged]), np.arange(490))
        assert not set(groups[taught]) & set(groups[judged][y[judged] == 1])
        assert_array_equal(detector.encoder_.seen_, X[taught])
        assert len(set(detector.encoder_.groups_)) == len(set(groups[taught]))
        assert len(taught) == 280
        assert isinstance(detector.head_, BladesHybrid)
        assert detector.head_.left_out_auc_["both"] > 0.9

    def test_the_promise_holds_though_the_encoder_remembers(self):
        rng, alpha, one_line, counts = np.random.default_rng(1), 0.1, [], []
        for seed in range(50):
            X, fresh = rng.normal(size=(400, 4)), rng.normal(size=(100, 4))
            detector = BladesDetector(Memorises(), target_fpr=alpha, random_state=seed).fit(X)
            counts.append(np.sum(detector.predict(fresh) == -1))
            if seed < 5:
                same = make_pipeline(Memorises(), BladesOneClass(target_fpr=alpha, random_state=0))
                one_line.append(np.sum(same.fit(X).predict(fresh) == -1))
        assert len(detector.head_.calibration_scores_) == 24
        law = betabinom(100, 2, 23)  # the 2nd lowest of 24
        assert abs(np.mean(counts) - law.mean()) < 3 * law.std() / np.sqrt(50)
        assert np.mean(one_line) == 100  # the pipeline's calibration was of remembered faces

    @pytest.mark.parametrize("y", [None, "ones"])
    def test_photographs_alone_make_a_one_class_head(self, data, y):
        X = data[0]
        y = None if y is None else np.ones(len(X))
        detector = BladesDetector(StandardScaler(), random_state=0, target_fpr=0.02).fit(X, y)
        assert type(detector.head_) is BladesOneClass
        assert detector.head_.target_fpr == 0.02
        assert_array_equal(detector.classes_, [-1, 1])

    @pytest.mark.parametrize("kind", ["frozen", "untrained"])
    def test_an_encoder_that_learns_nothing_leaves_all_to_the_head(self, data, photos, kind):
        X, given = data[0], StandardScaler()
        if kind == "frozen":
            given = FrozenEstimator(StandardScaler().fit(X[:50]))
        else:
            X, given = photos, encoder()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SmallSampleWarning)
            detector = BladesDetector(given, random_state=0).fit(X)
        assert len(detector.encoder_rows_) == 0
        assert_array_equal(detector.head_rows_, np.arange(len(X)))
        if kind == "frozen":
            assert detector.encoder_ is given

    def test_small_sets_give_the_head_what_its_promise_takes(self, data):
        X = data[0][:60]
        with pytest.warns(SmallSampleWarning, match=r"38 of 60 photographs go to the h") as caught:
            detector = BladesDetector(StandardScaler(), random_state=0).fit(X)
        assert caught[0].filename == __file__
        assert len(detector.head_rows_) == 38
        assert len(detector.head_.calibration_scores_) == 19
        assert detector.head_.offset_ > -np.inf
        with pytest.warns(SmallSampleWarning, match="cannot promise"):
            detector = BladesDetector(StandardScaler(), random_state=0).fit(X[:50])
        assert len(detector.head_rows_) == 15

    def test_too_few_to_deal(self, data):
        X, _, groups, _ = data
        with pytest.raises(ValueError, match="3 photographs cannot be dealt to an encoder and"):
            BladesDetector(StandardScaler()).fit(X[:3])
        with pytest.raises(ValueError, match="2 persons cannot be dealt"):
            BladesDetector(StandardScaler()).fit(X, groups=groups % 2)

    @pytest.mark.parametrize("code", [lambda y: (y == -1).astype(int), lambda y: y == -1])
    @pytest.mark.parametrize("where", ["detector", "head"])
    def test_the_label_of_photographs(self, data, code, where):
        X, y, groups, generator = data
        columns = {"groups": groups, "generator": generator}
        expected = BladesDetector(StandardScaler(), quick(), random_state=0)
        expected.fit(X, y, **columns)
        head = quick(photographic_label=0 if where == "head" else None)
        label = 0 if where == "detector" else None
        detector = BladesDetector(
            StandardScaler(), head, photographic_label=label, random_state=0
        ).fit(X, code(y), **columns)
        assert_array_equal(detector.score_samples(X), expected.score_samples(X))
        with pytest.warns(UserWarning, match=r"predict answers \+1"):
            assert_array_equal(detector.predict(X), expected.predict(X))

    def test_columns_of_a_table_go_by_place(self, data):
        pd = pytest.importorskip("pandas")
        X, y, groups, generator = data
        table = pd.DataFrame({"y": y, "groups": groups, "generator": generator})
        table.index = np.random.default_rng(0).permutation(len(table))
        plain = BladesDetector(StandardScaler(), quick(), random_state=0)
        plain.fit(X, y, groups=groups, generator=generator)
        tabled = clone(plain).fit(
            X, table["y"], groups=table["groups"], generator=table["generator"]
        )
        assert_array_equal(tabled.score_samples(X), plain.score_samples(X))
        renewed = tabled.recalibrate(X, table["y"], groups=table["groups"])
        again = plain.recalibrate(X, y, groups=groups)
        assert renewed.head_.offset_ == again.head_.offset_

    def test_groups_that_a_head_cannot_take(self, data):
        X, _, groups, _ = data
        head = make_pipeline(StandardScaler(), BladesOneClass())
        with pytest.raises(ValueError, match="head, a Pipeline, cannot be told"):
            BladesDetector(StandardScaler(), head).fit(X, groups=groups)


class TestAnswers:
    def test_they_are_the_heads_of_the_encoders_features(self, data):
        X, y, groups, generator = data
        detector = BladesDetector(StandardScaler(), random_state=0, target_fpr=0.1)
        detector.fit(X, y, groups=groups, generator=generator)
        features = detector.encoder_.transform(X)
        for name in ("predict", "score_samples", "decision_function", "p_values"):
            assert_array_equal(getattr(detector, name)(X), getattr(detector.head_, name)(features))
        assert detector.predict(X).dtype.kind == "i"
        assert_array_equal(detector.predict(X) == -1, detector.p_values(X) <= 0.1)
        offset = detector.head_.offset_
        detector.set_params(target_fpr=0.3)
        assert detector.head_.offset_ > offset
        assert_array_equal(detector.predict(X) == -1, detector.p_values(X) <= 0.3)

    @pytest.mark.parametrize(
        "head", [BladesBinary(target_fpr=0.1, max_epochs=3, lr=0.01), LogisticRegression()]
    )
    def test_other_heads(self, data, head):
        X, y, groups, _ = data
        detector = BladesDetector(StandardScaler(), head, random_state=0)
        detector.fit(X, y, groups=groups)
        assert set(detector.predict(X)) == {1, -1}
        assert np.mean(detector.predict(X) == y) > 0.8
        promises = isinstance(head, BladesBinary)
        assert hasattr(detector, "p_values") == hasattr(detector, "recalibrate") == promises
        table = detector.verdicts(X)
        assert np.isnan(table[0].p_value) != promises
        assert ("No rate" in str(table)) != promises

    def test_verdicts_are_a_table(self, data):
        pytest.importorskip("pandas")
        X, *_ = data
        detector = BladesDetector(StandardScaler(), random_state=0, target_fpr=0.1).fit(X)
        table = detector.verdicts(X[:20])
        frame = table.to_frame()
        assert list(frame.columns) == ["score", "p_value", "verdict", "error"]
        assert frame.index[3] == "row 3"
        assert_allclose(frame["score"], detector.score_samples(X[:20]))
        assert_array_equal(frame["verdict"] == "flagged", detector.predict(X[:20]) == -1)
        assert table.to_dict()["target_fpr"] == 0.1
        assert len(table) == 20
        assert "10 % are flagged at most" in str(table)


class TestPhotographs:
    @pytest.fixture(scope="module")
    @classmethod
    def folder(cls, photos, tmp_path_factory):
        root = tmp_path_factory.mktemp("mine")
        for number, path in enumerate(photos):
            place = root / ("b" if number % 2 else "a") / f"{number:02d}.jpg"
            place.parent.mkdir(exist_ok=True)
            place.symlink_to(path)
        (root / "notes.txt").write_text("no picture")
        (root / ".hidden.jpg").write_text("no picture")
        return root

    @pytest.mark.filterwarnings("ignore::sklearn_blades.errors.SmallSampleWarning")
    def test_a_folder_is_its_images_in_order(self, folder):
        paths = sorted(str(path) for path in folder.rglob("[0-9]*.jpg"))
        detector = BladesDetector(encoder(), target_fpr=0.2, random_state=0).fit(folder)
        again = BladesDetector(encoder(), target_fpr=0.2, random_state=0).fit(paths)
        assert len(paths) == 32
        assert_array_equal(detector.score_samples(str(folder)), again.score_samples(paths))
        assert [row.path for row in detector.verdicts(folder).rows] == paths

    @pytest.mark.filterwarnings("ignore::sklearn_blades.errors.SmallSampleWarning")
    def test_without_an_encoder_it_is_imagenets(self, photos):
        detector = BladesDetector(target_fpr=0.2, random_state=0)
        detector.set_params(encoder=BladesEncoder.from_imagenet(face_locator="whole"))
        whole = detector.fit(photos[:20])
        assert whole.encoder_.n_features_out_ == 1280
        assert not len(whole.encoder_rows_)  # all teach the head
        assert len(whole.head_rows_) == 20
        assert get_tags(BladesDetector()).input_tags.string
        # Drawn faces are none for YuNet, and its name in the message says who looked.
        with pytest.raises(PhotoError, match="face_locator='yunet' found no face"):
            BladesDetector().fit(photos[:20])
        assert default_encoder().get_params() == BladesEncoder.from_imagenet().get_params()

    def test_a_folder_without_images(self, tmp_path):
        with pytest.raises(ValueError, match="no images in this folder"):
            BladesDetector().fit(tmp_path)
        with pytest.raises(FileNotFoundError, match="no such folder"):
            BladesDetector().fit(tmp_path / "elsewhere")

    @pytest.mark.filterwarnings("ignore::sklearn_blades.errors.SmallSampleWarning")
    def test_training_the_encoder_and_records(self, photos):
        records = read_photos(photos)
        tiny = BladesEncoder(**TINY, max_epochs=1)
        detector = BladesDetector(tiny, target_fpr=0.2, random_state=3)
        groups = np.arange(32) // 2
        detector.fit(records, groups=groups)
        assert detector.encoder_.n_iter_ == 1
        assert tiny.random_state is None
        assert len(set(groups[detector.head_rows_])) == 8  # of 16: what 20 % take
        again = clone(detector).fit(records, groups=groups)
        assert_array_equal(again.score_samples(records), detector.score_samples(photos))

    @pytest.mark.filterwarnings("ignore::sklearn_blades.errors.SmallSampleWarning")
    def test_unreadable_files_keep_their_rows(self, photos, tmp_path):
        (tmp_path / "text.jpg").write_text("not a picture")
        paths = [*photos[:3], str(tmp_path / "text.jpg"), *photos[3:6], str(tmp_path / "none.jpg")]
        strict = BladesDetector(encoder(), target_fpr=0.2, random_state=0).fit(photos)
        for method in (strict.predict, strict.score_samples, strict.verdicts):
            with pytest.raises(PhotoError, match=r"text\.jpg"):
                method(paths[:4])
        with pytest.warns(UserWarning, match="2 of 40 photographs cannot be used"):
            detector = BladesDetector(encoder(on_error="nan"), target_fpr=0.2, random_state=0).fit(
                [*paths, *photos]
            )
        detector = detector.set_params(encoder__on_error="nan")
        with pytest.warns(UserWarning, match="2 of 8"):
            table = detector.verdicts(paths)
        with pytest.warns(UserWarning, match="2 of 8"):
            scores = detector.score_samples(paths)
        assert [row.path for row in table.rows] == paths
        assert_array_equal(np.isnan(scores), np.isin(np.arange(8), [3, 7]))
        assert_array_equal([row.verdict == "unreadable" for row in table.rows], np.isnan(scores))
        assert "image" in table[3].error
        assert table[7].error.startswith("cannot be opened")
        assert "2 could not be judged" in str(table)
        with (
            pytest.warns(UserWarning, match="2 of 8"),
            pytest.raises(ValueError, match=r"2 of 8 .*\(rows 3, 7\).*verdicts\(X\) says"),
        ):
            detector.predict(paths)

    @pytest.mark.filterwarnings("ignore::sklearn_blades.errors.SmallSampleWarning")
    def test_no_face(self, photos):
        def nobody(image):
            return [] if image.size[0] == nobody.width else [(0.2, 0.2, 0.8, 0.8)]

        nobody.width = None
        detector = BladesDetector(
            encoder(on_error="nan", face_locator=nobody), target_fpr=0.2, random_state=0
        ).fit(photos)
        lonely = np.zeros((40, 41, 3), dtype=np.uint8)
        nobody.width = 41
        with pytest.warns(UserWarning, match="1 of 2"):
            table = detector.verdicts([photos[0], lonely])
        assert [row.verdict for row in table.rows][1] == "no face"
        assert "found no face" in table[1].error


class TestInScikitLearn:
    CV = StratifiedKFold(3, shuffle=True, random_state=0)

    @each_data_free_check
    @pytest.mark.parametrize(
        "detector", [BladesDetector(), BladesDetector(BladesEncoder(), BladesOneClass())]
    )
    def test_common_checks_that_need_no_data(self, detector, name):
        run_check(name, detector)

    def test_tags_are_an_outlier_detectors_of_what_the_encoder_takes(self):
        tags = get_tags(BladesDetector())
        assert tags.estimator_type == "outlier_detector"
        assert tags.input_tags.string
        assert not tags.input_tags.two_d_array
        assert get_tags(BladesDetector(StandardScaler())).input_tags.two_d_array

    @pytest.mark.filterwarnings("ignore::sklearn_blades.errors.SmallSampleWarning")
    def test_searches_and_scorers(self, data):
        X, y, _, _ = data
        detector = BladesDetector(
            StandardScaler(), BladesOneClass(target_fpr=0.1), random_state=0, head_fraction=0.5
        )
        grid = {"encoder__with_std": [True, False], "head__n_components": [1, 3]}
        search = GridSearchCV(detector, grid, scoring="roc_auc", cv=self.CV).fit(X, y)
        assert search.best_score_ > 0.85
        assert set(search.predict(X)) == {1, -1}
        assert cross_val_score(detector, X, y, scoring="balanced_accuracy", cv=self.CV).mean() > 0.6
        shift = source_shift(search, X[y == 1][:100], X[y == 1][100:200])
        assert shift.target_fpr == 0.1

    @pytest.mark.filterwarnings("ignore::sklearn_blades.errors.SmallSampleWarning")
    def test_nested_parameters_of_an_encoder(self, photos):
        detector = BladesDetector(encoder(), BladesOneClass(target_fpr=0.2), random_state=0)
        y = np.tile([1, 1, 1, -1], 8)
        grid = {"encoder__face_margin": [1.3, 1.6], "head__target_fpr": [0.1, 0.2]}
        search = GridSearchCV(detector, grid, scoring="roc_auc", cv=2).fit(photos, y)
        assert search.best_estimator_.get_params()["encoder__max_epochs"] == 0
        assert len(search.cv_results_["params"]) == 4

    def test_groups_and_generators_are_routed(self, data):
        X, y, groups, generator = data
        with sklearn.config_context(enable_metadata_routing=True):
            detector = BladesDetector(StandardScaler(), quick(), random_state=0)
            detector.set_fit_request(groups=True, generator=True)
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # nothing is missing for the weights
                scores = cross_val_score(
                    detector, X, y, scoring="roc_auc", cv=self.CV,
                    params={"groups": groups, "generator": generator},
                )  # fmt: skip
            assert scores.min() > 0.9

    @pytest.mark.filterwarnings("ignore::sklearn_blades.errors.SmallSampleWarning")
    def test_files_of_any_kind(self, photos, tmp_path):
        detector = BladesDetector(encoder(), target_fpr=0.2, random_state=0)
        with pytest.raises(NotFittedError):
            detector.predict(photos)
        detector.fit(photos, np.tile([1, 1, 1, -1], 8))
        save(detector, tmp_path / "detector.blades")
        joblib.dump(detector, tmp_path / "detector.joblib")
        for again in (
            load(tmp_path / "detector.blades"),
            joblib.load(tmp_path / "detector.joblib"),
            pickle.loads(pickle.dumps(detector)),
        ):
            assert_array_equal(again.score_samples(photos), detector.score_samples(photos))
            assert_array_equal(again.predict(photos), detector.predict(photos))
            assert again.target_fpr == 0.2
        broken = copy(detector)
        broken.classes_ = np.array([1, -1])
        with pytest.raises(ValueError, match="contradict"):
            save(broken, tmp_path / "broken.blades")

    def test_a_fit_that_fails_leaves_it_as_it_was(self, data):
        X, _, groups, _ = data
        detector = BladesDetector(StandardScaler(), random_state=0, target_fpr=0.1).fit(X)
        before = detector.score_samples(X)
        with pytest.raises(ValueError, match="persons cannot be dealt"):
            detector.fit(X, groups=groups * 0)
        assert_array_equal(detector.score_samples(X), before)


class TestJudged:
    def test_recalibrated_without_touching_what_is_shared(self, data):
        X, y, groups, generator = data
        detector = BladesDetector(StandardScaler(), quick(), random_state=0)
        detector.fit(X, y, groups=groups, generator=generator)
        offset, elsewhere = detector.head_.offset_, X[y == 1] * 2
        renewed = recalibrate(detector, elsewhere)
        assert detector.head_.offset_ == offset > renewed.head_.offset_
        assert renewed.encoder_ is detector.encoder_
        assert renewed.recalibrate(X, y == 1, groups=groups) is renewed
        assert len(renewed.head_.calibration_scores_) == 200

    def test_by_generator_and_between_sources(self, data):
        X, y, groups, generator = data
        detector = BladesDetector(StandardScaler(), quick(), random_state=0)
        detector.fit(X, y, groups=groups, generator=generator)
        report = evaluate_by_generator(detector, X, y, np.where(y == 1, None, generator))
        assert report.average.auc.value > 0.9
        photographs = X[y == 1]
        assert_allclose(report.average.fpr.value, np.mean(detector.predict(photographs) == -1))
        shift = source_shift(detector, photographs[:200], photographs[200:] * 3)
        assert shift.target_fpr == 0.1
        assert "Broken" in shift.verdict
