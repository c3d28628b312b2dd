"""How fast to learn: what ``"auto"`` means for ``lr``, ``weight_lr`` and ``primary_share``."""

import math

PAPER_STEPS = 54_000
PAPER_LR = 1e-5
PAPER_WEIGHT_LR = 3e-4
WARMUP = 0.1


def learning_rate(n_steps: int, *, pretrained: bool, n_parameters: int) -> float:
    """Rate of AdamW on the towers.

    Pretrained towers: the paper's 1e-5 for its 54,000 steps, growing with the root of what a
    shorter run lacks, up to 1e-4. From scratch: 1e-3 for towers of up to 5 million image
    parameters, 3e-4 for larger ones.

    Examples
    --------
    >>> learning_rate(54_000, pretrained=True, n_parameters=25_000_000)
    1e-05
    >>> learning_rate(500, pretrained=False, n_parameters=1_400_000)
    0.001
    """
    if pretrained:
        return min(1e-4, PAPER_LR * max(1.0, (PAPER_STEPS / max(1, n_steps)) ** 0.5))
    return 1e-3 if n_parameters <= 5_000_000 else 3e-4


def rate_factor(step: int, n_steps: int, *, warmup: float) -> float:
    """Share of AdamW's rate at a step: a straight rise, then half a cosine down to 0.

    Parameters
    ----------
    step : int
        From 0 on.
    n_steps : int
    warmup : float in [0, 1)
        Share of the steps that rise: 0, the paper's, for pretrained towers; `WARMUP` from scratch,
        where batch statistics are still moving (coarse AUC 0.923 with it and 0.910 without, 2,034
        steps on 1,500 simulated photographs of 64 px, one seed).

    Examples
    --------
    >>> [round(rate_factor(step, 10, warmup=0.2), 2) for step in (0, 1, 2, 6, 10)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    rising = round(warmup * n_steps)
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, n_steps - rising)))


def weight_rate(n_updates: int) -> float:
    """Rate of Adam on the task weights: the paper's 3e-4 x 54,000 updates of travel in any run.

    At most 5e-2, which a few hundred updates need (docs/method.md, section 5), and never under the
    paper's.

    Examples
    --------
    >>> weight_rate(54_000), weight_rate(300)
    (0.0003, 0.05)
    """
    travel = PAPER_WEIGHT_LR * PAPER_STEPS
    return min(5e-2, max(PAPER_WEIGHT_LR, travel / max(1, n_updates)))


def starting_share(n_tasks: int, *, pretrained: bool) -> float:
    """Share of the total weight that the primary task starts with on the simplex.

    Pretrained towers: equal shares, as published. From scratch two thirds: a tower that knows
    nothing learns the EXIF tasks first, and while the primary task is at chance its gradient says
    nothing about the others. On 600 simulated photographs (540 steps, one seed) the coarse task's
    AUC was 0.51 from equal shares and 0.77 from this.

    Examples
    --------
    >>> starting_share(4, pretrained=True), round(starting_share(4, pretrained=False), 2)
    (0.25, 0.67)
    """
    return 1 / n_tasks if pretrained else max(2 / 3, 1 / n_tasks)
