"""Branches and residuals, saved and loaded."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.pipeline import FeatureUnion

from sklearn_blades import BladesBranches, BladesEncoder, BladesOneClass, make_detector
from sklearn_blades.persistence import load, save
from sklearn_blades.residuals import NativeResiduals

SMALL = {"face_locator": "whole", "image_size": 32, "max_epochs": 0, "random_state": 0}


@pytest.fixture(scope="module")
def detector(photos):
    union = FeatureUnion(
        [
            ("face", BladesEncoder(**SMALL, device="cpu")),
            ("residuals", NativeResiduals("whole", largest_side=64, n_jobs=1)),
        ]
    )
    head = BladesBranches(
        [("face", BladesOneClass(1), 128), ("residuals", BladesOneClass(1), 153)],
        target_fpr=0.4,
        random_state=0,
    )
    return make_detector(union.fit(photos), head).fit(photos)


@pytest.mark.filterwarnings("ignore::sklearn_blades.errors.SmallSampleWarning")
def test_a_detector_of_two_branches_answers_to_the_bit(detector, photos, tmp_path):
    save(detector, tmp_path / "a.blades")
    loaded = load(tmp_path / "a.blades")
    assert_array_equal(loaded.score_samples(photos), detector.score_samples(photos))
    assert_array_equal(loaded.predict(photos), detector.predict(photos))
    residuals = loaded["encoder"].transformer_list[1][1]
    assert residuals.largest_side == 64
    assert residuals.n_jobs is None  # of the machine


def test_residuals_and_a_head(photos, tmp_path):
    head = BladesOneClass(1, target_fpr=0.4, random_state=0)
    detector = make_detector(NativeResiduals("whole"), head).fit(photos)
    save(detector, tmp_path / "a.blades")
    expected = detector.score_samples(photos)
    assert_array_equal(load(tmp_path / "a.blades").score_samples(photos), expected)
    save(NativeResiduals("whole"), tmp_path / "b.blades")
    assert load(tmp_path / "b.blades").transform(photos[:1]).shape == (1, 153)


def test_a_network_of_another_machine_is_not_opened(tmp_path):
    save(NativeResiduals("yunet:/elsewhere/yunet.onnx"), tmp_path / "a.blades")
    with pytest.raises(ValueError, match=r"yunet\.onnx.*trust_paths=True"):
        load(tmp_path / "a.blades")
    trusted = load(tmp_path / "a.blades", trust_paths=True)
    assert trusted.face_locator == "yunet:/elsewhere/yunet.onnx"


@pytest.mark.parametrize(
    "damage",
    [
        lambda head: head.n_columns_.update(b=3),
        lambda head: head.heads_.pop("b"),
        lambda head: head.heads_.update(b=NativeResiduals()),
        lambda head: setattr(head, "calibration_scores_", head.calibration_scores_[::-1].copy()),
    ],
)
def test_parts_that_contradict_each_other(damage, tmp_path):
    X = np.random.default_rng(0).normal(size=(300, 6))
    branches = [("a", BladesOneClass(1), 4), ("b", BladesOneClass(1), 2)]
    head = BladesBranches(branches, random_state=0).fit(X)
    damage(head)
    with pytest.raises(ValueError, match="BladesBranches"):
        save(head, tmp_path / "a.blades")
