"""A two-layer perceptron on skorch: made, trained, and put to rest as numpy arrays."""

from contextlib import contextmanager

import numpy as np
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, EarlyStopping
from skorch.dataset import Dataset
from skorch.helper import predefined_split
from skorch.history import History
from torch import nn

from .density import least_likely

PATIENCE = 10
ROWS_AT_ONCE = 8192  # 50 MB of activations at the paper's 1536 hidden units


class Perceptron(nn.Sequential):
    """Features to two logits, with one hidden layer of ReLUs."""

    def __init__(self, n_features, hidden_size):
        super().__init__(nn.Linear(n_features, hidden_size), nn.ReLU(), nn.Linear(hidden_size, 2))


class WeightedCrossEntropy(nn.CrossEntropyLoss):
    """Mean over the rows of a batch of ``weight[class] * cross-entropy``.

    torch's own mean divides by the weights in the batch, which undoes them in a batch of one
    class and is 0/0 in a batch of weight 0.
    """

    def __init__(self, weight):
        super().__init__(weight, reduction="none")

    def forward(self, logits, target):
        return super().forward(logits, target).mean()


class Divergence(Callback):
    """End a training, with an error, at the first epoch whose loss or weights are not finite."""

    def on_epoch_end(self, net, **kwargs):
        epoch = net.history[-1]
        losses = [epoch[name] for name in ("train_loss", "valid_loss") if name in epoch]
        weights = net.module_.parameters()
        if not (np.isfinite(losses).all() and all(weight.isfinite().all() for weight in weights)):
            raise ValueError(
                f"The training diverged at lr={net.lr:g}: in epoch {epoch['epoch']} of "
                f"{net.max_epochs} loss or weights are no longer finite (train_loss "
                f"{epoch['train_loss']:g}). Nothing was kept; try lr={net.lr / 10:g} or the "
                "default, 1e-3."
            )


def ran_away(history):
    """Whether a training ended with a loss far above the one it began with."""
    first, last = history[0, "train_loss"], history[-1, "train_loss"]
    return last > max(10 * first, 10)


@contextmanager
def seeded(seed):
    """Seed torch's CPU generator inside, leave it as it was outside.

    Initial weights and the order of batches come from this generator on every device.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def make_net(n_features, hidden_size, class_weights=(1.0, 1.0), callbacks=(), **settings):
    """A skorch classifier of classes 0 and 1 around `Perceptron`, not yet initialised."""
    return NeuralNetClassifier(
        Perceptron,
        module__n_features=n_features,
        module__hidden_size=hidden_size,
        criterion=WeightedCrossEntropy,
        criterion__weight=torch.tensor(class_weights, dtype=torch.float32),
        optimizer=torch.optim.AdamW,
        iterator_train__shuffle=True,
        classes=[0, 1],
        callbacks=[Divergence(), *callbacks],
        **{"train_split": None, "verbose": 0, **settings},
    )


def stop_early(X, target, verbose):
    """Settings of `make_net` that watch the loss on held-out rows and keep the best epoch.

    Parameters
    ----------
    X : ndarray of shape (n_held, n_features), float32
    target : ndarray of shape (n_held,), int64
    verbose : int
    """
    sink = print if verbose else lambda message: None
    stopper = EarlyStopping(patience=PATIENCE, threshold=0, load_best=True, sink=sink)
    return {"train_split": predefined_split(Dataset(X, target)), "callbacks": [stopper]}


def as_pseudo_outliers(X, target, photograph, fraction, random_state):
    """Labels in which the least likely photographs count as AI-generated.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64
    target : ndarray of shape (n_samples,), int
        0 or 1; not changed.
    photograph : int
        Which of them marks photographs.
    fraction : float in (0, 1)
        Of the photographs, as in `least_likely`.
    random_state : RandomState

    Returns
    -------
    ndarray of shape (n_samples,), int

    Raises
    ------
    ValueError
        If there are fewer than 3 photographs.
    """
    rows = np.flatnonzero(target == photograph)
    if len(rows) < 3:
        raise ValueError(f"pseudo_outlier_fraction needs 3 photographs, got {len(rows)}.")
    target = target.copy()
    target[rows[least_likely(X[rows], fraction, random_state)]] = 1 - photograph
    return target


def net_state(net):
    """What a fitted net knows, as plain data: numpy weights, and a dict of numbers an epoch."""
    weights = {name: w.detach().cpu().numpy() for name, w in net.module_.state_dict().items()}
    history = [
        {name: float(value) for name, value in epoch.items() if name != "batches"}
        for epoch in net.history
    ]
    return {"weights": weights, "history": history}


def net_from_state(state):
    """A net on the CPU, ready to predict, from `net_state`."""
    hidden_size, n_features = state["weights"]["0.weight"].shape
    # Before memory is taken: an empty array of shape (10**9, 0) asks for gigabytes of biases.
    expected = {
        "0.weight": (hidden_size, n_features),
        "0.bias": (hidden_size,),
        "2.weight": (2, hidden_size),
        "2.bias": (2,),
    }
    found = {name: weight.shape for name, weight in state["weights"].items()}
    if found != expected or not n_features:
        raise ValueError(f"weights of shapes {found} are no perceptron of two layers.")
    with seeded(0):  # initial weights, which the next lines replace
        net = make_net(n_features, hidden_size, device="cpu").initialize()
    weights = {name: torch.from_numpy(w.copy()) for name, w in state["weights"].items()}
    net.module_.load_state_dict(weights)
    net.module_.eval()
    net.history = History(state["history"])
    return net


def logit_margin(module, X, device):
    """Logit of class 1 minus that of class 0.

    Parameters
    ----------
    module : Perceptron on the CPU, left there
    X : ndarray of shape (n_samples, n_features), float32 or float64
        In float64 the order of sums, which follows from the rows beside it, changes a row's margin
        a thousand million times less.
    device : torch.device

    Returns
    -------
    ndarray of shape (n_samples,), as precise as X
    """
    precision = torch.from_numpy(X[:0]).dtype
    weights = {name: w.to(device, precision) for name, w in module.state_dict().items()}
    with torch.inference_mode():
        margins = [
            torch.func.functional_call(module, weights, rows.to(device)).diff(dim=1)[:, 0].cpu()
            for rows in torch.from_numpy(X).split(ROWS_AT_ONCE)
        ]
    return np.asarray(torch.cat(margins))
