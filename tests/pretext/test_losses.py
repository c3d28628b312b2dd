"""Each loss against a slow reference, and finite at every edge."""

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import norm

from sklearn_blades.pretext import (
    fidelity,
    focal_fidelity,
    multilabel_fidelity,
    ranking_fidelity,
)

NAN = float("nan")


def slow_bernoulli(p, g):
    return 1 - np.sqrt(p * g) - np.sqrt((1 - p) * (1 - g))


def slow_ranking(scores, values, scale):
    losses = []
    for i, j in itertools.combinations(range(len(scores)), 2):
        if np.isnan(values[i]) or np.isnan(values[j]):
            continue
        g = 1.0 if values[i] > values[j] else 0.5 if values[i] == values[j] else 0.0
        losses.append(slow_bernoulli(norm.cdf(scale * (scores[i] - scores[j])), g))
    return np.mean(losses)


def slow_softmax(row):
    exp = np.exp(row - row.max())
    return exp / exp.sum()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("scale", [2.0, 2**-0.5])
def test_ranking_equals_the_slow_reference(rng, scale):
    scores = rng.uniform(1, 3, 24)
    values = rng.choice([100.0, 200.0, 400.0, NAN], 24)
    fast = ranking_fidelity(torch.tensor(scores), torch.tensor(values), scale=scale)
    assert fast.item() == pytest.approx(slow_ranking(scores, values, scale), abs=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_focal_equals_the_slow_reference(rng, gamma):
    logits, target = rng.normal(0, 3, (24, 5)), rng.integers(-1, 5, 24)
    q = [slow_softmax(row)[y] for row, y in zip(logits, target, strict=True) if y >= 0]
    slow = np.mean([(1 - p) ** gamma * (1 - np.sqrt(p)) for p in q])
    logits, target = torch.tensor(logits), torch.tensor(target)
    assert focal_fidelity(logits, target, gamma=gamma).item() == pytest.approx(slow, abs=1e-6)
    if gamma == 0:
        assert fidelity(logits, target).item() == pytest.approx(slow, abs=1e-6)


def test_two_classes_are_the_bernoulli_fidelity(rng):
    logits, target = rng.normal(0, 2, (24, 2)), rng.integers(0, 2, 24)
    slow = np.mean(
        [
            slow_bernoulli(slow_softmax(row)[1], float(y))
            for row, y in zip(logits, target, strict=True)
        ]
    )
    fast = fidelity(torch.tensor(logits), torch.tensor(target))
    assert fast.item() == pytest.approx(slow, abs=1e-6)


def test_multilabel_equals_the_slow_reference(rng):
    logits = rng.normal(0, 3, (24, 2))
    target = rng.choice([0.0, 0.3, 1.0, NAN], (24, 2))
    known = ~np.isnan(target)
    slow = np.mean(slow_bernoulli(1 / (1 + np.exp(-logits[known])), target[known]))
    fast = multilabel_fidelity(torch.tensor(logits), torch.tensor(target))
    assert fast.item() == pytest.approx(slow, abs=1e-6)


EDGES = {
    "batch of one": (ranking_fidelity, [2.0], [400.0]),
    "all tied": (ranking_fidelity, [1.0, 2.0, 3.0], [4.0, 4.0, 4.0]),
    "equal scores": (ranking_fidelity, [2.0, 2.0], [1.0, 4.0]),
    "all unknown": (ranking_fidelity, [1.0, 2.0], [NAN, NAN]),
    "ranking saturated right": (ranking_fidelity, [1e8, -1e8], [2.0, 1.0]),
    "ranking saturated wrong": (ranking_fidelity, [-1e8, 1e8], [2.0, 1.0]),
    "infinite value": (ranking_fidelity, [1.0, 2.0], [float("inf"), 1.0]),
    "one class row": (fidelity, [[0.0, 0.0]], [0]),
    "no class known": (fidelity, [[1.0, 2.0]], [-1]),
    "fidelity saturated right": (fidelity, [[1e6, -1e6]], [0]),
    "fidelity saturated wrong": (fidelity, [[1e6, -1e6]], [1]),
    "focal unknown": (focal_fidelity, [[1.0, 2.0]], [-1]),
    "focal saturated right": (focal_fidelity, [[1e6, -1e6]], [0]),
    "focal saturated wrong": (focal_fidelity, [[1e6, -1e6]], [1]),
    "labels unknown": (multilabel_fidelity, [[1.0, 2.0]], [[NAN, NAN]]),
    "labels saturated": (multilabel_fidelity, [[1e6, -1e6]], [[0.0, 1.0]]),
    "labels soft and saturated": (multilabel_fidelity, [[1e6, -1e6]], [[0.5, 0.5]]),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("edge", EDGES)
def test_edges_are_finite_and_have_a_gradient(edge, dtype):
    loss, logits, target = EDGES[edge]
    logits = torch.tensor(logits, dtype=dtype, requires_grad=True)
    value = loss(logits, torch.tensor(target))
    (gradient,) = torch.autograd.grad(value, logits)
    assert 0 <= value.item() <= 1
    assert torch.isfinite(gradient).all()
    if "unknown" in edge or edge.split()[-1] == "one":
        assert value.item() == 0
    if "wrong" in edge:
        assert value.item() == pytest.approx(1, abs=1e-6)
    if "right" in edge:
        assert value.item() == pytest.approx(0, abs=1e-6)


def test_equal_scores_are_pulled_apart():
    scores = torch.tensor([2.0, 2.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(
        ranking_fidelity(scores, torch.tensor([400.0, 100.0])), scores
    )
    assert gradient[0] < 0 < gradient[1]  # descending raises the first score


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:FutureWarning")
@pytest.mark.parametrize(
    ("loss", "target"),
    [
        (ranking_fidelity, torch.tensor([1.0, 2.0, NAN, 2.0])),
        (fidelity, torch.tensor([0, -1, 2, 1])),
        (focal_fidelity, torch.tensor([0, -1, 2, 1])),
        (multilabel_fidelity, torch.tensor([[0.0, 1.0, NAN]] * 4)),
    ],
)
def test_gradients_are_right_and_forward_mode_exists(loss, target):
    shape = (4,) if loss is ranking_fidelity else (4, 3)
    logits = torch.linspace(-1, 1.3, int(np.prod(shape)), dtype=torch.float64).reshape(shape)
    assert torch.autograd.gradcheck(
        lambda x: loss(x, target), logits.requires_grad_(), check_forward_ad=True
    )
