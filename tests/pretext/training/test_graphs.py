"""Recorded steps: what is recorded and when, and on a card that nothing but time changes."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_blades.pretext import Manipulated, TaskSet
from sklearn_blades.pretext.training import graphs
from sklearn_blades.pretext.training.graphs import Recorded
from sklearn_blades.pretext.training.loop import BilevelNet
from sklearn_blades.pretext.training.views import ViewDataset
from sklearn_blades.towers.embedding import JointEmbedding
from tests.pretext.training.test_loop import problem  # noqa: F401  a fixture

on_a_card = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


class Again:
    """In the place of a graph, where there is no card: does what it was told once."""

    made: list = []

    def __init__(self, compute, inputs, parameters, *room):
        first = next(graphs._leaves(inputs))
        if len(first) == 13:
            raise RuntimeError("no room")
        self.made.append(tuple(first.shape))
        self._compute = compute

    def __call__(self, *inputs):
        self.made.append("again")
        return self._compute(*inputs)


@pytest.fixture
def recorded(monkeypatch):
    monkeypatch.setattr(graphs, "_Recording", Again)
    monkeypatch.setattr(graphs, "_end_recording", lambda *args: Again.made.append("broke off"))
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, 1))
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: device)
    Again.made = []
    return Recorded(nn.BatchNorm1d(1))


def doubled(x, rate=0.5):
    return (2 * x * rate,)


def test_the_second_call_of_a_shape_is_recorded(recorded):
    for size in (3, 3, 3, 4, 4, 3):
        x = torch.arange(float(size))
        assert torch.equal(recorded(doubled, x, size / 2)[0], x * size)
    # For the new shape the recording of the first was given up.
    assert Again.made == [(3,), "again", "again", (4,), "again", (3,), "again"]


def test_what_draws_is_not_recorded(recorded):
    def drawn(x):
        return (x + torch.rand(3),)

    for _ in range(3):
        recorded(drawn, torch.zeros(3))
    assert not Again.made
    assert not recorded.possible


def test_what_cannot_be_recorded_is_computed(recorded):
    weight = next(recorded._module.parameters())
    for _ in range(3):
        weight.grad = torch.ones(1)  # of a recording that was broken off
        assert torch.equal(recorded(doubled, torch.ones(13))[0], torch.ones(13))
        assert (weight.grad is None) == (Again.made == ["broke off"])
        Again.made.clear()
    for _ in range(3):
        recorded(doubled, torch.ones(3))
    assert not Again.made
    assert not recorded.possible


def test_what_moved_is_recorded_anew(recorded):
    for _ in range(3):
        recorded(doubled, torch.ones(3))
    recorded._module.running_mean = torch.zeros(1)
    recorded(doubled, torch.ones(3))
    recorded._module.weight.requires_grad_(False)
    recorded(doubled, torch.ones(3))
    assert Again.made == [(3,), "again", "again", (3,), "again", (3,), "again"]


WAYS = (
    {"weighting": "equal"},
    {},
    {"look_ahead": "adamw", "outer_interval": 2},
    {"weighting": "bilevel-free", "precision": "bfloat16"},
)


class Told(BilevelNet):
    """Says how many recordings it had at most, all of which it forgets at the end."""

    most = 0

    def on_batch_end(self, net, **kwargs):
        super().on_batch_end(net, **kwargs)
        if self.recorded_ is not None:
            self.most = max(self.most, len(self.recorded_.recordings))


def check_recorded_steps(problem, device, params):  # noqa: F811
    """Fit twice, recording and not: the same towers, weights and losses."""
    tasks, views = problem
    rows = np.arange(11)  # batches of 4, 4 and 3
    views = ViewDataset(views.crops.part(rows), views.targets.part(rows), seed=0)
    nets = []
    for may in (True, False):
        torch.manual_seed(0)
        embedding = JointEmbedding("blades-tiny", tasks.prompts, image_size=64).double()
        net = Told(
            embedding,
            tasks=tasks,
            primary="manipulated",
            outer=views,
            batch_size=8,
            max_epochs=4,
            lr=1e-3,
            device=device,
            **params,
        )
        net._may_be_recorded = lambda may=may: may
        nets.append(net.fit(views))
    recorded, plain = nets
    assert recorded.most > 1
    assert plain.most == 0
    assert recorded.recorded_ is None
    assert all(parameter.grad is None for parameter in recorded.module_.parameters())
    expected = plain.module_.state_dict()
    for name, value in recorded.module_.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-9, atol=1e-9, msg=name)
    values = [net.criterion_.values for net in nets]
    torch.testing.assert_close(*values, rtol=1e-6, atol=1e-6)
    losses = [[row["train_loss"] for row in net.history] for net in nets]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


@pytest.mark.parametrize("params", WAYS)
def test_the_loop_leaves_to_a_recording_what_it_should(problem, params, recorded):  # noqa: F811
    check_recorded_steps(problem, "cpu", params)


class Theirs(Manipulated):
    """A user's own."""


@pytest.mark.parametrize(
    ("device", "task", "may"),
    [("cpu", Manipulated, False), ("cuda", Manipulated, True), ("cuda", Theirs, False)],
)
def test_only_a_card_records_and_only_tasks_of_ours(device, task, may):
    net = BilevelNet(nn.Linear(1, 1), tasks=TaskSet([task()]), primary="manipulated", device=device)
    assert net._may_be_recorded() == may


@pytest.mark.gpu
@on_a_card
@pytest.mark.parametrize("params", WAYS)
def test_recorded_steps_are_the_steps(problem, params):  # noqa: F811
    check_recorded_steps(problem, "cuda", params)


class Unrecordable(nn.Module):
    """A tower whose recording breaks off halfway."""

    def __init__(self, why):
        super().__init__()
        self.weight, self.why = nn.Parameter(torch.ones(3, device="cuda")), why

    def forward(self, x):
        y = (self.weight * x).sum()
        if self.why == "Python asks for a number":
            return y * (2.0 if x.sum().item() > 0 else 1.0)
        if torch.cuda.is_current_stream_capturing():  # there is no room
            torch.empty(1 << 45, device="cuda")
        return 2 * y


@pytest.mark.gpu
@on_a_card
@pytest.mark.parametrize("why", ["Python asks for a number", "there is no room"])
def test_after_a_recording_that_broke_off_all_is_as_before(why):
    def gradients(x):
        loss = module(x)
        loss.backward()
        return (loss.detach(),)

    for sound in (False, True):
        module = nn.Linear(3, 1, device="cuda") if sound else Unrecordable(why)
        recorded = Recorded(module)
        for _ in range(4):
            module.zero_grad()
            torch.cuda.manual_seed(0)
            drawn = torch.rand(3, device="cuda").tolist()  # the generator draws, and what it should
            loss = recorded(gradients, torch.ones(3, device="cuda"))[0]
            assert sound or (loss.item(), module.weight.grad.tolist()) == (6, [2, 2, 2])
            torch.cuda.manual_seed(0)
            assert torch.rand(3, device="cuda").tolist() == drawn
        assert recorded.possible == bool(recorded.recordings) == sound
        torch.cuda.empty_cache()
        before = torch.cuda.memory_reserved()
        torch.empty(1 << 28, device="cuda")
        torch.cuda.empty_cache()
        assert torch.cuda.memory_reserved() <= before
