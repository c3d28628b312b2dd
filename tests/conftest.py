"""Simulated photographs, the development photographs where they are, and a terminal."""

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from sklearn_blades.datasets import make_photos
from sklearn_blades.ground import progress

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


class Terminal:
    """A terminal of 100 columns that is stderr within a block, and what it was sent."""

    def __init__(self):
        self._master, slave = pytest.importorskip("pty").openpty()
        self._stderr, self._sent = os.fdopen(slave, "w", encoding="utf-8"), []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        with suppress(OSError):  # what a closed terminal answers
            while piece := os.read(self._master, 1 << 16):
                self._sent.append(piece)
        os.close(self._master)

    def __enter__(self):
        self._streams = sys.stdout, sys.stderr
        sys.stderr = self._stderr
        return self

    def __exit__(self, *error):
        left, sys.stderr = (sys.stdout, sys.stderr), self._streams[1]
        self.close()
        assert left == (self._streams[0], self._stderr), "the streams are not what they were"

    def close(self):
        self._stderr.close()
        self._reader.join()

    @property
    def sent(self):
        return b"".join(self._sent).decode()


@pytest.fixture
def terminal(monkeypatch):
    """``with terminal: ...``; bars are drawn at every step."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(progress, "AFTER", 0)
    monkeypatch.setattr(progress, "EVERY", 0)
    made = Terminal()
    yield made
    made.close()
