"""Under loky and Dask all is as in one process: rows, bits, errors and words."""

import os
import re
import shutil
import signal
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest

from sklearn_blades import BladesDetector, BladesEncoder, scan
from sklearn_blades.app.journal import Journal
from sklearn_blades.errors import PhotoError, SmallSampleWarning
from sklearn_blades.ground.cluster import spread
from sklearn_blades.storage.cache import cache_for
from sklearn_blades.towers.embed import batch_size

PAGE = Path(__file__).parents[2] / "docs" / "large_sets.md"
WHOLE = {"face_locator": "whole", "max_epochs": 0, "device": "cpu", "random_state": 0}


@pytest.fixture(scope="module")
def client():
    """Two workers of Dask, each a process, on this machine."""
    distributed = pytest.importorskip("distributed", reason="Dask is not installed (extra dask)")
    import dask

    how = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    # Torch is imported once: workers are forked off one process, also those that follow others.
    method = "spawn" if sys.platform == "win32" else "forkserver"
    heavy = ["distributed", "open_clip", "sklearn_blades.app.finding"]
    with (
        warnings.catch_warnings(),
        dask.config.set({"distributed.worker.multiprocessing-method": method}),
    ):
        warnings.simplefilter("ignore", ResourceWarning)
        distributed.utils.get_mp_context().set_forkserver_preload(heavy)
        with (
            distributed.LocalCluster(**how, silence_logs=50) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield client


@pytest.fixture(params=["loky", "dask"])
def engine(request):
    """What `joblib.parallel_config` is to be told."""
    if request.param == "dask":
        return {"backend": "dask", "client": request.getfixturevalue("client")}
    return {"backend": "loky", "n_jobs": 2}


@pytest.fixture
def sent(monkeypatch):
    """The numbers of files in the chunks that workers were given."""
    given = []

    def watched(work, what, chunks):
        return spread(work, what, (given.append(len(chunk)) or chunk for chunk in chunks))

    monkeypatch.setattr("sklearn_blades.app.finding.spread", watched)
    monkeypatch.setattr("sklearn_blades.estimators.spreading.spread", watched)
    return given


@pytest.fixture(scope="module")
def encoder(photos):
    encoder = BladesEncoder(**WHOLE, image_size=224, on_error="nan").fit(photos)
    assert batch_size(224, "cpu") == 13
    return encoder


@pytest.fixture
def rows(photos, tmp_path):
    """Three batches, two photographs twice, a file that is none, one that is cut, one missing."""
    files = [shutil.copy(path, tmp_path) for path in photos[:30]]
    broken, cut = tmp_path / "broken.jpg", tmp_path / "cut.jpg"
    broken.write_text("not a picture")
    cut.write_bytes(Path(photos[0]).read_bytes()[:2000])
    return [*files[:8], broken, *files[8:], *files[:2], cut, tmp_path / "gone.jpg"]


@pytest.fixture
def detector(photos):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SmallSampleWarning)
        encoder = BladesEncoder(**WHOLE, image_size=32)
        return BladesDetector(encoder, target_fpr=0.2, random_state=0).fit(photos)


def heard_of(work):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        answer = work()
    return (
        answer,
        [(warning.category, str(warning.message)) for warning in said],
        {warning.filename for warning in said},
    )


class TestTransform:
    def test_rows_bits_and_words_are_those_of_one_process(self, encoder, rows, engine, sent):
        encoder.clear_cache()
        alone = heard_of(lambda: encoder.transform(rows))
        assert not sent
        encoder.clear_cache()
        with joblib.parallel_config(**engine):
            far = heard_of(lambda: encoder.transform(rows))
            assert far[0].tobytes() == alone[0].tobytes()
            assert far[1] == alone[1]
            assert "3 of 35 photographs cannot be used" in far[1][-1][1]
            assert far[2] == alone[2] == {__file__}, "a warning points into the library"
        assert np.flatnonzero(np.isnan(far[0]).any(axis=1)).tolist() == [8, 33, 34]
        assert sum(sent) == 32  # without what is there twice, or is not there
        # What came back is known here: even files that are gone are not asked for again.
        with joblib.parallel_config(**engine):
            again, *_ = heard_of(lambda: encoder.transform(rows[:8] * 2))
        assert sum(sent) == 32
        assert again.tobytes() == np.tile(alone[0][:8], (2, 1)).tobytes()


class TestScan:
    def test_rows_and_words_are_those_of_one_process(self, detector, rows, engine, sent, tmp_path):
        written, said = [], []
        for name, how in (("alone", {"backend": "threading", "n_jobs": 1}), ("far", engine)):
            cache_for().clear()
            with joblib.parallel_config(**how):
                out = tmp_path / f"{name}.jsonl"
                found, words, _ = heard_of(
                    lambda out=out: scan(detector, rows[:-1], out=out, chunk_size=5)
                )
            assert len(found) == 32
            assert sum(sent) == (0 if name == "alone" else 32)
            written.append(out.read_text().splitlines()[1:-1])
            said.append(set(words))
        assert written[1] == written[0]
        assert said[1] == said[0]


def test_the_pages_recipe_runs(client, photos, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder, part in zip(folders, (photos[:20], photos[20:]), strict=True):
        folder.mkdir()
        [shutil.copy(path, folder) for path in part]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SmallSampleWarning)
        encoder = BladesEncoder(**WHOLE, image_size=32)
        detector = BladesDetector(encoder, target_fpr=0.2, random_state=0).fit(photos)
    page = PAGE.read_text(encoding="utf-8").split("## On a cluster")[1]
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    assert "tcp://scheduler:8786" in code
    names = {"detector": detector, "folders": folders}
    exec(code.replace("tcp://scheduler:8786", client.scheduler.address), names)
    assert [len(found) for found in names["scans"]] == [20, len(photos) - 20]
    assert [*(tmp_path / "rows").glob("*-second.jsonl")]


# After the others: what ends in an error takes the workers of loky with it.
def test_the_first_error_is_raised_and_names_its_file(encoder, rows, engine):
    strict = BladesEncoder(**WHOLE, image_size=224)
    strict.__dict__.update({**encoder.__dict__, "on_error": "raise"})
    strict.clear_cache()
    # Warnings are errors here: nothing is said beside this.
    with (
        joblib.parallel_config(**engine),
        pytest.raises(PhotoError, match=r"broken\.jpg: is not a JPEG") as caught,
    ):
        strict.transform(rows[:-1])
    assert caught.value.path == str(rows[8])
    assert caught.value.__cause__ is None
    with joblib.parallel_config(**engine), pytest.raises(PhotoError, match=r"row 24: has no"):
        strict.transform([*rows[9:-2], None])


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_every_row_is_there_once_when_a_worker_is_killed(
    client, detector, rows, tmp_path, monkeypatch
):
    pids, append = [*client.run(os.getpid).values()], Journal.append

    def killing(journal, *args, **how):
        append(journal, *args, **how)
        if pids:
            os.kill(pids.pop(), signal.SIGKILL)
            pids.clear()

    alone = [(row.path, row.score) for row in scan(detector, rows[:-1], chunk_size=2)]
    cache_for().clear()
    monkeypatch.setattr(Journal, "append", killing)
    with joblib.parallel_config("dask", client=client):
        found = scan(detector, rows[:-1], out=tmp_path / "out.jsonl", chunk_size=2)
    assert not pids
    assert [row.path for row in found] == [path for path, _ in alone]
    np.testing.assert_allclose(
        [row.score for row in found], [score for _, score in alone], rtol=1e-5
    )
    assert (tmp_path / "out.jsonl").read_text().count('"path"') == 32
