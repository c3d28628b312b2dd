"""What an epoch came to, and whether the run is still sound."""

import hashlib
import math
import warnings

import torch

LARGEST_WEIGHT = 100.0
"""The paper's rates move a task weight by 16 in a whole run; beyond this it has run away."""


def epoch_means(records, names, weights):
    """Means over an epoch.

    Parameters
    ----------
    records : list of (loss, losses, counts, outer loss)
        One of each step, as tensors; read here, once.
    names : sequence of str
    weights : list of float

    Returns
    -------
    dict
        ``"train_loss"``: over steps. ``"losses"``: by task, over all known rows (pairs) of the
        epoch; NaN where there were none. ``"weights"``, ``"outer_loss"``.
    """
    loss, losses, counts, outer = map(torch.stack, zip(*records, strict=True))
    terms = counts.to(torch.float64)
    means = (losses * terms).sum(0) / terms.sum(0)  # 0 / 0 is NaN: nothing was known
    return {
        "train_loss": loss.mean().item(),
        "losses": dict(zip(names, means.tolist(), strict=True)),
        "weights": dict(zip(names, weights, strict=True)),
        "outer_loss": outer.nanmean().item(),
    }


def check_epoch(row, net):
    """Say what went wrong in an epoch.

    Parameters
    ----------
    row : dict
        Of `epoch_means`, with ``"lr"``.
    net : BilevelNet

    Raises
    ------
    FloatingPointError
        If loss, towers or task weights are no longer numbers, or weights have run away.

    Warns
    -----
    UserWarning
        In the first epoch, for tasks of which nothing was known in any batch.
    """
    epoch = len(net.history)
    params = [p.detach().isfinite().all() for p in net.module_.parameters()]
    runaway = {k: v for k, v in row["weights"].items() if abs(v) > LARGEST_WEIGHT}
    numbers = [row["train_loss"], *row["weights"].values()]
    if not (all(map(math.isfinite, numbers)) and torch.stack(params).all()):
        raise FloatingPointError(
            f"Training diverged in epoch {epoch} (loss {row['train_loss']:g}) with lr={net.lr:g}; "
            f"give a smaller lr, {net.lr / 10:g} say.{kept(net)}"
        )
    if runaway:
        name, weight = max(runaway.items(), key=lambda item: abs(item[1]))
        raise FloatingPointError(
            f"The task weights ran away in epoch {epoch} ({name}: {weight:g}) with "
            f"weight_lr={net.weight_lr:g}; give a smaller weight_lr, {net.weight_lr / 10:g} say, "
            f"or task_weighting='bilevel', which cannot.{kept(net)}"
        )
    unknown = [name for name, loss in row["losses"].items() if math.isnan(loss)]
    if unknown and epoch == 1:
        warnings.warn(
            f"Nothing was known of {', '.join(unknown)} in any batch: no loss (NaN in history_), "
            "nothing learned. A ranking needs two photographs in a batch: raise batch_size.",
            stacklevel=2,
        )


def check_together(net):
    """Raise a ValueError where the ranks of a run have other towers or weights than rank 0."""
    if net.ranks.size == 1:
        return
    digest = hashlib.sha256()
    for part in (net.module_, net.criterion_):
        for value in part.state_dict().values():
            digest.update(value.cpu().contiguous().numpy().tobytes())
    net.ranks.agree(
        {"towers and task weights": f"fingerprint {digest.hexdigest()[:8]}"},
        "Ranks begin with the same weights and must compute alike: on one kind of machine, with "
        "the same libraries and the same file of pretrained weights.",
    )


def kept(net):
    """Where the last sound checkpoint is."""
    if net.run is None or not net.history[:-1]:
        return ""
    return f" The checkpoint of epoch {len(net.history) - 1} is in {net.run.folder}."
