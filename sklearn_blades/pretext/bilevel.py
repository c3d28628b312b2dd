"""How much to listen to each task: the outer problem of docs/method.md, section 5.

    min_lambda  L_out(theta*(lambda))   s.t.   theta*(lambda) = argmin sum_k lambda_k L_k(theta)

One gradient step stands in for the inner argmin, ``theta' = theta - a g`` with
``g = grad sum_k lambda_k L_k(theta)``. The inner loss is linear in lambda, so

    d L_out(theta') / d lambda_k = -a <grad L_k(theta), v>,   v = grad L_out(theta')

for all k at once is one directional derivative, along v, of the *vector* of task losses.
"""

import threading
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel


class Hypergradient(NamedTuple):
    """What one look ahead tells about the task weights.

    Attributes
    ----------
    weights : Tensor of shape (K,)
        Derivative of the outer loss with respect to each task weight, the step size included.
        Negative = more weight on that task would lower the outer loss.
    inner_losses : Tensor of shape (K,)
        The task losses at ``params``.
    outer_loss : Tensor of shape ()
        The outer loss after the virtual step.

    See Also
    --------
    hypergradient : Makes it.
    """

    weights: torch.Tensor
    inner_losses: torch.Tensor
    outer_loss: torch.Tensor


def hypergradient(
    inner: Callable[[dict[str, Tensor]], Tensor],
    outer: Callable[[dict[str, Tensor]], Tensor],
    params: dict[str, Tensor],
    weights: Any,
    *,
    lr: float | Tensor,
    method: str = "auto",
    inner_step: tuple[Tensor, dict[str, Tensor]] | None = None,
    metric: dict[str, Tensor] | None = None,
    reduce: Callable[[dict[str, Tensor]], dict[str, Tensor]] | None = None,
) -> Hypergradient:
    """Differentiate the outer loss after one virtual step with respect to the task weights.

    Nothing is modified: ``inner`` and ``outer`` are called with new dictionaries of tensors and
    must themselves be free of side effects (with `torch.func.functional_call`, pass cloned
    BatchNorm buffers).

    Parameters
    ----------
    inner : callable
        ``params -> (K,)``, the task losses on the inner photographs.
    outer : callable
        ``params -> ()``, the loss on the outer photographs.
    params : dict of str to Tensor
        The parameters theta.
    weights : Tensor of shape (K,)
        The task weights lambda.
    lr : float or Tensor of shape ()
        Length a of the virtual step.
    method : {"auto", "jvp", "central"}, default="auto"
        ``"jvp"``: exact, by forward-mode differentiation. ``"central"``: a central difference of
        two gradient-free evaluations, half the time, relative error about 3e-4 in float32.
        ``"auto"``: "jvp" in float64, else "central" (reduced precision has no forward mode on a
        CPU, and float32 rounds more than the difference errs).
    inner_step : tuple of (Tensor of shape (K,), dict of str to Tensor), optional
        ``inner(params)`` and ``grad(weights @ inner(params))``, where a training step has them
        already. They are not computed again.
    metric : dict of str to Tensor, optional
        What the virtual step multiplies each entry of the gradient with, as an adaptive optimizer
        does: ``theta' = theta - a M g``, and M is taken as given. By default 1: plain SGD.
    reduce : callable, optional
        Where processes have a part of the photographs each: from a dict of tensors to their means
        over the processes. It is called with the gradient of the inner losses (that of
        ``inner_step`` is a mean already), with that of the outer loss, and with the derivatives of
        the K losses, so that all have the same. By default they stay as they are.

    Returns
    -------
    Hypergradient

    See Also
    --------
    sklearn_blades.BladesEncoder : Learns task weights with it.

    Examples
    --------
    Two tasks pull one parameter apart; the outer loss sides with the first:

    >>> import torch
    >>> theta = {"t": torch.zeros((), dtype=torch.float64)}
    >>> pull = lambda p: torch.stack([(p["t"] - 1) ** 2, (p["t"] + 1) ** 2])
    >>> want = lambda p: (p["t"] - 1) ** 2
    >>> hypergradient(pull, want, theta, torch.ones(2, dtype=torch.float64), lr=0.1).weights
    tensor([-0.4000,  0.4000], dtype=torch.float64)
    """
    if method not in ("auto", "jvp", "central"):
        raise ValueError(f"method={method!r}; use 'auto', 'jvp' or 'central'.")
    params = {name: value.detach() for name, value in params.items()}
    reduce = reduce or _same
    if inner_step is None:
        losses, gradient = _losses_and_gradient(inner, params, weights.detach())
        inner_step = losses, reduce(gradient)
    losses, gradient = inner_step
    with torch.no_grad():
        step = _measured(gradient, metric)
        ahead = {name: value - lr * step[name] for name, value in params.items()}
    outer_loss, direction = _value_and_gradient(outer, ahead)
    direction = _measured(reduce(direction), metric)  # M is diagonal: <M g, v> = <g, M v>
    if method == "auto":
        exact = all(value.dtype == torch.float64 for value in params.values())
        method = "jvp" if exact else "central"
    derivative = {"jvp": _forward_mode, "central": _central_difference}[method]
    slopes = reduce({"losses": derivative(inner, params, direction)})["losses"]
    return Hypergradient(-lr * slopes, losses.detach(), outer_loss)


def _same(tensors):
    return tensors


def _measured(vector, metric):
    if metric is None:
        return vector
    return {name: value * metric[name] for name, value in vector.items()}


def _value_and_gradient(function, params):
    leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
    with torch.enable_grad():
        value = function(leaves)
        gradients = torch.autograd.grad(value, list(leaves.values()), materialize_grads=True)
    return value.detach(), dict(zip(leaves, gradients, strict=True))


def _losses_and_gradient(inner, params, weights):
    losses = None

    def weighted(leaves):
        nonlocal losses
        losses = inner(leaves)
        return weights @ losses

    _, gradient = _value_and_gradient(weighted, params)
    return losses.detach(), gradient


# torch counts the levels of its forward mode for all threads together: of two at once, either may
# be given a derivative that lacks what the other ended.
_ONE_AT_A_TIME = threading.Lock()


def _forward_mode(function, params, direction):
    # The fused attention kernels have no forward mode; the plain one has.
    one, plain = _ONE_AT_A_TIME, sdpa_kernel(SDPBackend.MATH)
    with one, plain, torch.no_grad(), warnings.catch_warnings():
        # torch builds its own forward-mode rules with a function that it deprecates itself.
        warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated", FutureWarning)
        _, derivative = torch.func.jvp(function, (params,), (direction,))
    return derivative


def _central_difference(function, params, direction):
    norm = torch.stack([torch.linalg.vector_norm(d) for d in direction.values()]).norm()
    # The root of the rounding error balances it against the curvature. A step of
    # 0.01 misses the derivative by 1 to 19 % on blades-tiny at its start, this by 0.03 %. A zero
    # direction has a zero derivative: any step will do, as long as it is finite.
    precision = torch.finfo(norm.dtype)
    step = precision.eps**0.5 / norm.clamp(min=precision.tiny**0.5)
    with torch.no_grad():
        above, below = (
            function({name: p.addcmul(direction[name], side) for name, p in params.items()})
            for side in (step, -step)
        )
    return (above - below) / (2 * step)


@torch.no_grad()
def adam_metric(optimizer, named):
    """What the step that Adam is about to make will multiply each entry of its mean gradient with.

    Parameters
    ----------
    optimizer : torch.optim.AdamW
    named : dict of str to Parameter
        With their gradients, which the optimizer has not seen yet.

    Returns
    -------
    dict of str to Tensor
        ``1 / (sqrt(v) + eps)``, v the corrected mean square of the gradients, this one included.
    """
    group = optimizer.param_groups[0]
    decay, eps = group["betas"][1], group["eps"]
    metric = {}
    for name, parameter in named.items():
        square, state = parameter.grad.square(), optimizer.state.get(parameter, {})
        if state:  # else this is the first step, and its correction makes the mean the square
            square = torch.lerp(square, state["exp_avg_sq"], decay)
            square = square / (1 - decay ** (state["step"] + 1))  # a tensor: nothing waits for it
        metric[name] = (square.sqrt() + eps).reciprocal()
    return metric


class TaskWeights(nn.Module):
    """The task weights lambda, learned or given; called with the losses, it adds them up.

    Parameters
    ----------
    names : sequence of str
        The K tasks.
    weighting : {"bilevel", "bilevel-free", "equal"} or dict of str to float
        ``"bilevel"``: learned on the simplex scaled to sum K (a softmax); the common scale
        would only trade with the learning rate. ``"bilevel-free"``: learned without
        constraint from 1, as published. ``"equal"``: all 1. A dictionary: fixed at these values.
    start : dict of str to float, optional
        Where ``"bilevel"`` starts, up to the common scale; equal by default.
    """

    def __init__(self, names, weighting="bilevel", start=None):
        super().__init__()
        self.names, self.weighting = tuple(names), weighting
        if weighting == "bilevel":
            start = torch.ones(len(self.names)) if start is None else _given(self.names, start)
            self.free = nn.Parameter(start.log())
        elif weighting == "bilevel-free":
            self.free = nn.Parameter(torch.ones(len(self.names)))
        elif weighting == "equal":
            self.register_buffer("fixed", torch.ones(len(self.names)))
        elif isinstance(weighting, dict):
            self.register_buffer("fixed", _given(self.names, weighting))
        else:
            raise ValueError(
                f"task_weighting={weighting!r}; use 'bilevel', 'bilevel-free', 'equal' or a "
                "dictionary of task name to weight."
            )

    @property
    def learned(self):
        """Whether there is anything to learn."""
        return hasattr(self, "free")

    @property
    def values(self):
        """Lambda, a tensor of shape (K,); it carries a graph where it is learned."""
        if not self.learned:
            return self.fixed
        if self.weighting == "bilevel-free":
            return self.free
        return len(self.names) * self.free.softmax(0)

    def forward(self, losses):
        # The inner problem takes lambda as given.
        return self.values.detach().to(losses.dtype) @ losses


def _given(names, weights):
    if set(names) - set(weights):
        raise ValueError(
            f"task_weighting gives no weight for {', '.join(sorted(set(names) - set(weights)))}."
        )
    values = torch.tensor([float(weights[name]) for name in names])
    if not torch.isfinite(values).all() or (values < 0).any():
        raise ValueError("task_weighting: weights must be finite and at least 0.")
    return values
