"""The disk under the cache: whole files or none, bounded, private, and safe among processes."""

import errno
import os
import sys
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path

import numpy as np
import pytest

from sklearn_blades.storage import disk
from sklearn_blades.storage.cache import ArrayCache, cache_for, key_of
from sklearn_blades.storage.disk import ArrayFolder, _PrivateFile

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

    def test_deleted_by_hand_comes_back(self, tmp_path):
        cache_for(tmp_path / "a").put("abc", np.zeros(3))
        (tmp_path / "a").rename(tmp_path / "b")
        ArrayCache(folder=tmp_path / "a").fill(
            KEYS[:2], lambda keys: {key: np.zeros(3) for key in keys}, batch=2
        )
        cache_for(tmp_path / "a").put("xyz", np.zeros(3))
        assert len(files(tmp_path / "a")) == 3


def fill_twice(folder):
    """Ask an `ArrayCache` for all keys twice, with room for few in memory; how many were made."""
    cache, made = ArrayCache(max_bytes=160, folder=folder), []

    def make(keys):
        made.extend(keys)
        return {key: numbered(KEYS.index(key)) for key in keys}

    for _ in range(2):
        found = cache.fill(KEYS, make, batch=4)
        assert all(np.array_equal(found[key], numbered(i)) for i, key in enumerate(KEYS))
    return len(made)


def fill_under_a_limit(folder, results):
    """As `fill_twice`, where no file may grow beyond 50 bytes."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        cache = ArrayCache(folder=folder)
        found = [cache.fill(KEYS, lambda keys: dict.fromkeys(keys, numbered(1)), batch=4)]
        found.append({key: cache.get(key) for key in KEYS})
    whole = all(np.array_equal(each[key], numbered(1)) for each in found for key in KEYS)
    results.put((whole, [str(one.message) for one in told]))


class TestFolderThatCannotBe:
    """Work goes on in memory and in a temporary file, and one warning says so."""

    @pytest.mark.parametrize("where", ["file", "file/below", "/proc/nowhere", "/dev/null/x"])
    def test_written(self, tmp_path, where):
        (tmp_path / "file").write_text("")
        if where.startswith("/") and not Path("/proc/self").exists():
            pytest.skip("needs /proc")
        with pytest.warns(UserWarning, match=r"memory='.*' cannot be written \(") as told:
            assert fill_twice(tmp_path / where) == len(KEYS)
        assert len(told) == 1
        assert list(tmp_path.iterdir()) == [tmp_path / "file"]

    @pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
    def test_written_any_further(self, tmp_path):
        spawn = get_context("spawn")
        results = spawn.SimpleQueue()
        process = spawn.Process(target=fill_under_a_limit, args=(str(tmp_path), results))
        process.start()
        process.join()
        whole, told = results.get()
        assert whole
        assert len(told) == 1
        assert "cannot be written (File too large)" in told[0]
        assert not list(tmp_path.rglob("*.part"))

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
    @pytest.mark.parametrize("name", ["open", "mkdir"])  # no bytes left, no inodes left
    def test_filled(self, tmp_path, monkeypatch, number, name):
        # Root writes where nobody may, and a test cannot fill a disk: the system's answer is made.
        real = getattr(Path, name)

        def refused(self, *args, **kwargs):
            if self.is_relative_to(tmp_path) and "r" not in str(args):
                raise OSError(number, os.strerror(number))
            return real(self, *args, **kwargs)

        monkeypatch.setattr(Path, name, refused)
        if name == "open":
            (tmp_path / "sklearn_blades" / "locks").mkdir(parents=True)
        with pytest.warns(UserWarning, match=r"cannot be written \(") as told:
            assert fill_twice(tmp_path) == len(KEYS)
        assert len(told) == 1

    def test_written_is_still_read(self, tmp_path, monkeypatch):
        ArrayCache(folder=tmp_path).put(KEYS[0], numbered(0))
        cache = ArrayCache(folder=tmp_path)

        def full(*args):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.warns(UserWarning, match=r"cannot be written \(No space left") as told:
            fill_up(cache, range(1, 9))
        assert len(told) == 1
        assert holds(cache, range(9))
        monkeypatch.undo()
        cache.clear()  # there is room again
        fill_up(cache, range(3))
        assert len(files(tmp_path)) == 3

    @pytest.mark.skipif(sys.platform == "win32", reason="every disk has locks there")
    @pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
    def test_locked(self, tmp_path, monkeypatch, number):
        import fcntl

        def refused(*args):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(fcntl, "flock", refused)
        with pytest.warns(UserWarning, match=r"memory='.*' has no locks \(") as told:
            assert fill_twice(tmp_path) == len(KEYS)
        assert len(told) == 1
        assert len(files(tmp_path)) == len(KEYS)  # what can be written is written
        cache, made = ArrayCache(folder=tmp_path / "other"), []

        def make(keys):
            time.sleep(0.002)
            made.extend(keys)
            return {key: numbered(1) for key in keys}

        # Threads still wait for each other.
        with pytest.warns(UserWarning, match="no locks"), ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda keys: cache.fill(keys, make, batch=3), [KEYS, KEYS[::-1]] * 2))
        assert sorted(made) == sorted(KEYS)

    def test_a_lock_that_is_taken_is_no_lack_of_locks(self, tmp_path):
        with ExitStack() as held:
            assert ArrayFolder(tmp_path).lock("abc", held, wait=False) is True
            with ThreadPoolExecutor(1) as pool:
                other = ArrayFolder(tmp_path)
                asked = pool.submit(other.lock, "abc", ExitStack(), wait=False)
                assert asked.result(timeout=20) is False


class Forgetful(dict):
    """A table after whose every answer everything is forgotten, and other arrays are kept."""

    def get(self, key):
        place = super().get(key)
        self.overflow.clear()
        self.overflow.write("another", np.full(7, 9.0))
        return place


def test_what_is_forgotten_while_it_is_read_is_whole():
    overflow = disk.ArrayOverflow()
    overflow.write("first", np.arange(3.0))
    overflow.write("second", np.arange(5))
    places, forms = overflow._tables
    table = Forgetful(places)
    table.overflow = overflow
    overflow._tables = table, forms
    np.testing.assert_array_equal(overflow.read("second"), np.arange(5))
    assert overflow.read("second") is None
    np.testing.assert_array_equal(overflow.read("another"), np.full(7, 9.0))
