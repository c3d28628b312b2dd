"""The objectives of the pretext tasks: pure functions, one mean each, all in [0, 1].

Every loss is built from the fidelity between two Bernoulli distributions (docs/method.md, section
3), ``1 - sqrt(p g) - sqrt((1 - p)(1 - g))``. Square roots of probabilities are taken as ``exp(log p
/ 2)``: exact, and with a finite gradient where ``p`` is 0 or 1, where ``sqrt`` has none. Unknown
rows weigh nothing; with no known row at all the loss is 0 and still has a graph. Shapes do not
depend on the data, so nothing waits for an accelerator.
"""

import torch
from torch import Tensor
from torch.nn.functional import log_softmax, logsigmoid

# Beyond 12 standard deviations a normal tail is under 1e-32: nothing is left to learn there, and
# the tail itself would underflow in float32.
_TAIL = 12.0


def _masked_mean(losses, known):
    return torch.where(known, losses, 0.0).sum() / known.sum().clamp(min=1)


def _bernoulli_fidelity(log_p, log_not_p, g):
    return 1 - (log_p / 2).exp() * g.sqrt() - (log_not_p / 2).exp() * (1 - g).sqrt()


def _log_prob_of(logits, target):
    """Log-probability of the target class, and which rows have one."""
    known = target >= 0
    log_q = log_softmax(logits, dim=-1)
    return log_q.gather(-1, target.clamp(min=0).unsqueeze(-1)).squeeze(-1), known


def ranking_fidelity(scores: Tensor, values: Tensor, *, scale: float = 2.0) -> Tensor:
    """Do the scores order the rows as their values do?

    Over all pairs ``i < j`` with known values, the model's probability that row i has the higher
    value is ``p = Phi(scale * (scores_i - scores_j))``, the truth ``g`` is 1, 1/2 or 0 as value i
    is above, equal to or below value j, and the loss is their fidelity.

    Parameters
    ----------
    scores : Tensor of shape (n,)
        Higher = the model believes in a higher value.
    values : Tensor of shape (n,)
        The numbers themselves, in any unit: only their order counts. NaN = unknown.
    scale : float, default=2.0
        Steepness (docs/method.md, section 3). Thurstone's unit-variance form is ``2 ** -0.5``.

    Returns
    -------
    Tensor of shape ()
        Mean over the pairs, in [0, 1]; lower = better ordered.

    See Also
    --------
    fidelity : Answers without an order.

    Examples
    --------
    >>> import torch
    >>> iso = torch.tensor([100.0, 400.0, float("nan")])
    >>> ranking_fidelity(torch.tensor([1.0, 3.0, 2.0]), iso).item() < 0.001
    True
    >>> round(ranking_fidelity(torch.tensor([2.0, 2.0, 2.0]), iso).item(), 3)
    0.293
    """
    known = ~values.isnan()
    values = torch.where(known, values, 0.0)
    pairs = (known[:, None] & known[None, :]).triu(diagonal=1)
    g = (values[:, None] - values[None, :]).sign().to(scores.dtype) / 2 + 0.5
    z = (scale * (scores[:, None] - scores[None, :])).clamp(-_TAIL, _TAIL)
    log_p, log_not_p = torch.special.log_ndtr(z), torch.special.log_ndtr(-z)
    return _masked_mean(_bernoulli_fidelity(log_p, log_not_p, g), pairs)


def fidelity(logits: Tensor, target: Tensor) -> Tensor:
    """Multi-class fidelity ``1 - sqrt(q_y)``, with q the softmax of the logits.

    Parameters
    ----------
    logits : Tensor of shape (n, c)
    target : Tensor of int64, shape (n,)
        Class of each row; -1 = unknown.

    Returns
    -------
    Tensor of shape ()
        Mean over the known rows, in [0, 1]; lower = better.

    See Also
    --------
    focal_fidelity : Weighs hard rows more.
    multilabel_fidelity : Several answers at once.
    ranking_fidelity : Answers with an order.

    Examples
    --------
    >>> import torch
    >>> fidelity(torch.zeros(1, 4), torch.tensor([2]))
    tensor(0.5000)
    """
    log_q, known = _log_prob_of(logits, target)
    return _masked_mean(1 - (log_q / 2).exp(), known)


def focal_fidelity(logits: Tensor, target: Tensor, *, gamma: float = 2.0) -> Tensor:
    """Fidelity that attends to what is still wrong: ``(1 - q_y)^gamma (1 - sqrt(q_y))``.

    For long-tailed classes, such as makes of camera (docs/method.md, section 3). ``gamma=0`` is
    `fidelity`.

    Parameters
    ----------
    logits : Tensor of shape (n, c)
    target : Tensor of int64, shape (n,)
        Class of each row; -1 = unknown.
    gamma : float, default=2.0
        How little the rows count that are right already; at least 0.

    Returns
    -------
    Tensor of shape ()
        Mean over the known rows, in [0, 1]; lower = better.

    See Also
    --------
    fidelity : Without the weights.
    """
    log_q, known = _log_prob_of(logits, target)
    doubt = (-torch.expm1(log_q)).clamp(min=torch.finfo(log_q.dtype).tiny)
    return _masked_mean(doubt**gamma * (1 - (log_q / 2).exp()), known)


def multilabel_fidelity(logits: Tensor, target: Tensor) -> Tensor:
    """Fidelity of independent labels, each with its own sigmoid.

    Parameters
    ----------
    logits : Tensor of shape (n, r)
    target : Tensor of shape (n, r)
        Probability in [0, 1] that each label holds; NaN = unknown.

    Returns
    -------
    Tensor of shape ()
        Mean over the known entries, in [0, 1]; lower = better.

    See Also
    --------
    fidelity : One answer of several.
    """
    known = ~target.isnan()
    g = torch.where(known, target, 0.0).to(logits.dtype)
    losses = _bernoulli_fidelity(logsigmoid(logits), logsigmoid(-logits), g)
    return _masked_mean(losses, known)
