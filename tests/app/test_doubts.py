"""Unsure: verdicts that turn, and p-values that the calibration cannot place."""

from copy import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import beta
from sklearn.preprocessing import FunctionTransformer

from sklearn_blades import make_detector, scan
from sklearn_blades.app.crops import crops_again, flags_of, scores_of
from sklearn_blades.app.doubts import VARIANTS, threshold_interval
from sklearn_blades.app.parts import asked


def with_scores(detector, scores, target_fpr=0.2):
    changed = copy(detector)
    changed.head_ = copy(detector.head_).set_params(target_fpr=target_fpr)
    changed.head_.calibration_scores_ = np.sort(scores)
    return changed


def test_crops_are_those_that_the_encoder_saw(detector, folder):
    ask = asked(detector)
    paths = [row.path for row in scan(detector, folder) if not row.error]
    pixels = np.stack(crops_again(ask, paths))
    assert_allclose(scores_of(ask, pixels), detector.score_samples(paths), rtol=1e-5)
    assert list(flags_of(ask, pixels)) == list(detector.predict(paths) == -1)


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_are_mild(name, detector, uploads):
    (face,) = crops_again(asked(detector), uploads[:1])
    changed = VARIANTS[name](face)
    assert changed.shape == face.shape
    assert changed.dtype == np.uint8
    difference = np.abs(changed.astype(float) - face).mean()
    assert 0 < difference < 12


def test_the_interval_is_that_of_the_order_statistic(detector):
    ask = asked(with_scores(detector, np.arange(200.0), target_fpr=0.05))
    low, high = threshold_interval(ask)
    assert_allclose((low, high), beta.ppf([0.1, 0.9], 10, 191))
    few = asked(with_scores(detector, np.arange(19.0), target_fpr=0.05))
    assert threshold_interval(few)[0] > 1 / 20  # the lowest p-value is not unsure by itself
    none = asked(with_scores(detector, np.arange(5.0), target_fpr=0.05))
    assert threshold_interval(none) is None


def test_each_doubt_is_said_and_no_other(detector, uploads):
    ask = asked(detector)
    scores = detector.score_samples(uploads)
    pixels = np.stack(crops_again(ask, uploads))
    cropped = scores_of(ask, np.stack([VARIANTS["cropped by 5 %"](face) for face in pixels]))
    row = int(np.argmax(np.abs(cropped - scores)))
    offset = (cropped[row] + scores[row]) / 2
    strict = with_scores(detector, offset + np.arange(40) * 1e-9, target_fpr=0.9)
    found = list(scan(strict, uploads, unsure=True))
    flagged = strict.predict(uploads) == -1
    turned = {
        name: flags_of(asked(strict), np.stack([change(face) for face in pixels])) != flagged
        for name, change in VARIANTS.items()
    }
    assert found[row].verdict == "unsure"
    for number, one in enumerate(found):
        said = one.reasons.get("unsure", "")
        assert [name in said for name in VARIANTS] == [turned[name][number] for name in VARIANTS]
        assert (one.verdict == "unsure") == bool(said)
        if said:
            assert said.startswith("flagged" if flagged[number] else "not flagged")
    plain = scan(strict, uploads)
    assert plain.counts["unsure"] == 0
    assert [one.score for one in plain] == pytest.approx([one.score for one in found])


def test_a_p_value_within_the_interval(detector, uploads):
    scores = np.sort(detector.score_samples(uploads))
    spread = np.concatenate([scores[:3] - 1e-4, scores[3:] + 1.0])  # the third is near the cut
    close = with_scores(detector, np.repeat(spread, 3) + np.arange(36) * 1e-6)
    interval = threshold_interval(asked(close))
    found = list(scan(close, uploads, unsure=True))
    inside = [interval[0] <= row.p_value <= interval[1] for row in found]
    assert any(inside)
    assert not all(inside)
    for row, within in zip(found, inside, strict=True):
        assert ("more calibration photographs" in row.reasons.get("unsure", "")) == within


def test_other_encoders_have_no_crops(detector, uploads):
    class Flat(FunctionTransformer):
        pass

    other = make_detector(Flat().fit([[0.0]]), detector.head_)
    with pytest.raises(TypeError, match="unsure changes the face that a BladesEncoder sees"):
        scan(other, uploads, unsure=True)
