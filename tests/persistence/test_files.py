"""Saved and loaded, a detector answers to the bit; its towers can be started from."""

import json
import math
import pickle
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
import torch
from numpy.testing import assert_array_equal
from safetensors import numpy as safetensors
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler

from sklearn_blades import BladesBinary, BladesEncoder, BladesOneClass, make_detector
from sklearn_blades.persistence import load, save
from sklearn_blades.photos import Face
from sklearn_blades.photos.manipulations import MANIPULATIONS
from sklearn_blades.pretext import (
    CategoricalTag,
    Manipulated,
    ManipulatedRegions,
    OrdinalTag,
    WhichManipulation,
)
from sklearn_blades.storage import archive as container
from sklearn_blades.storage.cache import cache_for
from sklearn_blades.storage.plain_data import from_tree, to_tree
from sklearn_blades.towers.architectures import Preprocessing
from sklearn_blades.towers.embedding import JointEmbedding

SMALL = {
    "face_locator": "whole",
    "image_size": 32,
    "batch_size": 16,
    "device": "cpu",
    "random_state": 0,
    "task_weighting": "equal",  # no outer loss, so there is NaN in history_
}
LABELS = np.tile([1, 0], 16)
X = np.random.default_rng(0).normal(size=(200, 4))
y = np.where(X[:, 0] + 0.3 * X[:, 1] > 0, 1, 0)


@pytest.fixture(scope="module")
def encoder(photos):
    tasks = [OrdinalTag("ISOSpeedRatings"), CategoricalTag("Make"), Manipulated()]
    return BladesEncoder(**SMALL, tasks=tasks, max_epochs=1).fit(photos)


@pytest.fixture(scope="module")
def one_class(encoder, photos):
    head = BladesOneClass(2, pca_components=3, calibration_fraction=0.7, random_state=0)
    return make_detector(encoder, head).fit(photos)


@pytest.fixture(scope="module")
def binary(encoder, photos):
    return make_detector(encoder, BladesBinary(max_epochs=2, random_state=0)).fit(photos, LABELS)


@pytest.fixture(scope="module")
def saved(one_class, encoder, tmp_path_factory):
    """Files of a detector, of its encoder with all that training needs, and of a head alone."""
    folder = tmp_path_factory.mktemp("saved")
    head = BladesOneClass(2, pca_components=3, random_state=0).fit(X)
    save(one_class, folder / "detector.blades")
    save(encoder, folder / "training.blades", training=True)
    save(head, folder / "head.blades")
    return folder


def answers(estimator, rows):
    """All that an estimator says about rows, computed anew."""
    cache_for().clear()  # equal digests would find each other's features
    names = ("transform", "score_samples", "decision_function", "predict_proba", "predict")
    found = {name: getattr(estimator, name)(rows) for name in names if hasattr(estimator, name)}
    assert found
    return found


def assert_same_answers(one, other, rows):
    expected, found = answers(one, rows), answers(other, rows)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert_array_equal(found[name], value, err_msg=name)
        assert found[name].dtype == value.dtype


def through_file(estimator, folder, **options):
    save(estimator, folder / "model.blades", **options)
    return load(folder / "model.blades")


def through_joblib(estimator, folder):
    joblib.dump(estimator, folder / "model.joblib")
    return joblib.load(folder / "model.joblib")


def through_pickle(estimator, folder):
    return pickle.loads(pickle.dumps(estimator))


class TestRoundTrip:
    @pytest.mark.parametrize("through", [through_file, through_joblib, through_pickle])
    @pytest.mark.parametrize("kind", ["one_class", "binary"])
    def test_detectors_answer_to_the_bit(self, kind, through, request, photos, tmp_path):
        detector = request.getfixturevalue(kind)
        again = through(detector, tmp_path)
        assert_same_answers(detector, again, photos)
        # And once more, from what was loaded.
        assert_same_answers(detector, through(again, tmp_path), photos)

    def test_encoder_alone(self, encoder, photos, tmp_path):
        again = through_file(encoder, tmp_path)
        assert_same_answers(encoder, again, photos)
        assert again.score_tasks(photos[:8]) == encoder.score_tasks(photos[:8])
        assert repr(again.get_params()) == repr(encoder.get_params())
        assert list(again.get_feature_names_out()) == list(encoder.get_feature_names_out())

    def test_nothing_fitted_is_lost(self, one_class, tmp_path):
        again = through_file(one_class, tmp_path)
        pairs = [(one_class[0].estimator, again[0].estimator), (one_class[1], again[1])]
        nested = {"embedding_", "tasks_", "tasks", "mixture_", "pca_"}
        for before, after in pairs:
            assert nested & vars(before).keys() <= vars(after).keys()
            for name in vars(before).keys() - nested:
                if not name.startswith("_"):
                    np.testing.assert_equal(getattr(after, name), getattr(before, name), name)
        assert repr(again[0].tasks_) == repr(one_class[0].tasks_)
        assert len(again[0].tasks_.tasks[1].classes) > 1
        assert again[1].offset_ == one_class[1].offset_ > -np.inf

    def test_weights_are_those_of_the_image_tower_or_all(self, encoder, saved):
        state = encoder.embedding_.state_dict()
        light = load(saved / "detector.blades")[0].embedding_
        whole = load(saved / "training.blades").embedding_
        assert not light.training
        assert not light.has_text
        assert light.state_dict().keys() - state.keys() == {"prompt_features"}
        assert {k for k in state if k not in light.state_dict()} == {
            k for k in state if ".text." in k
        }
        assert whole.state_dict().keys() == state.keys()
        for embedding in (light, whole):
            for name, value in embedding.state_dict().items():
                assert value.device.type == "cpu"
                assert name == "prompt_features" or torch.equal(value, state[name])

    def test_a_small_detector_is_a_small_file(self, saved):
        assert (saved / "detector.blades").stat().st_size < 12e6

    def test_the_file_can_be_read_by_others(self, saved):
        with zipfile.ZipFile(saved / "detector.blades") as file:
            assert file.namelist() == ["blades.json", "tensors.safetensors"]
            content = json.loads(file.read("blades.json"))
            tensors = safetensors.load(file.read("tensors.safetensors"))
        assert content["format"] == 1
        assert content["versions"]["scikit-learn"] == sklearn.__version__
        assert content["versions"].keys() == {
            "sklearn_blades", "scikit-learn", "torch", "numpy", "python",
        }  # fmt: skip
        assert content["training"] is False
        text = json.dumps(content)
        assert '"a photo of a face taken with the' in text  # the class vocabulary
        assert not any("towers.text" in name for name in tensors)
        assert any("calibration_scores_" in name for name in tensors)

    @pytest.mark.parametrize(
        "estimator",
        [
            make_pipeline(StandardScaler(), PCA(3), BladesOneClass(random_state=0)),
            make_pipeline(StandardScaler(with_mean=False), "passthrough", LogisticRegression()),
            make_pipeline(Normalizer("l1"), PCA(2, whiten=True), GaussianMixture(2)),
            GaussianMixture(2, covariance_type="spherical", random_state=0),
            GaussianMixture(2, covariance_type="tied", random_state=0),
            CalibratedClassifierCV(BladesBinary(max_epochs=2, random_state=0), cv=2),
            CalibratedClassifierCV(LogisticRegression(), method="isotonic", cv=2),
            TunedThresholdClassifierCV(LogisticRegression(), cv=2, store_cv_results=True),
            FixedThresholdClassifier(LogisticRegression(), threshold=0.2),
        ],
        ids=lambda estimator: type(estimator).__name__,
    )
    def test_estimators_of_scikit_learn(self, estimator, tmp_path):
        estimator = clone(estimator).fit(X, np.where(y == 1, 1, -1))
        assert_same_answers(estimator, through_file(estimator, tmp_path), X)

    @pytest.mark.parametrize("labels", [["fake", "photo"], [False, True], [-1.0, 1.0], [0, 7]])
    def test_labels_of_any_kind(self, labels, tmp_path):
        head = BladesBinary(max_epochs=1, random_state=0).fit(X, np.array(labels)[y])
        assert_same_answers(head, through_file(head, tmp_path), X)

    def test_what_is_shared_is_stored_once_and_stays_shared(self, binary, photos, tmp_path):
        calibrated = CalibratedClassifierCV(FrozenEstimator(binary)).fit(photos, LABELS)
        again = through_file(calibrated, tmp_path)
        assert_same_answers(calibrated, again, photos)
        assert again.calibrated_classifiers_[0].estimator is again.estimator
        assert (tmp_path / "model.blades").stat().st_size < 12e6

    def test_columns_with_names_and_pandas_out(self, tmp_path):
        pd = pytest.importorskip("pandas")
        frame = pd.DataFrame(X, columns=list("abcd"))
        model = make_pipeline(StandardScaler(), PCA(2)).set_output(transform="pandas").fit(frame)
        again = through_file(model, tmp_path)
        pd.testing.assert_frame_equal(again.transform(frame), model.transform(frame))
        with pytest.raises(ValueError, match="feature names"):
            again.transform(frame[list("dcba")])

    def test_what_belongs_to_a_machine_stays_behind(self, photos, tmp_path):
        encoder = BladesEncoder(
            **{**SMALL, "device": "cpu"}, max_epochs=0, memory=str(tmp_path), n_jobs=3, disk_size=7
        ).fit(photos[:1])
        encoder.set_params(device="cuda:1", checkpoint_dir=tmp_path)
        again = through_file(encoder, tmp_path)
        names = ("memory", "checkpoint_dir", "n_jobs", "device", "disk_size")
        assert [getattr(again, name) for name in names] == [None, None, None, "auto", 10_000]
        raw = (tmp_path / "model.blades").read_bytes()
        assert str(tmp_path).encode() not in raw
        assert through_file(encoder.set_params(device="cpu"), tmp_path).device == "cpu"

    def test_a_table_of_faces(self, photos, tmp_path):
        table = {photos[0]: Face.from_box((0.2, 0.2, 0.8, 0.8)), Path(photos[1]): (0, 0, 0.5, 0.5)}
        encoder = BladesEncoder(**{**SMALL, "face_locator": table}, max_epochs=0).fit(photos[:1])
        again = through_file(encoder, tmp_path)
        assert again.face_locator == table
        assert_same_answers(encoder, again, photos[:2])

    def test_frozen_text(self, photos, tmp_path):
        encoder = BladesEncoder(**SMALL, max_epochs=0, freeze_text=True).fit(photos[:1])
        again = through_file(encoder, tmp_path)
        assert again.score_tasks(photos[:4]) == encoder.score_tasks(photos[:4])

    def test_precision_is_part_of_the_model(self, photos, tmp_path):
        encoder = BladesEncoder(**SMALL, max_epochs=0, precision="bfloat16").fit(photos[:1])
        again = through_file(encoder, tmp_path)
        assert again.precision_ == "bfloat16"
        assert_same_answers(encoder, again, photos[:2])

    @pytest.mark.parametrize(
        "value",
        [
            [None, True, -3, 2**70, 0.1, "é"],
            [math.inf, -math.inf, math.nan, -0.0],
            {1: (2, [3]), "a": {None: ()}, (0, "b"): 1.5},
            {"tuple": [1], "object": "os", "same": 0},
            Path("some") / "where",
            np.float32(0.1),
            np.str_("word"),
            np.bool_(True),
            np.array(2.5),
            np.zeros((0, 3), dtype=np.float16),
            np.asfortranarray(np.arange(6).reshape(2, 3)),
            np.arange(6, dtype=">i4").reshape(2, 3)[:, ::2],
            np.array([True, False]),
            np.array(["b", "aa", ""]),
            np.array(["b", None, 1.5, (1, 2)], dtype=object),
        ],
        ids=repr,
    )
    def test_plain_data(self, value):
        tree, arrays = to_tree(value, None)
        tree = json.loads(json.dumps(tree, allow_nan=False))
        arrays = safetensors.load(safetensors.save(arrays))
        again = from_tree(tree, arrays, None)
        assert type(again) is type(value)
        np.testing.assert_equal(again, value)
        if isinstance(value, float | list):
            assert repr(again) == repr(value)  # minus nought
        if isinstance(value, np.ndarray):
            assert again.dtype == value.dtype.newbyteorder("=")
            assert again.flags.fnc == value.flags.fnc
            assert again.flags.writeable


class TestPretrained:
    def with_weights(self, path, **kwargs):
        params = {**SMALL, "image_size": None, "max_epochs": 0, **kwargs}
        return BladesEncoder(**params, pretrained=path)

    @pytest.mark.parametrize("name", ["detector.blades", "training.blades"])
    def test_features_are_those_of_the_saved_encoder(self, name, saved, encoder, photos):
        again = clone(self.with_weights(saved / name)).fit(photos[:1])
        assert again.preprocessing_.image_size == 32
        assert_same_answers(encoder, again, photos)

    def test_preprocessing_comes_with_the_weights(self, encoder, photos, tmp_path):
        other = pickle.loads(pickle.dumps(encoder))
        other.preprocessing_ = Preprocessing(32, mean=(0.1, 0.2, 0.3), antialias=False)
        other.embedding_.use_preprocessing(other.preprocessing_)
        other.digest_ = other.embedding_.digest()
        save(other, tmp_path / "model.blades")
        again = self.with_weights(tmp_path / "model.blades").fit(photos[:1])
        assert again.preprocessing_ == other.preprocessing_
        assert_same_answers(other, again, photos[:2])

    def test_tasks_that_the_file_knows_can_be_scored(self, saved, encoder, photos):
        again = self.with_weights(saved / "detector.blades").fit(photos[:1])
        columns = encoder.tasks_.slices["manipulated"]
        expected = encoder.embedding_.encode_prompts()[columns]
        assert torch.equal(again.embedding_.encode_prompts(), expected)
        scores, before = (model.score_tasks(photos[:8]) for model in (again, encoder))
        assert scores.keys() == {"manipulated"}
        assert scores["manipulated"]["loss"] == pytest.approx(before["manipulated"]["loss"])

    def test_new_prompts_need_the_text_tower(self, saved):
        embedding = JointEmbedding("blades-tiny", pretrained=saved / "detector.blades")
        with pytest.raises(ValueError, match=r"'a new one' is new.*training=True"):
            embedding.set_prompts([embedding.prompts[0], "a new one"])

    def test_training_on_needs_the_text_tower(self, saved, photos):
        light = self.with_weights(saved / "detector.blades", max_epochs=1)
        with pytest.raises(ValueError, match=r"detector\.blades.*max_epochs=0.*training=True"):
            light.fit(photos)

    def test_training_on(self, saved, encoder, photos):
        tasks = [OrdinalTag("FNumber"), Manipulated()]
        start = self.with_weights(saved / "training.blades", max_epochs=1, lr=1e-9, tasks=tasks)
        state = encoder.embedding_.state_dict()
        for name, value in start.fit(photos[:8]).embedding_.named_parameters():
            torch.testing.assert_close(value, state[name], atol=1e-6, rtol=0)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"architecture": "blades-rn50"}, r"holds blades-tiny and not blades-rn50; give"),
            ({"image_size": 64}, r"training\.blades does not fit.*leave image_size=64"),
        ],
    )
    def test_what_does_not_fit(self, change, message, saved):
        with pytest.raises(ValueError, match=message):
            self.with_weights(saved / "training.blades", **change).fit(["never opened.jpg"])

    def test_no_encoder_in_the_file(self, saved):
        with pytest.raises(ValueError, match=r"head\.blades.*holds 0 encoders"):
            self.with_weights(saved / "head.blades").fit(["never opened.jpg"])

    def test_a_damaged_file_is_named(self, saved, tmp_path):
        raw = (saved / "training.blades").read_bytes()
        (tmp_path / "cut.blades").write_bytes(raw[: len(raw) // 2])
        with pytest.raises(ValueError, match=r"cut\.blades"):
            self.with_weights(tmp_path / "cut.blades").fit(["never opened.jpg"])


def test_tasks_with_manipulations_of_their_own_come_back(photos, tmp_path):
    tasks = [
        Manipulated(),
        Manipulated("pseudo_fakes"),
        Manipulated(["self_blend"]),
        ManipulatedRegions(manipulations="all"),
        WhichManipulation(("eye_flip", "upsampling")),
    ]
    encoder = BladesEncoder(**SMALL, tasks=tasks, primary_task="self_blend", max_epochs=0)
    save(encoder.fit(photos[:1]), tmp_path / "model.blades", training=True)
    again = load(tmp_path / "model.blades")
    assert again.tasks == tasks
    assert list(again.tasks_) == tasks
    assert again.read_tasks(photos[:1]).keys() == encoder.read_tasks(photos[:1]).keys()


class OwnTask(Manipulated):
    pass


class TestNotSaved:
    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"random_state": np.random.RandomState(0)},
             r"random_state is a RandomState.*set_params\(random_state=0\)"),
            ({"face_locator": lambda image: []},
             r"face_locator is a function.*face_locator='whole'.*joblib"),
            ({"tasks": [OwnTask()]}, r"tasks\[0\] is a OwnTask.*joblib"),
            ({"tasks": [Manipulated(MANIPULATIONS)]},
             r"manipulations\[0\] is a Manipulation.*joblib"),
        ],
    )  # fmt: skip
    def test_parameters(self, params, message, photos, tmp_path):
        encoder = BladesEncoder(**{**SMALL, **params}, max_epochs=0).fit(photos[:1])
        with pytest.raises(TypeError, match=message):
            save(encoder, tmp_path / "model.blades")
        assert not list(tmp_path.iterdir())

    def test_the_place_is_named(self, tmp_path):
        head = BladesOneClass(random_state=np.random.RandomState(0))
        model = make_pipeline(StandardScaler(), head).fit(X)
        with pytest.raises(TypeError, match=r"^steps\[1\]\[1\]\.random_state is"):
            save(model, tmp_path / "model.blades")
        model = make_pipeline(MinMaxScaler(), BladesOneClass(random_state=0)).fit(X)
        with pytest.raises(TypeError, match=r"steps\[0\]\[1\] is a MinMaxScaler.*StandardScaler"):
            save(model, tmp_path / "model.blades")
        head = BladesOneClass(random_state=0).fit(X)
        head.mixture_.extra_ = np.array(["2024-01-01"], dtype="datetime64[D]")
        with pytest.raises(TypeError, match=r"mixture_\.extra_ is a ndarray"):
            save(head, tmp_path / "model.blades")

    def test_what_makes_no_sense(self, encoder, tmp_path):
        broken = pickle.loads(pickle.dumps(encoder))
        broken.embedding_.towers.visual.conv1.weight.data[0] = np.nan
        with pytest.raises(ValueError, match="contradict each other"):
            save(broken, tmp_path / "model.blades")
        broken.digest_ = broken.embedding_.digest()
        with pytest.raises(ValueError, match=r"visual\.conv1\.weight holds NaN"):
            save(broken, tmp_path / "model.blades")

    def test_not_fitted(self, tmp_path):
        with pytest.raises(NotFittedError):
            save(BladesOneClass(), tmp_path / "model.blades")
        with pytest.raises(TypeError, match="is a class"):
            save(BladesOneClass, tmp_path / "model.blades")

    def test_text_that_is_gone(self, saved, tmp_path):
        detector = load(saved / "detector.blades")
        with pytest.raises(ValueError, match="leave training=True out"):
            save(detector, tmp_path / "model.blades", training=True)

    def test_destinations(self, tmp_path):
        head = BladesOneClass(random_state=0).fit(X)
        with pytest.raises(IsADirectoryError, match=r"is a folder; name a file.*model\.blades"):
            save(head, tmp_path)
        with pytest.raises(FileNotFoundError, match=r"is no folder.*make it first.*mkdir"):
            save(head, tmp_path / "no" / "model.blades")

    def test_mode_link_and_long_name_are_kept(self, tmp_path):
        head = BladesOneClass(random_state=0).fit(X)
        target, link = tmp_path / ("m" * 248 + ".blades"), tmp_path / "link.blades"
        save(head, target)
        target.chmod(0o640)
        link.symlink_to(target.name)
        save(head, link)
        assert link.is_symlink()
        assert target.stat().st_mode & 0o777 == 0o640
        assert sorted(tmp_path.iterdir()) == sorted([target, link])

    def test_another_file_in_its_place_while_it_is_read(self, tmp_path, monkeypatch):
        head, path = BladesOneClass(random_state=0).fit(X), tmp_path / "model.blades"
        save(head, path)
        infolist = zipfile.ZipFile.infolist

        def replace_first(file):
            path.unlink()
            path.write_bytes(b"")
            return infolist(file)

        monkeypatch.setattr(zipfile.ZipFile, "infolist", replace_first)
        assert_same_answers(head, load(path), X)

    def test_a_long_table_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr(container, "_MOST_JSON", 1000)
        with pytest.raises(ValueError, match="read_photos"):
            save(BladesOneClass(random_state=0).fit(X), tmp_path / "model.blades")

    def test_an_old_file_stays_where_writing_fails(self, tmp_path, monkeypatch):
        path = tmp_path / "model.blades"
        old = BladesOneClass(random_state=0).fit(X)
        save(old, path)

        def full(arrays):
            raise OSError("no space left")

        monkeypatch.setattr(container.safetensors, "save", full)
        with pytest.raises(OSError, match="no space"):
            save(BladesOneClass(random_state=1).fit(X), path)
        assert list(tmp_path.iterdir()) == [path]
        assert_same_answers(old, load(path), X)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_learned_on_cuda_loads_on_the_cpu(photos, tmp_path):
    encoder = BladesEncoder(**{**SMALL, "device": "cuda"}, max_epochs=1).fit(photos)
    head = BladesOneClass(2, pca_components=3, calibration_fraction=0.7, random_state=0)
    detector = make_detector(encoder, head).fit(photos)
    there = detector.score_samples(photos)
    again = through_file(detector, tmp_path)
    assert {value.device.type for value in again[0].embedding_.state_dict().values()} == {"cpu"}
    cache_for().clear()
    assert_array_equal(again.score_samples(photos), there)  # "auto" is that device
    again[0].estimator.set_params(device="cpu")
    cache_for().clear()
    np.testing.assert_allclose(again[0].transform(photos), encoder.transform(photos), atol=1e-2)


def test_a_file_from_before_sources_answers_as_it_did(tmp_path):
    from sklearn_blades.storage.archive import read_container, write_container

    X = np.random.default_rng(0).normal(size=(200, 4))
    head, path = BladesOneClass(random_state=0).fit(X), tmp_path / "head.blades"
    save(head, path)
    content, arrays = read_container(path)
    content.pop("format")
    del content["object"]["parts"]["calibration_sources_"]
    write_container(path, content, arrays)
    old = load(path)
    np.testing.assert_array_equal(old.predict(X), head.predict(X))
    np.testing.assert_array_equal(old.p_values(X), head.p_values(X))
