"""Reasons: neighbours, parts and maps are what they say."""

from copy import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion

from sklearn_blades import (
    BladesBranches,
    BladesDetector,
    BladesHybrid,
    BladesOneClass,
    make_detector,
    scan,
)
from sklearn_blades.app.crops import crops_again, scores_of
from sklearn_blades.app.parts import asked
from sklearn_blades.residuals import NativeResiduals

from .conftest import encoder


@pytest.fixture(scope="module")
def strict(detector, uploads):
    """One that flags half of the uploads."""
    scores = detector.score_samples(uploads)
    changed = copy(detector)
    changed.head_ = copy(detector.head_).set_params(target_fpr=0.2)
    changed.head_.calibration_scores_ = np.median(scores) + np.arange(30) * 0.1
    changed.head_.calibration_scores_ -= changed.head_.calibration_scores_[5] - np.median(scores)
    return changed


@pytest.fixture(scope="module")
def found(strict, uploads, photos):
    return list(
        scan(strict, uploads, reasons=("nearest", "parts", "map"), reference=[*photos, uploads[0]])
    )


def test_only_striking_rows_have_them(found):
    assert {row.verdict for row in found} == {"flagged", "not flagged"}
    for row in found:
        assert bool(row.reasons) == (row.verdict == "flagged")


def test_the_nearest_are_nearest(found, strict, uploads, photos):
    known = [*photos, uploads[0]]
    features = strict.encoder_.transform(known)
    for row in found:
        if not row.reasons:
            continue
        own = strict.encoder_.transform([row.path])
        distances = np.linalg.norm(features - own, axis=1)
        near = row.reasons["nearest"]
        assert [one["path"] for one in near] == [known[i] for i in np.argsort(distances)[:3]]
        assert_allclose([one["distance"] for one in near], np.sort(distances)[:3], atol=1e-6)
    pairs = np.linalg.norm(features[:, None] - features, axis=2) + 9 * np.eye(len(features))
    usual = {row.reasons["usual_distance"] for row in found if row.reasons}
    assert_allclose(list(usual), np.median(pairs.min(axis=1)), rtol=1e-4)


def test_maps_have_one_scale_and_name_the_part(found, strict):
    maps = [row.reasons["map"] for row in found if row.reasons]
    offset = strict.head_.offset_
    limit = np.median(strict.head_.calibration_scores_) - offset
    assert_allclose([one["limit"] for one in maps], limit)
    row = next(row for row in found if row.reasons)
    (face,) = crops_again(asked(strict), [row.path])
    covered = np.array(face)
    covered[:5, 27:] = face.mean(axis=(0, 1)).round()  # 32 px in 7 parts: the top right one
    scores = scores_of(asked(strict), np.stack([face, covered]))
    assert_allclose(row.reasons["map"]["nats"][0][6], scores[0] - scores[1], atol=1e-3)
    assert np.shape(row.reasons["map"]["nats"]) == (7, 7)
    assert_allclose(row.reasons["parts"]["score"], row.score - offset, rtol=1e-4)


@pytest.mark.filterwarnings("ignore::sklearn_blades.errors.SmallSampleWarning")
def test_parts_of_a_hybrid_sum_to_its_score(photos, uploads):
    head = BladesHybrid(binary=LogisticRegression(), target_fpr=0.2)
    detector = BladesDetector(encoder(), head, random_state=0)
    detector.fit(photos, np.tile([1, 1, 1, -1], 8))
    detector.head_.calibration_scores_ += 100  # all are flagged
    rows = list(scan(detector, uploads, reasons=["parts"]))
    assert {row.verdict for row in rows} == {"flagged"}
    for row in rows:
        assert set(row.reasons["parts"]) == {"one_class", "binary"}
        assert_allclose(sum(row.reasons["parts"].values()), row.score, rtol=1e-2)


@pytest.mark.filterwarnings("ignore::sklearn_blades.errors.SmallSampleWarning")
def test_the_branch_that_finds_something_is_named(photos, tmp_path):
    residuals = NativeResiduals("whole", largest_side=64, n_jobs=1)
    face = encoder().set_params(min_face_size=20)
    union = FeatureUnion([("face", face), ("residuals", residuals)]).fit(photos)
    branches = [("face", BladesOneClass(1), 128), ("residuals", BladesOneClass(1), 153)]
    head = BladesBranches(branches, target_fpr=0.4, random_state=0)
    detector = make_detector(union, head).fit(photos)
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (256, 256, 3), dtype=np.uint8))
    noise.save(tmp_path / "noise.png")
    noise.resize((16, 16)).save(tmp_path / "small.png")
    row, small = scan(detector, tmp_path, reasons=["parts", "nearest"], reference=photos)
    assert "its face measures 12 pixels" in small.error
    assert union["face"].on_error == "raise"
    assert row.verdict == "flagged"
    parts = row.reasons["parts"]
    assert set(parts) == {"face", "residuals"}
    assert_allclose(sum(parts.values()) - 2 * np.log(2), row.score, rtol=1e-3)
    known = detector[-1].branch_log_p_values(union.transform([str(tmp_path / "noise.png")]))
    for name, value in parts.items():
        assert value == pytest.approx(known[name][0] + np.log(2), rel=1e-3)
    assert parts["residuals"] < 0  # no pixel of a photograph is as noisy
    assert len(row.reasons["nearest"]) == 3
    with pytest.raises(TypeError, match="'map' changes the face that a BladesEncoder sees"):
        scan(detector, tmp_path, reasons=["map"])


def test_what_cannot_be_given(detector, uploads):
    with pytest.raises(ValueError, match="'nearest' needs photographs to compare with"):
        scan(detector, uploads, reasons=["nearest"])
    with pytest.raises(ValueError, match="'colour' is none of nearest, parts, map"):
        scan(detector, uploads, reasons=["colour"])
