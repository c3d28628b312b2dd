"""Numbers with their 95 % intervals: the type, and every way in which an interval is made here."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import beta, norm, rankdata
from scipy.stats import t as student

_Z = norm.ppf(0.975)


class Estimate(NamedTuple):
    """A number and its 95 % interval; all three in the number's own unit."""

    value: float
    low: float
    high: float

    def __str__(self):
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def columns(self, name):
        """The cells of a table's row: ``name``, and the ends as ``name_low``, ``name_high``."""
        return {name: self.value, f"{name}_low": self.low, f"{name}_high": self.high}


def exact_interval(k, n, level=0.95):
    """Clopper-Pearson: the rates under which k of n is no surprise on either side.

    Examples
    --------
    >>> low, high = exact_interval(0, 60)
    >>> round(low, 3), round(high, 3)
    (0.0, 0.06)
    """
    tail = (1 - level) / 2
    low = beta.ppf(tail, k, n - k + 1) if k > 0 else 0.0
    high = beta.ppf(1 - tail, k + 1, n - k) if k < n else 1.0
    return float(low), float(high)


def redrawn_interval(value, draws, n_units, level=0.95):
    """The interval of a share, or of a mean of shares, whose spread is that of redrawn rows.

    On the scale of log odds, where shares near 0 and 1 are as symmetric as others, with Student's
    quantile: percentiles of the draws cover 78 % instead of 95 with five rows a side.

    Parameters
    ----------
    value : float in [0, 1]
    draws : ndarray of float
        What redrawn rows gave; those that are not defined are left out.
    n_units : int
        Rows, or groups, of the smaller side.

    Returns
    -------
    low, high : float
        NaN below two units, or where no draw is defined. At 0 or 1, which no draw leaves, the
        exact bound for so many hits out of as many trials.
    """
    draws = draws[np.isfinite(draws)]
    if not draws.size or n_units < 2:
        return np.nan, np.nan
    tail = (1 - level) / 2
    if value in (0.0, 1.0):
        bound = tail ** (1 / n_units)
        return (bound, 1.0) if value else (0.0, 1 - bound)
    deviation = draws.std() * np.sqrt(n_units / (n_units - 1)) / (value * (1 - value))
    reach = student.ppf(1 - tail, n_units - 1) * deviation
    return float(expit(logit(value) - reach)), float(expit(logit(value) + reach))


def auc_influence(scores, positive, folds=None):
    """Area under the ROC curve, and what each row adds to it.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Higher = more positive.
    positive : ndarray of shape (n,), bool
    folds : ndarray of shape (n,), int, optional
        Scores of different models: only rows of the same fold are compared. Pooling them would
        pull the area below 0.5 where there is nothing to learn.

    Returns
    -------
    auc : float
        NaN where no fold holds both classes.
    influence : ndarray of shape (n,)
        DeLong's structural components, centred; the sum of their squares, by group, is the
        variance of the area.
    """
    folds = np.zeros(len(scores), dtype=int) if folds is None else folds
    wins, n_pairs, parts = 0.0, 0.0, []
    for fold in np.unique(folds):
        rows = np.flatnonzero(folds == fold)
        up, down = rows[positive[rows]], rows[~positive[rows]]
        if len(up) and len(down):
            above = _placements(scores[up], scores[down])
            below = len(up) - _placements(scores[down], scores[up])
            wins, n_pairs = wins + above.sum(), n_pairs + len(up) * len(down)
            parts.append((up, down, above, below))
    influence = np.zeros(len(scores))
    if not parts:
        return np.nan, influence
    auc = wins / n_pairs
    for up, down, above, below in parts:
        influence[up] = (above - auc * len(down)) / n_pairs
        influence[down] = (below - auc * len(up)) / n_pairs
    return float(auc), influence


def _placements(ours, others):
    """For each of ours, how many of the others lie below it; ties count a half."""
    both = rankdata(np.concatenate([ours, others]))[: len(ours)]
    return both - rankdata(ours)


def auc_estimate(scores, positive, *, folds=None, groups=None):
    """Area under the ROC curve with a 95 % interval, clustered by group.

    Newcombe's interval (2006, method 5): the areas from which this one is no surprise, under the
    variance that an area of so many rows has. Where DeLong's variance, from the rows or summed by
    group, is larger, it is that much larger everywhere; the quantile is Student's, with
    Satterthwaite's degrees of freedom for two sides of so many groups (rows). Where the classes
    are wholly apart the inner end is the exact bound for as many hits out of as many trials as
    the smaller class has groups.

    Returns
    -------
    Estimate
        With ends of NaN where a side has fewer than two groups (rows): nothing tells how much it
        varies.
    """
    auc, influence = auc_influence(scores, positive, folds)
    groups = np.arange(len(scores)) if groups is None else groups
    sides = positive, ~positive
    sizes = [len(np.unique(groups[side])) for side in sides]
    if np.isnan(auc) or min(sizes) < 2:
        return Estimate(auc, np.nan, np.nan)
    if auc in (0.0, 1.0):
        bound = 0.025 ** (1 / min(sizes))
        return Estimate(auc, *((bound, 1.0) if auc else (0.0, 1 - bound)))
    m, n = (int(side.sum()) for side in sides)
    parts = [_deviation(influence[side], groups[side]) ** 2 for side in sides]
    # Groups that lie on both sides vary with themselves: then the whole is not the sum.
    shared = sum(sizes) > len(np.unique(groups))
    variance = _deviation(influence, groups) ** 2 if shared else sum(parts)
    spread = sum(part**2 / (size - 1) for part, size in zip(parts, sizes, strict=True))
    df = min(sum(parts) ** 2 / spread if spread else np.inf, sum(sizes) - 2)
    wider = max(1.0, variance / _area_variance(auc, m, n))
    low, high = _area_interval(auc, m, n, student.ppf(0.975, df) * np.sqrt(wider))
    return Estimate(auc, low, high)


def _area_variance(auc, m, n):
    """Hanley and McNeil's variance of an area, in Newcombe's symmetric form."""
    half = (m + n) / 2 - 1
    return auc * (1 - auc) * (1 + half * ((1 - auc) / (2 - auc) + auc / (1 + auc))) / (m * n)


def _area_interval(auc, m, n, quantile):
    """The areas less than ``quantile`` deviations, their own, from the one that was found."""

    def beyond(area):
        return abs(area - auc) - quantile * np.sqrt(_area_variance(area, m, n))

    return tuple(float(brentq(beyond, end, auc)) if beyond(end) > 0 else end for end in (0.0, 1.0))


def change_estimate(first, second, *, groups=None):
    """Difference of two areas over the same rows, each as `auc_influence` gives it.

    Returns
    -------
    Estimate
        Second minus first; Student's interval over groups (rows), its ends NaN below two.
    """
    change = float(second[0] - first[0])
    n = len(first[1]) if groups is None else len(np.unique(groups))
    if n < 2:
        return Estimate(change, np.nan, np.nan)
    half = student.ppf(0.975, n - 1) * _deviation(second[1] - first[1], groups)
    return Estimate(change, float(change - half), float(change + half))


def rate_estimate(hits, *, groups=None):
    """Share of hits with a 95 % interval; groups that agree within count as fewer rows.

    Without groups Wilson's. With them Korn and Graubard's (1998): Clopper and Pearson's for as
    many independent rows as would vary as much as the groups do, fewer again by Student's
    quantile for so many groups; ends of NaN below two groups.

    Parameters
    ----------
    hits : ndarray of shape (n,), bool
    groups : ndarray of shape (n,), optional

    Examples
    --------
    >>> print(rate_estimate(np.array([True, False, False, False])))
    0.250 [0.046, 0.699]
    """
    n = len(hits)
    if not n:
        return Estimate(np.nan, np.nan, np.nan)
    rate = float(np.mean(hits))
    if groups is not None:
        return Estimate(rate, *_grouped_interval(hits, rate, groups))
    centre = (rate + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z * np.sqrt(rate * (1 - rate) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
    return Estimate(rate, float(max(0, centre - half)), float(min(1, centre + half)))


def _grouped_interval(hits, rate, groups):
    n, n_groups = len(hits), len(np.unique(groups))
    if n_groups < 2:
        return np.nan, np.nan
    variance = _deviation((hits - rate) / n, groups) ** 2
    if variance == 0:  # all alike within and between
        return exact_interval(rate * n_groups, n_groups)
    rows = min(n, rate * (1 - rate) / variance)
    rows *= (_Z / student.ppf(0.975, n_groups - 1)) ** 2
    return exact_interval(rate * rows, rows)


def _deviation(influence, groups):
    """Standard error from the rows' influence, summed by group."""
    if groups is not None:
        _, place = np.unique(groups, return_inverse=True)
        influence = np.bincount(place, weights=influence)
    n = len(influence)
    return float(np.sqrt(np.sum(influence**2) * n / max(1, n - 1)))
