"""The benchmark of contrast: a small form of it, and no generated face where none may be."""

import csv
import json
import warnings
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import contrast, few, travel
from benchmarks._arms import SourcesAlike
from benchmarks.contrast import ARMS, KINDS, UNTOUCHED, Features, row_of, without_generators
from benchmarks.real_results import CROPS
from benchmarks.travel import UNSEEN, Faces, summary
from sklearn_blades import BladesBinary, BladesEncoder, BladesHybrid, BladesOneClass
from sklearn_blades.datasets import make_photos
from sklearn_blades.pretext.tasks import View

EYES = ("catch_lights", "mismatched_eyes")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A pack of simulated faces, in the form of `benchmarks.pack_faces`."""
    root = tmp_path_factory.mktemp("pack")
    parts = {
        ("photographic", "", "ours"): make_photos(34, root / "dev" / "a", random_state=0),
        ("photographic", "", UNSEEN): make_photos(
            6, root / "dev" / "b", source="second", random_state=1
        ),
    }
    for generator in ("upsampling", "oversmooth"):
        folder = root / "dev" / generator
        parts["generated", generator, generator] = make_photos(
            4, folder, generated=generator, random_state=2
        )
    rows = [
        {"file": path.removeprefix(f"{root / 'dev'}/"), "label": label, "generator": generator,
         "source": source, "person_or_group_id": ""}
        for (label, generator, source), paths in parts.items() for path in paths
    ]  # fmt: skip
    write(root / "dev" / "manifest.csv", rows)
    fakes = [row["file"] for row in rows if row["generator"]] * 4
    pairs = zip([row["file"] for row in rows if not row["generator"]], fakes, strict=False)
    write(root / "dev" / "balanced_pairs.csv",
          [{"photo_file": photo, "generated_file": fake} for photo, fake in pairs])  # fmt: skip
    return root


def write(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def features(root):
    encoder = BladesEncoder(
        **CROPS, architecture="blades-tiny", image_size=32, max_epochs=0, random_state=0
    )
    return Features(root, encoder.fit(["never opened.jpg"]), 18)


@pytest.fixture(autouse=True)
def few_epochs(monkeypatch):
    """Heads that learn little: no test here is about what they find."""
    binary = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    quick = partial(BladesHybrid, one_class=BladesOneClass(1), binary=binary)
    for module in (contrast, travel):
        monkeypatch.setattr(module, "BladesBinary", partial(BladesBinary, max_epochs=1))
        monkeypatch.setattr(module, "BladesHybrid", quick)


def test_a_row_judges_every_arm_on_the_same_faces(root, features, tmp_path, monkeypatch):
    monkeypatch.setattr(contrast, "ARMS", {"catch_lights": ("catch_lights",), "all kinds": EYES})
    monkeypatch.setattr(contrast, "ADDED", ("all kinds",))
    monkeypatch.setattr(contrast, "SHIPPED", "all kinds")
    monkeypatch.setattr(contrast, "KINDS", dict.fromkeys(EYES))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # few photographs
        rows = [row_of(taught, root, features, 0) for taught in contrast.TAUGHT]
    heads = (
        {"one-class", "hybrid with contrast"},
        {"one-class", "catch_lights", "all kinds", "all kinds + one-class"}
        | {f"direction of {name}" for name in ("catch_lights", "all kinds")}
        | {f"direction of {name} + one-class" for name in ("catch_lights", "all kinds")},
        {"binary", "hybrid", "binary + all kinds", "hybrid + all kinds", "hybrid with contrast"},
    )
    for row, names in zip(rows, heads, strict=True):
        assert 0 < row["n_pseudo"] < 18
        for key in ("unseen", "pairs", "all"):
            assert row[key].keys() == names
            assert {*map(frozenset, row[key].values())} == {
                frozenset({"average", "upsampling", "oversmooth"})
            }
            assert all(0 <= figure <= 100 for f in row[key].values() for figure in f.values())
    assert rows[2]["false_alarms"]["oversmooth"].keys() == {
        f"{head}, {side}"
        for head in ("hybrid", "hybrid + all kinds", "hybrid with contrast")
        for side in ("unseen", "test")
    }
    recalibrated = {name for name in rows[0]["false_alarms"] if "recalibrated" in name}
    assert recalibrated == {
        f"{head}, recalibrated, {side}"
        for head in ("one-class", "hybrid with contrast")
        for side in ("unseen", "test", "found")
    }
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    assert "| the other generators | hybrid + all kinds |" in summary([file])


def test_few_photographs_are_dealt_once_and_judged_by_both_densities(root, features, tmp_path):
    faces = Faces(root, 0)
    for contrasted in (False, True):
        taught, rows = few.drawn(faces, features, 12, contrasted, seed=0)
        names = [row["file"] for row in (*taught, *rows)]
        assert len(set(names)) == len(names) == 12
        assert len(taught) == (6 if contrasted else 0)
        assert {row["label"] for row in (*taught, *rows)} == {"photographic"}
        assert not {row["source"] for row in (*taught, *rows)} & {UNSEEN}
        assert not {row["group"] for row in taught} & {row["group"] for row in rows}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # few photographs
        rows = [few.row_of(24, density, False, faces, features, 0) for density in few.DENSITIES]
    assert rows[0]["unseen"] != rows[1]["unseen"]
    assert {row["flagged"].keys() == {"unseen", "test", "found"} for row in rows} == {True}
    assert few.summary(rows).count("| 24 |") == 2


@pytest.mark.filterwarnings("ignore::UserWarning")  # few photographs
def test_arms_of_travel_are_judged_under_every_head(root, capsys, tmp_path):
    alike = "500: face tasks, 10 sources made alike"
    how = ["--architecture", "blades-tiny", "--epochs", "1", "--hybrids", "frozen"]
    travel.main([str(root), *how, "--arms", "frozen", alike])
    printed = capsys.readouterr().out
    frozen, learned = map(json.loads, printed.splitlines())
    heads = {"one-class", "binary", "one-class + binary", "with contrast"}
    for row, names in ((frozen, heads | {"hybrid"}), (learned, heads)):
        assert "error" not in row
        for key in ("unseen", "pairs", "all"):
            assert row[key].keys() == names
            assert all(0 <= found["average"] <= 100 for found in row[key].values())
        assert 0 <= row["with contrast"]["false_alarms_unseen"] <= 100
    assert frozen["n_training"] == 0 < learned["n_training"]
    assert learned["task_weights"].keys() >= {"manipulated", "sources_alike"}
    assert "beside_frozen" in learned
    file = tmp_path / "rows.jsonl"
    file.write_text(printed)
    assert f"| {alike} | with contrast |" in summary([file])


def test_no_generated_face_and_no_unseen_source_is_in_training(root, features):
    faces, asked = Faces(root, 0), []

    def recorded(rows):
        asked.extend(rows)
        return features(rows)

    recorded.edited = features.edited
    photographs = contrast.edited(faces, recorded)
    ways, heads = without_generators(photographs, recorded, NearestCentroid())
    assert ways.keys() == heads.keys() == ARMS.keys()
    assert {row["kind"] for row in asked} == {UNTOUCHED, *KINDS, *contrast.EDITS}
    taught = {row["file"] for row in asked}
    assert taught <= {row["file"] for row in faces.density} & features.edited
    assert not taught & {row["file"] for row in (*faces.test, *faces.foreign, *faces.generated)}


def test_features_are_kept(features, tmp_path):
    features.save(tmp_path / "features.npz")
    again = Features.load(tmp_path / "features.npz")
    assert again.edited == features.edited
    assert again.of_key.keys() == features.of_key.keys()
    for key in list(again.of_key)[::50]:
        np.testing.assert_array_equal(again.of_key[key], features.of_key[key])


def test_sources_alike_is_the_share_of_variance_between_sources():
    rng = np.random.default_rng(0)
    task = SourcesAlike().learn([{"Artist": name} for name in ("b", "a", "b")])
    views = [View({"Artist": name}, None) for name in "abbaabzb"] + [View({}, None)]
    target = torch.tensor([task.target(view) for view in views])
    assert target.tolist() == [0, 1, 1, 0, 0, 1, -1, 1, -1]
    logits = rng.normal(size=(9, len(task.prompts)))

    known, sources = logits[target >= 0], target[target >= 0].numpy()
    shares = []
    for column in known.T:
        means = np.array([column[sources == source].mean() for source in sources])
        shares.append(means.var() / column.var())
    assert task.loss(torch.tensor(logits), target).item() == pytest.approx(np.mean(shares))
    apart = torch.tensor(sources)[:, None] * torch.ones(len(task.prompts))
    assert task.loss(apart, torch.tensor(sources)).item() == pytest.approx(1)
    assert task.loss(torch.tensor(logits), torch.full((9,), -1)).item() == 0
