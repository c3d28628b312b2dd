"""Who is told of a run while it goes on: scikit-learn's callbacks (1.9), and the terminal."""

import math
from contextlib import contextmanager

from skorch.callbacks import Callback

from ...ground.progress import progress_bar


class EpochTasks(Callback):
    """Tell the callbacks of an estimator when an epoch begins and ends.

    A callback that answers True at the end of an epoch stops the training there.

    Parameters
    ----------
    estimator : estimator
    task : sklearn.callback.CallbackContext
        Of the estimator's ``fit``.
    X, y
        What it is fitted on.
    fitted : callable
        ``net -> dict`` of the attributes that a fit stopped here would set; called only where a
        callback asks for a fitted estimator.
    """

    def __init__(self, estimator, task, X, y, fitted):
        self.estimator, self.task, self.X, self.y = estimator, task, X, y
        self.fitted = fitted

    def on_epoch_begin(self, net, **kwargs):
        self.epoch_ = self.task.subcontext(task_name="epoch")
        self.epoch_.call_on_fit_task_begin(estimator=self.estimator, X=self.X, y=self.y)

    def on_epoch_end(self, net, **kwargs):
        net.stop_ = self.epoch_.call_on_fit_task_end(
            estimator=self.estimator,
            X=self.X,
            y=self.y,
            reconstruction_attributes=lambda: self.fitted(net),
        )


@contextmanager
def watched(verbose):
    """Yield the callbacks of skorch that show a run.

    Parameters
    ----------
    verbose : int or None
        None: a bar where there is a terminal. 0: nothing. Else a line an epoch.
    """
    if verbose:
        yield [EpochLines()]
        return
    with progress_bar("training", shown=verbose is None) as bar:
        yield [EpochBar(bar)]


class EpochBar(Callback):
    """Tell a bar which epoch it is, the steps, and what the last epoch came to.

    Parameters
    ----------
    bar : Bar
    """

    def __init__(self, bar):
        self.bar = bar

    def on_epoch_begin(self, net, **kwargs):
        # The history of a run that goes on has the epochs before.
        epoch = min(len(net.history), net.max_epochs)
        what = f"epoch {epoch} of {net.max_epochs}"
        self.bar.tell(what, total=net.n_steps_, done=net.schedule_.last_epoch)

    def on_batch_end(self, net, **kwargs):
        self.bar.tell(done=net.schedule_.last_epoch)

    def on_epoch_end(self, net, **kwargs):
        learned = net.criterion_.learned
        self.bar.tell(note=losses_in_short(net.history[-1], learned=learned))


class EpochLines(Callback):
    """Print one line an epoch: the outer loss, then every task's loss by name."""

    def on_epoch_end(self, net, **kwargs):
        row = net.history[-1]
        losses = "  ".join(f"{name} {value:.3f}" for name, value in row["losses"].items())
        epoch = f"epoch {row['epoch']:3d}/{net.max_epochs}"
        print(f"{epoch}  outer loss {row['outer_loss']:.4f}  {losses}")


def losses_in_short(row, *, learned):
    """What an epoch came to, in a few words: both losses, and the task that weighs most.

    Parameters
    ----------
    row : dict
        Of `epoch_means`.
    learned : bool
        Whether the weights are; else there is no outer loss, and the weights are no news.

    Examples
    --------
    >>> row = {"train_loss": 0.5, "outer_loss": 0.25, "weights": {"make": 0.4, "iso": 0.6}}
    >>> losses_in_short(row, learned=True)
    'inner 0.5, outer 0.25, top iso 0.6'
    >>> losses_in_short(row, learned=False)
    'loss 0.5'
    """
    if not learned:
        return f"loss {row['train_loss']:.3g}"
    heaviest = max(row["weights"], key=row["weights"].get)
    parts = [f"inner {row['train_loss']:.3g}"]
    if not math.isnan(row["outer_loss"]):  # of no step in this epoch, with a long outer_interval
        parts.append(f"outer {row['outer_loss']:.3g}")
    return ", ".join([*parts, f"top {heaviest} {row['weights'][heaviest]:.3g}"])
