"""The example of the paper's tables, on a tiny made layout, and the figures that it ships."""

import csv
import importlib.util
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from sklearn_blades.datasets import make_photos
from sklearn_blades.evaluation import GeneratorReport

PROJECT = Path(__file__).parents[1]
SHIPPED = sorted((PROJECT / "examples" / "published").glob("*.csv"))
PAPER = PROJECT.parent / "shared" / "paper"

# Few photographs calibrate and six faces are judged; few have EXIF that varies. All is said.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn_blades.errors.SmallSampleWarning"),
    pytest.mark.filterwarnings("ignore:.*tasks? .*:UserWarning"),
]


@pytest.fixture(scope="module")
def example():
    path = PROJECT / "examples" / "paper_tables.py"
    spec = importlib.util.spec_from_file_location("paper_tables", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def layout(tmp_path_factory, photos):
    """Photographs in one folder, two "generators" of simulated faces beside it."""
    root = tmp_path_factory.mktemp("layout")
    (root / "real").mkdir()
    for path in photos:
        shutil.copy(path, root / "real")
    for seed, name in enumerate(("oversmooth", "upsampling"), start=1):
        make_photos(6, root / name, generated=name, random_state=seed)
    return root


@pytest.fixture
def run(example, layout):
    """A function that runs main small and returns what it returns."""

    def main(*more, root=layout):
        arguments = [root, "--epochs", 1, "--image-size", 32, *more]
        return example.main([str(argument) for argument in arguments])

    return main


def tables(printed):
    """What was printed under each title, as lists of cells."""
    found = {}
    for line in printed.splitlines():
        if line.startswith(("Published: ", "Measured: ")):
            rows = found.setdefault(line, [])
        elif line.startswith("  ") and found:
            rows.append(re.split(r"\s{2,}", line.strip()))
    return found


def test_published_and_measured_never_share_a_table(run, capsys, example):
    reports, binary = run()
    printed = capsys.readouterr().out
    above, below = printed.split("MEASURED HERE")
    assert "arXiv 2507.22824" in above
    shown = tables(above)
    assert len(shown) == 3
    for name, title in example.TABLES.items():
        header, rows = example.published(name)
        assert shown[f"Published: {title}"] == [header, *rows]

    assert "no column is comparable" in below
    assert "encoder 16, heads 8, test 8, oversmooth 6, upsampling 6" in below
    auc, accuracy, rates = tables(below).values()
    methods = ["BLADES-OC", "BLADES-BC", "Zou25 mode", "random init + GMM", "power spectrum + GMM"]
    for table in (auc, accuracy, rates):
        assert [cells[0] for cells in table] == ["measured", *methods]
    for table in (auc, accuracy):
        assert table[0][1:] == ["oversmooth", "upsampling", "average"]
    assert list(reports) == [name for name in methods if name != "BLADES-BC"]
    estimate = reports["Zou25 mode"]["upsampling"].auc
    assert auc[3][2] == example.cell(estimate)
    assert accuracy[2][1] == example.cell(binary["oversmooth"].rows[0].balanced_accuracy)
    assert rates[4][2] == example.cell(reports["random init + GMM"].average.fpr)


def test_all_figures_can_be_kept(run, tmp_path):
    file = tmp_path / "figures.json"
    reports, binary = run("--json", file)
    kept = json.loads(file.read_text())["reports"]
    assert GeneratorReport.from_dict(kept["Zou25 mode"]) == reports["Zou25 mode"]
    assert GeneratorReport.from_dict(kept["BLADES-BC"]["oversmooth"]) == binary["oversmooth"]


def test_one_generator_leaves_nothing_for_the_binary_head(run, layout, capsys, tmp_path):
    for name in ("real", "upsampling"):
        shutil.copytree(layout / name, tmp_path / "root" / name)
    binary = run("--pretrain", layout / "real", root=tmp_path / "root")[1]
    assert not binary
    printed = capsys.readouterr().out
    assert "No BLADES-BC" in printed
    assert "encoder 32, heads 16, test 16, upsampling 6" in printed


def test_parts_do_not_overlap(example):
    paths = [f"{i}.jpg" for i in range(41)]
    for shares in ((0.5, 0.25, 0.25), (0, 0.5, 0.5)):
        parts = example.deal(paths, shares, seed=0)
        assert sorted(path for part in parts for path in part) == sorted(paths)
        np.testing.assert_allclose([len(part) for part in parts], 41 * np.array(shares), atol=1)
    assert example.deal(paths, shares, seed=1) != parts


def test_the_users_weights_are_frozen_features(example):
    options = example.command_line(
        ["root", "--clip", "ViT-B-32=laion2b_s34b_b79k", "--farl", "/weights/farl.safetensors"]
    )
    found = example.encoders(options)
    clip, farl = found["frozen CLIP + GMM"], found["frozen FARL + GMM"]
    assert (clip.architecture, clip.pretrained) == ("ViT-B-32", "laion2b_s34b_b79k")
    assert (farl.architecture, farl.pretrained) == (
        "ViT-B-16-quickgelu",
        "/weights/farl.safetensors",
    )
    assert clip.max_epochs == farl.max_epochs == 0
    assert "frozen EAL + GMM" not in found


def test_a_pretraining_folder_without_photographs(example, layout, tmp_path):
    with pytest.raises(SystemExit, match="no photographs there"):
        example.main([str(layout), "--pretrain", str(tmp_path)])


def test_a_root_without_photographs(example, tmp_path, layout):
    shutil.copytree(layout / "oversmooth", tmp_path / "oversmooth")
    with (
        pytest.warns(UserWarning, match="no photographs among"),
        pytest.raises(SystemExit, match="photographs and generated faces are needed"),
    ):
        example.main([str(tmp_path)])


def test_shipped_figures_are_the_papers():
    if not PAPER.is_dir():
        pytest.skip("the published tables are not beside this checkout")
    assert len(SHIPPED) == 3
    for file in SHIPPED:
        assert file.read_bytes() == (PAPER / file.name).read_bytes()


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_the_page_carries_the_same_figures(file):
    page = (PROJECT / "docs" / "published.md").read_text(encoding="utf-8")
    with file.open(newline="", encoding="utf-8") as lines:
        header, *rows = csv.reader(lines)
    ruler = "| --- |" + " ---: |" * (len(header) - 1)
    body = [f"| {' | '.join(cells)} |" for cells in rows]
    assert "\n".join([f"| {' | '.join(header)} |", ruler, *body]) in page
