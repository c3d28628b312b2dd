"""What leads out of a file is followed only where the caller trusts it: paths, hubs, devices."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from sklearn_blades import BladesBinary, BladesEncoder, BladesOneClass
from sklearn_blades.persistence import load, save
from sklearn_blades.towers import openclip
from tests.persistence.tampering import parts, refuse, tampered

SMALL = {"image_size": 32, "max_epochs": 0}


def fitted(**params):
    encoder = BladesEncoder(**SMALL).fit(["never opened.jpg"])
    return encoder.set_params(**params)


@pytest.fixture(scope="module")
def training_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "training.blades"
    save(fitted(), path, training=True)
    return path


def test_a_path_of_a_network_is_refused_and_kept_where_it_is_trusted(tmp_path):
    path = tmp_path / "model.blades"
    save(fitted(face_locator="yunet:/elsewhere/yunet.onnx"), path)
    refuse(path, r"face_locator='yunet:/elsewhere/yunet\.onnx'.*load\(path, trust_paths=True\)")
    assert load(path, trust_paths=True).face_locator == "yunet:/elsewhere/yunet.onnx"


@pytest.mark.parametrize("start", ["/elsewhere/towers.pt", Path("towers.blades"), "towers"])
def test_a_path_of_weights_is_left_out_with_a_word(start, tmp_path):
    path = tmp_path / "model.blades"
    save(fitted(pretrained=start), path)
    with pytest.warns(UserWarning, match=rf"model\.blades: pretrained='{start}' is a path") as said:
        assert load(path).pretrained is None
    assert len(said) == 1
    assert said[0].filename == __file__
    assert load(path, trust_paths=True).pretrained == start


@pytest.mark.parametrize(
    "params",
    [
        {"architecture": "RN50", "pretrained": "openai"},  # a tag is no path
        {"face_locator": "yunet"},
        {"face_locator": {"/elsewhere/a.jpg": (0.1, 0.1, 0.9, 0.9)}},  # names, never opened
    ],
)
def test_what_is_no_path_is_kept(params, tmp_path):
    path = tmp_path / "model.blades"
    save(fitted(**params), path)
    again = load(path)
    assert {name: getattr(again, name) for name in params} == params


def test_a_folder_as_architecture(training_file, tmp_path):
    change = parts("BladesEncoder", architecture="local-dir:/elsewhere")
    refuse(tampered(training_file, tmp_path, change), "'local-dir:/elsewhere' is a folder")


@pytest.mark.parametrize(
    "name", ["ViT-B-16-SigLIP", "roberta-ViT-B-32", "xlm-roberta-base-ViT-B-32"]
)
def test_no_hub_is_asked(name, training_file, tmp_path, monkeypatch):
    path = tampered(training_file, tmp_path, parts("JointEmbedding", architecture=name))
    asked = []

    def build(architecture, config):
        asked.append(architecture)
        raise OSError("the hub was asked")

    monkeypatch.setattr(openclip, "build_towers", build)
    monkeypatch.setattr("sklearn_blades.towers.architectures.build_towers", build)
    refuse(path, rf"text tower of {name} would be asked for at a model hub.*trust_paths=True")
    assert not asked
    with pytest.raises(ValueError, match="the hub was asked"):
        load(path, trust_paths=True)
    assert asked == [name]


def test_without_a_text_tower_there_is_nothing_to_ask_for(tmp_path):
    """Then the vocabulary has done its work, and the image tower is built without a hub."""
    path = tmp_path / "model.blades"
    save(fitted(), path)
    change = parts("JointEmbedding", architecture="ViT-B-16-SigLIP")
    refuse(tampered(path, tmp_path, change), "does not fit ViT-B-16-SigLIP")


@pytest.mark.parametrize("kind", ["cuda", "mps", "xpu"])
def test_a_device_that_is_not_here_is_any(kind, training_file, tmp_path):
    if getattr(torch, kind).device_count():
        pytest.skip(f"this machine has {kind}")
    path = tampered(training_file, tmp_path, parts("BladesEncoder", device=f"{kind}:0"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(path).device == "auto"


@pytest.mark.parametrize("device", ["meta", "evil", 3.5, "vulkan"])
def test_a_device_that_is_nowhere(device, training_file, tmp_path):
    change = parts("BladesEncoder", device=device)
    refuse(tampered(training_file, tmp_path, change), "device")
    encoder = fitted(device=device)
    with pytest.raises(ValueError, match="device"):
        save(encoder, tmp_path / "model.blades")


def test_the_processor_stays_the_processor(tmp_path):
    path = tmp_path / "model.blades"
    save(fitted(device="cpu"), path)
    assert load(path).device == "cpu"


def test_heads_keep_their_devices(tmp_path):
    X, y = np.random.default_rng(0).normal(size=(100, 3)), [0, 1] * 50
    for head in (BladesOneClass(device=None), BladesBinary(device="cpu", max_epochs=1)):
        save(head.fit(X, y if isinstance(head, BladesBinary) else None), tmp_path / "head.blades")
        assert load(tmp_path / "head.blades").device == head.device
