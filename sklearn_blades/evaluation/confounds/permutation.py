"""How often labels dealt anew to the groups make some cue as telling as it is."""

import numpy as np
from scipy.stats import rankdata

from .trees import encoded

N_DEALS = 1999
_CELLS = 2_000_000  # of the table of labels held at a time, 16 MB
_TOLERANCE = 1e-9  # of statistics that are equal but for rounding


def p_values_of_cues(values, photographs, groups, seed):
    """A p-value for each cue, corrected for there being many.

    Numbers are tested by their ranks, and by how far these are from the middle (fakes both very
    small and very large), words by chi-square. Labels are dealt anew to whole groups; in groups
    that hold both classes, as matched pairs do, within them. The smallest p-value of a deal is
    what a cue's is compared with (Westfall and Young, 1993): where there is nothing to find, the
    smallest of those returned is at most 5 % in 5 % of audits, whatever the cues' dependence.

    Parameters
    ----------
    values : dict of str to ndarray of shape (n,)
        Floats, NaN where there is none to be had, and words.
    photographs : ndarray of shape (n,), bool
    groups : ndarray of shape (n,), int
    seed : int

    Returns
    -------
    dict of str to float
        In [1 / (N_DEALS + 1), 1].
    """
    columns = {name: _scores(column) for name, column in values.items()}
    found = {name: [] for name in values}
    for labels in _deals(photographs, groups, np.random.default_rng(seed)):
        share = labels.mean(axis=1)
        scale = np.sqrt(np.maximum(share * (1 - share), 1e-12))
        for name, (parts, words) in columns.items():
            sums = np.abs(labels @ parts) / scale[:, None]
            found[name].append(np.sqrt((sums**2).sum(axis=1, keepdims=True)) if words else sums)
    names = [name for name in values for _ in range(found[name][0].shape[1])]
    table = np.hstack([np.concatenate(found[name]) for name in values])  # the real labels first
    table = np.round(table / (table.max(axis=0) + 1e-300), 9)
    alone = rankdata(-table, method="max", axis=0) / len(table)
    smallest = np.sort(alone.min(axis=1))
    own = np.searchsorted(smallest, alone[0] + _TOLERANCE, side="right") / len(table)
    return {
        name: float(min(p for place, p in zip(names, own, strict=True) if place == name))
        for name in values
    }


def _scores(column):
    """Centred columns whose sums over photographs are the statistics, and whether of words."""
    codes = encoded(column)
    if column.dtype.kind != "f":
        kinds = codes[:, None] == np.unique(codes)
        # The squares of these sums add up to chi-square.
        parts = (kinds - kinds.mean(axis=0)) / np.sqrt(kinds.sum(axis=0))
        return parts, True
    known = ~np.isnan(column)
    ranks = np.zeros((len(column), 2))
    if known.any():
        ranks[known, 0] = rankdata(column[known]) - (known.sum() + 1) / 2
        ranks[known, 1] = np.abs(ranks[known, 0])
        ranks[known] -= ranks[known].mean(axis=0)
    return ranks, False


def _deals(photographs, groups, rng):
    """Yield labels in parts of bounded size, (m, n) floats; the very first row is the real one."""
    _, groups = np.unique(groups, return_inverse=True)
    sizes, ours = np.bincount(groups), np.bincount(groups, weights=photographs)
    pure = (ours == 0) | (ours == sizes)
    mixed = [np.flatnonzero(groups == group) for group in np.flatnonzero(~pure)]
    of_group = ours[pure] > 0
    rows = pure[groups]
    place = np.cumsum(pure) - 1
    at_once = max(1, _CELLS // len(groups))
    for start in range(0, N_DEALS + 1, at_once):
        m = min(at_once, N_DEALS + 1 - start)
        labels = np.empty((m, len(groups)))
        for deal in range(m):
            if start + deal == 0:
                labels[0] = photographs
                continue
            labels[deal, rows] = rng.permutation(of_group)[place[groups[rows]]]
            for part in mixed:
                labels[deal, part] = rng.permutation(photographs[part])
        yield labels
