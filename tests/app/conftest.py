"""A tiny detector, its file, and a folder to scan."""

import warnings
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

from sklearn_blades import BladesDetector, BladesEncoder
from sklearn_blades.datasets import make_photos
from sklearn_blades.errors import SmallSampleWarning
from sklearn_blades.persistence import save


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    with threadpool_limits(1):
        yield


def encoder(**params):
    tiny = {"face_locator": "whole", "image_size": 32, "max_epochs": 0, "device": "cpu"}
    return BladesEncoder(**{**tiny, **params})


@pytest.fixture(scope="session")
def detector(photos):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SmallSampleWarning)
        return BladesDetector(encoder(), target_fpr=0.2, random_state=0).fit(photos)


@pytest.fixture(scope="session")
def blades_file(detector, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "detector.blades"
    save(detector, path)
    return path


@pytest.fixture(scope="session")
def uploads(tmp_path_factory):
    """Twelve photographs that neither taught nor calibrated: no score ties with the threshold."""
    return make_photos(12, tmp_path_factory.mktemp("fresh"), random_state=7)


@pytest.fixture
def folder(uploads, tmp_path):
    """Twelve photographs in two folders, and one that is none."""
    root = tmp_path / "uploads"
    for number, path in enumerate(uploads):
        place = root / ("b" if number % 2 else "a") / f"{number:02d}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(Path(path).read_bytes())
    (root / "a" / "05.png").write_text("not a picture")
    return root
