"""From the scores of held-out photographs to a threshold and to p-values."""

import math

import numpy as np

# alpha * (n + 1) is whole in the cases people choose (0.05 and 19, 0.29 and 99); its float may
# stand just below.
_ROUNDING = 1e-9


def conformal_offset(calibration_scores, target_fpr):
    """The score below which a face is flagged: split-conformal, exact at finite samples.

    With n calibration scores it is the k-th smallest, ``k = floor(target_fpr * (n + 1))``. A new
    photograph, exchangeable with those, falls below it with probability ``k / (n + 1)`` at most.

    Parameters
    ----------
    calibration_scores : ndarray of shape (n,), sorted, higher = more photographic
    target_fpr : float in (0, 1)

    Returns
    -------
    float
        ``-inf`` where k = 0: too few scores to promise this rate and flag anything.

    Raises
    ------
    ValueError
        If ``target_fpr`` is not between 0 and 1.

    Examples
    --------
    >>> conformal_offset(np.arange(19.0), 0.05), conformal_offset(np.arange(18.0), 0.05)
    (0.0, -inf)
    """
    if not 0 < target_fpr < 1:
        raise ValueError(f"target_fpr={target_fpr!r} must be between 0 and 1, e.g. 0.05 for 5 %.")
    n = len(calibration_scores)
    k = min(n, math.floor(target_fpr * (n + 1) + _ROUNDING))
    return float(calibration_scores[k - 1]) if k else -math.inf


def fewest_calibration_scores(target_fpr):
    """The smallest calibration set that can flag anything at this rate.

    Examples
    --------
    >>> [fewest_calibration_scores(rate) for rate in (0.05, 0.01)]
    [19, 99]
    """
    return math.ceil(1 / target_fpr - 1 - _ROUNDING)


def conformal_p_values(scores, calibration_scores):
    """Share of photographs, the new one included, that score as low as this.

    ``(1 + #{calibration <= score}) / (n + 1)``: super-uniform for photographs, low =
    AI-generated, never below ``1 / (n + 1)``.

    Parameters
    ----------
    scores : ndarray of shape (m,)
    calibration_scores : ndarray of shape (n,), sorted

    Returns
    -------
    ndarray of shape (m,), in (0, 1]

    Examples
    --------
    >>> conformal_p_values(np.array([-1.0, 1.0, 9.0]), np.array([0.0, 1.0, 2.0]))
    array([0.25, 0.75, 1.  ])
    """
    as_low = np.searchsorted(calibration_scores, scores, side="right")
    return (1 + as_low) / (len(calibration_scores) + 1)


def positive(scores):
    """Map scores to (0, inf), finite, steadily increasing, and without underflow.

    Examples
    --------
    >>> positive(np.array([-3.0, 0.0, 2.0]))
    array([0.25, 1.  , 3.  ])
    """
    return np.where(scores < 0, 1 / (1 + np.abs(scores)), 1 + scores)
