"""The loop of pretraining: what it asks of an accelerator."""

import itertools

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from sklearn_blades._cache import ArrayCache
from sklearn_blades.photos import read_photos
from sklearn_blades.photos.crops import Crops, CropSettings
from sklearn_blades.pretext import TaskSet, default_tasks
from sklearn_blades.pretext.embedding import JointEmbedding
from sklearn_blades.pretext.trainer import BilevelNet
from sklearn_blades.pretext.views import ViewDataset

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
def views(photos):
    records = read_photos(photos[:12])
    exifs = [record.exif for record in records]
    tasks = TaskSet(default_tasks()).learn(exifs)
    crops = Crops(records, CropSettings("whole", 1.6, 64), ArrayCache())
    return ViewDataset(crops, exifs, tasks, paired=True, seed=0)


def net_for(views, **params):
    torch.manual_seed(0)
    embedding = JointEmbedding("blades-tiny", views.tasks.prompts, image_size=64)
    return BilevelNet(
        embedding,
        tasks=views.tasks,
        primary="manipulated",
        outer=views,
        batch_size=8,
        max_epochs=1,
        lr=1e-3,
        **params,
    )


@pytest.mark.parametrize("weighting", ["bilevel", "bilevel-free", "equal"])
def test_no_step_waits_for_a_number(views, weighting):
    net = net_for(views, weighting=weighting)
    met = []

    def watched(loader, **params):
        batches = list(loader)  # loaders work on the CPU, and may wait
        net.outer_batches_ = itertools.repeat(batches[0])
        with Waits() as waits:
            BilevelNet.run_single_epoch(net, batches, **params)
        met.append((len(batches), waits.met))

    net.run_single_epoch = watched
    net.fit(views)
    assert met == [(3, [])]


def test_the_watch_sees_what_waits():
    with Waits() as waits:
        x = torch.arange(3.0)
        x.sum().item()
        x[x > 1]
    assert waits.met[0] == "_local_scalar_dense"
    assert "index" in waits.met


def test_history_has_means_over_the_steps_and_no_batches(views):
    net = net_for(views, weighting="equal").fit(views)
    row = net.history[-1]
    assert row["train_loss"] == pytest.approx(sum(row["losses"].values()), rel=1e-5)
    assert not row["batches"]
