"""The examples run, and deal photographs as they say."""

import csv
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from sklearn_blades.photos import face_crop, read_exif

EXAMPLES = Path(__file__).parents[1] / "examples"


def load(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_quickstart_small():
    command = [sys.executable, "-W", "ignore", EXAMPLES / "quickstart.py"]
    small = ["--epochs", "1", "--scale", "0.05"]
    done = subprocess.run([*command, *small], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "False alarms: promised 5%" in done.stdout
    assert "Simulated figures prove the machinery, not detection." in done.stdout


def test_no_person_is_dealt_twice(dev_photos):
    parts = load("real_photos").split_photographs(dev_photos, "pif-website", seed=0)
    persons = [{row["group"] for row in part} for part in parts]
    for i, some in enumerate(persons):
        for others in persons[i + 1 :]:
            assert not some & others
    assert all(row["label"] == "photographic" for part in parts for row in part)


def test_full_pictures_give_the_exif_and_the_face_of_their_manifest(dev_photos):
    pytest.importorskip("cv2")
    with (dev_photos / "originals" / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[:8]
    for row in rows:
        path = dev_photos / row["file"]
        exif = read_exif(path)
        for tag, name in (("ISOSpeedRatings", "iso"), ("FNumber", "fnumber")):
            if row[name]:
                assert exif[tag] == pytest.approx(float(row[name]), rel=1e-3)
        assert face_crop(path, image_size=64).pixels.shape == (64, 64, 3)
