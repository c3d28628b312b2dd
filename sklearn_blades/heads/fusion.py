"""Two heads' scores become one: standardised, weighed by what neither had learned from, added.

A density and a classifier are each worth what they tell of photographs and of generators that
they have not seen. So both are fitted several times, each time without some of the sources of
photographs and some of the generators (`deal_folds`), and asked about those. A cell is one
generator in one such fold: the area under the ROC curve there, for every weight (`cell_areas`).
The weight is the one with the highest mean area; where others are as good within half a standard
error of the cells' paired differences, it is the most equal of them (`choose_weight`).

Why half a standard error: mean loss of area against the best weight, in hundredths, on normal
scores of so many photographs and half as many generated faces (``python -m benchmarks.fusion``):

==================================  =====  =====  =====  =====
tolerance (standard errors)         0      1/4    1/2    1
==================================  =====  =====  =====  =====
one part at chance, 60              0.26   0.33   0.54   1.21
one part at chance, 200             0.09   0.13   0.20   0.41
both weak and alike, 200            1.37   1.04   0.77   0.37
both good, 60                       0.49   0.43   0.37   0.28
==================================  =====  =====  =====  =====
"""

import numpy as np
from scipy.stats import rankdata

WEIGHTS = np.linspace(0, 1, 21)
"""Weights of the first part that are tried; the second part has the rest."""

FOLDS = 5
TOLERANCE = 0.5
NORMAL_QUARTILES = 1.349  # between them, in standard deviations


def deal_folds(units, generators, random_state):
    """What to leave out in turn: photographs in whole units, generated faces in whole generators.

    Parameters
    ----------
    units : ndarray of shape (n_photographs,), int
        Source or person of every photograph, from 0; a number of its own for each where neither
        is known. With fewer than two, photographs are left out one by one.
    generators : ndarray of shape (n_generated,), int
        Generator of every generated face, from 0. With fewer than two, faces are left out one by
        one, and what is left out is no new generator. Where there is no such face, photographs
        alone are left out.
    random_state : RandomState

    Returns
    -------
    list of (photographs, generated), ndarrays of int
        Rows to leave out. Every photograph is in one fold; generators come round where they are
        fewer than the folds. Empty where there is too little to leave out anything and learn
        from the rest.
    """
    if len(units) < 4 or len(generators) == 1:
        return []
    photographs = _blocks(units, random_state)
    turns = np.arange(photographs.max() + 1)
    if not len(generators):
        return [(np.flatnonzero(photographs == turn), np.arange(0)) for turn in turns]
    generated = _blocks(generators, random_state)
    return [
        (np.flatnonzero(photographs == turn), np.flatnonzero(generated == of_generated))
        for turn, of_generated in zip(turns, turns % (generated.max() + 1), strict=True)
    ]


def _blocks(codes, random_state):
    """A number from 0 for every row, equal within a unit, of blocks about equally large."""
    if len(np.unique(codes)) < 2:
        codes = np.arange(len(codes))
    _, codes, sizes = np.unique(codes, return_inverse=True, return_counts=True)
    order = random_state.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]  # the largest first
    load, block = np.zeros(min(FOLDS, len(sizes)), dtype=int), np.empty(len(sizes), dtype=int)
    for unit in order:
        block[unit] = np.argmin(load)
        load[block[unit]] += sizes[unit]
    return block[codes]


def centre_and_spread(scores):
    """Median, and the quartiles' distance in standard deviations, of each column.

    Neither hangs on a few photographs that a density finds impossible.

    Parameters
    ----------
    scores : ndarray of shape (n_photographs, n_parts)

    Returns
    -------
    centre, spread : ndarrays of shape (n_parts,)
        ``spread`` is above 0: the standard deviation where the quartiles are equal, 1 where all
        are.

    Examples
    --------
    >>> centre_and_spread(np.array([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0]]))
    (array([1., 5.]), array([0.74128984, 1.        ]))
    """
    low, centre, high = np.quantile(scores, (0.25, 0.5, 0.75), axis=0)
    spread = (high - low) / NORMAL_QUARTILES
    for rough in (scores.std(axis=0), np.ones_like(spread)):
        # Rounding apart: equal scores may differ in their last bit.
        spread = np.where(spread > 1e-12 * np.maximum(1, np.abs(centre)), spread, rough)
    return centre, spread


def added(scores, centre, spread, weights):
    """Standardised scores of each part, times its weight, in one sum.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_parts)
    centre, spread, weights : ndarrays of shape (n_parts,)

    Returns
    -------
    ndarray of shape (n_samples,)
    """
    return ((scores - centre) / spread) @ weights


def log_p_values(scores, scores_of_sources):
    """Logarithms of p-values that rise steadily with the score: what branches have in common.

    Between two calibration scores the p-value is interpolated; at the k-th smallest of n it is
    k / (n + 1), the lower of the two values that `conformal_p_values` steps between there. With
    the steps themselves, rounding in the score of a photograph that calibrated would decide which
    of both it gets.

    Below all n scores it goes on falling, as the tail of an exponential distribution that is as
    long as that of the lowest quarter. At 1 / (n + 1) for all of them a branch that is sure could
    be outvoted by one that knows nothing: of two, -log p of photographs sums up to 4.7 in one of
    20, and 60 scores end at 4.1. No p-value is valid out there; what a sum of such numbers means
    is calibrated anew.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
    scores_of_sources : iterable of ndarrays, each sorted
        Calibration scores; of several sources the largest p-value counts.

    Returns
    -------
    ndarray of shape (n_samples,)
        Nats, below 0; higher = more photographic.

    Examples
    --------
    >>> np.exp(log_p_values(np.array([0.0, 0.5, 9.0]), [np.array([0.0, 1.0, 2.0])]))
    array([0.25 , 0.375, 0.75 ])
    >>> log_p_values(np.array([0.0, -0.5]), [np.array([0.0, 1.0, 2.0])]).round(2)
    array([-1.39, -2.39])
    """
    return np.max([_log_p(scores, known) for known in scores_of_sources], axis=0)


def _log_p(scores, known):
    places, counts = np.unique(known, return_counts=True)
    inside = np.log(np.interp(scores, places, np.cumsum(counts) / (len(known) + 1)))
    quartile = np.quantile(known, 0.25)
    length = np.mean(quartile - known[known <= quartile])
    if length <= 0:  # equal scores have no tail to go on from
        return inside
    return inside + np.minimum(scores - places[0], 0) / length


def cell_areas(photographs, generated, generators):
    """Areas under the ROC curve of one fold, for every generator left out and every weight.

    Parameters
    ----------
    photographs : ndarray of shape (n_photographs, 2), standardised, higher = more photographic
    generated : ndarray of shape (n_generated, 2)
    generators : ndarray of shape (n_generated,), int

    Returns
    -------
    ndarray of shape (n_generators, len(WEIGHTS))
        Chance that a photograph scores above a face of the generator; generators in order.
    """
    weights = np.stack([WEIGHTS, 1 - WEIGHTS])
    true, false = photographs @ weights, generated @ weights
    return np.stack([_areas(true, false[generators == one]) for one in np.unique(generators)])


def _areas(true, false):
    ranks = rankdata(np.concatenate([true, false]), axis=0)[: len(true)]
    return (ranks.sum(axis=0) - len(true) * (len(true) + 1) / 2) / (len(true) * len(false))


def choose_weight(cells, names, *, tolerance=TOLERANCE):
    """The most equal weight of those about as good as the best.

    Parameters
    ----------
    cells : ndarray of shape (n_cells, len(WEIGHTS))
        Areas, of generators in folds.
    names : ndarray of shape (n_cells,), int
        Generator of every cell: all count alike, however many cells they have.
    tolerance : float
        Standard errors of the difference by which a weight may be behind the best.

    Returns
    -------
    weight : float in [0, 1]
        Of the first part.
    areas : ndarray of shape (len(WEIGHTS),)
        Mean over the generators.

    Examples
    --------
    >>> first_is_better = np.tile(0.5 + 0.4 * WEIGHTS, (4, 1))
    >>> choose_weight(first_is_better, np.array([0, 0, 1, 1]))[0]
    1.0
    >>> choose_weight(np.full((4, 21), 0.7), np.array([0, 0, 1, 1]))[0]
    0.5
    """
    _, codes, counts = np.unique(names, return_inverse=True, return_counts=True)
    share = 1 / (counts[codes] * len(counts))
    areas = share @ cells
    unequal = np.abs(WEIGHTS - 0.5)
    best = _least(unequal, areas >= areas.max() - 1e-12)
    behind = cells[:, [best]] - cells
    error = 0.0
    if len(cells) > 1:
        error = np.sqrt(share**2 @ (behind - share @ behind) ** 2 * len(cells) / (len(cells) - 1))
    near = _least(unequal, share @ behind <= tolerance * error + 1e-12)
    return float(WEIGHTS[near]), areas


def _least(values, where):
    rows = np.flatnonzero(where)
    return rows[np.argmin(values[rows])]
