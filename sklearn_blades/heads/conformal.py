"""From the scores of held-out photographs to a threshold and to p-values."""

import math

import numpy as np
from scipy.stats import false_discovery_control

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


def benjamini_hochberg(p_values, *, alpha):
    """Flag in a folder so that few of the flagged are photographs, on average.

    ``target_fpr`` bounds the share of the *photographs* that are flagged: of a folder of 10,000
    photographs and 10 fakes, 5 % would flag 500 photographs. This bounds the false discovery rate,
    the expected share of photographs among the *flagged* (0 where nothing is flagged), by
    ``alpha`` times the share of photographs in the folder.

    Parameters
    ----------
    p_values : array-like of shape (n_files,), in [0, 1]
        Of all files of the scan, as `BladesOneClass.p_values` gives them.
    alpha : float in (0, 1)
        Largest expected share of photographs among the flagged.

    Returns
    -------
    ndarray of shape (n_files,), bool
        True = flagged as AI-generated.

    Raises
    ------
    ValueError
        If ``alpha`` or a p-value is outside its range, or not a number.

    Notes
    -----
    P-values from one calibration set depend on each other, positively, and the bound holds for
    them: Benjamini and Hochberg's procedure (1995) needs no more (Bates, Candes, Lei, Romano and
    Sesia, *Testing for outliers with conformal p-values*, 2023, theorem 2). Like the promise of
    ``target_fpr`` it is an average over calibration sets and is for photographs that are
    exchangeable with those held out, and with each other: of different people, one each.

    **Resolution.** No p-value is below ``1 / (n_calibration + 1)``. To flag r of m files that one
    must be at most ``alpha * r / m``, so ``n_calibration >= m / (alpha * r) - 1``: 10 fakes among
    1,000 files take 999 calibration photographs at ``alpha=0.1``. With fewer, the ten alone are
    never flagged, however low they score.

    Examples
    --------
    >>> benjamini_hochberg([0.001, 0.012, 0.04, 0.2, 0.6], alpha=0.05)
    array([ True,  True, False, False, False])
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha={alpha!r} must be between 0 and 1, e.g. 0.1 for 10 %.")
    p_values = np.asarray(p_values, dtype=float)
    if p_values.ndim != 1 or not ((p_values >= 0) & (p_values <= 1)).all():
        raise ValueError(
            "p_values must be one column of numbers from 0 to 1, as BladesOneClass.p_values gives "
            f"them; these have shape {p_values.shape}, and {np.isnan(p_values).sum()} are NaN."
        )
    return false_discovery_control(p_values, method="bh") <= alpha * (1 + _ROUNDING)


def positive(scores):
    """Map scores to (0, inf), finite, steadily increasing, and without underflow.

    Examples
    --------
    >>> positive(np.array([-3.0, 0.0, 2.0]))
    array([0.25, 1.  , 3.  ])
    """
    return np.where(scores < 0, 1 / (1 + np.abs(scores)), 1 + scores)
