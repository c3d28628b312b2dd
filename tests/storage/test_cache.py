"""The cache: bounded, read-only, whole files or none, each array made once."""

import os
import pickle
import signal
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from sklearn_blades.photos.crops import Crops, CropSettings
from sklearn_blades.storage.cache import ArrayCache, cache_for, file_identity, key_of

KEYS = [key_of(i) for i in range(40)]


def files(folder):
    return sorted(folder.rglob("*.npy"))


def fill_slowly(folder, log, keys=KEYS, start=None):
    """Fill a cache two keys at a time, and write down in a file which keys were made."""
    if start is not None:
        start.wait()

    def make(keys):
        time.sleep(0.01)
        with Path(log).open("a") as file:
            file.write("".join(f"{key}\n" for key in keys))
        return {key: np.array([KEYS.index(key)]) for key in keys}

    return ArrayCache(folder=folder).fill(keys, make, batch=2)


def fill_and_die(folder, log):
    """As `fill_slowly`, up to a sudden end at the 11th key, with its claim in hand."""
    fill_slowly(folder, log, KEYS[:10])
    (next(Path(folder, "sklearn_blades").glob("??")) / "half.part").write_bytes(b"\x93NUM")
    ArrayCache(folder=folder).fill(
        KEYS[10:], lambda keys: os.kill(os.getpid(), signal.SIGKILL), batch=2
    )


class TestMemory:
    def test_least_recently_used_goes_first(self):
        cache = ArrayCache(max_bytes=200, max_disk_bytes=0)
        for key in "ab":
            cache.put(key, np.zeros(80, dtype=np.uint8))
        cache.get("a")
        cache.put("c", np.zeros(80, dtype=np.uint8))
        assert cache.get("b") is None
        assert cache.get("a") is not None
        assert cache.get("c") is not None

    def test_what_exceeds_the_bound_is_not_kept(self):
        cache = ArrayCache(max_bytes=10, max_disk_bytes=0)
        cache.put("a", np.zeros(11, dtype=np.uint8))
        assert cache.get("a") is None

    def test_arrays_are_read_only(self, tmp_path):
        for cache in (ArrayCache(), ArrayCache(folder=tmp_path), ArrayCache(folder=tmp_path)):
            if cache.get("a") is None:
                cache.put("a", np.zeros(3))
            with pytest.raises(ValueError, match="read-only"):
                cache.get("a")[0] = 1

    def test_clear_forgets(self):
        cache = ArrayCache()
        cache.put("a", np.zeros(3))
        cache.clear()
        assert cache.get("a") is None


class TestFill:
    def test_makes_what_is_missing_in_batches(self):
        cache, asked = ArrayCache(), []
        cache.put("b", np.array([1]))

        def make(keys):
            asked.append(keys)
            return {key: np.array([ord(key)]) for key in keys if key != "d"}

        found = cache.fill(list("abcde"), make, batch=3)
        assert asked == [["a", "c", "d"], ["e"]]
        assert {key: int(array[0]) for key, array in found.items()} == {
            "a": 97, "b": 1, "c": 99, "e": 101,
        }  # fmt: skip
        assert cache.get("d") is None

    @pytest.mark.parametrize("ahead", [0, 1, 3])
    def test_starts_batches_ahead(self, tmp_path, ahead):
        # Ten keys of the same group among them, which several batches claim at once.
        keys, events = [*KEYS[:10], *(f"abc{i}" for i in range(10))], []

        def start(part):
            events.append(("start", part[0]))
            return part

        def make(part):
            events.append(("make", part[0]))
            return {key: np.array([keys.index(key)]) for key in part}

        for folder in (None, tmp_path):
            events.clear()
            cache = ArrayCache(folder=folder)
            found = cache.fill(keys, make, batch=4, start=start, ahead=ahead)
            assert [int(found[key][0]) for key in keys] == list(range(20))
            started = [key for what, key in events if what == "start"]
            made = [key for what, key in events if what == "make"]
            assert started == made == keys[::4]
            first = events.index(("make", keys[0]))
            assert first == min(ahead + 1, 5)

    def test_an_error_lets_go_of_all_claims(self, tmp_path):
        for cache in (ArrayCache(), ArrayCache(folder=tmp_path)):
            with pytest.raises(ZeroDivisionError):
                cache.fill(KEYS, lambda keys: 1 / 0, batch=5, start=list, ahead=2)
            with ThreadPoolExecutor(1) as pool:  # another thread, for which ours are not free
                make = pool.submit(
                    cache.fill, KEYS, lambda k: dict.fromkeys(k, np.ones(1)), batch=5
                )
                assert len(make.result(timeout=20)) == 40

    def test_an_error_lets_go_of_the_claims(self, tmp_path):
        for cache in (ArrayCache(), ArrayCache(folder=tmp_path)):
            with pytest.raises(ZeroDivisionError):
                cache.fill(["a"], lambda keys: 1 / 0, batch=1)
            assert cache.fill(["a"], lambda keys: {"a": np.zeros(1)}, batch=1)

    @pytest.mark.parametrize("on_disk", [False, True])
    def test_threads_make_each_once(self, tmp_path, on_disk):
        cache, made = ArrayCache(folder=tmp_path if on_disk else None), []

        def make(keys):
            time.sleep(0.002)
            made.extend(keys)
            return {key: np.array([KEYS.index(key)]) for key in keys}

        with ThreadPoolExecutor(4) as pool:
            orders = (KEYS, KEYS[::-1], KEYS[20:] + KEYS[:20], KEYS)
            results = list(pool.map(lambda keys: cache.fill(keys, make, batch=3), orders))
        assert sorted(made) == sorted(KEYS)
        for result in results:
            assert {key: int(array[0]) for key, array in result.items()} == {
                key: i for i, key in enumerate(KEYS)
            }

    def test_three_processes_make_each_once(self, tmp_path):
        spawn, args = get_context("spawn"), (str(tmp_path / "cache"), str(tmp_path / "log"))
        start = spawn.Barrier(3, timeout=60)
        others = [
            spawn.Process(target=fill_slowly, args=(*args, keys, start))
            for keys in (KEYS, KEYS[::-1])
        ]
        for process in others:
            process.start()
        mine = fill_slowly(*args, start=start)
        for process in others:
            process.join()
            assert process.exitcode == 0
        assert Counter((tmp_path / "log").read_text().split()) == dict.fromkeys(KEYS, 1)
        assert [int(mine[key][0]) for key in KEYS] == list(range(40))

    @pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
    def test_a_killed_process_leaves_what_it_finished_and_no_lock(self, tmp_path):
        args = (str(tmp_path / "cache"), str(tmp_path / "log"))
        process = get_context("spawn").Process(target=fill_and_die, args=args)
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert len(files(tmp_path)) == 10
        found = fill_slowly(*args)
        assert [int(found[key][0]) for key in KEYS] == list(range(40))
        assert Counter((tmp_path / "log").read_text().split()) == dict.fromkeys(KEYS, 1)


def test_nothing_cached_travels_in_a_pickle(tmp_path, photos):
    settings = CropSettings("whole", 1.6, 32)
    for memory in (None, tmp_path):
        crops = Crops(photos[:3], settings, cache_for(memory))
        before = pickle.dumps(crops)
        crops.load()
        assert pickle.dumps(crops) == before
        again = pickle.loads(before)
        assert again.cache is cache_for(memory)
        np.testing.assert_array_equal(again[0].pixels, crops[0].pixels)
        assert again[0].face == crops[0].face


def test_one_cache_a_folder(tmp_path):
    assert cache_for(tmp_path) is cache_for(str(tmp_path))
    assert cache_for() is cache_for(None)
    assert cache_for(tmp_path) is not cache_for()
    for cache in (cache_for(), cache_for(tmp_path)):
        assert pickle.loads(pickle.dumps(cache)) is cache


def test_the_last_size_asked_for_bounds_memory_and_loses_nothing(tmp_path):
    for memory in (None, tmp_path):
        cache = cache_for(memory)
        cache.put("abc", np.arange(3.0))
        assert cache_for(memory, 0) is cache
        assert cache._bytes == 0
        np.testing.assert_array_equal(cache.get("abc"), np.arange(3.0))
        cache_for(memory).put("xyz", np.arange(3.0))
        assert cache._bytes == 24


def test_claims_leave_a_process_files_to_open(tmp_path, monkeypatch):
    cache, held, most = ArrayCache(folder=tmp_path), [], []
    lock = cache.folder.lock

    def counted(name, on, *, wait):
        held.append(name)
        on.callback(held.remove, name)
        most.append(len(held))
        return lock(name, on, wait=wait)

    monkeypatch.setattr(cache.folder, "lock", counted)
    keys = [key_of(number) for number in range(400)]
    made = cache.fill(
        keys, lambda part: {key: np.zeros(1) for key in part}, batch=256, start=list, ahead=2
    )
    assert set(made) == set(keys)
    assert 64 < max(most) <= 128
    assert not held


def test_a_changed_file_has_another_identity(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"one")
    before = file_identity(path)
    path.write_bytes(b"three")
    assert file_identity(path) != before


def test_a_link_or_name_that_leads_elsewhere_has_another_identity(tmp_path, monkeypatch):
    link, identities = tmp_path / "link", set()
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "a").write_bytes(b"same")
        os.utime(folder / "a", (1, 1))
        link.unlink(missing_ok=True)
        link.symlink_to(folder / "a")
        monkeypatch.chdir(folder)
        assert file_identity(link) == file_identity("a") == file_identity(folder / "a")
        identities.add(file_identity("a"))
    assert len(identities) == 2


def test_keys_tell_types_and_borders_apart():
    keys = {key_of("a", "b"), key_of("ab"), key_of(b"ab"), key_of(1), key_of("1"), key_of(1.0)}
    assert len(keys) == 6


def test_a_file_moved_or_copied_over_another_with_its_size_and_time_is_another(tmp_path):
    path, other = tmp_path / "a", tmp_path / "b"
    for file in (path, other):
        file.write_bytes(file.name.encode())
        os.utime(file, (1, 1))
    first = file_identity(path)
    other.replace(path)
    second = file_identity(path)
    path.write_bytes(b"c")
    os.utime(path, (1, 1))
    assert len({first, second, file_identity(path)}) == 3
