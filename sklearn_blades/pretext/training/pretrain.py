"""From photographs to trained towers: the steps of pretraining above its loop."""

import warnings
from typing import NamedTuple

import numpy as np

from ...errors import SmallSampleWarning
from ...ground.groups import holdout
from ...ground.warn import warn
from ...towers.embedding import JointEmbedding
from ..bilevel import TaskWeights
from ..rates import WARMUP, learning_rate, starting_share, weight_rate
from ..tasks import TaskSet
from .health import kept
from .loop import BilevelNet
from .progress import watched
from .targets import tabulate
from .views import ViewDataset, view_loader

FEW = 6
"""With fewer, one of them held out, no EXIF tag is known to five to learn it from."""


class Pretrained(NamedTuple):
    """What pretraining made; see the attributes of `BladesEncoder`."""

    embedding: JointEmbedding
    tasks: TaskSet
    task_weights: dict
    history: list
    lr: float | None
    weight_lr: float | None


def as_given(embedding, tasks, weighting):
    """Take the towers as they are. No photograph is opened, so no vocabulary is learned either.

    Towers that were saved without their text tower are asked only what they knew then.

    Returns
    -------
    Pretrained
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is no EXIF
        tasks = tasks.learn([])
    tasks = TaskSet(task for task in tasks if embedding.knows(task.prompts))
    embedding.set_prompts(tasks.prompts)
    fixed = weighting if isinstance(weighting, dict) else "equal"
    weights = _named(tasks, TaskWeights(tasks.names, fixed))
    return Pretrained(embedding.eval(), tasks, weights, [], None, None)


def pretrain(plan, photographs, embedding):
    """Train the towers on most photographs, and the task weights on the others.

    Parameters
    ----------
    plan : Plan
    photographs : Photographs
    embedding : JointEmbedding
        Trained in place.

    Returns
    -------
    Pretrained
        The embedding on the CPU, in evaluation mode.

    Raises
    ------
    ValueError
        If the primary task cannot be taught, or no photograph can be held out.
    """
    how = plan.weighting
    learned = TaskWeights(plan.tasks.names, how.weighting).learned
    inner, outer = _hold_out(photographs.groups, how.outer_fraction, plan.seed, learned)
    # What is held out teaches the towers nothing, so it has no say in what can be taught.
    tasks = plan.tasks.learn(photographs.exifs.take(inner))
    if learned and how.primary not in tasks.names:
        raise ValueError(
            f"primary_task={how.primary!r} is not among the tasks: {', '.join(tasks.names)}."
        )
    _say_if_few(len(inner), 0 if outer is None else len(outer), tasks.names)
    embedding.set_prompts(tasks.prompts)
    views, outer_views = _views(plan, tasks, photographs, (inner, outer))
    with watched(plan.runtime.verbose) as watching:
        net = _net(plan, embedding, tasks, views, outer_views, watching)
        try:
            net.fit(views)
        except ConnectionError as error:
            again = " The same fit goes on from there, with any number of ranks." * bool(kept(net))
            raise ConnectionError(f"{error}{kept(net)}{again}") from None
    return outcome(net, embedding)


def _views(plan, tasks, photographs, sides):
    """The photographs of each side as views; None for a side that has none."""
    targets = tabulate(tasks, photographs.exifs)
    return [
        None
        if rows is None
        else ViewDataset(
            photographs.crops.part(rows), targets.part(rows), plan=plan.views, seed=plan.seed + side
        )
        for side, rows in enumerate(sides)
    ]


def _net(plan, embedding, tasks, views, outer, watching):
    """The plan as a net of skorch, with the rates that the length of the run asks for."""
    how = plan.weighting
    lr, weight_lr = _rates(embedding, views, plan)
    where = plan.runtime
    return BilevelNet(
        embedding,
        tasks=tasks,
        primary=how.primary,
        weighting=how.weighting,
        criterion__start=_start(tasks.names, plan),
        outer=outer,
        outer_interval=how.outer_interval,
        look_ahead=how.look_ahead,
        weight_lr=weight_lr,
        lr=lr,
        warmup=0.0 if plan.rates.pretrained else WARMUP,
        optimizer__weight_decay=plan.rates.weight_decay,
        max_epochs=plan.rates.max_epochs,
        batch_size=plan.batches.size,
        exif_fraction=plan.batches.exif_fraction,
        precision=where.precision,
        n_workers=where.n_workers,
        device=where.device,
        run=where.run,
        seed=plan.seed,
        ranks=where.ranks,
        callbacks=[*where.callbacks, *watching],
        verbose=0,
    )


def outcome(net, embedding):
    """What a `BilevelNet` has learned so far; ``embedding`` is moved to the CPU.

    Returns
    -------
    Pretrained
    """
    keep = ("epoch", "train_loss", "outer_loss", "losses", "weights", "lr", "dur")
    history = [{key: row[key] for key in keep} for row in net.history]
    weights = _named(net.tasks, net.criterion_)
    embedding.head_trained = True
    return Pretrained(embedding.cpu().eval(), net.tasks, weights, history, net.lr, net.weight_lr)


def _hold_out(groups, fraction, seed, learned):
    """Rows to train the towers on, and rows for the weights; None where none are learned."""
    if not learned:
        return np.arange(len(groups)), None
    if len(set(groups)) < 2:
        raise ValueError(
            f"{len(groups)} photograph(s), {len(set(groups))} different file(s) or group(s): some "
            "must be held out to learn the task weights. Give more photographs, or use "
            "task_weighting='equal'."
        )
    return holdout(len(groups), fraction, seed, groups=groups)


def _say_if_few(n_inner, n_outer, names):
    """Warn where photographs are so few that a fit can be no more than a try."""
    n = n_inner + n_outer
    if n >= FEW:
        return
    held_out = f", {n_outer} held out for the weights" if n_outer else ""
    warn(
        f"{n} photograph{'s' * (n > 1)} can teach next to nothing: {n_inner} are learned from"
        f"{held_out}. What "
        f"is left to learn is {', '.join(names)}. The face tasks take some hundred photographs, "
        "EXIF some thousand.",
        SmallSampleWarning,
    )


def _start(names, plan):
    """Where learned weights start: the primary task's share, and equal shares of the rest."""
    share = plan.weighting.primary_share
    if share == "auto":
        share = starting_share(len(names), pretrained=plan.rates.pretrained)
    rest = (1 - share) / max(1, len(names) - 1)
    return {name: share if name == plan.weighting.primary else rest for name in names}


def _rates(embedding, views, plan):
    """The two rates, ``"auto"`` replaced by what the length of the run asks for.

    As numbers of Python: those of numpy, which a search may draw, no checkpoint may hold.
    """
    lr, weight_lr = plan.rates.lr, plan.weighting.weight_lr
    n_steps = plan.rates.max_epochs * len(view_loader(views, batch_size=plan.batches.size))
    if lr == "auto":
        size = sum(p.numel() for p in embedding.towers.visual.parameters())
        lr = learning_rate(n_steps, pretrained=plan.rates.pretrained, n_parameters=size)
    if weight_lr == "auto":
        weight_lr = weight_rate(n_steps // plan.weighting.outer_interval)
    return float(lr), float(weight_lr)


def _named(tasks, weights):
    return dict(zip(tasks.names, weights.values.tolist(), strict=True))
