"""The command `blades`: words, exit codes, and what its help costs."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sklearn_blades.app.cli import app, main
from sklearn_blades.datasets import make_photos
from sklearn_blades.persistence import load

WORDS = [
    "fit", "scan", "calibrate", "export", "evaluate", "audit", "report", "info", "checks", "demo",
]  # fmt: skip


@pytest.fixture
def blades(capsys, monkeypatch):
    """Run the command: exit code, stdout and stderr."""
    import warnings

    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # main changes it

    def run(*args):
        with pytest.raises(SystemExit) as ended:
            main([str(arg) for arg in args])
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


@pytest.mark.parametrize("word", ["", *WORDS])
def test_help_fits_a_screen_and_has_an_example(word):
    environment = {"COLUMNS": "80", "TERMINAL_WIDTH": "80"}
    shown = CliRunner(env=environment).invoke(app, [*([word] if word else []), "--help"])
    assert shown.exit_code == 0
    lines = shown.output.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    assert "Example: blades" in shown.output


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nsys.argv = ['blades', '--help']\n"
        "try:\n    import sklearn_blades.__main__\nexcept SystemExit as ended:\n"
        "    print('ended', ended.code)\nprint(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "Usage: blades" in run.stdout
    assert "ended 0" in run.stdout
    there = set(run.stdout.split("ended 0")[1].split())
    assert "typer" in there
    assert not there & {"torch", "sklearn", "numpy", "scipy", "pandas", "PIL", "joblib"}


class TestScan:
    def test_a_table_and_a_journal(self, blades, blades_file, folder, tmp_path):
        (folder / "a" / "05.png").unlink()
        out, table = tmp_path / "scan.jsonl", tmp_path / "scan.csv"
        code, said, err = blades("scan", folder, "-m", blades_file, "--out", out, "--csv", table)
        assert code == 0
        assert said.startswith("12 files: ")
        assert f"written: {table}" in err
        assert len(list(csv.DictReader(table.read_text().splitlines()))) == 12
        assert len(out.read_text().splitlines()) == 14

    def test_unreadable_files_are_code_1(self, blades, blades_file, folder):
        code, said, err = blades("scan", folder, "-m", blades_file, "--json")
        assert code == 1
        answer = json.loads(said)
        assert answer["counts"]["unreadable"] == 1
        assert len(answer["rows"]) == 13
        assert answer["scan"]["target_fpr"] == 0.2
        assert err == ""  # silent in a pipe

    def test_interrupted(self, blades, blades_file, folder, tmp_path, monkeypatch):
        def pressed(*_):
            raise KeyboardInterrupt

        with monkeypatch.context() as changed:
            changed.setattr("sklearn_blades.app.finding._verdicts", pressed)
            args = ["scan", folder, "-m", blades_file, "--out", tmp_path / "scan.jsonl"]
            code, _, err = blades(*args)
        assert code == 130
        assert "the same command goes on: " in err
        code, said, _ = blades(*args)
        assert code == 1
        assert said.startswith("13 files: ")

    @pytest.mark.parametrize(
        ("args", "words"),
        [
            (["scan", "nowhere", "-m", "{model}"], "nowhere: there is no such file or folder"),
            (["scan", "{folder}", "-m", "nothing.blades"], "nothing.blades"),
            (["scan", "{folder}", "-m", "{folder}/a/00.jpg"], "00.jpg"),
            (["scan", "{folder}", "-m", "{model}", "--csv", "none/x.csv"], "none: there is no"),
            (["scan", "{folder}"], "Missing option"),
            (["scan", "{folder}", "-m", "{model}", "--reasons", "magic"], "'magic' is none of"),
            (["guess"], "No such command"),
            (["fit", "{folder}", "--encoder", "best"], "choose from auto, imagenet"),
            (["info", "nothing.jpg"], "there is no such file"),
        ],
    )
    def test_errors_are_one_line_and_code_2(self, blades, blades_file, folder, args, words):
        names = {"model": blades_file, "folder": folder}
        code, said, err = blades(*(arg.format(**names) for arg in args))
        assert code == 2
        assert words in said + err
        assert "Traceback" not in said + err
        if err.startswith("blades: "):
            assert err.count("\n") == 1


class TestFit:
    def test_then_calibrate_then_info(self, blades, photos, tmp_path):
        folder, model = tmp_path / "mine", tmp_path / "my.blades"
        folder.mkdir()
        for path in photos:
            shutil.copy(path, folder)
        (folder / "text.jpg").write_text("no picture")
        common = ["--encoder", "tiny", "--epochs", 0, "--faces", "whole", "--target-fpr", 0.2]
        code, said, err = blades("fit", folder, "-o", model, *common, "--json")
        assert code == 1  # one is unreadable
        assert json.loads(said)["target_fpr"] == 0.2
        assert err.count("left out: ") == 1
        assert "text.jpg: is not a JPEG" in err
        assert load(model).encoder_.face_locator == "whole"
        (folder / "text.jpg").unlink()
        again = tmp_path / "again.blades"
        code, said, _ = blades("calibrate", folder, "-m", model, "-o", again)
        assert code == 0
        assert "Of photographs like the 32 that calibrated" in said
        code, said, _ = blades("info", again, "--json")
        assert code == 0
        assert json.loads(said)["n_calibration"] == 32

    @pytest.mark.filterwarnings("ignore::sklearn_blades.errors.SmallSampleWarning")
    def test_with_generated_faces(self, blades, photos, tmp_path):
        make_photos(6, tmp_path / "fakes" / "one", generated="noiseless", random_state=5)
        make_photos(6, tmp_path / "fakes" / "two", generated="noiseless", random_state=6)
        model, folder = tmp_path / "my.blades", Path(photos[0]).parent
        common = ["--encoder", "tiny", "--epochs", 0, "--faces", "whole", "--target-fpr", 0.3]
        code, said, _ = blades("fit", folder, "--fakes", tmp_path / "fakes", "-o", model, *common)
        assert code == 0
        assert "BladesHybrid" in said


class TestJudging:
    @pytest.fixture
    def manifest(self, photos, tmp_path):
        make_photos(24, tmp_path / "fakes", generated="noiseless", random_state=5)
        rows = [(path, "real", "", Path(path).name) for path in photos]
        rows += [(f"fakes/{path.name}", "fake", "noiseless", path.name)
                 for path in sorted((tmp_path / "fakes").iterdir())]  # fmt: skip
        path = tmp_path / "test.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("path", "label", "generator", "group"), *rows])
        return path

    def test_evaluate(self, blades, blades_file, manifest, tmp_path):
        pytest.importorskip("pandas")
        table = tmp_path / "table.csv"
        args = ["evaluate", manifest, "-m", blades_file, "--photographs", "real"]
        code, said, _ = blades(*args, "--csv", table)
        assert code == 0
        assert "noiseless" in said
        assert "noiseless" in table.read_text()
        code, said, _ = blades(*args, "--json")
        assert json.loads(said)

    def test_audit(self, blades, manifest):
        code, said, _ = blades("audit", manifest, "--photographs", "real", "--json")
        assert code == 0
        assert "verdict" in json.loads(said)

    def test_labels_and_columns_that_are_not_there(self, blades, blades_file, manifest, tmp_path):
        code, _, err = blades("evaluate", manifest, "-m", blades_file)
        assert code == 2
        assert "no row has the label '1' of photographs (labels: fake, real)" in err
        bare = tmp_path / "bare.csv"
        bare.write_text("file,label\na.jpg,1\n")
        code, _, err = blades("audit", bare)
        assert code == 2
        assert "has no column 'path', but file, label" in err


class TestTelling:
    def test_info_of_a_picture(self, blades, photos, tmp_path):
        code, said, _ = blades("info", photos[0], "--faces", "whole", "--json")
        assert code == 0
        facts = json.loads(said)
        assert facts["format"] == "JPEG"
        assert "ISOSpeedRatings" in facts["exif"]
        text = tmp_path / "text.jpg"
        text.write_text("no picture")
        code, said, _ = blades("info", text)
        assert code == 1
        assert "is not a JPEG" in said

    def test_checks(self, blades):
        code, said, _ = blades("checks", "--json")
        assert code == 0
        facts = json.loads(said)
        assert {"versions", "extras", "locators", "device", "room", "one face"} <= set(facts)
        assert "features in" in facts["one face"]

    def test_report_is_a_page(self, blades, blades_file, tmp_path):
        code, _, _ = blades("report", blades_file, "-o", tmp_path / "page.html")
        assert code == 0
        assert "<html" in (tmp_path / "page.html").read_text()


@pytest.mark.skipif(os.name != "posix", reason="file names of other systems")
def test_names_do_not_steer_the_terminal(blades, blades_file, photos, tmp_path):
    shutil.copy(photos[0], tmp_path / "\x1b[31mred\n.jpg")
    code, said, _ = blades("info", tmp_path / "\x1b[31mred\n.jpg", "--faces", "whole")
    assert code == 0
    _, said, err = blades("scan", tmp_path / "\x1b[31mnone", "-m", blades_file)
    assert "\x1b" not in said + err


@pytest.mark.filterwarnings("ignore::sklearn_blades.errors.SmallSampleWarning")
def test_demo(blades, tmp_path):
    code, _, _ = blades("demo", tmp_path / "demo", "-n", 45, "--epochs", 0)
    assert code == 0
    assert {"detector.blades", "scan.jsonl", "scan.csv"} <= {
        path.name for path in (tmp_path / "demo").iterdir()
    }
    code, _, err = blades("demo", tmp_path / "demo")
    assert code == 2
    assert "is not empty" in err
