"""What an editor is told of the package is what is there."""

import ast
import importlib
from pathlib import Path

import pytest

import sklearn_blades

PACKAGE = Path(sklearn_blades.__file__).parent
STUBS = sorted(PACKAGE.rglob("__init__.pyi"))

# The names that are promised; what is promised but not built yet is not here.
PROMISED = {
    "sklearn_blades": ["BladesEncoder", "BladesOneClass", "BladesBinary", "make_detector"],
    "sklearn_blades.datasets": ["make_photos", "load_fdf", "load_generator_folders"],
    "sklearn_blades.photos": ["read_exif", "read_photos", "PhotoRecord", "Face", "pseudo_fakes"],
    "sklearn_blades.pretext": [
        "OrdinalTag",
        "CategoricalTag",
        "Manipulated",
        "ManipulatedRegions",
        "WhichManipulation",
        "TaskSet",
        "default_tasks",
        "fidelity",
        "focal_fidelity",
        "multilabel_fidelity",
        "ranking_fidelity",
        "hypergradient",
    ],
    "sklearn_blades.evaluation": [
        "evaluate_by_generator",
        "robustness_curve",
        "audit_confounds",
        "TaskWeightsDisplay",
        "ScoreDisplay",
        "EmbeddingDisplay",
    ],
    "sklearn_blades.persistence": ["save", "load"],
}


def dotted(path):
    """The name of the package in this folder of ours."""
    return ".".join(["sklearn_blades", *path.relative_to(PACKAGE).parts])


@pytest.mark.parametrize("stub", STUBS, ids=lambda path: dotted(path.parent))
def test_a_stub_and_its_package_have_the_same_names(stub):
    package = importlib.import_module(dotted(stub.parent))
    tree = ast.parse(stub.read_text(encoding="utf-8"))
    imported = {
        name.asname or name.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    (listed,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__"
    )
    assert listed == sorted(imported) == sorted(package.__all__)
    for name in listed:
        assert getattr(package, name).__name__.split(".")[-1] == name


@pytest.mark.parametrize("stub", STUBS, ids=lambda path: dotted(path.parent))
def test_tab_shows_public_names_only(stub):
    package = importlib.import_module(dotted(stub.parent))
    shown = [shown for shown in dir(package) if not shown.startswith("__")]
    assert shown == sorted(package.__all__)


@pytest.mark.parametrize(("name", "promised"), PROMISED.items())
def test_promised_names_are_there(name, promised):
    package = importlib.import_module(name)
    assert set(promised) <= set(dir(package))
    for public in promised:
        assert callable(getattr(package, public))


@pytest.mark.parametrize(
    "init", sorted(PACKAGE.rglob("__init__.py")), ids=lambda path: dotted(path.parent)
)
def test_dir_shows_public_names_only(init):
    package = importlib.import_module(dotted(init.parent))
    assert dir(package) == sorted(package.__all__)
