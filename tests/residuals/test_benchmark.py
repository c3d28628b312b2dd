"""The measurements of residuals, on small drawn pictures: who is judged, and that traces show."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from benchmarks import learned_residuals, residuals
from sklearn_blades.datasets import make_photos
from sklearn_blades.photos import read_exif

TINY = {"architecture": "blades-tiny", "image_size": 32, "device": "cpu"}


def draw(path, rng, generated):
    """Noise on a slope; of a generator it was made at half the scale."""
    side = 36 if generated else 72
    pixels = np.linspace(80, 160, side)[:, None, None] + rng.normal(0, 8, (side, side, 3))
    image = Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))
    image.resize((72, 72), Image.Resampling.BICUBIC).save(path)


def collection(root, sources, generators):
    """A folder with a manifest: so many photographs a source, so many faces a generator."""
    root.mkdir()
    rng, rows = np.random.default_rng(0), []
    entries = [(source, n, "") for source, n in sources.items()]
    entries += [(source, n, name) for name, (source, n) in generators.items()]
    for source, n, generator in entries:
        for number in range(n):
            file = f"{source}_{generator}_{number}.png"
            draw(root / file, rng, bool(generator))
            label = "generated" if generator else "photographic"
            person = f"{source}_{generator}_{number}"
            rows.append([file, label, generator, source, person])
    with (root / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "label", "generator", "source", "person_or_group_id"])
        writer.writerows(rows)
    return rows


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    generators = {"one": ("s005", 8), "two": ("s006", 8)}
    collection(root / "native", {"s005": 30, "a": 30, "few": 3}, generators)
    rows = collection(root / "dev", {"pif-website": 20, "b": 80}, generators)
    photographs = [row[0] for row in rows if row[3] == "b"]
    fakes = [row[0] for row in rows if row[1] == "generated"]
    with (root / "dev" / "balanced_pairs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["photo_file", "generated_file"])
        writer.writerows((photo, fakes[i % len(fakes)]) for i, photo in enumerate(photographs))
    return root


@pytest.mark.filterwarnings("ignore::sklearn_blades.errors.SmallSampleWarning")
def test_traces_show_and_sources_are_left_out(data):
    result = residuals.study(data, [0], None, TINY)
    native, dev = result["native"][0], result["dev"][0]
    assert set(native["residuals"]["areas"]) == {"s005", "a"}  # "few" is too small to judge
    assert min(native["residuals"]["areas"].values()) > 95
    assert native["residuals"]["fair"][0] > 95
    assert native["both"]["fair"][0] > 80
    assert dev["residuals"]["unseen"] > 95
    n_known, n_foreign, n_generated, n_pairs, n_fakes = dev["both"]["n"]
    assert (n_foreign, n_generated, n_known + n_pairs) == (20, 16, 80)
    assert 0 < n_fakes <= 16
    lines = residuals.summary(result).splitlines()
    assert len(lines) == 2 + len(native) == 2 + 6
    assert lines[2].startswith("| residuals | ")


def test_largest_over_sources():
    class Head:
        def __init__(self, centre):
            self.centre = centre
            self.calibration_scores_ = np.linspace(-3.0, 0.0, 31)

        def score_samples(self, X):
            return -np.abs(X[:, 0] - self.centre)

    apart = {"residuals": [Head(0.0), Head(10.0)]}
    score = residuals.largest(apart, lambda rows, kind: rows, ["residuals"])
    near_one, near_other, near_none = score(np.array([[0.1], [9.8], [5.0]]))
    assert near_one > near_other > near_none


def test_the_interval_is_over_sources():
    of_seeds = [{"areas": {"a": 40.0, "b": 60.0}}, {"areas": {"a": 50.0, "b": 70.0}}]
    centre, low, high = residuals.over_sources(of_seeds)
    assert centre == 55
    assert (low, high) == (45, 65)


def exif_collection(root, n):
    """Photographs with EXIF of two sources, and two more that somebody scaled."""
    paths = make_photos(n, root / "exif_any", random_state=0)
    names = [path.removeprefix(f"{root / 'exif_any'}/") for path in paths]
    rows = [[name, "native", f"s{place % 2}", f"p{place}"] for place, name in enumerate(names)]
    rows[-1][1] = "whole"
    with (root / "exif_any" / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", "kind", "source", "photo_id"], *rows])
    (root / "exif_faces").mkdir()
    shutil.copy(paths[0], root / "exif_faces" / "a.jpg")
    with (root / "exif_faces" / "manifest.csv").open("w", newline="") as file:
        titles = ["file", "source", "photo_id", "native_crop", "saved_side"]
        lines = [["a.jpg", "s0", "p0", "400", "320"], ["a.jpg", "s0", "p0", "128", "128"]]
        csv.writer(file).writerows([titles, *lines])


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_tower_learns_from_patches_that_nobody_scaled(data, tmp_path, capsys):
    exif_collection(tmp_path, 17)
    shutil.copytree(data / "native", tmp_path / "native")
    rows = learned_residuals.stored(tmp_path)
    assert len(rows) == 17  # one of each folder was scaled
    made, groups = learned_residuals.records(rows[:3], tmp_path)
    assert len(made) == 3 * learned_residuals.PATCHES == len(groups)
    assert made[0].exif == read_exif(rows[0]["path"]) != {}
    with Image.open(made[0].path) as patch:
        assert patch.size == (64, 64)
        assert np.abs(np.asarray(patch, dtype=float) - 127.5).mean() < 100
    learned_residuals.main([str(tmp_path), "--seeds", "0", "--epochs", "1"])
    before, after = map(json.loads, capsys.readouterr().out.splitlines())
    assert before["areas"].keys() == after["areas"].keys() == {"s005", "a"}
    assert before["loss, chance"] == {}
    assert after["loss, chance"].keys() >= {"ISOSpeedRatings", "FNumber"}
    assert all(0 <= area <= 100 for area in (*after["areas"].values(), *after["fair pair"]))


def test_a_patch_shows_residuals_around_mid_gray(tmp_path):
    Image.new("RGB", (80, 70), (90, 120, 30)).save(tmp_path / "plain.png")
    for patch in learned_residuals.patches(tmp_path / "plain.png", 0):
        assert patch.shape == (64, 64, 3)
        assert set(np.unique(patch)) <= {127, 128}
