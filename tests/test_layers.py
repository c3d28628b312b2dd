"""The plan of the house: imports only go down, files form no circle, rooms stay readable."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import sklearn_blades

PACKAGE = Path(sklearn_blades.__file__).parent

# From the roof to the ground, as docs/architecture.md draws the house.
ROOMS = [
    "app",
    "persistence",
    "estimators",
    "datasets",
    "pretext",
    "evaluation",
    "residuals",
    "towers",
    "portable",
    "heads",
    "photos",
    "storage",
    "ground",
    "errors",
]
FLOOR = {name: level for level, name in enumerate(reversed(ROOMS))}

# The one late import upwards: a report's `plot` draws the display that reads the report.
PLOTS = {
    ("evaluation/confounds/report.py", "evaluation/confounds/display.py"),
    ("evaluation/generators/report.py", "evaluation/generators/display.py"),
    ("evaluation/robustness/report.py", "evaluation/robustness/display.py"),
}
# And a detector's `report` is the page that shows the detector: a method for people in notebooks.
PAGES = {("estimators/blades_detector.py", "app/report.py")}

LONGEST_FILE, LONGEST_FUNCTION = 350, 45
# Parameters, their documentation and their constraints; `__init__` only stores them.
LONG_FILES = {"estimators/encoder.py"}
LONG_FUNCTIONS = {
    "estimators/encoder.py:BladesEncoder.__init__",
}


def imported_files(path, package=PACKAGE):
    """Files of the package that a file imports, wherever in the file the import stands."""
    here = path.relative_to(package).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            wanted = [name.name.split(".") for name in node.names]
            wanted = [(parts[1:], ()) for parts in wanted if parts[0] == "sklearn_blades"]
        elif isinstance(node, ast.ImportFrom):
            module = node.module.split(".") if node.module else []
            if node.level:
                base = [*here[: len(here) - node.level + 1], *module]
            elif module[0] == "sklearn_blades":
                base = module[1:]
            else:
                continue
            wanted = [(base, [name.name for name in node.names])]
        else:
            continue
        for base, names in wanted:
            yield from _files_of(base, names, package)


def _files_of(base, names, package):
    """The files behind ``from base import names``: a name may be a file of its own."""
    folder = package.joinpath(*base)
    if folder.with_suffix(".py").is_file() and base:
        yield folder.with_suffix(".py").relative_to(package).as_posix()
        return
    for name in names or [""]:
        file = folder / f"{name}.py"
        inner = folder / name / "__init__.py"
        home = file if file.is_file() else inner if inner.is_file() else folder / "__init__.py"
        yield home.relative_to(package).as_posix()


def files():
    return sorted(PACKAGE.rglob("*.py"))


def room(name):
    return name.split("/")[0].removesuffix(".py")


@pytest.mark.parametrize("path", files(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_only_go_down(path):
    name = path.relative_to(PACKAGE).as_posix()
    if name in ("__init__.py", "__main__.py"):  # doors
        return
    assert room(name) in FLOOR, f"{room(name)} has no place in the house: add it to ROOMS"
    for other in imported_files(path):
        if other == "__init__.py":  # for the version alone
            continue
        same = room(other) == room(name) or (name, other) in PAGES
        assert same or FLOOR[room(other)] < FLOOR[room(name)], f"{name} imports {other}, above it"


def test_no_files_import_each_other_in_a_circle():
    graph = {}
    for path in files():
        name = path.relative_to(PACKAGE).as_posix()
        graph[name] = {
            other
            for other in imported_files(path)
            if other not in (name, "__init__.py") and (name, other) not in PLOTS | PAGES
        }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("a circle of files: " + " -> ".join(error.args[1]))


def test_the_exceptions_are_still_needed():
    for name, other in PLOTS | PAGES:
        assert other in set(imported_files(PACKAGE / name)), f"{name} no longer imports {other}"


def test_the_long_ones_are_still_long():
    for name in LONG_FILES:
        assert (PACKAGE / name).read_text(encoding="utf-8").count("\n") > LONGEST_FILE
    for exception in LONG_FUNCTIONS:
        name, place = exception.split(":")
        found = dict(functions(ast.parse((PACKAGE / name).read_text(encoding="utf-8"))))
        assert lines_of_code(found[place]) > LONGEST_FUNCTION


def test_folders_of_many_files_say_what_they_own():
    for folder in {path.parent for path in files()}:
        if len(list(folder.glob("*.py"))) > 6:  # five and __init__
            assert (folder / "README.md").is_file(), f"{folder.relative_to(PACKAGE)}: no README.md"


def test_the_root_holds_folders_and_few_files():
    there = {path.name for path in PACKAGE.iterdir() if path.is_file()}
    assert there == {"__main__.py", "__init__.py", "__init__.pyi", "py.typed", "errors.py"}
    assert {path.name for path in PACKAGE.iterdir() if path.is_dir()} - {"__pycache__"} == {
        *ROOMS
    } - {"errors"}


@pytest.mark.parametrize("path", files(), ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_files_and_functions_stay_readable(path):
    name, text = path.relative_to(PACKAGE).as_posix(), path.read_text(encoding="utf-8")
    if name not in LONG_FILES:
        assert text.count("\n") <= LONGEST_FILE, f"{name}: is it two things?"
    for place, function in functions(ast.parse(text)):
        length = lines_of_code(function)
        if f"{name}:{place}" not in LONG_FUNCTIONS:
            assert length <= LONGEST_FUNCTION, f"{name}: {place} has {length} lines"


def functions(tree, inside=""):
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            place = f"{inside}.{node.name}".lstrip(".")
            if isinstance(node, ast.FunctionDef):
                yield place, node
            yield from functions(node, place)


def lines_of_code(function):
    """Lines of a function without its docstring."""
    docstring = ast.get_docstring(function, clean=False)
    return function.end_lineno - function.lineno + 1 - (docstring or "").count("\n")


def test_the_checks_see_what_they_look_for(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "pretext").mkdir()
    for name in ("__init__.py", "photos/__init__.py", "pretext/__init__.py", "pretext/losses.py"):
        (tmp_path / name).write_text("")
    file = tmp_path / "photos" / "exif.py"
    file.write_text(
        "from ..pretext.losses import fidelity\nfrom .. import pretext\nimport os\n"
        "def f():\n    from sklearn_blades.pretext import losses\n"
    )
    found = list(imported_files(file, tmp_path))
    assert found == ["pretext/losses.py", "pretext/__init__.py", "pretext/losses.py"]


def test_residuals_do_not_import_torch():
    code = "import sys; from sklearn_blades.residuals import NativeResiduals as made; made();"
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("heavy", ["torch", "sklearn", "open_clip", "cv2"])
def test_photos_does_not_import(heavy):
    code = f"import sys, sklearn_blades.photos; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
