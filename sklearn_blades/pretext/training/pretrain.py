"""From photographs to trained towers: the steps of pretraining above its loop."""

import warnings
from typing import NamedTuple

import numpy as np

from ...ground.rows import holdout
from ...towers.embedding import JointEmbedding
from ..bilevel import TaskWeights
from ..rates import WARMUP, learning_rate, starting_share, weight_rate
from ..tasks import TaskSet
from .loop import BilevelNet
from .views import ViewDataset, view_loader


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


def pretrain(
    embedding,
    crops,
    exifs,
    groups,
    tasks,
    *,
    primary,
    weighting,
    outer_fraction,
    seed,
    paired,
    resampled,
    augment,
    pretrained,
    lr,
    weight_lr,
    primary_share,
    **net_params,
):
    """Train the towers on most photographs, and the task weights on the others.

    Parameters
    ----------
    embedding : JointEmbedding
        Trained in place.
    crops : Crops
    exifs : list of mapping
    groups : array of shape (n_photos,)
        A group is on one side of the outer split only.
    tasks : TaskSet
        Vocabularies are learned here.
    primary, weighting : str
        See `BilevelNet`. With fixed weights no photograph is held out.
    outer_fraction : float
    seed : int
    paired, resampled, augment : bool
        See `ViewDataset`.
    pretrained : bool
        Whether the towers start from weights, on which what is ``"auto"`` depends.
    primary_share : "auto" or float
        Share of the total weight with which the primary task starts on the simplex.
    **net_params
        Of `BilevelNet`.

    Returns
    -------
    Pretrained
        The embedding on the CPU, in evaluation mode.

    Raises
    ------
    ValueError
        If the primary task cannot be taught, or no photograph can be held out.
    """
    tasks = tasks.learn(exifs)
    if primary not in tasks.names:
        raise ValueError(
            f"primary_task={primary!r} is not among the tasks: {', '.join(tasks.names)}."
        )
    embedding.set_prompts(tasks.prompts)
    learned = TaskWeights(tasks.names, weighting).learned
    rows = _hold_out(groups, outer_fraction, seed) if learned else (np.arange(len(exifs)), None)
    options = {"paired": paired, "resampled": resampled, "augment": augment}
    inner, outer = (
        part if part is None else _views(crops, exifs, part, tasks, seed=seed + side, **options)
        for side, part in enumerate(rows)
    )
    if primary_share == "auto":
        primary_share = starting_share(len(tasks), pretrained=pretrained)
    lr, weight_lr = _rates(embedding, inner, lr, weight_lr, pretrained, net_params)
    net = BilevelNet(
        embedding,
        tasks=tasks,
        primary=primary,
        weighting=weighting,
        outer=outer,
        lr=lr,
        weight_lr=weight_lr,
        warmup=0.0 if pretrained else WARMUP,
        criterion__start=_start(tasks.names, primary, primary_share),
        **net_params,
    ).fit(inner)
    return outcome(net, embedding)


def outcome(net, embedding):
    """What a `BilevelNet` has learned so far; ``embedding`` is moved to the CPU.

    Returns
    -------
    Pretrained
    """
    keep = ("epoch", "train_loss", "outer_loss", "losses", "weights", "lr", "dur")
    history = [{key: row[key] for key in keep} for row in net.history]
    weights = _named(net.tasks, net.criterion_)
    return Pretrained(embedding.cpu().eval(), net.tasks, weights, history, net.lr, net.weight_lr)


def _views(crops, exifs, rows, tasks, **options):
    return ViewDataset(crops.part(rows), [exifs[row] for row in rows], tasks, **options)


def _hold_out(groups, fraction, seed):
    if len(set(groups)) < 2:
        raise ValueError(
            f"{len(groups)} photograph(s), {len(set(groups))} different file(s) or group(s): some "
            "must be held out to learn the task weights. Give more photographs, or use "
            "task_weighting='equal'."
        )
    return holdout(len(groups), fraction, seed, groups=groups)


def _start(names, primary, share):
    rest = (1 - share) / max(1, len(names) - 1)
    return {name: share if name == primary else rest for name in names}


def _rates(embedding, inner, lr, weight_lr, pretrained, net_params):
    batches = view_loader(
        inner, batch_size=net_params["batch_size"], exif_fraction=net_params["exif_fraction"]
    )
    n_steps = net_params["max_epochs"] * len(batches)
    if lr == "auto":
        size = sum(p.numel() for p in embedding.towers.visual.parameters())
        lr = learning_rate(n_steps, pretrained=pretrained, n_parameters=size)
    if weight_lr == "auto":
        weight_lr = weight_rate(n_steps // net_params["outer_interval"])
    return lr, weight_lr


def _named(tasks, weights):
    return dict(zip(tasks.names, weights.values.tolist(), strict=True))
