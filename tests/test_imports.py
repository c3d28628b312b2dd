"""What an import costs: modules that are heavy stay away until they are needed."""

import json
import subprocess
import sys

import pytest

# What is there before, and what is imported then: the lightest first, all in one interpreter.
STEPS = {
    "the package": ("import sys", "import sklearn_blades"),
    "photos": ("import sys", "import sklearn_blades.photos"),
    "the encoder": ("import sklearn.base", "from sklearn_blades import BladesEncoder"),
    # scikit-learn imports pandas by itself where it is installed.
    "the classes": (
        "import torch, sklearn.base",
        "from sklearn_blades import BladesBinary, BladesEncoder, BladesOneClass, make_detector",
    ),
    "towers": (
        "import sys",
        "from sklearn_blades.towers.openclip import model_config; model_config('blades-tiny')",
    ),
}
PROGRAM = """
import json, sys
there, brought = set(sys.modules), {}
for name, (before, statement) in json.loads(sys.argv[1]).items():
    known = set(sys.modules)
    exec(before)
    there |= set(sys.modules) - known
    exec(statement)
    brought[name] = sorted(set(sys.modules) - there)
print(json.dumps(brought))
"""


@pytest.fixture(scope="module")
def brought():
    """Names of the modules that each step and those before it have imported by themselves."""
    command = [sys.executable, "-c", PROGRAM, json.dumps(STEPS)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return {name: set(modules) for name, modules in json.loads(run.stdout).items()}


@pytest.mark.parametrize(
    "heavy", ["open_clip", "torchvision", "torch._dynamo", "matplotlib", "pandas", "cv2", "timm"]
)
def test_the_estimators_do_not_import(heavy, brought):
    assert "sklearn_blades.estimators.one_class" in brought["the classes"]
    assert heavy not in brought["the classes"]


@pytest.mark.parametrize(
    ("step", "package"), [("the package", "sklearn_blades"), ("photos", "sklearn_blades.photos")]
)
def test_neither_torch_nor_scikit_learn_comes_with(step, package, brought):
    assert package in brought[step]
    heavy = {"torch", "sklearn", "scipy", "pandas", "cv2", "matplotlib"}
    assert not brought[step] & heavy


def test_towers_do_import_open_clip(brought):
    """So the checks above can see it."""
    assert {"open_clip", "torchvision", "torch._dynamo"} <= brought["towers"]


def test_the_encoder_is_named_without_torch(brought):
    assert "sklearn_blades.estimators.encoder" in brought["the encoder"]
    assert not brought["the encoder"] & {"torch", "skorch", "open_clip"}
