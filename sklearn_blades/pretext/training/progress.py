"""Every epoch of `BladesEncoder.fit` is a task for scikit-learn's callbacks, new in 1.9."""

from skorch.callbacks import Callback

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:
        """Before scikit-learn 1.9 there is nobody to tell."""

        def _init_callback_context(self, **kwargs):
            return None


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
