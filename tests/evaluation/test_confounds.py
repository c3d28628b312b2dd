"""The confound audit: it finds what differs between files, and nothing where nothing does."""

import csv
import json

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from sklearn_blades.datasets import make_photos
from sklearn_blades.errors import PhotoError, SmallSampleWarning
from sklearn_blades.evaluation import audit_confounds
from sklearn_blades.evaluation.confounds.cues import (
    CATEGORICAL,
    NUMERIC,
    jpeg_quality,
    read_cues,
    texture,
)
from sklearn_blades.evaluation.confounds.measure import Cue
from sklearn_blades.evaluation.confounds.permutation import p_values_of_cues
from sklearn_blades.evaluation.confounds.trees import out_of_fold
from sklearn_blades.evaluation.confounds.verdict import above_chance, verdict
from sklearn_blades.evaluation.statistics.intervals import (
    Estimate,
    auc_estimate,
    auc_influence,
    rate_estimate,
)
from sklearn_blades.photos import PhotoRecord

N = 60


def resaved(paths, folder, qualities, form="JPEG"):
    """Copies of pictures without EXIF, all of one kind: centre crops of 128 px."""
    folder.mkdir()
    copies = []
    for index, (path, quality) in enumerate(zip(paths, qualities, strict=True)):
        with Image.open(path) as image:
            part = image.convert("RGB").crop((16, 16, 144, 144))
        copies.append(str(folder / f"{index:03d}.{form.lower()}"))
        part.save(copies[-1], form, quality=quality)
    return copies


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """Simulated photographs, so that the two classes differ in nothing but what a test does."""
    return make_photos(2 * N, tmp_path_factory.mktemp("faces"), random_state=3)


@pytest.fixture(scope="module")
def y():
    return np.repeat([1, 0], N)


@pytest.fixture(scope="module")
def confounded(faces, y, tmp_path_factory):
    """Photographs at quality 95, the others at 75."""
    folder = tmp_path_factory.mktemp("confounded") / "files"
    return resaved(faces, folder, np.where(y == 1, 95, 75).tolist())


@pytest.fixture(scope="module")
def report(confounded, y):
    return audit_confounds(confounded, y, random_state=0)


def test_a_difference_in_quality_is_found_and_named(report):
    found = {cue.name: cue for cue in report.cues}
    assert list(found) == [*NUMERIC, *CATEGORICAL]
    for name in ("jpeg_quality", "quantisation", "bytes_per_pixel"):
        assert found[name].auc.value > 0.95
    assert found["jpeg_quality"].higher_in_photographs == 1
    assert found["jpeg_quality"].photograph == pytest.approx(95, abs=1)
    assert found["jpeg_quality"].generated == pytest.approx(75, abs=1)
    for name in ("format", "resolution", "aspect", "has_exif"):
        assert found[name].auc.value == 0.5
    assert report.together.auc.low > 0.9
    assert report.verdict.startswith("Confounded")
    assert "strongly" in report.verdict
    assert "quantisation" in report.verdict


def test_files_saved_alike_say_nothing(confounded, y, tmp_path):
    alike = resaved(confounded, tmp_path / "alike", [50] * len(confounded))
    report = audit_confounds(alike, y, random_state=0)
    assert report.together.auc.low <= 0.5 <= report.together.auc.high
    assert {cue.name: cue.auc.value for cue in report.cues}["quantisation"] == 0.5
    assert not report.verdict.startswith("Confounded")


def test_formats_that_differ_leave_nothing_to_match(faces, y, tmp_path):
    photographs = resaved(faces[:N], tmp_path / "jpeg", [90] * N)
    generated = resaved(faces[N:], tmp_path / "png", [None] * N, form="PNG")
    report = audit_confounds(photographs + generated, y, random_state=0)
    assert {cue.name: cue.auc.value for cue in report.cues}["format"] == 1
    assert report.matched().shape == (0, 2)
    with pytest.raises(ValueError, match="0 photographs in 0 groups"):
        report.audit_pairs(report.matched())


def test_matched_pairs_say_nothing(faces, y, tmp_path):
    rng = np.random.default_rng(1)
    chosen = rng.choice([75, 85, 95], N, p=[0.2, 0.2, 0.6])
    others = rng.choice([75, 85, 95], N, p=[0.6, 0.2, 0.2])
    files = resaved(faces, tmp_path / "mixed", [*chosen.tolist(), *others.tolist()])
    report = audit_confounds(files, y, random_state=0)
    assert report.together.auc.low > 0.5
    pairs = report.matched()
    assert len(pairs) >= 15
    assert (y[pairs] == [1, 0]).all()
    assert len(np.unique(pairs)) == pairs.size
    words = report.values["quantisation"][pairs]
    assert (words[:, 0] == words[:, 1]).all()
    again = report.audit_pairs(pairs)
    assert again.together.auc.low <= 0.5 <= again.together.auc.high
    assert again.n_photographs == len(pairs)


def test_one_cue_that_the_others_drown_is_not_overlooked():
    """With few files, trees that see all cues may miss what one alone shows."""
    drowned = Estimate(0.51, 0.41, 0.62)
    quality = Cue("jpeg_quality", Estimate(0.76, 0.67, 0.831), p=0.001)
    light = Cue("luminance", Estimate(0.60, 0.501, 0.69), p=0.4)  # one of 13 does so by chance
    none = Cue("format", Estimate(0.5, 0.4, 0.6), p=1.0)
    assert verdict([none] * 13, Estimate(0.5, 0.4, 0.6)).startswith("Nothing found")
    assert verdict([light] + [none] * 12, drowned).startswith("Cannot tell: an interval excludes")
    assert verdict([light] * 12 + [quality], drowned).startswith("Confounded")
    assert "0.831" in verdict([light] * 12 + [quality], drowned)
    assert verdict([none] * 13, Estimate(0.5, 0.2, 0.8)).startswith("Cannot tell: too few")


def made_cues(n, rng, shift=0.0):
    """Simulated cues of n + n files: nine numbers, one of them shifted, and four words."""
    values = {f"number {i}": rng.normal(size=2 * n) for i in range(9)}
    values["number 0"][:n] += shift
    for i in range(4):
        values[f"word {i}"] = rng.choice(["a", "b", "c"], 2 * n)
    return values, np.repeat([True, False], n)


def test_a_cue_that_a_rank_test_finds_is_found():
    """An area of 0.74 in 60 + 60 files, which trees among thirteen cues may overlook."""
    rng, found = np.random.default_rng(0), 0
    for seed in range(25):
        values, photographs = made_cues(60, rng, shift=0.91)
        p = p_values_of_cues(values, photographs, np.arange(120), seed)
        found += p["number 0"] <= 0.025
    assert found >= 23


@pytest.mark.parametrize("n_each", [1, 4])
def test_the_level_of_the_cues_is_kept(n_each, monkeypatch):
    """Groups of files that are all alike, too: they are dealt whole."""
    monkeypatch.setattr("sklearn_blades.evaluation.confounds.permutation.N_DEALS", 199)
    rng, smallest = np.random.default_rng(0), []
    for seed in range(200):
        values, photographs = made_cues(20, rng)
        values = {name: np.repeat(column, n_each) for name, column in values.items()}
        photographs, groups = np.repeat(photographs, n_each), np.arange(40 * n_each) // n_each
        p = p_values_of_cues(values, photographs, groups, seed)
        smallest.append(min(p.values()))
    smallest = np.array(smallest)
    assert (smallest <= 0.05).mean() <= 0.05 + 3.1 * np.sqrt(0.05 * 0.95 / 200)
    assert 0.3 < (smallest <= 0.5).mean() < 0.62  # and it is not kept by never finding anything


def test_pairs_are_dealt_within_themselves():
    """Both of a pair in one group: what differs between pairs alone is no cue."""
    rng, pairs = np.random.default_rng(0), np.repeat(np.arange(40), 2)
    photographs = np.tile([True, False], 40)
    values = {"alike": rng.normal(size=40)[pairs], "apart": rng.normal(size=80) + 2 * photographs}
    p = p_values_of_cues(values, photographs, pairs, 0)
    assert p["alike"] == 1
    assert p["apart"] < 0.01


def test_where_the_cues_know_everything_no_detector_is_sent_above_it():
    known = Estimate(1.0, 0.93, 1.0)
    said = verdict([Cue("has_exif", known, p=0.001)], known)
    assert "Confounded" in said
    assert "above" not in said
    assert "only on matched pairs" in said


def test_the_test_of_the_verdict_knows_that_folds_share_files():
    """Over labels drawn anew an area of folds may vary 1.5 times as much as DeLong has it."""
    for steps, found in ((1.0, False), (2.5, False), (3.1, True)):  # 1.96 would do for one set
        low = 1 / (1 + np.exp(-0.1 * (steps - 1.96)))
        area = 1 / (1 + np.exp(-0.1 * steps))
        high = 1 / (1 + np.exp(-0.1 * (steps + 1.96)))
        assert above_chance(Estimate(area, low, high), 0.025) == found
    assert not above_chance(Estimate(0.0, 0.0, 0.2), 0.5)
    assert not above_chance(Estimate(np.nan, np.nan, np.nan), 0.5)
    # Wholly apart: 0.025 ** (1 / n) at the usual level.
    assert above_chance(Estimate(1.0, 0.025 ** (1 / 10), 1.0), 0.002)
    assert not above_chance(Estimate(1.0, 0.025 ** (1 / 6), 1.0), 0.002)


def test_an_area_that_is_not_defined_is_no_comfort():
    assert verdict([], Estimate(np.nan, np.nan, np.nan)).startswith("Cannot tell")


def test_bands_are_found_whatever_their_direction(faces, y, tmp_path):
    """Half of the fakes coarser, half finer: no threshold tells them, the audit does."""
    qualities = [85] * N + [60, 98] * (N // 2)
    report = audit_confounds(resaved(faces, tmp_path / "bands", qualities), y, random_state=0)
    quality = next(cue for cue in report.cues if cue.name == "jpeg_quality")
    assert quality.higher_in_photographs == 0.5
    assert quality.auc.value > 0.95


def test_chance_is_not_folded_upwards(y):
    """Folding the area to above 0.5 would make it 0.54 on average."""
    rng, rows, areas = np.random.default_rng(0), np.arange(2 * N), []
    for seed in range(20):
        label = rng.permutation(y == 1)
        scores, folds = out_of_fold({"noise": rng.normal(size=2 * N)}, label, rows, seed)
        areas.append(auc_influence(scores, label, folds)[0])
    assert abs(np.mean(areas) - 0.5) < 0.03


def test_the_label_the_seed_and_records(confounded, y, report):
    records = [PhotoRecord(path) for path in confounded]
    again = audit_confounds(records, 1 - y, photographic_label=0, random_state=0, n_jobs=2)
    assert again.to_dict() == report.to_dict()


def test_a_group_is_on_one_side_and_counts_once(confounded, y, report):
    groups = np.arange(2 * N) // 10
    with pytest.warns(SmallSampleWarning, match=r"20 groups of photographs \(6\)") as caught:
        grouped = audit_confounds(confounded, y, groups=groups, random_state=0)
    assert caught[0].filename == __file__
    assert grouped.n_groups == 12
    assert grouped.together.auc.value > 0.9


def test_errors_say_what_is_needed(confounded, y, tmp_path):
    with pytest.raises(ValueError, match="at least 10 files of each class"):
        audit_confounds(confounded[: N + 5], y[: N + 5])
    with pytest.raises(ValueError, match=r"no photograph in y.*'photo'.* labels are \[1, 0\]"):
        audit_confounds(confounded, y, photographic_label="photo")
    with pytest.raises(ValueError, match="y has missing entries"):  # not: AI-generated
        audit_confounds(confounded, [np.nan, *y[1:]])
    with pytest.raises(ValueError, match="groups has missing entries"):
        audit_confounds(confounded, y, groups=[None] * len(y))
    with pytest.raises(TypeError, match="reads files"):
        audit_confounds([np.zeros((8, 8, 3), np.uint8)] * len(y), y)
    with pytest.raises(ValueError, match="y has 3 rows"):
        audit_confounds(confounded, [1, 0, 1])
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    with pytest.raises(PhotoError, match=r"bad\.jpg"):
        audit_confounds([*confounded[1:], str(tmp_path / "bad.jpg")], y)


def test_report_as_table_json_and_words(report):
    frame = report.to_frame()
    assert frame.index[-1] == "all together"
    assert frame.shape == (14, 7)
    assert json.loads(json.dumps(report.to_dict()))["n_photographs"] == N
    assert report.to_markdown().count("\n") == 15
    assert report.verdict in str(report)
    assert "values" not in repr(report)


def test_plot(report):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    display = report.plot()
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels[0] == "all together"
    assert labels[-1] == report.to_frame().index[0].replace("_", " ")
    dots, _, _ = display.dots_
    assert dots.get_xdata()[0] == report.together.auc.value
    assert report.plot(display.ax_).ax_ is display.ax_
    plt.close(display.figure_)


# The cues -------------------------------------------------------------------------------------


@pytest.mark.parametrize("quality", [30, 50, 75, 90, 95, 100])
def test_quality_is_read_from_the_tables(quality, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=quality, subsampling=2)
    cues = read_cues(tmp_path / "a.jpg")
    assert cues["jpeg_quality"] == pytest.approx(quality, abs=1.5)
    assert cues["subsampling"] == "4:2:0"
    assert cues["resolution"] == 64


def test_cues_of_other_files(tmp_path, photos):
    Image.new("L", (40, 20), 100).save(tmp_path / "gray.png")
    cues = read_cues(tmp_path / "gray.png")
    assert np.isnan(cues.pop("jpeg_quality"))
    assert (cues["format"], cues["quantisation"], cues["has_exif"]) == ("PNG", "none", "no")
    assert (cues["aspect"], cues["luminance"]) == (2, 100)
    Image.new("L", (1, 1)).save(tmp_path / "dot.jpg")
    assert np.isfinite([read_cues(tmp_path / "dot.jpg")[name] for name in NUMERIC]).all()
    assert read_cues(tmp_path / "dot.jpg")["subsampling"] == "gray"
    assert read_cues(photos[0])["has_exif"] == "yes"


def test_blockiness_and_sharpness_rise_with_blocks_and_detail():
    rng = np.random.default_rng(0)
    fine = rng.normal(128, 20, (64, 64)).astype(np.float32)
    coarse = np.kron(rng.normal(128, 20, (8, 8)), np.ones((8, 8))).astype(np.float32)
    assert texture(coarse)["blockiness"] > 3 > 0.5 > abs(texture(fine)["blockiness"])
    assert texture(fine)["sharpness"] > texture(coarse)["sharpness"]
    assert texture(fine)["high_frequency"] > texture(coarse)["high_frequency"]


def test_the_finest_table_is_quality_100():
    assert jpeg_quality([1] * 64) == 100


# The intervals --------------------------------------------------------------------------------


def test_area_is_scikit_learns():
    rng = np.random.default_rng(0)
    positive, scores = rng.random(200) < 0.4, rng.integers(0, 20, 200).astype(float)
    assert auc_influence(scores, positive)[0] == pytest.approx(roc_auc_score(positive, scores))


def test_area_compares_within_folds_only():
    positive, folds = np.array([True, False, True, False]), np.array([0, 0, 1, 1])
    assert auc_influence(np.array([1.0, 0.0, 9.0, 8.0]), positive, folds)[0] == 1
    assert np.isnan(auc_influence(np.ones(4), positive, positive.astype(int))[0])


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_area_intervals_cover_at_their_level(shift):
    from scipy.stats import norm

    rng, truth, hits = np.random.default_rng(0), norm.cdf(shift / np.sqrt(2)), 0
    for _ in range(300):
        positive = np.repeat([True, False], 40)
        estimate = auc_estimate(rng.normal(size=80) + shift * positive, positive)
        hits += estimate.low <= truth <= estimate.high
    assert 0.91 < hits / 300 < 0.99


def test_groups_of_copies_count_once():
    rng = np.random.default_rng(0)
    positive, scores = np.repeat([True, False], 30), rng.normal(size=60)
    once = auc_estimate(scores, positive)
    copied = auc_estimate(
        np.repeat(scores, 4), np.repeat(positive, 4), groups=np.repeat(np.arange(60), 4)
    )
    assert (copied.value, copied.low) == pytest.approx((once.value, once.low), abs=0.001)
    hits = scores > 0
    assert rate_estimate(np.repeat(hits, 4), groups=np.repeat(np.arange(60), 4)).low == (
        pytest.approx(rate_estimate(hits, groups=np.arange(60)).low)
    )


def test_perfect_separation_has_an_honest_end():
    estimate = auc_estimate(np.arange(20.0), np.arange(20) >= 10)
    assert (estimate.value, estimate.high) == (1, 1)
    assert estimate.low == pytest.approx(0.025**0.1)


def test_dev_photographs_are_confounded_and_can_be_matched(dev_photos):
    with (dev_photos / "manifest.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    rows = [row for row in table if row["label"] == "photographic"][::12]
    rows += [row for row in table if row["generator"] == "sd21"][::5]
    y = [int(row["label"] == "photographic") for row in rows]
    files = [dev_photos / row["file"] for row in rows]
    report = audit_confounds(files, y, random_state=0, n_jobs=2)
    assert report.together.auc.value > 0.75
    again = report.audit_pairs(report.matched())
    assert again.together.auc.low <= 0.5
