"""The loop of pretraining: what it asks of an accelerator."""

import gc
import itertools
import multiprocessing
import pickle
import time
import weakref
from contextlib import nullcontext

import pytest
import torch
from torch.func import functional_call
from torch.optim.lr_scheduler import LambdaLR
from torch.utils._python_dispatch import TorchDispatchMode

from sklearn_blades.photos import read_photos
from sklearn_blades.photos.crops import Crops, CropSettings
from sklearn_blades.pretext import TaskSet, default_tasks, hypergradient
from sklearn_blades.pretext.training.loop import BilevelNet, adam_metric
from sklearn_blades.pretext.training.targets import tabulate
from sklearn_blades.pretext.training.views import ViewDataset
from sklearn_blades.storage.cache import ArrayCache
from sklearn_blades.towers.embedding import JointEmbedding

WAITING = {"_local_scalar_dense", "nonzero", "is_nonzero", "equal", "masked_select", "unique"}


class Waits(TorchDispatchMode):
    """Collects the operations for whose result a program on a GPU would have to wait."""

    def __init__(self):
        super().__init__()
        self.met = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        indices = args[1] if name == "index" else ()
        masks = any(i is not None and i.dtype == torch.bool for i in indices)
        if name in WAITING or masks:
            self.met.append(name)
        return func(*args, **(kwargs or {}))


@pytest.fixture(scope="module")
def problem(photos):
    records = read_photos(photos[:12])
    exifs = [record.exif for record in records]
    tasks = TaskSet(default_tasks()).learn(exifs)
    crops = Crops(records, CropSettings("whole", 1.6, 64), ArrayCache())
    return tasks, ViewDataset(crops, tabulate(tasks, exifs), seed=0)


def net_for(problem, **params):
    tasks, views = problem
    torch.manual_seed(0)
    embedding = JointEmbedding("blades-tiny", tasks.prompts, image_size=64)
    return BilevelNet(
        embedding,
        tasks=tasks,
        primary="manipulated",
        outer=views,
        batch_size=8,
        max_epochs=1,
        lr=1e-3,
        **params,
    )


@pytest.mark.parametrize(
    "params",
    [
        {"weighting": "bilevel"},
        {"weighting": "bilevel", "look_ahead": "adamw"},
        {"weighting": "bilevel-free"},
        {"weighting": "equal"},
    ],
)
def test_no_step_waits_for_a_number(problem, params):
    net = net_for(problem, **params)
    met = []

    def watched(loader, **params):
        batches = list(loader)  # loaders work on the CPU, and may wait
        net.outer_batches_ = itertools.repeat(batches[0])
        with Waits() as waits:
            BilevelNet.run_single_epoch(net, batches, **params)
        met.append((len(batches), waits.met))

    net.run_single_epoch = watched
    net.fit(problem[1])
    assert met == [(3, [])]


@pytest.mark.parametrize("stopped", [False, True])
def test_workers_end_with_the_fit(problem, stopped):
    """Not when garbage is collected, which took 5 seconds a worker, in whatever came next."""

    def interrupt(batch, **params):
        raise KeyboardInterrupt

    net = net_for(problem, n_workers=1)
    if stopped:
        step = net.train_step
        net.train_step = lambda batch: (step(batch), interrupt(batch))
    gc.disable()
    try:
        with pytest.raises(KeyboardInterrupt) if stopped else nullcontext():
            net.fit(problem[1])
        started = time.monotonic()
        assert not multiprocessing.active_children()
        gc.collect()
        assert time.monotonic() - started < 4
    finally:
        gc.enable()


def test_nothing_of_a_fit_is_left_but_the_towers(problem):
    """An optimizer holds twice what they do, and gradients as much again."""
    net = net_for(problem)
    gc.disable()
    try:
        net.fit(problem[1])
        assert all(parameter.grad is None for parameter in net.module_.parameters())
        gone = weakref.ref(net)
        del net
        assert gone() is None
    finally:
        gc.enable()


def test_the_watch_sees_what_waits():
    with Waits() as waits:
        x = torch.arange(3.0)
        x.sum().item()
        x[x > 1]
    assert waits.met[0] == "_local_scalar_dense"
    assert "index" in waits.met


def test_the_look_ahead_reads_few_prompts_and_gives_the_whole_hypergradient(problem):
    tasks, views = problem
    net = net_for(problem, weighting="bilevel-free").initialize()
    net.schedule_ = LambdaLR(net.optimizer_, lambda step: 1.0)
    batches = list(net.get_iterator(views))
    inner, outer = batches[0], batches[1]
    net.outer_batches_, net.records_ = itertools.repeat(outer), []
    twin, read, seen = pickle.loads(pickle.dumps(net.module_)).train(), [], []
    net.module_.towers.text.register_forward_pre_hook(lambda _, args: read.append(len(args[0])))
    net.criterion_.free.register_hook(seen.append)
    net.train_step(inner)
    n, n_primary = len(tasks.prompts), len(tasks["manipulated"].prompts)
    assert read == [n, n_primary, n, n]

    def losses(params, batch):
        buffers = {name: value.clone() for name, value in twin.named_buffers()}
        return tasks.losses(functional_call(twin, {**params, **buffers}, batch[:1]), batch[1])

    index = tasks.names.index("manipulated")
    whole = hypergradient(
        lambda params: losses(params, inner),
        lambda params: losses(params, outer)[index],
        dict(twin.named_parameters()),
        torch.ones(len(tasks)),
        lr=1e-3,
    )
    torch.testing.assert_close(seen[0], whole.weights / 1e-3, rtol=0.02, atol=1e-4)


@pytest.mark.parametrize("fused", [False, True])
def test_the_metric_is_what_adam_multiplies_with(fused):
    """With a mean gradient that is the gradient itself, a step of AdamW is ``lr * M * g``."""
    generator = torch.Generator().manual_seed(0)
    parameter = torch.nn.Parameter(torch.randn(5, generator=generator, dtype=torch.float64))
    optimizer = torch.optim.AdamW(
        [parameter], lr=0.01, betas=(0.0, 0.9), weight_decay=0.0, fused=fused
    )
    for _ in range(3):
        parameter.grad = torch.randn(5, generator=generator, dtype=torch.float64)
        metric = adam_metric(optimizer, {"p": parameter})["p"]
        before = parameter.detach().clone()
        optimizer.step()
        torch.testing.assert_close(before - parameter.detach(), 0.01 * metric * parameter.grad)


def test_the_look_ahead_in_adams_metric_is_another_one(problem):
    seen = {}
    for look_ahead in ("sgd", "adamw"):
        net = net_for(problem, weighting="bilevel-free", look_ahead=look_ahead).initialize()
        net.schedule_ = LambdaLR(net.optimizer_, lambda step: 1.0)
        batches = list(net.get_iterator(problem[1]))
        net.outer_batches_, net.records_ = itertools.repeat(batches[1]), []
        net.criterion_.free.register_hook(lambda g, name=look_ahead: seen.update({name: g}))
        net.train_step(batches[0])
    assert seen["adamw"].isfinite().all()
    assert seen["adamw"].abs().max() > 3 * seen["sgd"].abs().max()  # the real step is longer


def test_history_has_means_over_the_steps_and_no_batches(problem):
    net = net_for(problem, weighting="equal").fit(problem[1])
    row = net.history[-1]
    assert row["train_loss"] == pytest.approx(sum(row["losses"].values()), rel=1e-5)
    assert not row["batches"]


def test_towers_that_draw_at_random_are_looked_ahead_of_with_one_draw(problem):
    # Both sides of the difference drew for themselves: -12, +71, +59 stood for -0.6.
    tasks, views = problem
    net = net_for(problem, weighting="bilevel-free").initialize()
    net.module_.towers.visual = torch.nn.Sequential(
        net.module_.towers.visual, torch.nn.Dropout(0.3)
    )
    net.initialize_optimizer()
    net.schedule_ = LambdaLR(net.optimizer_, lambda step: 1.0)
    batch = next(iter(net.get_iterator(views)))
    net.outer_batches_, net.records_, seen = itertools.repeat(batch), [], []
    twin = pickle.loads(pickle.dumps(net.module_.state_dict()))
    net.criterion_.free.register_hook(seen.append)
    torch.manual_seed(5)
    net.train_step(batch)

    net.module_.load_state_dict(twin)
    named, weights = dict(net.module_.named_parameters()), torch.ones(len(tasks))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    net.module_(batch[0])
    after = torch.get_rng_state()  # where the outer loss begins to draw
    net.module_.load_state_dict(twin)

    def losses(params, state):
        torch.set_rng_state(state)
        buffers = {name: value.clone() for name, value in net.module_.named_buffers()}
        return tasks.losses(
            functional_call(net.module_, {**params, **buffers}, batch[:1]), batch[1]
        )

    exact = hypergradient(
        lambda params: losses(params, before),
        lambda params: losses(params, after)[tasks.names.index("manipulated")],
        named,
        weights,
        lr=1e-3,
        method="jvp",
    )
    wanted = exact.weights / 1e-3
    assert (seen[0] - wanted).norm() < 0.05 * wanted.norm()
