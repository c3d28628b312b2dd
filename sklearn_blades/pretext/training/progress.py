"""Who is told of a run while it goes on: scikit-learn's callbacks (1.9), and the terminal."""

from skorch.callbacks import Callback


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


def print_epoch(row, max_epochs):
    """One line an epoch: the outer loss, then every task's loss by name."""
    losses = "  ".join(f"{name} {value:.3f}" for name, value in row["losses"].items())
    print(f"epoch {row['epoch']:3d}/{max_epochs}  outer loss {row['outer_loss']:.4f}  {losses}")
