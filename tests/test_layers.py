"""Imports only go down: a room may use its own files and those of the rooms below it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sklearn_blades

PACKAGE = Path(sklearn_blades.__file__).parent

# From the roof to the ground, as the design page draws the house.
ROOMS = [
    {"__init__", "app"},
    {"persistence", "_detector"},
    {"_storable"},
    {"_encoder"},
    {"datasets"},
    {"pretext"},
    {"evaluation"},
    {"photos"},
    {"_one_class", "_binary"},
    {"_features", "_conformal", "_mixture", "_perceptron"},
    {"errors", "_cache", "_callbacks", "_container", "_device", "_sklearn", "_tree"},
    {"_disk"},
]
FLOOR = {name: level for level, room in enumerate(reversed(ROOMS)) for name in room}


def imported_rooms(path):
    """Yield the rooms that a file imports, wherever in the file the import stands."""
    package = ("sklearn_blades", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = base + (node.module.split(".") if node.module else [])
            targets = [module] if node.module else [[*module, a.name] for a in node.names]
        else:
            continue
        for target in targets:
            if target[0] == "sklearn_blades" and len(target) > 1:
                yield target[1]


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_imports_only_go_down(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert room in FLOOR, f"{room} has no place in the house: add it to ROOMS"
    for other in imported_rooms(path):
        assert other == room or FLOOR[other] < FLOOR[room], f"{room} imports {other}, above it"


def test_the_check_sees_a_relative_import(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    (tmp_path / "photos").mkdir()
    file = tmp_path / "photos" / "exif.py"
    file.write_text("from ..pretext.losses import fidelity\nfrom .. import _encoder\nimport os\n")
    assert list(imported_rooms(file)) == ["pretext", "_encoder"]


@pytest.mark.parametrize("heavy", ["torch", "sklearn", "open_clip", "cv2"])
def test_photos_does_not_import(heavy):
    code = f"import sys, sklearn_blades.photos; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
