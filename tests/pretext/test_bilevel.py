"""The hypergradient against autograd through the unrolled step."""

import json
import sys
import threading

import numpy as np
import open_clip
import pytest
import torch
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from sklearn_blades.pretext import Manipulated, OrdinalTag, TaskSet, hypergradient
from sklearn_blades.pretext.bilevel import TaskWeights
from sklearn_blades.towers.embedding import JointEmbedding

LR = 0.1


def unrolled(inner, outer, params, weights, lr, metric=None):
    """Build theta' with its graph and let autograd find d outer / d lambda: slow and obvious."""
    weights = weights.clone().requires_grad_()
    leaves = {name: value.detach().clone().requires_grad_() for name, value in params.items()}
    with sdpa_kernel(SDPBackend.MATH):
        gradient = torch.autograd.grad(
            weights @ inner(leaves), list(leaves.values()), create_graph=True
        )
        step = dict(zip(leaves, gradient, strict=True))
        if metric is not None:
            step = {name: metric[name] * g for name, g in step.items()}
        ahead = {name: p - lr * step[name] for name, p in leaves.items()}
        return torch.autograd.grad(outer(ahead), weights)[0]


def problem(model, tasks, size, n=4):
    """Inner and outer closures of a joint embedding on random pixels, and its parameters."""
    rng = np.random.default_rng(0)

    def batch():
        pixels = torch.tensor(rng.integers(0, 256, (n, size, size, 3)), dtype=torch.uint8)
        iso = torch.tensor(rng.uniform(100, 800, n))
        return pixels, {"ISOSpeedRatings": iso, "manipulated": torch.arange(n) % 2}

    def losses(params, pixels, targets):
        buffers = {name: value.clone() for name, value in model.named_buffers()}
        return tasks.losses(functional_call(model, {**params, **buffers}, (pixels,)), targets)

    first, second = batch(), batch()
    params = {name: p for name, p in model.named_parameters() if p.requires_grad}
    return lambda p: losses(p, *first), lambda p: losses(p, *second)[1], params


VIT = "a-small-vision-transformer"


@pytest.fixture(scope="module", params=["blades-tiny", VIT])
def towers(request, tmp_path_factory):
    if request.param == VIT:  # open_clip's own transformers, at a size that takes no minute
        text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
        vision = {"image_size": 32, "layers": 2, "width": 64, "head_width": 32, "patch_size": 8}
        config = tmp_path_factory.mktemp("configs") / f"{VIT}.json"
        config.write_text(json.dumps({"embed_dim": 32, "vision_cfg": vision, "text_cfg": text}))
        open_clip.add_model_config(config)
    torch.manual_seed(0)
    tasks = TaskSet([OrdinalTag("ISOSpeedRatings"), Manipulated()])
    size = 32
    model = JointEmbedding(request.param, tasks.prompts, image_size=size).double().train()
    return model, tasks, size


@pytest.fixture(scope="module")
def whole(towers):
    inner, outer, params = problem(*towers)
    weights = torch.tensor([0.7, 1.3], dtype=torch.float64)
    return inner, outer, params, weights, unrolled(inner, outer, params, weights, LR)


@pytest.mark.parametrize(("method", "tolerance"), [("jvp", 1e-9), ("central", 1e-4)])
def test_equals_autograd_through_the_unrolled_step(whole, method, tolerance):
    inner, outer, params, weights, truth = whole
    result = hypergradient(inner, outer, params, weights, lr=LR, method=method)
    assert truth.abs().max() > 1e-4  # there is something to get right
    torch.testing.assert_close(result.weights, truth, rtol=tolerance, atol=tolerance * 1e-2)
    torch.testing.assert_close(result.inner_losses, inner(params).detach())
    assert 0 < result.outer_loss < 1


@pytest.mark.parametrize(("method", "tolerance"), [("jvp", 1e-9), ("central", 1e-4)])
def test_a_metric_bends_the_step(whole, method, tolerance):
    inner, outer, params, weights, plain = whole
    generator = torch.Generator().manual_seed(0)
    metric = {
        name: torch.rand(p.shape, generator=generator, dtype=p.dtype) + 0.5
        for name, p in params.items()
    }
    truth = unrolled(inner, outer, params, weights, LR, metric)
    found = hypergradient(inner, outer, params, weights, lr=LR, method=method, metric=metric)
    assert (truth - plain).abs().max() > 0.01 * plain.abs().max()
    torch.testing.assert_close(found.weights, truth, rtol=tolerance, atol=tolerance * 1e-2)


def test_auto_is_exact_in_double_precision(whole):
    inner, outer, params, weights, truth = whole
    result = hypergradient(inner, outer, params, weights, lr=LR)
    torch.testing.assert_close(result.weights, truth, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("method", ["jvp", "central"])
def test_model_is_bit_identical_after_the_call(towers, whole, method):
    model = towers[0]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    inner, outer, params, weights, _ = whole
    hypergradient(inner, outer, params, weights, lr=LR, method=method)
    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(p.grad is None for p in model.parameters())


def test_a_given_inner_step_is_used_and_changes_nothing(whole):
    inner, outer, params, weights, _ = whole
    calls = []

    def counted(p):
        calls.append(p)
        return inner(p)

    leaves = {name: p.detach().clone().requires_grad_() for name, p in params.items()}
    losses = inner(leaves)
    gradient = torch.autograd.grad(weights @ losses, list(leaves.values()))
    step = losses.detach(), dict(zip(leaves, gradient, strict=True))
    shared = hypergradient(counted, outer, params, weights, lr=LR, inner_step=step)
    assert len(calls) == 1  # the forward-mode product alone
    alone = hypergradient(inner, outer, params, weights, lr=LR)
    torch.testing.assert_close(shared.weights, alone.weights)


def quadratic():
    params = {
        "a": torch.tensor([0.5, -0.5], dtype=torch.float64),
        "unused": torch.zeros(1).double(),
    }
    return (lambda p: torch.stack([p["a"].square().sum(), (p["a"] - 1).square().sum()])), params


def test_a_parameter_that_no_loss_uses_is_allowed():
    inner, params = quadratic()
    result = hypergradient(
        inner, lambda p: inner(p)[1], params, torch.ones(2).double(), lr=LR, method="jvp"
    )
    truth = (
        -LR
        * torch.stack([2 * params["a"], 2 * (params["a"] - 1)])
        @ (2 * (params["a"] - LR * (4 * params["a"] - 2) - 1))
    )
    torch.testing.assert_close(result.weights, truth)


@pytest.mark.parametrize("method", ["jvp", "central"])
def test_an_outer_loss_at_its_minimum_asks_for_nothing(method):
    inner, params = quadratic()
    flat = hypergradient(
        inner, lambda p: 0 * p["a"].sum(), params, torch.ones(2).double(), lr=LR, method=method
    )
    assert flat.weights.tolist() == [0.0, 0.0]


def test_unknown_method_is_named():
    inner, params = quadratic()
    with pytest.raises(ValueError, match="method='magic'; use 'auto', 'jvp' or 'central'"):
        hypergradient(inner, inner, params, torch.ones(2), lr=LR, method="magic")


class TestTaskWeights:
    def test_simplex_keeps_the_sum_and_stays_positive(self):
        weights = TaskWeights("abc")
        optimiser = torch.optim.Adam(weights.parameters(), lr=0.5)
        for _ in range(20):
            optimiser.zero_grad()
            weights.values.backward(torch.tensor([-1.0, -1.0, -9.0]))  # all would like to grow
            optimiser.step()
        values = weights.values.detach()
        assert values.sum().item() == pytest.approx(3, abs=1e-5)
        assert (values > 0).all()
        assert values.argmax() == 2

    def test_simplex_starts_where_it_is_told(self):
        weights = TaskWeights("abcd", start={"a": 0.7, "b": 0.1, "c": 0.1, "d": 0.1})
        assert weights.values.tolist() == pytest.approx([2.8, 0.4, 0.4, 0.4])

    def test_free_weights_are_the_papers(self):
        weights = TaskWeights("ab", "bilevel-free")
        assert weights.values.tolist() == [1.0, 1.0]
        torch.optim.Adam(weights.parameters(), lr=1.0).step(None)  # no gradient yet: no step
        weights.values.backward(torch.tensor([1.0, 1.0]))
        torch.optim.Adam(weights.parameters(), lr=2.0).step()
        assert weights.values.tolist() == pytest.approx([-1.0, -1.0], abs=1e-5)  # may go negative

    def test_given_weights_are_fixed(self):
        weights = TaskWeights("ab", {"b": 2.0, "a": 0.5, "elsewhere": 9.0})
        assert not weights.learned
        assert weights(torch.tensor([1.0, 1.0])).item() == 2.5

    @pytest.mark.parametrize(
        ("weighting", "message"),
        [
            ({"a": 1.0}, "no weight for b"),
            ({"a": 1.0, "b": -1.0}, "at least 0"),
            ("sometimes", "use 'bilevel'"),
        ],
    )
    def test_bad_weighting_is_explained(self, weighting, message):
        with pytest.raises(ValueError, match=message):
            TaskWeights("ab", weighting)


@pytest.mark.parametrize("method", ["jvp", "central"])
def test_the_means_of_parts_are_the_hypergradient_of_the_whole(method):
    """Two threads with half of the photographs each come to what one comes to with all."""
    generator = torch.Generator().manual_seed(0)
    x, y, u, v = torch.randn(4, 2, 8, 3, generator=generator, dtype=torch.float64)
    params = {"w": torch.randn(3, generator=generator, dtype=torch.float64)}
    weights = torch.tensor([0.7, 1.3], dtype=torch.float64)

    def of(rows, reduce=None):
        def inner(p):
            square = (x[rows] @ p["w"] - y[rows].sum(-1)) ** 2
            return torch.stack([square.mean(), square.sin().mean()])

        def outer(p):
            return ((u[rows] @ p["w"]).tanh() - v[rows].sum(-1)).square().mean()

        return hypergradient(inner, outer, params, weights, lr=LR, method=method, reduce=reduce)

    both, found, meeting = [{}, {}], [None, None], threading.Barrier(2)

    def work(rank):
        def mean(tensors):
            both[rank] = tensors
            meeting.wait(10)
            means = {name: (both[0][name] + both[1][name]) / 2 for name in tensors}
            meeting.wait(10)
            return means

        found[rank] = of(rank, mean).weights

    other = threading.Thread(target=work, args=(1,))
    other.start()
    work(0)
    other.join()
    assert torch.equal(*found)
    tolerance = {"rtol": 1e-6, "atol": 1e-9}
    torch.testing.assert_close(found[0], of(slice(None)).weights, **tolerance)
    assert (of(0).weights - found[0]).norm() > 0.01 * found[0].norm()


def test_forward_mode_in_two_threads_at_once():
    """torch counts its levels for all threads together; unguarded, most of these go wrong."""
    x = torch.arange(12.0, dtype=torch.float64).reshape(4, 3) / 10
    params = {"w": torch.tensor([0.3, -0.7, 0.2], dtype=torch.float64)}
    weights = torch.tensor([0.7, 1.3], dtype=torch.float64)

    def inner(p):
        square = (x @ p["w"]) ** 2
        return torch.stack([square.mean(), square.sin().mean()])

    def outer(p):
        return (x @ p["w"]).tanh().mean()

    def weighed():
        return hypergradient(inner, outer, params, weights, lr=LR, method="jvp").weights

    alone, differ = weighed(), []

    def work():
        try:
            differ.extend(not torch.equal(weighed(), alone) for _ in range(200))
        except RuntimeError as error:
            differ.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert len(differ) == 400
    assert not any(differ)
