"""scan: every file a row, in order, whatever happens in between."""

import json
import os
import signal
import tempfile
import time
import warnings
from copy import copy
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image
from sklearn.linear_model import LogisticRegression

from sklearn_blades import BladesDetector, make_detector, scan
from sklearn_blades.app import Scan
from sklearn_blades.app.journal import Journal
from sklearn_blades.errors import SmallSampleWarning
from sklearn_blades.evaluation import benjamini_hochberg
from sklearn_blades.photos.folders import images_below

from .conftest import encoder


def lines(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def interruptible(detector, root, out):
    # What a shell starts in the background ignores Ctrl-C, and so do the copies of it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    append, written = Journal.append, []

    def stopping(journal, rows, **how):
        append(journal, rows, **how)
        written.extend(rows)
        while len(written) >= 40:  # so that it never ends before somebody kills it
            time.sleep(0.01)  # a signal that comes just before signal.pause() would be missed

    Journal.append = stopping  # in this copy of the process
    try:
        scan(detector, root, out=out, chunk_size=4)
    except KeyboardInterrupt:
        os._exit(42)


def said(found):
    """Rows without what differs between two copies of a folder, or by a batch's rounding."""
    rows = [(Path(row.path).name, row.score, row.p_value, row.verdict) for row in found]
    return [(name, pytest.approx(score, nan_ok=True), p, *rest) for name, score, p, *rest in rows]


class TestRows:
    def test_they_are_the_detectors_verdicts(self, detector, folder):
        found = scan(detector, folder)
        paths = [str(path) for path in images_below(folder)]
        assert [row.path for row in found] == paths
        good = [row for row in found if not row.error]
        alone = detector.verdicts([row.path for row in good])
        assert_allclose([row.score for row in good], [row.score for row in alone.rows], rtol=1e-5)
        assert [row.p_value for row in good] == [row.p_value for row in alone.rows]
        assert [row.verdict for row in good] == [row.verdict for row in alone.rows]
        assert {"JPEG"} == {row.facts["format"] for row in good}
        assert good[0].facts["exif"]
        bad = [row for row in found if row.error]
        assert [(Path(row.path).name, row.verdict) for row in bad] == [("05.png", "unreadable")]
        assert "is not a JPEG" in bad[0].error
        assert np.isnan(bad[0].score)
        assert found.counts["unreadable"] == 1
        assert sum(found.counts.values()) == len(found) == 13
        assert found[12].path == paths[12]

    def test_of_a_pipeline_and_of_a_file(self, detector, folder, blades_file):
        expected = said(scan(detector, folder))
        assert said(scan(blades_file, folder)) == expected
        assert said(scan(make_detector(detector.encoder_, detector.head_), folder)) == expected

    def test_of_a_head_that_promises_nothing(self, photos, folder):
        features = encoder().fit(photos)
        head = LogisticRegression().fit(features.transform(photos), np.tile([1, -1], 16))
        found = scan(make_detector(features, head), folder)
        assert np.isnan([row.p_value for row in found]).all()
        assert "No rate" in str(found)
        with pytest.raises(TypeError, match="target_fdr needs p-values"):
            scan(make_detector(features, head), folder, target_fdr=0.1)

    def test_no_detector(self, folder):
        with pytest.raises(TypeError, match="LogisticRegression is no detector of photographs"):
            scan(LogisticRegression().fit([[0], [1]], [0, 1]), folder)

    @pytest.mark.filterwarnings("ignore::sklearn_blades.errors.SmallSampleWarning")
    def test_faces_are_located_once_and_kept(self, photos, folder):
        asked = []

        def locate(image):
            asked.append(image.size)
            return [] if image.size[0] == 41 else [(0.1, 0.1, 0.3, 0.3), (0.2, 0.2, 0.8, 0.7)]

        detector = BladesDetector(encoder(face_locator=locate), target_fpr=0.2, random_state=0)
        detector.fit(photos)
        Image.new("RGB", (41, 80)).save(folder / "a" / "lonely.png")
        asked.clear()
        found = scan(detector, folder)
        assert len(asked) == 13
        assert [Path(row.path).name for row in found if row.verdict == "no face"] == ["lonely.png"]
        row = found[0]
        assert row.face == (0.2, 0.2, 0.8, 0.7)
        assert row.facts["faces"] == 2
        assert_allclose(row.score, detector.score_samples([row.path])[0], rtol=1e-5)

    def test_hostile_names(self, detector, photos, tmp_path):
        names = [
            b"new\nline.jpg",
            "\u202egpj.exe\u202c.jpg".encode(),
            b"o" * 251 + b".jpg",
            b"quote\"'`$(x)\\.jpg",
            b"odd\xff\xfe.jpg",
            b"<script>alert(1)<.jpg",
            b" " + "\u2028.jpg".encode(),
        ]
        for name in names:
            with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:  # noqa: PTH118, PTH123
                file.write(Path(photos[0]).read_bytes())
        found = scan(detector, tmp_path, out=tmp_path / "scan.jsonl")
        assert {os.fsencode(Path(row.path).name) for row in found} == set(names)
        assert not [row.error for row in found if row.error]
        found.to_csv(tmp_path / "scan.csv")
        assert (tmp_path / "scan.csv").read_bytes().count(b"not flagged") + sum(
            row.verdict == "flagged" for row in found
        ) >= len(names)
        again = scan(detector, tmp_path, out=tmp_path / "scan.jsonl")
        assert said(again) == said(found)

    def test_an_order_of_ones_own(self, detector, folder):
        some = [folder / "b", str(folder / "a" / "0[24].jpg"), folder / "a", folder / "gone.jpg"]
        found = scan(detector, some)
        names = [Path(row.path).name for row in found]
        odd = [f"{number:02d}.jpg" for number in range(1, 12, 2)]
        assert names == [*odd, "02.jpg", "04.jpg", "00.jpg", "05.png", "06.jpg", "08.jpg",
                         "10.jpg", "gone.jpg"]  # fmt: skip
        assert found[-1].error == "there is no such file."

    def test_nothing_to_scan(self, detector, tmp_path):
        with pytest.raises(FileNotFoundError, match="no such file or folder"):
            scan(detector, tmp_path / "elsewhere")
        with pytest.raises(ValueError, match="no file matches"):
            scan(detector, str(tmp_path / "*.jpg"))
        with pytest.raises(ValueError, match="no images in this folder"):
            scan(detector, tmp_path)
        with pytest.raises(ValueError, match="No photographs"):
            scan(detector, [])

    def test_as_a_table(self, detector, folder, tmp_path):
        pd = pytest.importorskip("pandas")
        found = scan(detector, folder)
        frame = found.to_frame()
        found.to_csv(tmp_path / "scan.csv")
        again = pd.read_csv(tmp_path / "scan.csv", index_col="path", keep_default_na=False)
        assert list(frame.index) == list(again.index) == [row.path for row in found]
        assert list(frame.columns[:4]) == ["score", "p_value", "verdict", "error"]
        assert list(again["verdict"]) == [row.verdict for row in found]
        assert "13 files: " in str(found)
        assert "20 % are flagged at most" in repr(found)


class TestGoingOn:
    def test_nothing_is_judged_twice_but_what_changed(self, detector, folder, tmp_path):
        out = tmp_path / "scan.jsonl"
        scan(detector, folder, out=out)
        before = out.read_bytes()
        scores = [row.score for row in scan(detector, folder, out=out)]
        assert out.read_bytes() == before
        rows = before.splitlines(keepends=True)
        out.write_bytes(b"".join(rows[:6]) + rows[6][:40])  # killed while it wrote the sixth
        assert Scan(out).end is None
        assert "Interrupted: 8 files are left" in str(Scan(out))
        changed = folder / "a" / "02.jpg"
        changed.write_bytes((folder / "b" / "03.jpg").read_bytes())
        found = scan(detector, folder, out=out)
        assert [row.path for row in found] == [str(path) for path in images_below(folder)]
        rescored = [row.score for row in found]
        same = np.isclose(scores, rescored, rtol=1e-6, equal_nan=True)
        assert [Path(found[row].path).name for row in np.flatnonzero(~same)] == ["02.jpg"]
        assert len(lines(out)) == 15  # header, each file once, closing line
        assert rows[1] in out.read_bytes()  # what was known is as it was

    def test_files_that_came_and_went(self, detector, folder, tmp_path):
        out = tmp_path / "scan.jsonl"
        scan(detector, folder, out=out)
        (folder / "a" / "00.jpg").rename(folder / "a" / "99.jpg")
        found = scan(detector, folder, out=out)
        assert [row.path for row in found] == [str(path) for path in images_below(folder)]
        assert lines(out)[-1]["end"]["n_files"] == 13
        (folder / "a" / "99.jpg").unlink()
        assert len(scan(detector, folder, out=out)) == 12

    def test_of_something_else_it_is_refused(self, detector, folder, tmp_path, photos):
        out = tmp_path / "scan.jsonl"
        scan(detector, folder, out=out)
        before = out.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SmallSampleWarning)
            other = BladesDetector(encoder(), target_fpr=0.1, random_state=0).fit(photos)
        with pytest.raises(ValueError, match="by another detector"):
            scan(other, folder, out=out)
        with pytest.raises(ValueError, match=r"of another place .*resume=False"):
            scan(detector, folder / "a", out=out)
        with pytest.raises(ValueError, match="with other settings"):
            scan(detector, folder, out=out, target_fdr=0.1)
        assert out.read_bytes() == before
        photograph = folder / "a" / "00.jpg"
        before = photograph.read_bytes()
        for resume in (True, False):
            with pytest.raises(ValueError, match="not the file of a scan"):
                scan(detector, folder, out=photograph, resume=resume)
        assert photograph.read_bytes() == before
        assert len(scan(detector, folder / "a", out=out, resume=False)) == 7


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")
class TestKilled:
    def test_twice_and_interrupted(self, detector, uploads, tmp_path):
        root, out = tmp_path / "many", tmp_path / "scan.jsonl"
        root.mkdir()
        for number in range(200):
            (root / f"{number:03d}.jpg").write_bytes(Path(uploads[number % 12]).read_bytes())
        whole = said(scan(detector, root))
        rows = 0
        for how in (signal.SIGKILL, signal.SIGKILL, signal.SIGINT):
            # A copy of this process: a new one would spend its time on imports.
            process = get_context("fork").Process(target=interruptible, args=(detector, root, out))
            process.start()
            while process.is_alive() and self.rows(out) < rows + 20:
                time.sleep(0.002)
            os.kill(process.pid, how)
            process.join()
            assert process.exitcode == (-how if how == signal.SIGKILL else 42)
            rows = self.rows(out)
            assert Scan(out).end is None
        found = scan(detector, root, out=out)
        assert said(found) == whole
        assert len(lines(out)) == 202

    @staticmethod
    def rows(out):
        return out.read_bytes().count(b"\n") if out.exists() else 0


def test_two_scans_into_one_file(detector, folder, tmp_path):
    pytest.importorskip("fcntl")
    out = tmp_path / "scan.jsonl"
    scan(detector, folder, out=out)
    other = Journal(out)
    other.go_on(other.header())
    try:
        with pytest.raises(ValueError, match="another scan is writing it"):
            scan(detector, folder, out=out)
    finally:
        other.close()
    assert len(scan(detector, folder, out=out)) == 13


def test_temporary_files_are_gone(detector, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "uploads").mkdir(exist_ok=True)

    def journals():
        return list(tmp_path.glob("blades-scan-*"))

    found = scan(detector, folder)
    assert len(journals()) == 1
    del found
    assert not journals()

    def interrupted(rows):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn_blades.app.scanning.judge", lambda *_: interrupted(_))
    with pytest.raises(KeyboardInterrupt):
        scan(detector, folder)
    assert not journals()


def test_nothing_is_said_to_a_pipe(detector, folder, capsys):
    scan(detector, folder)
    assert capsys.readouterr() == ("", "")


def test_one_bar_on_a_terminal(detector, folder, terminal, capsys):
    with terminal:
        scan(detector, folder)
    assert "13/13" in terminal.sent
    assert "embedding" not in terminal.sent  # a part of the scan, whose own bar goes on
    assert capsys.readouterr().out == ""


def test_no_bar_where_none_is_wanted(detector, folder, terminal):
    with terminal:
        scan(detector, folder, progress=False)
    assert terminal.sent == ""


def test_a_page(detector, folder, tmp_path):
    scan(detector, folder).to_html(tmp_path / "scan.html", thumbnails=False)
    assert "05.png" in (tmp_path / "scan.html").read_text()


class TestDiscoveries:
    @staticmethod
    def calibrated(detector, scores):
        detector = copy(detector)
        detector.head_ = copy(detector.head_)
        detector.head_.calibration_scores_ = np.sort(scores)
        return detector

    def test_too_coarse_is_said(self, detector, folder):
        foreign = self.calibrated(detector, 1000.0 + np.arange(7))  # all files: p = 1/8
        with pytest.warns(SmallSampleWarning, match="too coarse to flag anything"):
            found = scan(foreign, folder, target_fdr=0.1)
        assert "0 discovered" in str(found)
        assert not found.discovered(found[0])

    def test_they_are_those_of_the_procedure(self, detector, folder):
        pytest.importorskip("pandas")
        scores = [row.score for row in scan(detector, folder) if not row.error]
        middle = np.median(scores)
        close = self.calibrated(detector, middle + np.linspace(0, 1e-6, 40))
        found = scan(close, folder, target_fdr=0.1)
        frame = found.to_frame()
        known = frame["p_value"].notna()
        flags = benjamini_hochberg(frame["p_value"][known], alpha=0.1)
        assert list(frame["discovered"][known]) == list(flags)
        assert flags.sum() == 6
        assert not frame["discovered"][~known].any()
        assert "6 discovered" in str(found)

    def test_without_one(self, detector, folder):
        found = scan(detector, folder)
        with pytest.raises(ValueError, match="no target_fdr"):
            found.discovered(found[0])
        with pytest.raises(ValueError, match="between 0 and 1"):
            scan(detector, folder, target_fdr=1.5)
