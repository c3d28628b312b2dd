"""The bi-level step beside the release's (`benchmarks.release`), and our own with fixed weights.

Towers, batch, tasks, threads and machine are the same, and batches lie ready: only steps are timed.
On a CPU all is float32; on a GPU our side runs in bfloat16, as there it may.
"""

import copy
import itertools
import tempfile
from functools import partial
from typing import NamedTuple

import torch
from torch.nn.functional import cosine_similarity
from torch.optim.lr_scheduler import LambdaLR

from sklearn_blades.datasets import make_photos
from sklearn_blades.ground.device import PRECISIONS
from sklearn_blades.photos import read_photos
from sklearn_blades.photos.crops import Crops, CropSettings
from sklearn_blades.pretext import TaskSet, default_tasks
from sklearn_blades.pretext.training.loop import BilevelNet
from sklearn_blades.pretext.training.targets import tabulate
from sklearn_blades.pretext.training.views import ViewDataset, view_loader
from sklearn_blades.storage.cache import ArrayCache
from sklearn_blades.towers.embedding import JointEmbedding

from ._measure import ratio, rounds
from .release import ReleaseStep

PRIMARY = "manipulated"
LR, WEIGHT_LR = 1e-5, 3e-4  # the paper's


class Setting(NamedTuple):
    """What is timed, and how much faster than the release's step it is to be."""

    architecture: str
    image_size: int
    batch_size: int
    wanted: str
    steps: int  # in one measurement; a multiple of the interval, 4


ON_CPU = (Setting("blades-tiny", 96, 48, ">= 1.5", 8), Setting("blades-rn50", 224, 8, ">= 3", 4))
ON_GPU = (Setting("blades-tiny", 96, 48, "", 40), Setting("blades-rn50", 224, 48, ">= 6", 20))


def measure(n_rounds, device=None):
    """Time steps of every setting.

    Returns
    -------
    ratios : list of Ratio
    details : dict
        Seconds a step, and the cosine of our hypergradient to the release's.
    """
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    ratios, details = [], {}
    for setting in ON_GPU if device == "cuda" else ON_CPU:
        lines, facts = compare(setting, device, n_rounds)
        ratios += lines
        details[f"{setting.architecture}, batch {setting.batch_size}"] = facts
    return ratios, details


def compare(setting, device, n_rounds):
    """The ratios of one setting, the seconds a step, and the agreement of the updates."""
    embedding, tasks, inner, outer = problem(setting, device)
    release = ReleaseStep(embedding, tasks, PRIMARY, lr=LR, weight_lr=WEIGHT_LR)
    precision, other = PRECISIONS if device == "cpu" else PRECISIONS[::-1]

    def ours(precision=precision, **how):
        return prepared(embedding, tasks, outer, device=device, precision=precision, **how)

    both = hypergradient_of(ours(weighting="bilevel-free"), inner), release(inner, outer)
    nets = {
        "exact": ours(),
        "every fourth": ours(outer_interval=4),
        "fixed": ours(weighting="equal"),
        other: ours(other, weighting="equal"),
    }
    ways = {name: partial(net.train_step, inner) for name, net in nets.items()}
    ways["release"] = partial(release, inner, outer)
    table = rounds({n: repeated(way, setting.steps, device) for n, way in ways.items()}, n_rounds)
    name = f"{setting.architecture} {setting.image_size} px, batch {setting.batch_size}"
    lines = [
        ratio(f"{name}: release / exact step", table, "release", "exact", setting.wanted),
        ratio(f"{name}: exact / fixed-weight step", table, "exact", "fixed", "<= 2.8"),
        ratio(f"{name}: every fourth / fixed", table, "every fourth", "fixed", "<= 1.45"),
        ratio(f"{name}: fixed in {other} / in {precision}", table, other, "fixed"),
    ]
    steps = [{way: taken / setting.steps for way, taken in row.items()} for row in table]
    return lines, {
        "seconds_per_step": steps,
        "cosine_to_release": cosine_similarity(*both, dim=0).item(),
        "prompts_by_tokens": list(embedding.tokens.shape),
    }


def problem(setting, device):
    """Untrained towers, the default tasks with learned vocabularies, and two batches of views."""
    with tempfile.TemporaryDirectory() as folder:
        photos = read_photos(make_photos(64, folder, random_state=0))
        exifs = [photo.exif for photo in photos]
        tasks = TaskSet(default_tasks()).learn(exifs)
        crops = Crops(photos, CropSettings("whole", 1.6, setting.image_size), ArrayCache())
        views = ViewDataset(crops, tabulate(tasks, exifs), seed=0)
        batches = view_loader(views, batch_size=setting.batch_size)
        inner, outer = (on_device(batch, device) for batch in itertools.islice(batches, 2))
    torch.manual_seed(0)
    embedding = JointEmbedding(
        setting.architecture, tasks.prompts, image_size=setting.image_size
    ).to(device)
    return embedding, tasks, inner, outer


def on_device(batch, device):
    pixels, targets = batch
    return pixels.to(device), {name: value.to(device) for name, value in targets.items()}


def prepared(embedding, tasks, outer, **how):
    """A net whose `train_step` can be called at once, with the same outer batch each time."""
    net = BilevelNet(
        copy.deepcopy(embedding), tasks=tasks, primary=PRIMARY, lr=LR, weight_lr=WEIGHT_LR, **how
    ).initialize()
    net.schedule_ = LambdaLR(net.optimizer_, lambda step: 1.0)
    net.outer_batches_, net.records_ = itertools.repeat(outer), []
    return net


def hypergradient_of(net, inner):
    """What `train_step` hands to Adam, by the way back through one step of the weights."""
    seen = []
    hook = net.criterion_.free.register_hook(seen.append)
    net.train_step(inner)
    hook.remove()
    return seen[0]


def repeated(way, steps, device):
    """A way that takes so many steps, and is over when the device is."""

    def run():
        for _ in range(steps):
            way()
        if device == "cuda":
            torch.cuda.synchronize()

    return run
