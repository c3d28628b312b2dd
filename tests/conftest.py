"""The one fixture of simulated photographs, and the development photographs where they are."""

import os
from pathlib import Path

import pytest

from sklearn_blades.datasets import make_photos

# Before torch is imported: the threads of two worker processes would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

DEV = Path(__file__).parents[2] / "shared" / "data" / "dev"


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """Paths of 32 simulated photographs, all with EXIF."""
    return make_photos(32, tmp_path_factory.mktemp("photos"), random_state=0)


@pytest.fixture(scope="session")
def dev_photos():
    """Folder of real photographs for development; they are no part of the project."""
    if not (DEV / "manifest.csv").is_file():
        pytest.skip("the development photographs are not on this machine")
    return DEV
