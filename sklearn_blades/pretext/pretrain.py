"""From photographs to trained towers: one pure function above the training loop."""

from typing import NamedTuple

from .embedding import JointEmbedding
from .rates import learning_rate, weight_rate
from .tasks import TaskSet
from .trainer import BilevelNet
from .views import view_loader


class Pretrained(NamedTuple):
    """What pretraining made; see the attributes of `BladesEncoder`."""

    embedding: JointEmbedding
    tasks: TaskSet
    task_weights: dict
    history: list
    lr: float
    weight_lr: float


def pretrain(
    embedding,
    tasks,
    inner,
    outer,
    *,
    primary,
    weighting,
    max_epochs,
    batch_size,
    exif_fraction,
    lr,
    weight_lr,
    outer_interval,
    pretrained,
    **net_params,
):
    """Train the towers on the inner photographs, the task weights on the outer ones.

    Parameters
    ----------
    embedding : JointEmbedding
        Trained in place.
    tasks : TaskSet
    inner, outer : ViewDataset
        Disjoint photographs; ``outer`` is None where the weights are fixed.
    pretrained : bool
        Whether the towers start from weights; decides ``lr="auto"``.
    **net_params
        Of `BilevelNet`.

    Returns
    -------
    Pretrained
        The embedding on the CPU, in evaluation mode.
    """
    batches = view_loader(inner, batch_size=batch_size, exif_fraction=exif_fraction).batch_sampler
    n_steps = max_epochs * len(batches)
    if lr == "auto":
        size = sum(p.numel() for p in embedding.towers.visual.parameters())
        lr = learning_rate(n_steps, pretrained=pretrained, n_parameters=size)
    if weight_lr == "auto":
        weight_lr = weight_rate(n_steps // outer_interval)
    net = BilevelNet(
        embedding,
        tasks=tasks,
        primary=primary,
        weighting=weighting,
        outer=outer,
        outer_interval=outer_interval,
        lr=lr,
        weight_lr=weight_lr,
        max_epochs=max_epochs,
        batch_size=batch_size,
        exif_fraction=exif_fraction,
        **net_params,
    ).fit(inner)
    weights = dict(zip(tasks.names, net.criterion_.values.tolist(), strict=True))
    keep = ("epoch", "train_loss", "outer_loss", "losses", "weights", "lr", "dur")
    history = [{key: row[key] for key in keep} for row in net.history]
    return Pretrained(embedding.cpu().eval(), tasks, weights, history, lr, weight_lr)
