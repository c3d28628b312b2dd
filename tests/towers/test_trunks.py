"""Image towers of timm: built by name, filled from timm's files, read before the projection."""

import pickle
import socket

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch.nn.functional import normalize

from sklearn_blades.towers.embedding import JointEmbedding

SMALL = ["test_resnet.r160_in1k", "test_vit.r160_in1k", "test_efficientnet.r160_in1k"]


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a tower asked for the network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def pixels(size, n=2):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, size, size, 3), dtype=torch.uint8, generator=generator)


def timm_file(folder, name, suffix=".pth"):
    """A file of random weights as timm saves it, and the model that they are from."""
    torch.manual_seed(0)
    model = timm.create_model(name).eval()
    for key, buffer in model.named_buffers():
        if "running" in key:
            buffer.uniform_(0.5, 1.5)
    path = folder / f"weights{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": model.state_dict()}, path)
    else:
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, path)
    return str(path), model


def pooled_by_timm(model, images):
    known = model.pretrained_cfg
    mean, std = (torch.tensor(known[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    images = (images.permute(0, 3, 1, 2) / 255 - mean) / std
    return normalize(model.forward_head(model.forward_features(images), pre_logits=True))


@torch.no_grad()
@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_of_timm_gives_the_features_of_timm(tmp_path, name, suffix):
    path, model = timm_file(tmp_path, name, suffix)
    embedding = JointEmbedding(f"timm:{name}", pretrained=path).eval()
    assert embedding.preprocessing.image_size == 160
    assert embedding.preprocessing.mean == model.pretrained_cfg["mean"]
    assert embedding.choose_features("auto") == "pooled"
    side = embedding.image_side("pooled")
    found = side.encode_image(pixels(160))
    assert found.shape == (2, side.n_features)
    torch.testing.assert_close(found, pooled_by_timm(model, pixels(160)), rtol=1e-4, atol=1e-5)
    assert embedding.encode_image(pixels(160)).shape == (2, 256)


@torch.no_grad()
def test_a_transformer_takes_another_size_as_timm_would_make_it(tmp_path):
    path, model = timm_file(tmp_path, "test_vit")
    model.set_input_size(64)
    embedding = JointEmbedding("timm:test_vit", pretrained=path, image_size=64).eval()
    found = embedding.image_side("pooled").encode_image(pixels(64))
    torch.testing.assert_close(found, pooled_by_timm(model, pixels(64)), rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize(("name", "size"), [(SMALL[0], None), (SMALL[1], 64)])
def test_pickle_keeps_every_bit(name, size):
    embedding = JointEmbedding(f"timm:{name}", ["a", "b"], image_size=size).eval()
    again = pickle.loads(pickle.dumps(embedding))
    assert torch.equal(again(pixels(size or 160)), embedding(pixels(size or 160)))
    assert again.preprocessing == embedding.preprocessing
    assert again.head_trained is False
    side, same = (e.image_side("pooled") for e in (embedding, again))
    assert side.digest() == same.digest() != embedding.digest()


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ("timm:resnet19", "did you mean .*timm:resnet18"),
        ("timm:resnet18.nope", "names no tag of resnet18; its tags: .*a1_in1k"),
        ("timm:hf-hub:somebody/model", "is unknown"),
        ("timm:", "is unknown"),
    ],
)
def test_unknown_names_are_refused(architecture, message):
    with pytest.raises(ValueError, match=message):
        JointEmbedding(architecture)


def test_a_file_of_another_model_is_refused(tmp_path):
    path, _ = timm_file(tmp_path, "test_resnet")
    for other in ("timm:resnet18", "timm:test_vit", "blades-tiny", "blades-lite"):
        with pytest.raises(ValueError, match=f"does not fit {other}"):
            JointEmbedding(other, pretrained=path)


@torch.no_grad()
def test_a_vision_transformer_of_open_clip_has_pooled_features():
    embedding = JointEmbedding("ViT-S-32-alt", image_size=64).eval()
    side = embedding.image_side("pooled")
    features = side.encode_image(pixels(64))
    assert features.shape == (2, side.n_features) == (2, 384)
    projected = normalize(features @ embedding.towers.visual.proj)
    torch.testing.assert_close(projected, embedding.encode_image(pixels(64)))
    assert embedding.towers.visual.proj is not None


def test_towers_that_project_within_their_attention_have_none():
    embedding = JointEmbedding("blades-tiny")
    assert embedding.choose_features("auto") == "embedding"
    with pytest.raises(ValueError, match="features='pooled' cannot be had of blades-tiny"):
        embedding.image_side("pooled")
