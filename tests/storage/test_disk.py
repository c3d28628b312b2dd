"""The disk under the cache: whole files or none, bounded, private, and safe among processes."""

import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path

import numpy as np
import pytest

from sklearn_blades.storage.cache import ArrayCache, cache_for, key_of
from sklearn_blades.storage.disk import _PrivateFile

KEYS = [key_of(i) for i in range(40)]


def files(folder):
    return sorted(folder.rglob("*.npy"))


def numbered(i):
    return np.full(20, i, dtype=np.int32)


def holds(cache, numbers):
    """Whether the cache still has the arrays of these numbers, unharmed."""
    found = [cache.get(key_of(i)) for i in numbers]
    return all(np.array_equal(a, numbered(i)) for a, i in zip(found, numbers, strict=True))


def fill_up(cache, numbers):
    for i in numbers:
        cache.put(key_of(i), numbered(i))


def read_and_write_as_a_copy(cache, start, results):
    fill_up(cache, range(100, 150))
    start.wait()
    results.put(holds(cache, range(30)) and holds(cache, range(100, 150)))


class TestOverflow:
    """Room for two arrays in memory."""

    @pytest.fixture
    def cache(self, tmp_path, monkeypatch):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        return ArrayCache(max_bytes=160)

    @pytest.mark.parametrize("positional", [True, False])
    def test_what_falls_out_of_memory_comes_back(self, cache, monkeypatch, positional):
        if not positional:  # as on Windows
            monkeypatch.delattr(os, "pread", raising=False)
        fill_up(cache, range(30))
        assert cache._bytes <= 160
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(lambda _: holds(cache, range(30)), range(8)))
        assert cache._bytes <= 160
        with pytest.raises(ValueError, match="read-only"):
            cache.get(key_of(0))[0] = 1

    def test_shape_and_type_come_back(self, cache):
        arrays = {"a": np.zeros((3, 0)), "b": np.eye(50, dtype=bool), "c": np.float32([[1.5]])}
        for key, array in arrays.items():
            cache.put(key, array)
        fill_up(cache, range(3))
        for key, array in arrays.items():
            np.testing.assert_array_equal(cache.get(key), array, strict=True)

    @pytest.mark.skipif(sys.platform == "win32", reason="files in use have names there")
    def test_the_file_has_no_name(self, cache, tmp_path):
        fill_up(cache, range(30))
        assert list(tmp_path.iterdir()) == []

    def test_clear_forgets(self, cache):
        fill_up(cache, range(30))
        cache.clear()
        assert not any(cache.get(key_of(i)) is not None for i in range(30))
        fill_up(cache, range(10, 30))
        assert holds(cache, range(10, 30))

    def test_a_full_file_keeps_what_it_has(self):
        cache = ArrayCache(max_bytes=160, max_disk_bytes=400)
        fill_up(cache, range(30))
        assert holds(cache, range(5))
        assert cache.get(key_of(10)) is None

    def test_a_full_disk_is_told_once_and_loses_no_work(self, cache, monkeypatch):
        fill_up(cache, range(4))  # two of them in the file
        append = _PrivateFile.append

        def half(self, raw):
            append(self, raw[: len(raw) // 2])
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(_PrivateFile, "append", half)
        with pytest.warns(UserWarning, match=r"No space left.*higher cache_size") as told:
            fill_up(cache, range(4, 8))
        assert len(told) == 1
        assert holds(cache, [6, 7, 0, 1])
        made = cache.fill([key_of(3)], lambda keys: {keys[0]: numbered(3)}, batch=1)
        np.testing.assert_array_equal(made[key_of(3)], numbered(3))

    @pytest.mark.skipif("fork" not in get_all_start_methods(), reason="needs fork")
    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_forked_copies_read_it_and_write_elsewhere(self, cache):
        fork = get_context("fork")
        fill_up(cache, range(30))
        start, results = fork.Barrier(3, timeout=60), fork.SimpleQueue()
        others = [
            fork.Process(target=read_and_write_as_a_copy, args=(cache, start, results))
            for _ in range(2)
        ]
        for process in others:
            process.start()
        fill_up(cache, range(200, 250))
        start.wait()
        assert holds(cache, [*range(30), *range(200, 250)])
        for process in others:
            process.join()
        assert [results.get(), results.get()] == [True, True]


class TestFolder:
    def test_outlives_the_process(self, tmp_path):
        ArrayCache(folder=tmp_path).put("abc", np.arange(3.0))
        np.testing.assert_array_equal(ArrayCache(folder=tmp_path).get("abc"), np.arange(3.0))
        assert not list(tmp_path.rglob("*.part"))

    @pytest.mark.parametrize("where", [0, 60, -3])
    def test_a_changed_byte_is_as_good_as_no_file(self, tmp_path, where):
        ArrayCache(folder=tmp_path).put("abc", np.arange(3.0))
        (path,) = files(tmp_path)
        raw = bytearray(path.read_bytes())
        raw[where] ^= 1
        path.write_bytes(raw)
        assert ArrayCache(folder=tmp_path).get("abc") is None
        assert not path.exists()

    @pytest.mark.parametrize("damage", [b"", b"\0" * 8, b"hello", b"\x93NUMPY"])
    def test_a_damaged_file_is_made_again(self, tmp_path, damage):
        ArrayCache(folder=tmp_path).put("abc", np.arange(3.0))
        files(tmp_path)[0].write_bytes(damage)
        cache = ArrayCache(folder=tmp_path)
        assert cache.get("abc") is None
        assert not files(tmp_path)
        cache.fill(["abc"], lambda keys: {"abc": np.ones(2)}, batch=1)
        np.testing.assert_array_equal(ArrayCache(folder=tmp_path).get("abc"), np.ones(2))

    def test_is_bounded_and_keeps_what_was_used_last(self, tmp_path):
        limit = 40 * 4096
        cache = ArrayCache(folder=tmp_path, max_disk_bytes=limit)
        for age, key in enumerate(KEYS[:30]):
            cache.put(key, np.zeros(1000, dtype=np.uint8))
            os.utime(tmp_path / "sklearn_blades" / key[:2] / f"{key}.npy", (age, age))
        ArrayCache(folder=tmp_path).get(KEYS[0])
        for i in range(100, 130):
            cache.put(key_of(i), np.zeros(1000, dtype=np.uint8))
            assert len(files(tmp_path)) <= 40
        fresh = ArrayCache(folder=tmp_path)
        assert fresh.get(KEYS[0]) is not None
        assert fresh.get(KEYS[1]) is None
        assert fresh.get(key_of(129)) is not None
        assert len(files(tmp_path)) >= 30

    def test_what_a_dead_writer_left_goes_after_an_hour(self, tmp_path):
        cache = ArrayCache(folder=tmp_path)
        cache.put("abc", np.zeros(3))
        for name, age in (("dead", 4000), ("alive", 0)):
            part = tmp_path / "sklearn_blades" / "ab" / f"{name}.part"
            part.write_bytes(b"\x93NUM")
            os.utime(part, (time.time() - age,) * 2)
        ArrayCache(folder=tmp_path).put("xyz", np.zeros(3))
        assert [path.stem for path in tmp_path.rglob("*.part")] == ["alive"]
        assert len(files(tmp_path)) == 2

    def test_clear_deletes_ours_and_nothing_else(self, tmp_path):
        (tmp_path / "ab").mkdir()
        for mine in (tmp_path / "ab" / "mine.npy", tmp_path / "mine.part"):
            mine.write_bytes(b"precious")
        cache = ArrayCache(folder=tmp_path)
        cache.put("abc", np.zeros(3))
        cache.clear()
        assert cache.get("abc") is None
        assert ArrayCache(folder=tmp_path).get("abc") is None
        assert files(tmp_path) == [tmp_path / "ab" / "mine.npy"]
        assert (tmp_path / "mine.part").exists()

    def test_that_cannot_be_is_named(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(OSError, match=r"memory='.*file' cannot hold a cache.*memory=None"):
            cache_for(tmp_path / "file")

    def test_a_full_disk_loses_no_work(self, tmp_path, monkeypatch):
        def full(*args):
            raise OSError(28, "No space left on device")

        cache = ArrayCache(folder=tmp_path)
        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.warns(UserWarning, match=r"cannot be written \(No space left"):
            cache.put("abc", np.zeros(3))
        assert cache.get("abc") is not None

    def test_deleted_by_hand_comes_back(self, tmp_path):
        cache_for(tmp_path / "a").put("abc", np.zeros(3))
        (tmp_path / "a").rename(tmp_path / "b")
        ArrayCache(folder=tmp_path / "a").fill(
            KEYS[:2], lambda keys: {key: np.zeros(3) for key in keys}, batch=2
        )
        cache_for(tmp_path / "a").put("xyz", np.zeros(3))
        assert len(files(tmp_path / "a")) == 3
