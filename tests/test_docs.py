"""The pages name what is there, and nothing else; the README's lines run."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

import sklearn_blades
from sklearn_blades.datasets import make_photos

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


ROOT = PAGE.parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted((ROOT / "docs").glob("*.md"))


def test_the_readme_is_for_a_first_visit():
    assert len(README.split()) < 900
    for command in (
        'pip install -e ".[faces,lite]" && python examples/quickstart.py',
        'pip install -e ".[faces,lite,test]" && pytest',
    ):
        assert command in README
    (lines,) = re.findall(r"```python\n(.*?)```", README, re.S)
    assert len(lines.strip().splitlines()) == 10


def test_the_ten_lines_run_in_a_folder_of_photographs(tmp_path, monkeypatch, capsys):
    make_photos(60, tmp_path, random_state=0)
    (lines,) = re.findall(r"```python\n(.*?)```", README, re.S)
    # Simulated photographs are face crops, of people that no locator knows.
    crops = lines.replace('on_error="nan"', 'on_error="nan", face_locator="whole"')
    assert crops != lines
    monkeypatch.chdir(tmp_path)
    exec(crops, {})
    printed = capsys.readouterr().out
    assert len(re.findall(r"(?m)^\| first-0000\d\.jpg \| [\d.-]+ \| [\d.]+ \|", printed)) == 10
    assert printed.count("| not flagged |") >= 8
    assert "5 % are flagged at most" in printed
    assert (tmp_path / "detector.blades").stat().st_size > 1e6


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda path: path.name)
def test_a_page_links_to_what_is_there(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not target.startswith(("http", "auto_examples/", "api/")):
            assert (page.parent / target).exists(), target


def test_every_page_is_in_a_table_of_contents():
    contents = "\n".join(
        block
        for page in PAGES
        for block in re.findall(r"```\{toctree\}(.*?)```", page.read_text(encoding="utf-8"), re.S)
    )
    listed = set(re.findall(r"(?m)^([a-z_/]+)$", contents))
    assert {page.stem for page in PAGES} - {"index"} <= listed


LINKED = ("datasets", "estimators", "evaluation", "persistence", "photos", "pretext")


@pytest.mark.parametrize("package", LINKED)
def test_the_reference_says_what_is_near(package):
    module = importlib.import_module(f"sklearn_blades.{package}")
    alone = [
        name for name in module.__all__ if "See Also" not in inspect.getdoc(getattr(module, name))
    ]
    assert not alone


def test_names_in_see_also_are_there():
    for package in LINKED:
        module = importlib.import_module(f"sklearn_blades.{package}")
        for name in module.__all__:
            text = inspect.getdoc(getattr(module, name))
            near = text.split("See Also\n--------\n", 1)[1].split("\n\n", 1)[0]
            for line in re.findall(r"(?m)^(\S.*?)(?: :.*)?$", near):
                for target in line.split(", "):
                    assert known(target, module), f"{name}: {target}"


def known(target, module):
    """Whether the reference can link to a name from a page of this package."""
    if target.split(".")[0] == "sklearn":
        return True
    for place in (module, sklearn_blades, *OTHERS):
        found, inside = target.removeprefix(f"{place.__name__}."), place
        for name in found.split("."):
            inside = getattr(inside, name, None)
        if inside is not None:
            return True
    return False


OTHERS = [importlib.import_module(f"sklearn_blades.{package}") for package in LINKED]
