"""Decoding runs ahead of the towers, within bounds; photographs are opened once in all of `fit`."""

import multiprocessing
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sklearn_blades import BladesEncoder
from sklearn_blades.errors import PhotoError
from sklearn_blades.estimators import pretraining
from sklearn_blades.estimators.embedding import crops_of
from sklearn_blades.photos import crops as crops_module
from sklearn_blades.pretext import Manipulated
from sklearn_blades.storage.cache import cache_for
from sklearn_blades.towers import embed as inference

SMALL = {
    "face_locator": "whole",
    "image_size": 32,
    "tasks": [Manipulated()],
    "max_epochs": 0,
    "batch_size": 8,
    "device": "cpu",
    "random_state": 0,
}


@pytest.fixture
def copies(photos, tmp_path):
    """20 photographs that no cache has seen."""
    return [shutil.copy(path, tmp_path) for path in photos[:20]]


@pytest.fixture
def encoder(copies):
    return BladesEncoder(**SMALL, n_jobs=2).fit(copies)


@pytest.fixture
def watched(monkeypatch):
    """Batches of two; how many photographs are decoded and embedded so far."""
    seen = {"decoded": 0, "embedded": 0, "most ahead": 0}
    lock, decode, forward = threading.Lock(), crops_module.face_crop, inference._forward

    def decoded(*args, **kwargs):
        with lock:
            seen["decoded"] += 1
            seen["most ahead"] = max(seen["most ahead"], seen["decoded"] - seen["embedded"])
        return decode(*args, **kwargs)

    def embedded(embedding, pixels, *args):
        rows = forward(embedding, pixels, *args)
        with lock:
            seen["embedded"] += len(pixels)
        return rows

    monkeypatch.setattr(inference, "BATCH", 2)
    monkeypatch.setattr(crops_module, "face_crop", decoded)
    monkeypatch.setattr(inference, "_forward", embedded)
    return seen


def decoders():
    return [t for t in threading.enumerate() if t.name.startswith("ThreadPoolExecutor")]


class TestOverlap:
    def test_the_next_batches_are_decoded_while_the_towers_run(
        self, encoder, copies, watched, monkeypatch
    ):
        forward, waited = inference._forward, []

        def slow(*args):
            if not waited:  # the towers are at photographs 1 and 2 until 3 to 6 are decoded
                waited.append(True)
                for _ in range(1000):
                    if watched["decoded"] >= 6:
                        break
                    threading.Event().wait(0.01)
                assert watched["decoded"] == 6
                assert watched["embedded"] == 0
            return forward(*args)

        monkeypatch.setattr(inference, "_forward", slow)
        encoder.transform(copies)
        assert watched["embedded"] == 20

    @pytest.mark.parametrize("n_jobs", [1, 2, 8])
    def test_few_batches_are_in_memory(self, encoder, copies, watched, n_jobs):
        encoder.set_params(n_jobs=n_jobs).transform(copies)
        assert watched["most ahead"] <= 2 * (inference.AHEAD + 1)
        assert watched["decoded"] == watched["embedded"] == 20

    def test_rows_are_those_of_single_photographs(self, encoder, copies, watched):
        rows = encoder.transform(copies)
        cache_for().clear()
        alone = [encoder.transform([path])[0] for path in copies]
        np.testing.assert_allclose(rows, alone, atol=1e-6)

    def test_an_error_is_raised_at_once_and_ends_the_threads(self, encoder, copies, watched):
        Path(copies[2]).write_text("no picture")
        with pytest.raises(PhotoError, match=Path(copies[2]).name):
            encoder.transform(copies)
        assert watched["embedded"] == 2
        assert watched["decoded"] <= 8
        assert not decoders()
        with pytest.warns(UserWarning, match="1 of 20"):
            rows = encoder.set_params(on_error="nan").transform(copies)
        assert np.flatnonzero(np.isnan(rows[:, 0])).tolist() == [2]

    def test_an_interrupt_ends_the_threads(self, encoder, copies, watched, monkeypatch):
        def interrupt(*args):
            raise KeyboardInterrupt

        monkeypatch.setattr(inference, "_forward", interrupt)
        with pytest.raises(KeyboardInterrupt):
            encoder.transform(copies)
        assert not decoders()
        assert watched["decoded"] <= 6

    def test_a_single_photograph_starts_no_thread(self, encoder, copies, monkeypatch):
        monkeypatch.setattr(inference, "ThreadPoolExecutor", None)
        assert encoder.set_params(n_jobs=None).transform(copies[:1]).shape == (1, 128)


class TestBatches:
    def test_small_images_and_gpus_get_more(self):
        sizes = [inference.batch_size(size, "cpu") for size in (64, 96, 224, 10_000)]
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[0] > 2 * sizes[2]
        assert sizes[-1] == 1
        assert inference.batch_size(224, "cuda:1") > sizes[2]

    def test_are_halved_where_a_gpu_is_full(self, encoder, copies, monkeypatch):
        expected, forward, sizes = encoder.transform(copies), inference._forward, []

        def full(embedding, pixels, *args):
            sizes.append(len(pixels))
            if len(pixels) > 6:
                raise torch.cuda.OutOfMemoryError
            return forward(embedding, pixels, *args)

        monkeypatch.setattr(inference, "_forward", full)
        encoder.clear_cache()
        np.testing.assert_allclose(encoder.transform(copies), expected, atol=1e-6)
        assert sizes == [20, 10, 5, 5, 10, 5, 5]

    def test_one_that_has_no_room_is_an_error(self, encoder, copies, monkeypatch):
        def full(*args):
            raise torch.cuda.OutOfMemoryError

        monkeypatch.setattr(inference, "_forward", full)
        with pytest.raises(torch.cuda.OutOfMemoryError):
            encoder.transform(copies)


class TestParts:
    """Of many photographs some are in hand at a time."""

    @pytest.fixture
    def parts(self, monkeypatch):
        """Parts of six, in batches of two."""
        seen, embed = [], inference.embed
        monkeypatch.setattr(inference, "BATCH", 2)
        monkeypatch.setattr(inference, "PART", 7)

        def watched(side, crops, **how):
            seen.append(len(crops))
            return embed(side, crops, **how)

        monkeypatch.setattr("sklearn_blades.estimators.embedding.embed", watched)
        return seen

    def test_rows_are_the_same_and_each_is_made_once(self, encoder, copies, parts, monkeypatch):
        twice = [*copies[:4], *copies]
        rows = encoder.transform(twice)
        assert parts == [6, 6, 6, 6]
        monkeypatch.setattr(inference, "PART", 20_000)
        encoder.clear_cache()
        whole = encoder.transform(copies)
        assert rows.tobytes() == np.concatenate([whole[:4], whole]).tobytes()
        assert parts[4:] == [20]

    def test_errors_keep_their_rows_and_are_told_in_one_sentence(self, encoder, copies, parts):
        for bad in (3, 14):
            Path(copies[bad]).write_text("no picture")
        with pytest.warns(UserWarning, match=r"2 of 20 photographs cannot be used") as told:
            rows = encoder.set_params(on_error="nan").transform(copies)
        assert np.flatnonzero(np.isnan(rows[:, 0])).tolist() == [3, 14]
        assert len(told) == 1
        assert Path(copies[3]).name in str(told[0].message)
        assert told[0].filename == __file__

    def test_a_file_that_is_not_there_is_told_before_any_work(self, encoder, copies, parts):
        Path(copies[19]).unlink()
        with pytest.raises(PhotoError, match=Path(copies[19]).name):
            encoder.transform(copies)
        assert not parts


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_features_of_a_cpu_whatever_is_said_of_tf32(encoder, copies, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    rows = []
    for device in ("cpu", "cuda"):
        encoder.clear_cache()
        rows.append(encoder.set_params(device=device).transform(copies))
    assert torch.backends.cudnn.allow_tf32
    np.testing.assert_allclose(*rows, atol=1e-5)


class TestCacheSize:
    @pytest.mark.parametrize("n_jobs", [1, 2])
    def test_training_opens_no_photograph(self, copies, photos, monkeypatch, n_jobs):
        if n_jobs > 1 and multiprocessing.get_start_method() != "fork":
            pytest.skip("workers that are not forked make crops of their own")
        pretrain = pretraining.pretrain

        def without_photographs(*args, **kwargs):
            for path in copies:
                Path(path).unlink()
            return pretrain(*args, **kwargs)

        params = {**SMALL, "max_epochs": 3, "task_weighting": "equal", "n_jobs": n_jobs}
        expected = BladesEncoder(**params).fit(photos[:20])
        monkeypatch.setattr(pretraining, "pretrain", without_photographs)
        tiny = BladesEncoder(**params, cache_size=0.01).fit(copies)  # room for three crops
        assert not any(Path(path).exists() for path in copies)
        assert [row["losses"] for row in tiny.history_] == [r["losses"] for r in expected.history_]

    def test_bounds_memory_and_changes_no_row(self, encoder, copies):
        expected = encoder.transform(copies)
        for size in (0, 0.01):
            small = clone(encoder).set_params(cache_size=size).fit(copies)
            np.testing.assert_array_equal(small.transform(copies), expected)
            np.testing.assert_array_equal(small.transform(copies), expected)
            assert cache_for(None, size)._bytes <= size * 1e6
            small.clear_cache()
            assert (
                cache_for(None, size).get(
                    crops_of(encoder, copies, encoder.preprocessing_, {}).key(0)
                )
                is None
            )

    def test_is_checked_and_no_part_of_a_run(self, encoder, copies):
        with pytest.raises(ValueError, match="cache_size"):
            clone(encoder).set_params(cache_size=-1).fit(copies)
        other = clone(encoder).set_params(cache_size=7)
        names = [pretraining._fingerprint(one, copies, [], 0) for one in (other, encoder)]
        assert names[0] == names[1]
