"""A search decodes and embeds each photograph once per fitted encoder, counted across processes."""

import pickle
import shutil
import time
from collections import Counter
from functools import partial
from pathlib import Path
from unittest import mock
from zlib import crc32

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
    learning_curve,
)

from sklearn_blades import BladesEncoder, BladesOneClass, make_detector
from sklearn_blades.photos import pixels
from sklearn_blades.pretext import Manipulated, OrdinalTag
from sklearn_blades.storage import cache
from sklearn_blades.towers import embed as inference

N = 20
LABELS = np.tile([1, 0], N // 2)
SMALL = {
    "face_locator": "whole",
    "face_margin": 1.6,
    "image_size": 32,
    "max_epochs": 0,
    "device": "cpu",
    "random_state": 0,
}
CV = StratifiedKFold(5, shuffle=True, random_state=0)


class CountingEncoder(BladesEncoder):
    """Writes down, in the file ``log_``, every photograph that any process decodes or embeds."""

    def transform(self, X):
        def opened(source, **kwargs):
            self._write([f"decode {source}"])
            return open_photo(source, **kwargs)

        def embedded(embedding, pixels, *args):
            self._write([f"embed {crc32(image.tobytes())}" for image in pixels])
            time.sleep(0.2)  # so that another process would be at the same photographs
            return forward(embedding, pixels, *args)

        open_photo, forward = pixels.open_photo, inference._forward
        with (
            mock.patch.object(pixels, "open_photo", opened),
            mock.patch.object(inference, "_forward", embedded),
        ):
            return super().transform(X)

    def _write(self, lines):
        with Path(self.log_).open("a") as file:
            file.write("".join(f"{line}\n" for line in lines))


def grid_search(detector, X, n_jobs):
    grid = {"head__C": [0.1, 1, 10]}
    GridSearchCV(detector, grid, cv=CV, n_jobs=n_jobs, error_score="raise").fit(X, LABELS)


def curve(detector, X, n_jobs):
    learning_curve(
        detector, X, LABELS, cv=CV, train_sizes=[0.5, 1.0], n_jobs=n_jobs, error_score="raise"
    )


SEARCHES = {
    "GridSearchCV": grid_search,
    "cross_val_score": lambda d, X, n: cross_val_score(d, X, LABELS, cv=CV, n_jobs=n),
    "cross_val_predict": lambda d, X, n: cross_val_predict(d, X, LABELS, cv=CV, n_jobs=n),
    "learning_curve": curve,
}


@pytest.fixture
def copies(photos, tmp_path):
    """Photographs that no cache has seen."""
    (tmp_path / "photos").mkdir()
    return [shutil.copy(path, tmp_path / "photos") for path in photos[:N]]


@pytest.fixture
def detector(copies, tmp_path):
    """A function of ``memory``: a detector on an encoder that counts."""

    def make(memory=None):
        encoder = CountingEncoder(**SMALL, memory=memory).fit(copies)
        encoder.log_ = str(tmp_path / "log")
        return make_detector(encoder, LogisticRegression())

    return make


@pytest.fixture
def counts(tmp_path):
    """How often each photograph was decoded, and embedded, since the last call."""

    def read():
        log = tmp_path / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        found = Counter(lines)
        return {
            what: sorted(n for line, n in found.items() if line.startswith(what))
            for what in ("decode", "embed")
        }

    return read


ONCE = {"decode": [1] * N, "embed": [1] * N}
NEVER = {"decode": [], "embed": []}


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
def test_each_photograph_once_in_memory(search, detector, copies, counts):
    search(detector(), copies, 1)
    assert counts() == ONCE


# Whatever searches in workers does it through joblib: one of them stands for all.
@pytest.mark.parametrize(
    ("search", "n_jobs"),
    [*((search, 1) for search in SEARCHES.values()), (grid_search, 2)],
    ids=[*SEARCHES, "GridSearchCV-2"],
)
class TestFrozenEncoder:
    def test_each_photograph_once_in_a_cold_folder(
        self, search, detector, copies, counts, tmp_path, n_jobs
    ):
        search(detector(str(tmp_path / "cache")), copies, n_jobs)
        assert counts() == ONCE

    def test_no_photograph_in_a_warm_folder(
        self, search, detector, copies, counts, tmp_path, monkeypatch, n_jobs
    ):
        counted = detector(str(tmp_path / "cache"))
        counted["encoder"].transform(copies)
        assert counts() == ONCE
        monkeypatch.setattr(cache, "_caches", {})  # as a new session would find it
        search(counted, copies, n_jobs)
        assert counts() == NEVER


def test_without_a_folder_each_process_embeds_for_itself(detector, copies, counts):
    grid_search(detector(), copies, 2)
    found = counts()
    for what in ("decode", "embed"):
        assert len(found[what]) == N
        assert max(found[what]) <= 3  # two workers, and this process for the refit


def test_a_changed_file_is_embedded_anew(detector, copies, counts, photos, tmp_path):
    counted = detector(str(tmp_path / "cache"))
    grid_search(counted, copies, 1)
    assert counts() == ONCE
    shutil.copy(photos[-1], copies[3])
    grid_search(counted, copies, 1)
    assert counts() == {"decode": [1], "embed": [1]}


def test_the_same_photograph_twice_is_embedded_once(detector, copies, counts):
    encoder = detector()["encoder"]
    rows = encoder.transform(copies[:3] * 2)
    np.testing.assert_array_equal(rows[:3], rows[3:])
    assert counts() == {"decode": [1] * 3, "embed": [1] * 3}


def test_an_interrupted_search_goes_on(detector, copies, counts, tmp_path, monkeypatch):
    counted = detector(str(tmp_path / "cache"))
    forward, calls = inference._forward, []

    def stop(*args):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return forward(*args)

    monkeypatch.setattr(inference, "BATCH", 4)
    monkeypatch.setattr(inference, "_forward", stop)
    with pytest.raises(KeyboardInterrupt):
        grid_search(counted, copies, 1)
    monkeypatch.setattr(inference, "_forward", forward)
    monkeypatch.setattr(cache, "_caches", {})
    grid_search(counted, copies, 1)
    found = counts()
    assert found["decode"] == [1] * N
    assert sum(found["embed"]) == N + 4  # the four whose embedding was cut off


@pytest.mark.parametrize("on_disk", [False, True])
def test_clear_cache(detector, copies, counts, tmp_path, on_disk):
    encoder = detector(str(tmp_path / "cache") if on_disk else None)["encoder"]
    before = encoder.transform(copies)
    counts()
    encoder.clear_cache()
    assert not list((tmp_path / "cache").rglob("*.npy"))
    np.testing.assert_array_equal(encoder.transform(copies), before)
    assert counts() == ONCE


@pytest.mark.parametrize("on_disk", [False, True])
def test_the_cache_never_travels_in_a_pickle(detector, copies, tmp_path, on_disk):
    fitted = detector(str(tmp_path / "cache") if on_disk else None)
    before = pickle.dumps(fitted)
    fitted["encoder"].transform(copies)
    assert pickle.dumps(fitted) == before


@pytest.mark.filterwarnings("ignore::sklearn_blades.errors.SmallSampleWarning")
def test_an_encoder_inside_a_search_is_trained_once_a_fold(copies, tmp_path, monkeypatch):
    fits, fit = [], BladesEncoder.fit

    def counted(self, X, y=None, **kwargs):
        fits.append(len(X))
        return fit(self, X, y, **kwargs)

    monkeypatch.setattr(BladesEncoder, "fit", counted)
    few = {**SMALL, "max_epochs": 1, "tasks": [OrdinalTag("ISOSpeedRatings"), Manipulated()]}
    detector = make_detector(BladesEncoder(**few), BladesOneClass(random_state=0))
    detector.set_params(memory=str(tmp_path / "pipeline"))
    search = partial(
        GridSearchCV,
        param_grid={"head__target_fpr": [0.05, 0.1, 0.2]},
        scoring="roc_auc",
        cv=StratifiedKFold(2),
        error_score="raise",
    )
    first = search(detector).fit(copies, LABELS)
    assert fits == [N // 2, N // 2, N]
    again = search(detector).fit(copies, LABELS)
    assert len(fits) == 3
    for key in ("split0_test_score", "split1_test_score"):
        np.testing.assert_array_equal(first.cv_results_[key], again.cv_results_[key])
    # What a file is counts, and not its name alone.
    for path in map(Path, copies):
        path.write_bytes(path.read_bytes() + b" ")
    search(detector).fit(copies, LABELS)
    assert fits[3:] == fits[:3]
