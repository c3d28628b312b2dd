"""The file of a fit's crops: found in every kind of process, bounded, gone with its owner."""

import gc
import os
import pickle
import subprocess
import sys
import threading
import time
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path

import numpy as np
import pytest

from sklearn_blades.storage import crop_store
from sklearn_blades.storage.cache import ArrayCache
from sklearn_blades.storage.crop_store import CropStore, room, store_for_fit

ROW = 5000  # more than a page, and no multiple of one


def row(number):
    return np.full(ROW, number % 251, dtype=np.uint8)


def filled(n=20, **how):
    store = CropStore(ROW, n, **how)
    for number in range(n):
        assert store.put(str(number), row(number)) == number
    return store


def read_all(store, results):
    results.put([bool(np.array_equal(store.read(slot), row(slot))) for slot in range(20)])


@pytest.fixture(params=[True, False], ids=["without a name", "with a name"])
def named(request, monkeypatch, tmp_path):
    """Both ways to find the file: by its process, as on Linux, and by a name in a folder."""
    if not request.param:
        monkeypatch.setattr(crop_store, "_OURS", tmp_path / "nothing")
    elif not crop_store._OURS.exists():
        pytest.skip("needs /proc")
    return not request.param


@pytest.mark.parametrize("method", get_all_start_methods())
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_every_kind_of_worker_reads_it(named, method, tmp_path):
    store, context = filled(folder=str(tmp_path / "memory")), get_context(method)
    results = context.SimpleQueue()
    process = context.Process(target=read_all, args=(store, results))
    process.start()
    process.join(60)
    assert results.get() == [True] * 20


@pytest.mark.parametrize("way", ["read", "mapped"])
def test_rows_are_read_only_and_read_while_others_are_written(way, monkeypatch):
    if way == "mapped":  # as on Windows
        monkeypatch.delattr(os, "pread")
    store = filled(3)
    assert np.array_equal(store.read(2), row(2))
    with pytest.raises(ValueError, match="read-only"):
        store.read(0)[0] = 1
    store.capacity = 5
    assert store.put("new", row(7)) == 3
    assert np.array_equal(store.read(3), row(7))
    assert store.put("new", row(8)) == 3  # known: not written again
    assert store.put("x", row(1)) == 4
    assert store.put("y", row(1)) is None  # no room
    assert len(store) == 5


@pytest.mark.skipif(not hasattr(os, "pread"), reason="needs pread")
def test_a_file_that_was_cut_short_is_an_error_and_no_row():
    store = filled(3)
    os.truncate(store._file.fileno(), 2 * ROW + 10)
    assert np.array_equal(store.read(1), row(1))
    with pytest.raises(OSError, match="cut short"):
        store.read(2)


def test_the_file_ends_with_its_last_reference(named, tmp_path):
    store = filled(folder=tmp_path)
    assert len(list(tmp_path.glob("*.crops"))) == named
    other = pickle.loads(pickle.dumps(store))
    pickled = pickle.dumps(store)
    del store
    gc.collect()
    assert list(tmp_path.iterdir()) == []
    with pytest.warns(UserWarning, match=r"cannot be opened here .* again, in every epoch"):
        assert pickle.loads(pickled) is None
    if sys.platform != "win32":
        assert np.array_equal(other.read(3), row(3))  # whoever has it open keeps it


def test_another_file_under_its_name_is_not_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(crop_store, "_OURS", tmp_path / "nothing")
    store = filled(folder=tmp_path)
    (path,) = tmp_path.glob("*.crops")
    other = tmp_path / "other"
    other.write_bytes(bytes(20 * ROW))
    other.replace(path)
    with pytest.warns(UserWarning, match="another file has its name now"):
        assert pickle.loads(pickle.dumps(store)) is None


@pytest.mark.skipif(not crop_store._OURS.exists(), reason="needs /proc")
def test_a_killed_process_leaves_nothing(tmp_path):
    code = (
        "import os, signal, sys, numpy as np\n"
        "from sklearn_blades.storage.crop_store import CropStore\n"
        "store = CropStore(5000, 9, folder=sys.argv[1])\n"
        "store.put('a', np.zeros(5000, np.uint8))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert done.returncode == -9
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif("fork" not in get_all_start_methods(), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_while_another_thread_has_the_lock_does_not_hang():
    cache, taken = ArrayCache(), threading.Event()
    cache.put("a", row(1))

    def hold():
        with crop_store.LOCK:
            taken.set()
            time.sleep(0.3)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    context = get_context("fork")
    results = context.SimpleQueue()
    process = context.Process(target=lambda: results.put(len(cache.get("a"))), daemon=True)
    process.start()
    process.join(20)
    hung = process.is_alive()
    process.kill()
    thread.join()
    assert not hung
    assert results.get() == ROW


@pytest.mark.skipif("fork" not in get_all_start_methods(), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_copy_does_not_wait_for_threads_that_it_has_not():
    cache, begun, end = ArrayCache(), threading.Event(), threading.Event()

    def make(keys):
        begun.set()
        end.wait()
        return dict.fromkeys(keys, row(1))

    thread = threading.Thread(target=lambda: cache.fill(["abc"], make, batch=1))
    thread.start()
    begun.wait()
    process = get_context("fork").Process(
        target=lambda: cache.fill(["abc"], lambda keys: dict.fromkeys(keys, row(2)), batch=1),
        daemon=True,
    )
    process.start()
    process.join(20)
    code = process.exitcode
    process.kill()
    end.set()
    thread.join()
    assert code == 0


class TestRoom:
    def test_enough_is_no_word(self):
        assert room(100, 0, row_bytes=ROW, max_bytes=1e6) == (100, None)

    def test_the_bound_names_what_to_type(self):
        rows, told = room(1000, 0, row_bytes=ROW, max_bytes=1e6)
        assert rows == 200
        assert "1000 photographs need 5.0 MB of disk, but disk_size=1 allows 1.0 MB: 800" in told
        assert told.endswith("give disk_size=5.")

    def test_the_disk_names_what_to_type(self, monkeypatch):
        free = type("Usage", (), {"free": 1e6})
        monkeypatch.setattr(crop_store.shutil, "disk_usage", lambda folder: free)
        rows, told = room(1000, 0, row_bytes=ROW, max_bytes=1e9, folder="there")
        assert rows == 190
        assert "950.0 kB are free in there: 810 of them" in told
        assert "disk_size" not in told
        assert "name a folder with that room as memory=, or set TMPDIR to one." in told
        held, _ = room(1000, 500, row_bytes=ROW, max_bytes=1e9, folder="there")
        assert held == 690

    def test_a_store_is_gone_on_with_or_begun_anew(self):
        stores, how = {}, {"row_bytes": ROW, "max_bytes": 10 * ROW}
        first, told = store_for_fit(stores, 6, None, **how)
        assert told is None
        for number in range(6):
            first.put(str(number), row(number))
        same, told = store_for_fit(stores, 6, {*"012345"}, **how)
        assert same is first
        more, told = store_for_fit(stores, 8, {*"4567"}, **how)
        assert (more is first, more.capacity, told) == (True, 8, None)
        other, told = store_for_fit(stores, 8, {*"56789abc"}, **how)
        assert (other is first, other.capacity, told) == (False, 8, None)
        _, told = store_for_fit(stores, 12, {*"0123456789ab"}, **how)
        assert "2 of them" in told

    def test_others_make_room(self):
        stores = {}
        store_for_fit(stores, 9, None, row_bytes=ROW, max_bytes=10 * ROW)[0].put("a", row(1))
        store_for_fit(stores, 9, None, row_bytes=2 * ROW, max_bytes=10 * ROW)
        assert list(stores) == [2 * ROW]

    def test_no_folder_is_no_store_and_says_so(self, tmp_path):
        (tmp_path / "file").write_text("")
        folder = str(tmp_path / "file" / "below")
        store, told = store_for_fit({}, 5, None, row_bytes=ROW, max_bytes=1e6, folder=folder)
        assert store is None
        assert "No file for the crops of a fit can be made in" in told


def fill_a_small_file(results):
    """Write rows where no file may be larger than two and a half of them."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (ROW * 5 // 2,) * 2)
    store = CropStore(ROW, 10)
    slots = [store.put(str(number), row(number)) for number in range(4)]
    results.put((slots, store.problem, all(np.array_equal(store.read(s), row(s)) for s in (0, 1))))


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_a_disk_that_is_full_keeps_what_it_has():
    spawn = get_context("spawn")
    results = spawn.SimpleQueue()
    process = spawn.Process(target=fill_a_small_file, args=(results,))
    process.start()
    process.join(60)
    slots, problem, whole = results.get()
    assert slots == [0, 1, None, None]
    assert problem
    assert whole


@pytest.mark.parametrize("row_bytes", [1 << 20, ROW])
def test_rows_that_are_read_do_not_count_as_memory(row_bytes):
    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc")
    n = (1 << 26) // row_bytes
    store = CropStore(row_bytes, n)
    for number in range(n):
        store.put(str(number), np.full(row_bytes, number % 251, dtype=np.uint8))

    def resident():
        lines = Path("/proc/self/status").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(("RssFile", "RssShm")))

    before = resident()
    for number in range(n):
        assert store.read(number)[5] == number % 251
    assert resident() - before < 4 << 10  # kB, of 64 MB read
