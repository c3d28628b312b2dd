"""What an import costs: modules that are heavy stay away until they are needed."""

import subprocess
import sys

import pytest

CLASSES = "from sklearn_blades import BladesBinary, BladesEncoder, BladesOneClass, make_detector"


def brought(statement, *, after="import sys"):
    """Names of the modules that a statement imports in a new interpreter."""
    code = (
        f"{after}\nimport sys\nbefore = set(sys.modules)\n{statement}\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(run.stdout.split())


@pytest.fixture(scope="module")
def of_the_classes():
    # scikit-learn imports pandas by itself where it is installed.
    return brought(CLASSES, after="import torch, sklearn.base")


@pytest.mark.parametrize(
    "heavy", ["open_clip", "torchvision", "torch._dynamo", "matplotlib", "pandas", "cv2", "timm"]
)
def test_the_estimators_do_not_import(heavy, of_the_classes):
    assert "sklearn_blades.estimators.encoder" in of_the_classes
    assert heavy not in of_the_classes


@pytest.mark.parametrize("package", ["sklearn_blades", "sklearn_blades.photos"])
def test_neither_torch_nor_scikit_learn_comes_with(package):
    there = brought(f"import {package}")
    assert package in there
    assert not there & {"torch", "sklearn", "scipy", "pandas", "cv2", "matplotlib"}


def test_towers_do_import_open_clip():
    """So the checks above can see it."""
    there = brought(
        "from sklearn_blades.towers.openclip import model_config\nmodel_config('blades-tiny')"
    )
    assert {"open_clip", "torchvision", "torch._dynamo"} <= there


def test_the_encoder_is_named_without_torch():
    there = brought("from sklearn_blades import BladesEncoder", after="import sklearn.base")
    assert "sklearn_blades.estimators.encoder" in there
    assert not there & {"torch", "skorch", "open_clip"}
