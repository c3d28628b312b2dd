"""From the scores of held-out photographs to a threshold and to p-values."""

import math

import numpy as np

from ..errors import SmallSampleWarning
from ..ground.types import BoolArray, Column, FloatArray
from ..ground.warn import warn

# alpha * (n + 1) is whole in the cases people choose (0.05 and 19, 0.29 and 99); its float may
# stand just below.
_ROUNDING = 1e-9


def conformal_offset(
    calibration_scores: FloatArray, target_fpr: float, confidence: float | None = None
) -> float:
    """The score below which a face is flagged: split-conformal, exact at finite samples.

    With n calibration scores it is the k-th smallest, ``k = floor(target_fpr * (n + 1))``. A new
    photograph, exchangeable with those, falls below it with probability ``k / (n + 1)`` at most:
    on average over calibration sets. The rate that one set gives is Beta(k, n + 1 - k); with a
    ``confidence`` k is the largest for which that is at most ``target_fpr`` so often.

    Parameters
    ----------
    calibration_scores : ndarray of shape (n,), sorted, higher = more photographic
    target_fpr : float in (0, 1)
    confidence : float in (0, 1), default=None
        Share of calibration sets that keep the rate; None promises it on average only.

    Returns
    -------
    float
        ``-inf`` where k = 0: too few scores to promise this rate and flag anything.

    Raises
    ------
    ValueError
        If ``target_fpr`` or ``confidence`` is not between 0 and 1.

    Examples
    --------
    >>> conformal_offset(np.arange(19.0), 0.05), conformal_offset(np.arange(18.0), 0.05)
    (0.0, -inf)
    >>> conformal_offset(np.arange(45.0), 0.05, 0.9), conformal_offset(np.arange(44.0), 0.05, 0.9)
    (0.0, -inf)
    """
    _check_promise(target_fpr, confidence)
    n = len(calibration_scores)
    k = min(n, math.floor(target_fpr * (n + 1) + _ROUNDING))
    if confidence is not None:
        # The rate is at most target_fpr where k of n scores or more fall into its tail.
        from scipy.stats import binom  # takes a second to import, and few ask

        k = min(k, int(binom.ppf(1 - confidence + _ROUNDING, n, target_fpr)))
    return float(calibration_scores[k - 1]) if k else -math.inf


def fewest_calibration_scores(target_fpr: float, confidence: float | None = None) -> int:
    """The smallest calibration set that can flag anything at this rate.

    Examples
    --------
    >>> [fewest_calibration_scores(rate) for rate in (0.05, 0.01)]
    [19, 99]
    >>> fewest_calibration_scores(0.05, 0.9)
    45
    """
    _check_promise(target_fpr, confidence)
    fewest = 1 / target_fpr - 1
    if confidence is not None:
        fewest = max(fewest, math.log1p(-confidence) / math.log1p(-target_fpr))
    return math.ceil(fewest - _ROUNDING)


def _check_promise(target_fpr, confidence):
    if not 0 < target_fpr < 1:
        raise ValueError(f"target_fpr={target_fpr!r} must be between 0 and 1, e.g. 0.05 for 5 %.")
    if confidence is not None and not 0 < confidence < 1:
        raise ValueError(
            f"confidence={confidence!r} must be between 0 and 1, e.g. 0.9 for 9 of 10 "
            "calibrations, or None for the average over them."
        )


def conformal_p_values(
    scores: FloatArray, calibration_scores: FloatArray, confidence: float | None = None
) -> FloatArray:
    """Share of photographs, the new one included, that score as low as this.

    ``(1 + #{calibration <= score}) / (n + 1)``: super-uniform for photographs, low =
    AI-generated, never below ``1 / (n + 1)``. With a ``confidence`` each is raised to the
    smallest ``target_fpr`` at which `conformal_offset` would flag the score with that confidence.

    Parameters
    ----------
    scores : ndarray of shape (m,)
    calibration_scores : ndarray of shape (n,), sorted
    confidence : float in (0, 1), default=None

    Returns
    -------
    ndarray of shape (m,), in (0, 1]

    Examples
    --------
    >>> conformal_p_values(np.array([-1.0, 1.0, 9.0]), np.array([0.0, 1.0, 2.0]))
    array([0.25, 0.75, 1.  ])
    >>> conformal_p_values(np.array([-1.0, 99.0]), np.arange(45.0), 0.9).round(3)
    array([0.05, 1.  ])
    """
    n = len(calibration_scores)
    rank = 1 + np.searchsorted(calibration_scores, scores, side="right")
    p_values = rank / (n + 1)
    if confidence is not None:
        from scipy.stats import beta

        # The rate of flagging all that rank so low is Beta(rank, n + 1 - rank); 1 for the highest.
        tail = beta.ppf(confidence, rank, np.maximum(n + 1 - rank, 1))
        p_values = np.where(rank > n, 1.0, np.maximum(p_values, tail))
    return p_values


def offset_of_all(scores_of_sources, target_fpr, confidence=None):
    """The lowest of the sources' thresholds: below it a face is foreign to every one of them.

    Whatever mixture of the sources new photographs come from, no more than ``target_fpr`` of them
    fall below, for no more of any source do.

    Examples
    --------
    >>> offset_of_all([np.arange(19.0), np.arange(19.0) - 5], 0.05)
    -5.0
    """
    return min(conformal_offset(scores, target_fpr, confidence) for scores in scores_of_sources)


def p_values_of_all(scores, scores_of_sources, confidence=None):
    """The largest p-value over the sources, of every score."""
    each = [conformal_p_values(scores, known, confidence) for known in scores_of_sources]
    return np.max(each, axis=0)


def too_few(scores_of_sources, target_fpr, confidence=None):
    """Names and sizes of the calibration sets that can promise nothing: dict, empty if none."""
    fewest = fewest_calibration_scores(target_fpr, confidence)
    return {name: len(known) for name, known in scores_of_sources.items() if len(known) < fewest}


def benjamini_hochberg(
    p_values: Column, *, alpha: float, n_calibration: int | None = None
) -> BoolArray:
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
    n_calibration : int, default=None
        Calibration photographs behind the p-values, for the warning alone. By default read off
        the p-values, which are multiples of ``1 / (n_calibration + 1)``.

    Returns
    -------
    ndarray of shape (n_files,), bool
        True = flagged as AI-generated.

    Raises
    ------
    ValueError
        If ``alpha`` or a p-value is outside its range, or not a number.

    Warns
    -----
    SmallSampleWarning
        If nothing is flagged because the lowest p-value there can be is too high for those that
        share it, with the number of calibration photographs that would do.

    See Also
    --------
    sklearn_blades.BladesOneClass : Its ``p_values`` go in here.

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
    from scipy.stats import false_discovery_control

    flagged = false_discovery_control(p_values, method="bh") <= alpha * (1 + _ROUNDING)
    if p_values.size and not flagged.any():
        _warn_if_too_coarse(p_values, alpha, n_calibration)
    return flagged


def _warn_if_too_coarse(p_values, alpha, n_calibration):
    """Say that no score could have been low enough, where that is why nothing is flagged."""
    lowest, m = p_values.min(), len(p_values)
    if n_calibration is None:
        n_calibration = _calibration_size(p_values, lowest)
    if n_calibration < 1 or lowest > (1 + _ROUNDING) / (n_calibration + 1):
        return  # the lowest could have been lower: it is the scores that flag nothing
    sharing = int(np.sum(p_values == lowest))
    needed = math.ceil(m / (alpha * (n_calibration + 1)) - _ROUNDING)
    enough = [math.ceil(m / (alpha * r) - 1 - _ROUNDING) for r in dict.fromkeys((sharing, 1))]
    alone = f", {enough[1]} for a single one" if len(enough) > 1 else ""
    warn(
        f"These p-values are too coarse to flag anything: with {n_calibration} calibration "
        f"photographs none is below 1/{n_calibration + 1}, and at alpha={alpha:g} nothing can be "
        f"flagged until {needed} of {m} files share the lowest; {sharing} do. {enough[0]} "
        f"calibration photographs would do for {sharing}{alone}.",
        SmallSampleWarning,
    )


def _calibration_size(p_values, lowest):
    """n, where the lowest is 1 / (n + 1) and all are multiples of it; else 0."""
    if lowest <= 0:
        return 0
    multiples = np.append(p_values, 1.0) / lowest
    # 1e-6 of a step: float64 divides exactly enough for a million calibration photographs.
    on_grid = np.abs(multiples - np.round(multiples)) < 1e-6
    return round(1 / lowest) - 1 if on_grid.all() else 0


def above_threshold(scores, offset, calibration_scores):
    """By how much scores of float32 precision pass a threshold; above 0 where they reach it.

    The threshold is one of the calibration scores, and a score that equals it is not flagged; a
    classifier's decision must be above 0 there, and its probability above 1/2. So 0 lies half a
    step of float32 below the threshold, between it and the next score there can be.

    Examples
    --------
    >>> above_threshold(np.array([1.0, 2.0, 3.0]), 2.0, np.array([2.0])) > 0
    array([False,  True,  True])
    """
    if np.isneginf(offset):
        return positive(scores - calibration_scores[0])
    below = float(np.nextafter(np.float32(offset), np.float32(-np.inf)))
    return scores - (offset + below) / 2


def positive(scores):
    """Map scores to (0, inf), finite, steadily increasing, and without underflow.

    Examples
    --------
    >>> positive(np.array([-3.0, 0.0, 2.0]))
    array([0.25, 1.  , 3.  ])
    """
    return np.where(scores < 0, 1 / (1 + np.abs(scores)), 1 + scores)
