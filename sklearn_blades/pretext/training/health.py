"""What an epoch came to, and whether the run is still sound."""

import hashlib
import math

import torch

from ...ground.warn import warn

LARGEST_WEIGHT = 100.0
"""The paper's rates move a task weight by 16 in a whole run; beyond this it has run away."""


class Records:
    """What the steps of an epoch came to, as rows of one table.

    Kept each for itself, these small tensors would lie between the large ones of their steps and
    leave holes there when those are freed: 4 kB a photograph, measured.

    Parameters
    ----------
    n_steps : int
        At most.

    Attributes
    ----------
    table : Tensor of shape (n_done, 2 + 2 K) or None
        Of each step: loss, outer loss, the K losses, and how much of each task was known.
    """

    def __init__(self, n_steps):
        self._n_steps, self._n_done, self._room = n_steps, 0, None

    def __len__(self):
        return self._n_done

    def append(self, record):
        """Keep a step: (loss, losses, counts, outer loss), all tensors. Nothing waits for them."""
        loss, losses, counts, outer = record
        self.extend(torch.cat([loss[None], outer[None], losses, counts])[None])

    def extend(self, table):
        """Keep the rows of a checkpoint."""
        if self._room is None:
            self._room = table.new_empty(self._n_steps, table.shape[1])
        self._room.narrow(0, self._n_done, len(table)).copy_(table)
        self._n_done += len(table)

    @property
    def table(self):
        return None if self._room is None else self._room[: self._n_done]


def epoch_means(records, names, weights):
    """Means over an epoch.

    Parameters
    ----------
    records : Records
        Read here, once.
    names : sequence of str
    weights : list of float

    Returns
    -------
    dict
        ``"train_loss"``: over steps. ``"losses"``: by task, over all known rows (pairs) of the
        epoch; NaN where there were none. ``"weights"``, ``"outer_loss"``.
    """
    loss, outer, *_ = records.table.T
    losses, counts = records.table[:, 2:].to(torch.float64).chunk(2, dim=1)
    means = (losses * counts).sum(0) / counts.sum(0)  # 0 / 0 is NaN: nothing was known
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
        warn(
            f"Nothing was known of {', '.join(unknown)} in any batch: no loss (NaN in history_), "
            "nothing learned. A ranking needs two photographs in a batch: raise batch_size.",
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
