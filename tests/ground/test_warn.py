"""Warnings name the line that called us, whatever stands between; every one goes this way."""

import _thread
import ast
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_blades
from sklearn_blades import BladesDetector, BladesEncoder, BladesOneClass, make_contrast
from sklearn_blades.ground.warn import warn

HOW = {"image_size": 32, "face_locator": "whole", "face_margin": 1.6, "random_state": 0}


@pytest.fixture
def said():
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        yield said


@pytest.fixture
def spoiled(photos, tmp_path):
    """Photographs, one of which is cut off."""
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(Path(photos[0]).read_bytes()[:900])
    return [*photos[:30], str(bad)]


def expect(said, *words):
    assert {Path(warning.filename).name for warning in said} == {Path(__file__).name}
    for word in words:
        assert any(word in str(warning.message) for warning in said), word


def test_a_line_is_named_where_nothing_is_between(said):
    warn("Few.", FutureWarning)
    assert [w.category for w in said] == [FutureWarning]
    expect(said, "Few.")


def test_a_fit_of_an_encoder(said, spoiled):
    BladesEncoder(max_epochs=1, on_error="nan", **HOW).fit(spoiled)
    BladesEncoder(max_epochs=1, cache_size=0, disk_size=0.01, **HOW).fit(spoiled[:6] * 2)
    BladesEncoder(max_epochs=1, **HOW).fit(spoiled[:5])
    few = "can teach next to nothing", "Training goes on without"
    expect(said, "cannot be used and are left out", "are copies of others", "kB of disk", *few)


def test_a_fit_within_a_fit(said, spoiled):
    encoder = BladesEncoder(max_epochs=1, on_error="nan", **HOW)
    BladesDetector(encoder=encoder, random_state=0).fit(spoiled)
    expect(said, "cannot be used and are left out", "cannot promise a false-alarm rate")


def test_what_a_fitted_encoder_is_asked(said, spoiled):
    encoder = BladesEncoder(max_epochs=0, on_error="nan", **HOW).fit(spoiled[:9])
    assert np.isnan(encoder.transform(spoiled)).any(axis=1).sum() == 1
    make_contrast(encoder, spoiled, random_state=0)
    expect(said, "their rows are NaN", "cannot be used and are left out", "The contrast is learned")


def test_a_pipeline(said):
    X = np.random.default_rng(0).normal(size=(30, 4))
    make_pipeline(StandardScaler(), BladesOneClass(random_state=0, target_fpr=0.01)).fit(X)
    expect(said, "cannot promise a false-alarm rate")


def test_of_a_thread_in_which_all_is_ours_a_line_of_ours_is_named(said):
    ours, done = {"__name__": "sklearn_blades.inside", "warn": warn}, threading.Event()
    exec(compile("def work(done):\n    warn('Few.')\n    done.set()", "ours.py", "exec"), ours)
    _thread.start_new_thread(ours["work"], (done,))  # `threading` would be a caller
    assert done.wait(10)
    assert [(str(w.message), w.filename, w.lineno) for w in said] == [("Few.", "ours.py", 2)]


def test_no_module_counts_frames():
    root = Path(sklearn_blades.__file__).parent
    for path in root.rglob("*.py"):
        calls = [
            node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)
        ]
        counted = [call.lineno for call in calls if ast.unparse(call.func) == "warnings.warn"]
        assert not counted or path.name == "warn.py", f"{path}: lines {counted}"
