"""Pairs of a photograph and a generated face whose files look alike."""

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import norm, rankdata

from .trees import out_of_fold

_LARGEST = 5000  # rows of a class; the table of all distances is then 0.2 GB
_FAR = 1e6


def matched_pairs(values, photographs, groups, *, caliper=0.1, seed=0):
    """Match photographs to generated faces, one to one, on the cues of their files.

    A pair has the same words (format, tables, subsampling, EXIF) and a propensity, the log-odds
    of being a photograph given all cues (as trees see it that were fitted on other files), that
    differs by at most the caliper; among such pairs the assignment with the smallest total
    distance over all numbers is taken.

    Parameters
    ----------
    values : dict of str to ndarray of shape (n,)
        Floats and words.
    photographs : ndarray of shape (n,), bool
    groups : ndarray of shape (n,)
    caliper : float
        In standard deviations of the propensity.
    seed : int

    Returns
    -------
    ndarray of int, shape (n_pairs, 2), sorted
        Rows: photograph, generated face.
    """
    numbers = np.column_stack([_normal(v) for v in values.values() if v.dtype.kind == "f"])
    words = [v if v.dtype.kind != "f" else np.isnan(v).astype(str) for v in values.values()]
    kinds = np.array(["|".join(row) for row in zip(*words, strict=True)])
    score = _propensity(values, photographs, groups, seed)
    reach = caliper * (score.std() or 1.0)
    numbers = numbers[:, numbers.std(axis=0) > 0]
    rng = np.random.default_rng(seed)
    pairs = []
    for kind in np.unique(kinds):
        ours = _at_most(np.flatnonzero(photographs & (kinds == kind)), rng)
        theirs = _at_most(np.flatnonzero(~photographs & (kinds == kind)), rng)
        cost = _distances(numbers[ours], numbers[theirs])
        cost[np.abs(score[ours][:, None] - score[theirs]) > reach] = _FAR
        one, other = linear_sum_assignment(cost)
        good = cost[one, other] < _FAR
        pairs.append(np.column_stack([ours[one[good]], theirs[other[good]]]))
    pairs = np.concatenate(pairs)
    return pairs[np.argsort(pairs[:, 0])]


def _normal(values):
    """Normal scores: the ranks, spread like a standard normal; 0 where the value is missing."""
    known = ~np.isnan(values)
    scores = np.zeros(len(values))
    scores[known] = norm.ppf(rankdata(values[known]) / (known.sum() + 1))
    return scores - scores.mean()


def _propensity(values, photographs, groups, seed):
    """Log-odds of a photograph given all cues, out of fold, averaged over three deals of folds."""
    deals = [out_of_fold(values, photographs, groups, seed + deal)[0] for deal in range(3)]
    return np.mean(deals, axis=0)


def _distances(first, second):
    """Root mean square difference of all pairs of rows, shape (len(first), len(second))."""
    squared = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1) - 2 * first @ second.T
    return np.sqrt(np.maximum(squared, 0) / max(1, first.shape[1]))


def _at_most(rows, rng):
    return rows if len(rows) <= _LARGEST else np.sort(rng.choice(rows, _LARGEST, replace=False))
