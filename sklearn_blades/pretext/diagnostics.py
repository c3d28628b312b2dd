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
    with torch.random.fork_rng(devices=[]):  # a loader draws a seed, even where none is needed
        logits, targets = _answers(embedding, dataset, batch_size, device, precision)
    return {
        task.name: _score(task, logits[:, tasks.slices[task.name]], targets[task.name])
        for task in tasks
    }


@torch.no_grad()
def _answers(embedding, dataset, batch_size, device, precision):
    """Logits and targets of every view.

    Their room is taken at once: small tensors that stay, between large ones that go, would leave
    holes in which no batch of pixels fits (2.6 GB of them for 100,000 photographs).
    """
    logits, targets, end = None, {}, 0
    n_views = len(dataset) * dataset.views_per_photo
    embedding.eval()
    for pixels, truth in view_loader(dataset, batch_size=batch_size):
        with autocast(device, precision):
            found = embedding(pixels.to(device)).float().cpu()
        if logits is None:
            logits = found.new_empty((n_views, *found.shape[1:]))
            targets = {name: t.new_empty((n_views, *t.shape[1:])) for name, t in truth.items()}
        rows = slice(end, end := end + len(found))
        logits[rows] = found
        for name, target in truth.items():
            targets[name][rows] = target
    return logits, targets


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

    def step():
        optimiser.zero_grad()
        total = torch.zeros(())
        # A part at a time: the graphs of all pairs of all parts would be kept until the end.
        for some, share in _parts(task, target):
            value = share * task.loss(constant.expand(len(some), -1), some)
            value.backward()
            total += value.detach()
        return total

    optimiser.step(step)
    with torch.no_grad():
        return mean_loss(task, constant.expand(len(target), -1), target).item()


def mean_loss(task, logits, target):
    """A task's loss on any number of views; NaN where nothing is known.

    A ranking compares all pairs, which is quadratic: of more than `AT_ONCE` views each is compared
    with those of its part. The views come in random order, so the mean is of the same quantity.
    """
    parts = _parts(task, target)
    split = logits.tensor_split(len(parts))
    losses = [
        share * task.loss(some, truth) for some, (truth, share) in zip(split, parts, strict=True)
    ]
    return torch.stack(losses).sum()


def _parts(task, target):
    """Targets that are compared with each other, and each part's share of the whole."""
    parts = target.tensor_split(1 if len(target) <= AT_ONCE else -(-len(target) // PART))
    counts = torch.stack([count_known(task, part) for part in parts]).float()
    return [*zip(parts, counts / counts.sum(), strict=True)]


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
