"""Is there a cheaper hypergradient of good direction? Measured over a real run from scratch.

At every `PROBE`-th step of a run like the quickstart's the exact hypergradient is taken apart:
``<grad L_k, v>`` is a sum over the layers, and ``v`` a mean over the outer photographs. So the
cosine of each shortcut to the exact one, of the same step and batches, is known. What the least of
them costs, one forward pass of the outer batch, is timed as well.
"""

import tempfile
from statistics import median

import numpy as np
import torch
from torch.func import functional_call

from sklearn_blades.datasets import make_photos
from sklearn_blades.photos import read_photos
from sklearn_blades.photos.crops import Crops, CropSettings
from sklearn_blades.pretext import TaskSet, default_tasks
from sklearn_blades.pretext.rates import WARMUP, starting_share
from sklearn_blades.pretext.training.loop import BilevelNet
from sklearn_blades.pretext.training.targets import tabulate
from sklearn_blades.pretext.training.views import ViewDataset
from sklearn_blades.storage.cache import ArrayCache
from sklearn_blades.towers.embedding import JointEmbedding

from ._measure import Ratio, ratio, rounds
from .step import PRIMARY, Setting, prepared, problem, repeated

N_PHOTOS, N_OUTER, EPOCHS, PROBE = 1200, 120, 10, 20
SETTING = Setting("blades-tiny", 96, 48, "", steps=12)


class ProbedNet(BilevelNet):
    """Takes the hypergradient apart at every `PROBE`-th step, and trains on as ever."""

    def _learn_weights(self, pixels, targets, *step):
        if self.schedule_.last_epoch % PROBE == 0:
            self.probes_.append(self._probe(pixels, targets))
        return super()._learn_weights(pixels, targets, *step)

    def _probe(self, pixels, targets):
        named = {n: p for n, p in self.module_.named_parameters() if p.grad is not None}
        each = self._gradients(named, pixels, targets)
        lr = self.optimizer_.param_groups[0]["lr"]
        ahead = {name: value.detach() - lr * value.grad for name, value in named.items()}
        images, truth, _ = self._on_device(next(self.outer_batches_))
        half = len(images) // 4 * 2  # whole pairs of views
        sides = {"all": slice(None), "one half": slice(half), "other half": slice(half, None)}
        found = {}
        for where, params in (("ahead", ahead), ("here", named)):
            for side, rows in sides.items():
                part = {name: target[rows] for name, target in truth.items()}
                v = self._gradients(params, images[rows], part, [PRIMARY])[0]
                found[where, side] = self._by_layer(each, v)
                found[where, side, "AdamW"] = self._by_layer(each, self._preconditioned(named, v))
        return found

    def _gradients(self, params, pixels, targets, names=None):
        """Gradient of each task's loss, as dictionaries of parameters."""
        leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
        buffers = {name: value.clone() for name, value in self.module_.named_buffers()}
        logits = functional_call(self.module_, {**leaves, **buffers}, (pixels,))
        losses = self.tasks.losses(logits, targets)
        chosen = [self.tasks.names.index(name) for name in names or self.tasks.names]
        values = list(leaves.values())
        return [
            dict(zip(leaves, gradients, strict=True))
            for gradients in (
                torch.autograd.grad(losses[k], values, retain_graph=True, materialize_grads=True)
                for k in chosen
            )
        ]

    def _preconditioned(self, named, v):
        """v in the metric of AdamW's diagonal, as far as it has seen gradients."""
        state, beta = self.optimizer_.state, self.optimizer_.param_groups[0]["betas"][1]
        scaled = {}
        for name, value in named.items():
            seen = state.get(value, {})
            scaled[name] = v[name]
            if seen:
                square = seen["exp_avg_sq"] / (1 - beta ** seen["step"])
                scaled[name] = v[name] / (square.sqrt() + 1e-8)
        return scaled

    def _by_layer(self, each, v):
        """``-<grad L_k, v>`` by task and layer: {layer: array of shape (K,)}."""
        found = {}
        for name in v:
            products = np.array([-(task[name] * v[name]).sum().item() for task in each])
            layer = layer_of(name)
            found[layer] = found.get(layer, 0) + products
        return found


def layer_of(name):
    part = name.removeprefix("towers.visual.").split(".")[0]
    return part if part.startswith(("layer", "attnpool")) else "stem" if "visual" in name else part


def trained(folder):
    """A net that has run, from scratch, with its probes."""
    photos = read_photos(make_photos(N_PHOTOS, folder, random_state=1))
    exifs = [photo.exif for photo in photos]
    tasks = TaskSet(default_tasks()).learn(exifs)
    crops = Crops(photos, CropSettings("whole", 1.6, 64), ArrayCache())
    targets = tabulate(tasks, exifs)
    inner, outer = (
        ViewDataset(crops.part(rows), targets.part(np.array(rows)), seed=seed)
        for seed, rows in enumerate((range(N_OUTER, N_PHOTOS), range(N_OUTER)))
    )
    torch.manual_seed(0)
    embedding = JointEmbedding("blades-tiny", tasks.prompts, image_size=64, freeze_text=True)
    share = starting_share(len(tasks), pretrained=False)
    rest = (1 - share) / (len(tasks) - 1)
    net = ProbedNet(
        embedding, tasks=tasks, primary=PRIMARY, outer=outer, lr=1.5e-3, batch_size=24,
        warmup=WARMUP, max_epochs=EPOCHS, verbose=0, outer_interval=PROBE, weight_lr=5e-3,
        criterion__start={name: share if name == PRIMARY else rest for name in tasks.names},
    )  # fmt: skip
    net.probes_ = []
    return net.fit(inner)


def measure(n_rounds):
    """Cosines of shortcuts over a run, and what the cheap ways cost.

    Returns
    -------
    ratios : list of Ratio
        The range of a cosine is that of nine tenths of the probes, not of rounds.
    details : dict
    """
    with tempfile.TemporaryDirectory() as folder:
        net = trained(folder)
        exact = [total(probe["ahead", "all"]) for probe in net.probes_]
        lines = [
            spread(f"cosine to exact: {name}", each, exact) for name, each in cuts(net.probes_)
        ]
        lines += [noise(net.probes_), noise(net.probes_, "AdamW")]
        lines += costs(n_rounds)
    return lines, {"n_probes": len(exact), "n_steps": net.schedule_.last_epoch}


def cuts(probes):
    """Yield the name of each shortcut, and what it gives at every probe."""
    whole = [probe["ahead", "all"] for probe in probes]
    layers = list(whole[0])
    deep = [layer for layer in layers if layer.startswith("layer")]
    for name, kept in (
        ("top layer alone", ["attnpool"]),
        ("top layer and last two stages", ["attnpool", *deep[-2:]]),
        ("stem alone", ["stem"]),
    ):
        yield name, [sum(by_layer[layer] for layer in kept) for by_layer in whole]
    yield "half of the outer batch", [total(probe["ahead", "one half"]) for probe in probes]
    yield "no step ahead", [total(probe["here", "all"]) for probe in probes]


def total(by_layer):
    return sum(by_layer.values())


def cosine(a, b):
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def spread(name, each, exact, wanted=">= 0.9"):
    values = [cosine(a, b) for a, b in zip(each, exact, strict=True)]
    return Ratio(name, median(values), *np.quantile(values, [0.05, 0.95]).tolist(), wanted)


def noise(probes, *metric):
    """How far two halves of an outer batch agree: what one batch can tell of the next."""
    sides = [
        [total(probe["here", side, *metric]) for probe in probes]
        for side in ("one half", "other half")
    ]
    name = " in the metric of AdamW" if metric else ""
    return spread(f"cosine between halves of the outer batch{name}", *sides, wanted="")


def costs(n_rounds):
    """The cheap ways beside a step with fixed weights, on batches that lie ready."""
    embedding, tasks, inner, outer = problem(SETTING, "cpu")
    fixed = prepared(embedding, tasks, outer, weighting="equal")
    sixth = prepared(embedding, tasks, outer, outer_interval=6)

    def glance():
        fixed.train_step(inner)
        with torch.no_grad():
            fixed.module_(outer[0])

    ways = {
        "fixed": lambda: fixed.train_step(inner),
        "glance": glance,
        "sixth": lambda: sixth.train_step(inner),
    }
    repeat = {name: repeated(way, SETTING.steps, "cpu") for name, way in ways.items()}
    table = rounds(repeat, n_rounds)
    name = f"{SETTING.architecture} {SETTING.image_size} px, batch {SETTING.batch_size}"
    return [
        ratio(f"{name}: exact every sixth step / fixed", table, "sixth", "fixed", "<= 1.3"),
        ratio(f"{name}: one look at the outer batch / fixed", table, "glance", "fixed"),
    ]
