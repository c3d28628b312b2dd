"""Which photographs calibrate a threshold, and which of their scores belong together."""

import math

import numpy as np

from ..ground.groups import group_codes, holdout, one_of_each

# Of the groups, the share that stays with the density whatever the promise asks for.
LEAST_KEPT = 0.2


def calibration_split(n_rows, fraction, random_state, *, groups=None, sources=None, fewest=1):
    """Which rows teach and which calibrate.

    Parameters
    ----------
    n_rows : int
    fraction : float in (0, 1)
        Share held out. With groups or sources it rises where ``fewest`` takes more, but never
        leaves less than a fifth of them to teach: then nothing can be promised, and the wanted
        share stays.
    random_state : RandomState
    groups : ndarray of shape (n_rows,), int, default=None
        Persons. All rows of those held out leave the teaching side; one of each calibrates.
    sources : ndarray of shape (n_rows,), int, default=None
        Every source holds out its own share. A person held out in one teaches in none.
    fewest : int, default=1
        Independent rows that the promise takes, of every source.

    Returns
    -------
    train, held : ndarrays of int
        Row numbers, both increasing.
    """
    if groups is None and sources is None:
        return holdout(n_rows, fraction, random_state)
    kept, held = np.ones(n_rows, dtype=bool), []
    for source in range(1 if sources is None else sources.max() + 1):
        rows = np.arange(n_rows) if sources is None else np.flatnonzero(sources == source)
        if sources is not None and len(rows if groups is None else np.unique(groups[rows])) < 2:
            apart = rows  # it cannot be divided; that one promises nothing is said elsewhere
        else:
            apart = _hold_out(rows, groups, fraction, fewest, random_state)
        if groups is None:
            kept[apart] = False
        else:
            kept &= ~np.isin(groups, groups[apart])
            apart = apart[one_of_each(groups[apart], random_state)]
        held.append(apart)
    return np.flatnonzero(kept), np.sort(np.concatenate(held))


def promise_split(
    photographs, others, fraction, random_state, *, groups=None, sources=None, fewest=1
):
    """Which rows teach a head that learns from generated faces as well, and which calibrate.

    Parameters
    ----------
    photographs, others : ndarrays of int
        Row numbers of photographs and of all other faces.
    fraction, random_state, fewest
        As in `calibration_split`.
    groups, sources : ndarrays of int, one a row of both, default=None
        Faces that were generated of a person who is held out teach nothing either: a head that
        takes this person's face for a sign of generation would make calibration look easier.

    Returns
    -------
    train, others, held : ndarrays of int
        Photographs and other faces to learn from; photographs, independent of each other, to
        calibrate on.
    """
    kept, held = calibration_split(
        len(photographs),
        fraction,
        random_state,
        groups=None if groups is None else groups[photographs],
        sources=None if sources is None else sources[photographs],
        fewest=fewest,
    )
    train, held = photographs[kept], photographs[held]
    if groups is not None:
        others = others[~np.isin(groups[others], groups[held])]
    return train, others, held


def _hold_out(rows, groups, fraction, fewest, random_state):
    units = len(rows) if groups is None else len(np.unique(groups[rows]))
    if fraction * units < fewest <= (1 - LEAST_KEPT) * units:
        fraction = fewest / units
    within = None if groups is None else groups[rows]
    _, held = holdout(
        len(rows),
        fraction,
        random_state,
        groups=within,
        n_groups=math.ceil(fraction * units - 1e-9),
    )
    return rows[held]


def independent_rows(rows, groups, sources, random_state):
    """One row of each person in each source, in increasing order; all without groups."""
    if groups is None:
        return rows
    pairs = groups[rows] if sources is None else list(zip(groups[rows], sources[rows], strict=True))
    return rows[one_of_each(pairs, random_state)]


def by_source(scores, sources):
    """Sorted scores of every source: dict of name to ndarray, None without sources.

    Examples
    --------
    >>> by_source(np.array([3.0, 2.0, 1.0]), ["web", "own", "web"])
    {'web': array([1., 3.]), 'own': array([2.])}
    """
    if sources is None:
        return None
    names = [str(name) for name in sources]
    codes = group_codes(names, len(scores), "sources")
    return {name: np.sort(scores[codes == code]) for code, name in enumerate(dict.fromkeys(names))}
