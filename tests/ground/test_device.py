"""A device that this machine lacks, or that computes nothing, is said before anything runs."""

import numpy as np
import pytest
import torch

from sklearn_blades import BladesBinary, BladesEncoder, BladesOneClass
from sklearn_blades.ground.device import (
    parse_device,
    random_state,
    resolve_device,
    set_random_state,
)

X = np.random.default_rng(0).normal(size=(40, 4))
y = np.tile([0, 1], 20)


def lacking(kind):
    return getattr(torch, kind).device_count() == 0


@pytest.mark.parametrize("kind", ["cuda", "mps", "xpu"])
def test_a_device_that_is_not_here(kind):
    if not lacking(kind):
        pytest.skip(f"this machine has {kind}")
    for name in (kind, f"{kind}:1"):
        with pytest.raises(
            ValueError, match=rf"^device='{name}': .* 0 {kind.upper()} devices; use"
        ):
            resolve_device(name)
        assert parse_device(name).type == kind  # as it would be elsewhere


@pytest.mark.parametrize("name", ["meta", "meta:0", "vulkan", "ipu"])
def test_a_device_that_computes_nothing(name):
    with pytest.raises(ValueError, match=rf"device='{name}' does not compute here; use 'auto'"):
        resolve_device(name)


@pytest.mark.parametrize("name", ["evil", "cuda:x", "", None])
def test_no_device(name):
    with pytest.raises(ValueError, match="is not a device; use 'auto', 'cpu' or 'cuda'"):
        resolve_device(name)


def test_what_is_here():
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", ["auto", "cuda"])
def test_a_rank_has_a_card_of_its_own(name, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device(name) == torch.device("cuda")
    for variable in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "LOCAL_RANK"):
        monkeypatch.setenv(variable, "1")
    assert resolve_device(name) == torch.device("cuda:1")
    assert resolve_device("cuda:0") == torch.device("cuda:0")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ValueError, match=r"it shows 2: start 2 ranks \(--nproc-per-node=2"):
        resolve_device(name)


@pytest.mark.parametrize("name", ["mps", "meta"])
def test_estimators_say_it_when_they_are_used(name):
    if name == "mps" and not lacking("mps"):
        pytest.skip("this machine has it")
    message = rf"^device='{name}'"
    with pytest.raises(ValueError, match=message):
        BladesBinary(device=name).fit(X, y)
    with pytest.raises(ValueError, match=message):
        BladesOneClass(device=name).fit(X)
    with pytest.raises(ValueError, match=message):
        BladesEncoder(device=name, max_epochs=0).fit(["never opened.jpg"])
    head = BladesBinary(max_epochs=1, random_state=0).fit(X, y).set_params(device=name)
    with pytest.raises(ValueError, match=message):
        head.predict(X)
    encoder = BladesEncoder(image_size=32, max_epochs=0).fit(["never opened.jpg"])
    with pytest.raises(ValueError, match=message):
        encoder.set_params(device=name).transform(["never opened.jpg"])


def test_a_run_of_the_cpu_goes_on_where_a_gpu_draws():
    before = random_state("cpu")
    expected = torch.rand(3)
    set_random_state(before, "cuda")  # a checkpoint without a state of the GPU's generator
    assert torch.equal(torch.rand(3), expected)
