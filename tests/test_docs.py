"""The page of the code's plan names what is there, and nothing else."""

import ast
import re
from pathlib import Path

import pytest

import sklearn_blades

PACKAGE = Path(sklearn_blades.__file__).parent
PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"
TEXT = PAGE.read_text(encoding="utf-8")
MODULES = sorted(
    path.relative_to(PACKAGE).as_posix()
    for path in PACKAGE.rglob("*.py")
    if path.name != "__init__.py"
)


def walk(title):
    """The numbered stops below a heading."""
    part = TEXT.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]
    return re.split(r"(?m)^\d+\. ", part)[1:]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_is_in_the_table(module):
    assert f"| `{module}` |" in TEXT


def test_the_page_names_no_module_that_is_gone():
    named = {name for name in re.findall(r"`([a-z_/]+\.py)`", TEXT) if "/" in name}
    tests = {name for name in named if name.startswith("tests/")}
    assert named - tests <= set(MODULES)
    assert all((PAGE.parents[1] / name).is_file() for name in tests)


@pytest.mark.parametrize(
    "title", ["From a photograph to a verdict", "From a photograph to a gradient"]
)
def test_the_walks_take_ten_stops_past_functions_that_exist(title):
    stops = walk(title)
    assert len(stops) <= 10
    defined = {
        node.name
        for module in MODULES
        for node in ast.walk(ast.parse((PACKAGE / module).read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    for stop in stops:
        names = re.findall(r"`([A-Za-z_.]+)`", stop)
        names = [name for name in names if "/" not in name and not name.endswith(".py")]
        known = [name for name in names if set(name.split(".")) <= defined]
        assert known, f"no function of ours in: {stop}"
