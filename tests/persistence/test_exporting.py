"""ONNX files: scores of the detector they came from, asked without torch, refused when damaged."""

import subprocess
import sys

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid
from threadpoolctl import threadpool_limits

from sklearn_blades import (
    BladesBinary,
    BladesBranches,
    BladesDetector,
    BladesEncoder,
    BladesHybrid,
    BladesOneClass,
    OnnxDetector,
    make_detector,
    scan,
)
from sklearn_blades.app import finding
from sklearn_blades.app.cli import main
from sklearn_blades.errors import NoFaceError, PhotoError, SmallSampleWarning
from sklearn_blades.persistence import export_onnx, exporting, save
from sklearn_blades.persistence.graph import scoring
from sklearn_blades.photos import PhotoRecord

pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    with threadpool_limits(1):
        yield


def encoder(**params):
    settings = {"image_size": 32, "face_locator": "whole", "max_epochs": 0, "device": "cpu"}
    return BladesEncoder(**{**settings, "random_state": 0, **params})


def pictures(n, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, size=(n, 6, 6, 3), dtype=np.uint8)
    return [np.kron(one, np.ones((8, 8, 1), dtype=np.uint8)) for one in coarse]


@pytest.fixture(scope="module")
def detector(photos):
    # To a tower that has learned nothing all faces are nearly one: scores would tell its rounding.
    learned = FrozenEstimator(encoder(max_epochs=6).fit(photos))
    detector = BladesDetector(learned, target_fpr=0.1, contrast=True, random_state=0)
    with pytest.warns(SmallSampleWarning, match="The contrast is learned from 40"):
        return detector.fit(pictures(80))


@pytest.fixture(scope="module")
def file(detector, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "detector.onnx"
    export_onnx(detector, path)
    return path


def features(n, shift=0.0, seed=0):
    return np.random.default_rng(seed).normal(shift, size=(n, 8))


X = np.concatenate([features(150), features(60, 1.5, seed=1)])
Y = np.repeat([1, -1], [150, 60])
GENERATOR = np.where(np.arange(210) % 2, "gan", "diffusion")
CONTRAST = FrozenEstimator(NearestCentroid(priors=[0.3, 0.7]).fit(X, Y))
QUICK = {"max_epochs": 2, "random_state": 0}


class TestHeads:
    """Each head as a graph, against the head itself."""

    @pytest.mark.parametrize(
        "head",
        [
            BladesOneClass(3, covariance_type="full"),
            BladesOneClass(3, covariance_type="tied"),
            BladesOneClass(3, covariance_type="diag", pca_components=4),
            BladesOneClass(2, covariance_type="spherical"),
            BladesOneClass(covariance_type="kernel", pca_components=4),
        ],
        ids=lambda head: head.covariance_type,
    )
    def test_densities(self, head):
        head.set_params(random_state=0).fit(X[:150])
        self.agree(head)

    @pytest.mark.parametrize("labels", [(1, -1), (0, 1)])
    def test_a_perceptron(self, labels):
        head = BladesBinary(**QUICK, target_fpr=0.1, photographic_label=labels[0])
        self.agree(head.fit(X, np.repeat(labels, [150, 60])))

    @pytest.mark.parametrize("contrast", [None, CONTRAST])
    def test_hybrids(self, contrast):
        head = BladesHybrid(BladesOneClass(1), BladesBinary(**QUICK), contrast=contrast)
        self.agree(head.fit(X, Y, generator=GENERATOR, groups=np.arange(210)))

    def test_a_density_and_a_contrast(self):
        self.agree(BladesHybrid(BladesOneClass(1), contrast=CONTRAST).fit(X[:150]))

    def agree(self, head):
        asked = features(40, 0.5, seed=2)
        with torch.no_grad():
            found = scoring(head).double()(torch.tensor(asked)).numpy()
        assert_allclose(found, head.score_samples(asked), rtol=1e-6, atol=1e-6)

    def test_those_that_cannot_be(self):
        with pytest.raises(TypeError, match="a BladesBranches cannot be exported"):
            scoring(BladesBranches())
        head = BladesHybrid(BladesOneClass(1), LogisticRegression())
        head.fit(X, Y, generator=GENERATOR, groups=np.arange(210))
        with pytest.raises(TypeError, match="classifier is a LogisticRegression"):
            scoring(head)
        own = FrozenEstimator(LogisticRegression().fit(X, Y))
        head = BladesHybrid(BladesOneClass(1), contrast=own).fit(X[:150])
        with pytest.raises(TypeError, match="contrast is a LogisticRegression"):
            scoring(head)


class TestAnswers:
    def test_they_are_the_detectors(self, detector, file):
        asked, new = OnnxDetector(file), pictures(30, seed=5)
        scores = detector.score_samples(new)
        assert_allclose(asked.score_samples(new), scores, rtol=1e-4, atol=1e-4)
        assert_allclose(asked.transform(new), detector.encoder_.transform(new), atol=1e-5)
        assert asked.offset_ == detector.head_.offset_
        # A row at the threshold itself may fall on either side.
        clear = np.abs(scores - asked.offset_) > 1e-3
        assert clear.sum() > 20
        assert_array_equal(asked.predict(new)[clear], detector.predict(new)[clear])
        assert_array_equal(asked.decision_function(new)[clear] < 0, asked.predict(new)[clear] < 0)
        known = detector.head_.calibration_scores_
        apart = np.abs(scores[:, None] - known).min(axis=1) > 1e-3
        assert_array_equal(asked.p_values(new)[apart], detector.p_values(new)[apart])

    def test_rows_that_cannot_be_used(self, file, tmp_path):
        (tmp_path / "broken.jpg").write_bytes(b"no picture")
        rows = [*pictures(2), PhotoRecord(str(tmp_path / "broken.jpg"))]
        with pytest.raises(PhotoError, match=r"broken\.jpg"):
            OnnxDetector(file).score_samples(rows)
        lenient = OnnxDetector(file, on_error="nan")
        with pytest.warns(UserWarning, match="1 of 3 photographs cannot be used"):
            assert_array_equal(np.isnan(lenient.score_samples(rows)), [False, False, True])
        with (
            pytest.warns(UserWarning, match="1 of 3"),
            pytest.raises(ValueError, match="rows 2"),
        ):
            lenient.predict(rows)
        verdicts = lenient.verdicts(rows)
        assert [row.verdict for row in verdicts[2:]] == ["unreadable"]
        assert verdicts[0].path == "row 0"

    def test_neither_torch_nor_scikit_learn_is_imported(self, detector, file, photos, tmp_path):
        code = (
            "import sys\n"
            "from sklearn_blades import OnnxDetector, scan\n"
            f"print(*OnnxDetector({str(file)!r}).predict({photos[:3]!r}))\n"
            f"assert not {{'torch', 'sklearn'}} & set(sys.modules), 'asked'\n"
            f"result = scan({str(file)!r}, {photos[:3]!r}, out={str(tmp_path / 's.jsonl')!r})\n"
            f"assert not {{'torch', 'sklearn'}} & set(sys.modules), 'scanned'\n"
            "print(*(row.verdict == 'flagged' for row in result))"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        answers, flags = run.stdout.splitlines()
        expected = detector.predict(photos[:3])
        assert answers.split() == [str(answer) for answer in expected]
        assert flags.split() == [str(answer == -1) for answer in expected]

    def test_scans_are_the_detectors(self, detector, file, photos, tmp_path):
        save(detector, tmp_path / "detector.blades")
        ours = scan(tmp_path / "detector.blades", photos[:8])
        theirs = scan(file, photos[:8])
        assert [row.verdict for row in theirs] == [row.verdict for row in ours]
        assert_allclose(
            [row.score for row in theirs], [row.score for row in ours], rtol=1e-4, atol=1e-4
        )
        with pytest.raises(TypeError, match="reasons needs the detector itself"):
            scan(file, photos[:2], reasons=("parts",))


class TestFiles:
    def test_scans_by_workers_are_those_of_one_process(self, file, photos, monkeypatch):
        alone, judged = scan(file, photos, chunk_size=8), []
        monkeypatch.setattr(finding, "_judged", judged.append)  # in this process
        with joblib.parallel_config("loky", n_jobs=2):
            assert [*scan(file, photos, chunk_size=8)] == [*alone]
        assert not judged

    def test_damage_is_told_before_anything_runs(self, file, tmp_path):
        data = file.read_bytes()
        for name, damaged in {
            "cut": data[:-100], "changed": data[:5000] + b"?" + data[5001:], "longer": data + b"0",
        }.items():  # fmt: skip
            path = tmp_path / f"{name}.onnx"
            path.write_bytes(damaged)
            with pytest.raises(ValueError, match="cut short or changed"):
                OnnxDetector(path)

    def test_other_files(self, detector, tmp_path):
        with pytest.raises(FileNotFoundError, match="there is no such file"):
            OnnxDetector(tmp_path / "none.onnx")
        with pytest.raises(IsADirectoryError, match="a folder"):
            OnnxDetector(tmp_path)
        save(detector, tmp_path / "detector.blades")
        with pytest.raises(ValueError, match=r"it is a zip, as a \.blades file is"):
            OnnxDetector(tmp_path / "detector.blades")
        (tmp_path / "empty.onnx").touch()
        with pytest.raises(ValueError, match="it is empty"):
            OnnxDetector(tmp_path / "empty.onnx")

    def test_without_onnxruntime_it_says_what_to_install(self, file, monkeypatch):
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        with pytest.raises(ImportError, match=r"sklearn-blades\[onnx\]"):
            OnnxDetector(file)

    def test_nothing_of_this_machine_is_in_it(self, file):
        data = file.read_bytes()
        assert b"sklearn_blades/" not in data
        assert b".py" not in data


class TestRefusals:
    def test_a_graph_that_answers_otherwise_is_not_written(
        self, detector, file, tmp_path, monkeypatch
    ):
        monkeypatch.setattr(exporting, "_traced", lambda *_: file.read_bytes())  # not once more
        monkeypatch.setattr(exporting, "TOLERANCE", -1.0)
        with pytest.raises(ValueError, match="nothing was written"):
            export_onnx(detector, tmp_path / "detector.onnx")
        assert not (tmp_path / "detector.onnx").exists()

    def test_what_stays_on_this_machine(self, tmp_path):
        def middle(image):
            return [(0.2, 0.2, 0.8, 0.8)]

        own = encoder(face_locator=middle).fit(["never opened.jpg"])
        head = BladesOneClass(1, target_fpr=0.1, random_state=0)
        head.fit(own.transform(pictures(60)))
        with pytest.raises(ValueError, match="face_locator is a function"):
            export_onnx(make_detector(own, FrozenEstimator(head)), tmp_path / "own.onnx")
        binary = BladesBinary(max_epochs=1, random_state=0)
        binary.fit(own.transform(pictures(20)), np.repeat([0, 1], 10))
        plain = encoder().fit(["never opened.jpg"])
        with pytest.raises(TypeError, match="promises no rate"):
            export_onnx(make_detector(plain, FrozenEstimator(binary)), tmp_path / "binary.onnx")


def test_the_command_and_a_locator(photos, tmp_path, capsys):
    pytest.importorskip("cv2")
    haar = encoder(face_locator="haar").fit(["never opened.jpg"])
    head = BladesOneClass(1, target_fpr=0.1, random_state=0)
    head.fit(encoder().fit(["never opened.jpg"]).transform(pictures(60)))
    save(make_detector(haar, FrozenEstimator(head)), tmp_path / "my.blades")
    for words in (
        ["export", "my.blades", "my.onnx"],
        ["info", "my.onnx"],
        ["scan", photos[0], "-m", "my.onnx", "--csv", "rows.csv"],
    ):
        words = [str(tmp_path / word) if word[:3] in ("my.", "row") else word for word in words]
        with pytest.raises(SystemExit) as ended:
            main(words)
        assert not ended.value.code
    said = capsys.readouterr().out
    assert "MB. blades scan FOLDER -m" in said
    assert "ONNX export" in said
    assert ",no face," in (tmp_path / "rows.csv").read_text()  # drawn faces are none to Haar
    asked = OnnxDetector(tmp_path / "my.onnx")
    assert asked.crop["face_locator"] == "haar"
    with pytest.raises(NoFaceError, match="haar"):
        asked.score_samples(pictures(1))
