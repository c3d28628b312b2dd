"""The examples run, and deal photographs as they say."""

import csv
import importlib.util
import json
import runpy
import sys
import warnings
from collections import Counter
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from joblib import parallel_config
from safetensors.torch import save_file
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.model_selection import ParameterGrid, cross_val_score

from sklearn_blades import BladesEncoder
from sklearn_blades.heads import calibration
from sklearn_blades.photos import face_crop, read_exif
from sklearn_blades.towers import embed as inference

EXAMPLES = Path(__file__).parents[1] / "examples"
RECIPES = sorted(
    path.stem for path in (EXAMPLES / "recipes").glob("*.py") if path.stem != "_simulated"
)


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_quickstart_small(tmp_path, monkeypatch, capsys):
    script, page = EXAMPLES / "quickstart.py", tmp_path / "page.html"
    monkeypatch.setattr(
        sys, "argv", [str(script), "--epochs", "1", "--scale", "0.05", "--page", str(page)]
    )
    # Its workers would take longer to start than its few pictures to make.
    with warnings.catch_warnings(action="ignore"), parallel_config("sequential"):
        runpy.run_path(str(script), run_name="__main__")
    printed = capsys.readouterr().out
    assert [f"\n{number}. " in printed for number in range(1, 5)] == [True] * 4
    for name in ("diffusion", "vae", "noiseless", "second source", "a stand-in"):
        assert f"\n{name}" in printed
    assert "data:image/webp" in page.read_text(encoding="utf-8")
    assert "Simulated figures prove the machinery, not detection." in printed


def test_no_person_is_dealt_twice(dev_photos):
    parts = load("real_photos").split_photographs(dev_photos, "pif-website", seed=0)
    persons = [{row["group"] for row in part} for part in parts]
    for i, some in enumerate(persons):
        for others in persons[i + 1 :]:
            assert not some & others
    assert all(row["label"] == "photographic" for part in parts for row in part)


def test_full_pictures_give_the_exif_and_the_face_of_their_manifest(dev_photos):
    pytest.importorskip("cv2")
    with (dev_photos / "originals" / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[:8]
    for row in rows:
        path = dev_photos / row["file"]
        exif = read_exif(path)
        for tag, name in (("ISOSpeedRatings", "iso"), ("FNumber", "fnumber")):
            if row[name]:
                assert exif[tag] == pytest.approx(float(row[name]), rel=1e-3)
        assert face_crop(path, image_size=64).pixels.shape == (64, 64, 3)


@pytest.fixture
def recipe(monkeypatch, tmp_path, capsys):
    """A function that runs a recipe small, as from its command line.

    It returns the recipe, what its main returns, and what it prints. The pictures stay until the
    test ends.
    """
    monkeypatch.syspath_prepend(EXAMPLES / "recipes")

    def run(name, n, **options):
        module = load(f"recipes/{name}")
        options = {"n": n, "epochs": 1, "folder": tmp_path / "pictures", **options}
        arguments = [text for key, value in options.items() for text in (f"--{key}", str(value))]
        result = module.command_line(module.main, module.__doc__, arguments)
        printed = capsys.readouterr().out
        assert "Simulated pictures: these figures prove the machinery, not detection." in printed
        return module, result, printed

    return run


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_asks_one_question_and_has_the_same_options(name, recipe, monkeypatch, capsys):
    path = EXAMPLES / "recipes" / f"{name}.py"
    monkeypatch.setattr(sys, "argv", [str(path), "--help"])
    with pytest.raises(SystemExit) as done:
        runpy.run_path(str(path), run_name="__main__")
    assert done.value.code == 0
    shown = capsys.readouterr().out
    question = load(f"recipes/{name}").__doc__.splitlines()[0]
    assert question.endswith("?")
    for text in (question, f"python examples/recipes/{name}.py", "--n ", "--epochs", "--seed"):
        assert text in shown
    assert f"recipes/{name}.py" in (EXAMPLES / "README.md").read_text()


def test_leave_one_source_out_judges_people_whom_no_part_has_seen(recipe, monkeypatch):
    module = load("recipes/leave_one_source_out")
    persons, sources = np.repeat(np.arange(40), 3), np.repeat(["a", "b"], 60)
    dealt = [module.divide(np.flatnonzero(sources == name), persons, 0.5, 0) for name in "ab"]
    for used, held in dealt:
        assert not {*persons[used]} & {*persons[held]}
        assert len(used) + len(held) == 60
    module, reports, printed = recipe("leave_one_source_out", n=60)
    assert list(reports) == sorted(module.SOURCES)
    for before, after in reports.values():
        assert before.other.n == after.other.n == 30
        assert before.n_calibration == 20
        assert after.n_calibration == 30
        assert before.auc == after.auc  # the scores are the same, the threshold is not
        assert after.verdict in printed
        assert before.verdict in printed


def test_grid_search(recipe, monkeypatch, tmp_path):
    embedded, forward = Counter(), inference._forward

    def counted(embedding, pixels, *args):
        embedded.update(crc32(image.tobytes()) for image in pixels)
        return forward(embedding, pixels, *args)

    monkeypatch.setattr(inference, "_forward", counted)
    module, search, printed = recipe("grid_search", n=36)
    assert search.best_params_ in ParameterGrid(module.GRID)
    assert np.isfinite(search.cv_results_["mean_test_roc_auc"]).all()
    assert set(embedded.values()) == {1}
    assert len(embedded) == 144  # two kinds of 36 people for the search, and as many new ones

    # What it says of cv=3 is so: nan, though none of the folds failed.
    assert "[[1], [-1, 1], [-1]]" in printed
    detector = search.best_estimator_.set_params(head__target_fpr=0.2)
    X, y, _ = module.people(36, tmp_path, 1, kinds=("first", "upsampling"))
    with pytest.warns(UndefinedMetricWarning):
        scores = cross_val_score(detector, X, y, cv=3, scoring="roc_auc")
    assert np.isnan(scores).tolist() == [True, False, True]


def test_nested_cross_validation_keeps_a_person_on_one_side(recipe, monkeypatch, tmp_path):
    splits, holdout = [], calibration.holdout

    def watched(n_samples, fraction, random_state, *, groups=None, **kwargs):
        rows = holdout(n_samples, fraction, random_state, groups=groups, **kwargs)
        splits.append([{groups[row] for row in side} for side in rows])
        return rows

    monkeypatch.setattr(calibration, "holdout", watched)
    module, result, _ = recipe("nested_cross_validation", n=21)
    n_fits = 3 * (3 * len(ParameterGrid(module.GRID)) + 1)
    assert len(splits) == n_fits
    assert not any(kept & held for kept, held in splits)

    kinds = ("first", "second", "upsampling", "oversmooth")
    _, _, groups = module.people(21, tmp_path, 1, kinds)
    indices = result["indices"]
    for train, test, search in zip(
        indices["train"], indices["test"], result["estimator"], strict=True
    ):
        assert not {*groups[train]} & {*groups[test]}
        assert search.best_params_ in ParameterGrid(module.GRID)
    assert np.isfinite(result["test_roc_auc"]).all()


def test_calibrated_detector(recipe, tmp_path):
    module, detectors, _ = recipe("calibrated_detector", n=30)
    X, y, _ = module.people(30, tmp_path, 1, kinds=("first", "spectral"))
    y = np.where(y == 1, "photograph", "generated")
    thresholds = {}
    for name, detector in detectors.items():
        assert detector.classes_.tolist() == ["generated", "photograph"]
        photographic = detector.predict_proba(X)[:, 1]
        thresholds[name] = getattr(detector["head"], "best_threshold_", 0.5)
        expected = np.where(photographic >= thresholds[name], "photograph", "generated")
        np.testing.assert_array_equal(detector.predict(X), expected)
    # The dearer a miss, the higher the threshold that a photograph must pass.
    assert thresholds["at most 10 % false alarms"] < thresholds["a miss costs 5 alarms"]


def test_the_bound_on_false_alarms_goes_before_what_is_caught(recipe):
    module = load("recipes/calibrated_detector")
    y = np.repeat(["photograph", "generated"], 10)
    answers = y.copy()
    answers[:1] = "generated"
    assert module.caught_within(y, answers, most=0.1) == 1
    assert module.negative_cost(y, answers, miss=5) == pytest.approx(-0.05)
    answers[:2] = "generated"
    assert module.caught_within(y, answers, most=0.1) == pytest.approx(-0.2)


def test_save_and_serve(recipe, tmp_path):
    _, (detector, loaded, answers), printed = recipe("save_and_serve", n=30)
    assert printed.count("the same scores: True") == 1
    assert printed.count("the same features: True") == 1
    assert json.loads(json.dumps(answers)) == answers
    failed = {Path(path).name for path, answer in answers.items() if "error" in answer}
    assert failed == {"text.jpg", "cut.jpg", "missing.jpg"}
    served = {path: answer["score"] for path, answer in answers.items() if "score" in answer}
    assert len(served) == 6
    for one in (detector, loaded):
        np.testing.assert_allclose(one.score_samples([*served]), [*served.values()], rtol=1e-9)


def test_clip_baseline_without_weights_is_not_called_clip(recipe):
    module, table, printed = recipe("clip_baseline", n=24)
    assert list(table) == ["BLADES", "untrained"]
    assert "This is not CLIP." in printed
    for column in table.values():
        assert set(column) == {*module.GENERATORS, "second", "false alarms"}
        assert all(0 <= value <= 1 for value in column.values())


def test_clip_baseline_takes_a_local_file_of_weights(recipe, photos, tmp_path):
    given = BladesEncoder(face_locator="whole", max_epochs=0, random_state=7).fit(photos[:2])
    state = given.embedding_.towers.state_dict()
    file = tmp_path / "towers.safetensors"
    save_file({name: value.contiguous() for name, value in state.items()}, file)
    module, table, printed = recipe("clip_baseline", n=24, weights=file, architecture="blades-tiny")
    assert list(table) == ["BLADES", "blades-tiny"]
    assert "not CLIP" not in printed
    _, frozen = module.baseline("blades-tiny", str(file), seed=0)
    assert frozen.fit(photos[:2]).digest_ == given.digest_


def test_own_exif(recipe, photos, tmp_path):
    module, (encoder, records, scores), _ = recipe("own_exif", n=72)
    assert all(read_exif(record.path) == {} for record in records)
    assert [task.name for task in encoder.tasks_] == [task.name for task in module.TASKS]
    assert np.isfinite(scores).all()

    # The sidecar says what the files said before.
    fresh, *_ = module.people(72, tmp_path / "fresh", 0)
    for path, record in zip(fresh, records, strict=True):
        facts = read_exif(path)
        assert record.exif["Make"] == facts["Make"]
        for tag in ("ISOSpeedRatings", "FNumber", "ExposureTime"):
            assert record.exif[tag] == pytest.approx(facts[tag], rel=1e-3)


def test_own_face_boxes(recipe):
    module, (features, faces), printed = recipe("own_face_boxes", n=30)
    for rows in features.values():
        np.testing.assert_array_equal(rows, features["records"])
    assert printed.count("features differ by 0.0e+00 at most") == 2
    assert len(faces) == 60
    pairs = list(zip(faces[::2], faces[1::2], strict=True))
    for left, right in pairs:
        assert left.path == right.path
        assert left.face.area > right.face.area
    # At the recipe's margin, a face's crop is the square that was put there.
    x, y, side = module.PLACES[1]
    crop = face_crop(pairs[0][1], face_margin=1.6, image_size=side)
    with module.Image.open(pairs[0][1].path) as picture:
        square = np.asarray(picture.crop((x, y, x + side, y + side)))
    np.testing.assert_array_equal(crop.pixels, square)
