"""What the pretext tasks answer, and how well, on photographs that were not trained on."""

import torch
from sklearn.metrics import roc_auc_score

from ..ground.device import autocast
from .tasks import count_known
from .training.views import view_loader

AT_ONCE = 2048
"""Views up to which a task's loss is taken over all of them at once."""

PART = 512
"""Views in each part of more than that."""


def score_tasks(embedding, dataset, tasks, *, device="cpu", precision="float32", batch_size=96):
    """Loss of every task on views of photographs, beside the loss of knowing nothing.

    Parameters
    ----------
    embedding : JointEmbedding
        On ``device``.
    dataset : ViewDataset
    tasks : TaskSet
        Of its targets.

    Returns
    -------
    dict of task name to dict
        ``"loss"``: over all views; NaN where nothing is known. ``"chance"``: the lowest loss that
        the same logits for every view could reach. For tasks of two classes also ``"auc"``: of
        the second class, 0.5 = chance, 1 = perfect.
    """
    logits, targets = [], []
    embedding.eval()
    with torch.no_grad():
        for pixels, truth in view_loader(dataset, batch_size=batch_size):
            with autocast(device, precision):
                logits.append(embedding(pixels.to(device)).float().cpu())
            targets.append(truth)
    logits = torch.cat(logits)
    targets = {name: torch.cat([part[name] for part in targets]) for name in targets[0]}
    return {
        task.name: _score(task, logits[:, tasks.slices[task.name]], targets[task.name])
        for task in tasks
    }


def read_tasks(embedding, tasks, features):
    """What the tasks answer, from features of photographs.

    Parameters
    ----------
    embedding : JointEmbedding
        Its prompts are those of the tasks.
    tasks : TaskSet
        Those without ``reading`` are left out.
    features : ndarray of shape (n, n_features)
        As `embed` gives them; NaN rows give NaN.

    Returns
    -------
    dict of task name to dict of answer to ndarray of shape (n,)
        See `BladesEncoder.read_tasks`.
    """
    readable = [task for task in tasks if hasattr(task, "reading")]
    if not readable:
        return {}
    # No inference mode: the text tower may keep what it computes here, for training too.
    with torch.no_grad():
        logits = embedding.logits(torch.from_numpy(features).to(embedding.mean.device)).cpu()
        return {
            task.name: {
                answer: values.numpy()
                for answer, values in task.reading(logits[:, tasks.slices[task.name]]).items()
            }
            for task in readable
        }


def chance_loss(task, target):
    """The lowest loss of a task over constant logits: what the class frequencies alone give."""
    if hasattr(task, "chance"):
        return task.chance(target)
    constant = torch.zeros(len(task.prompts), requires_grad=True)
    optimiser = torch.optim.LBFGS([constant], max_iter=100, line_search_fn="strong_wolfe")

    def loss():
        return mean_loss(task, constant.expand(len(target), -1), target)

    def step():
        optimiser.zero_grad()
        value = loss()
        value.backward()
        return value

    optimiser.step(step)
    with torch.no_grad():
        return loss().item()


def mean_loss(task, logits, target):
    """A task's loss on any number of views; NaN where nothing is known.

    A ranking compares all pairs, which is quadratic: of more than `AT_ONCE` views each is compared
    with those of its part. The views come in random order, so the mean is of the same quantity.
    """
    parts = 1 if len(target) <= AT_ONCE else -(-len(target) // PART)
    losses, counts = [], []
    for some, truth in zip(logits.tensor_split(parts), target.tensor_split(parts), strict=True):
        losses.append(task.loss(some, truth))
        counts.append(count_known(task, truth))
    counts = torch.stack(counts).to(losses[0].dtype)
    return torch.stack(losses) @ (counts / counts.sum())


def _score(task, logits, target):
    if not count_known(task, target):
        return {"loss": float("nan"), "chance": float("nan")}
    score = {"loss": mean_loss(task, logits, target).item(), "chance": chance_loss(task, target)}
    if len(task.prompts) == 2 and target.ndim == 1:
        known = ~target.isnan() if target.is_floating_point() else target >= 0
        if set(target[known].tolist()) == {0, 1}:
            higher = logits[known, 1] - logits[known, 0]
            score["auc"] = float(roc_auc_score(target[known], higher))
    return score
