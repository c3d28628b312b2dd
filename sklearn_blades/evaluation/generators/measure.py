"""Scores and flags that are there already, measured generator by generator."""

from functools import partial
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ...ground.types import Column, RandomState
from ..labels import AVERAGE, Labels, check_draws, checked_predictions
from ..statistics.intervals import (
    Estimate,
    auc_estimate,
    exact_interval,
    rate_estimate,
    redrawn_interval,
)
from .figures import FIGURES, figures, redrawn
from .report import GeneratorReport, GeneratorRow

# Figures that are counted cases out of n: the side whose size n is.
_COUNTED = {
    "accuracy": "both",
    "tnr": "photographs",
    "fpr": "photographs",
    "tpr": "generated",
    "fnr": "generated",
}


def report_by_generator(
    scores: Column,
    flagged: Column,
    y: Column,
    generator: Column,
    *,
    groups: Column | None = None,
    photographic_label: Any = 1,
    n_bootstrap: int = 1000,
    random_state: RandomState = 0,
) -> GeneratorReport:
    """`evaluate_by_generator` for scores and verdicts that are there already.

    Parameters
    ----------
    scores : array-like of shape (n_samples,), higher = more photographic
    flagged : array-like of shape (n_samples,), bool
        True = taken for AI-generated.
    y, generator, groups, photographic_label, n_bootstrap, random_state
        As there.

    Returns
    -------
    GeneratorReport

    See Also
    --------
    evaluate_by_generator : The same from a detector and photographs.
    """
    scores, flagged = checked_predictions(scores, flagged)
    labels = Labels.of(
        len(scores),
        y,
        photographic_label=photographic_label,
        generator=generator,
        groups=groups,
        by_generator=True,
    )
    check_draws(n_bootstrap)
    return measured(scores, flagged, labels, n_bootstrap, random_state)


def measured(scores, flagged, labels, n_bootstrap, random_state):
    known, sets, groups = labels.generators, labels.sets, labels.groups
    seed = check_random_state(random_state).randint(2**31 - 1)
    units = np.arange(len(scores)) if groups is None else groups
    draws = redrawn(sets, units, n_bootstrap, np.random.default_rng(seed))
    measure = partial(_measure, scores, flagged, sets, known)
    rows = _rows(measure, draws, labels, scores, flagged)
    labels.warn_if_few()
    return GeneratorReport(tuple(rows[:-1]), rows[-1])


def _measure(scores, flagged, sets, known, weights):
    """Figures of every generator: {figure: (generators, draws)}."""
    found = []
    for number in range(1, len(known) + 1):
        rows = np.flatnonzero((sets == 0) | (sets == number))
        found.append(figures(scores[rows], flagged[rows], sets[rows] == 0, weights[:, rows]))
    return {name: np.array([one[name] for one in found]) for name in FIGURES}


def _rows(measure, draws, labels, scores, flagged):
    """The rows, the average last."""
    sets, known = labels.sets, labels.generators
    values = measure(np.ones((1, len(sets))))
    parts = [measure(weights) for weights in draws]
    drawn = {name: np.concatenate([part[name] for part in parts], axis=1) for name in FIGURES}
    n_photographs, rows = int((sets == 0).sum()), []
    names = np.arange(len(sets)) if labels.groups is None else labels.groups

    def units(*numbers):
        """Rows, or groups, of the smaller side: photographs, or faces of these generators."""
        return min(len(np.unique(names[side])) for side in (sets == 0, np.isin(sets, numbers)))

    for index, generator in enumerate(known):
        estimates = {}
        for name in FIGURES:
            value = float(values[name][index, 0])
            interval = _own_interval(name, labels, index + 1, scores, flagged)
            if interval is None:
                interval = redrawn_interval(value, drawn[name][index], units(index + 1))
            estimates[name] = Estimate(value, *interval)
        n_generated = int((sets == index + 1).sum())
        still = [name for name in FIGURES if not np.nanstd(drawn[name][index])]
        _widen(estimates, still, n_photographs, n_generated)
        rows.append(GeneratorRow(generator, n_photographs, n_generated, **estimates))
    fewest = units(*range(1, len(known) + 1))
    average = {name: _average(name, rows, drawn[name].mean(axis=0), fewest) for name in FIGURES}
    return [*rows, GeneratorRow(AVERAGE, n_photographs, int((sets > 0).sum()), **average)]


def _own_interval(name, labels, number, scores, flagged):
    """The interval of an area or of counted cases, which needs no draws; else None."""
    sets, groups = labels.sets, labels.groups
    sides = {"photographs": sets == 0, "generated": sets == number}
    rows = sides["photographs"] | sides["generated"]
    if name == "auc":
        part = None if groups is None else groups[rows]
        return auc_estimate(scores[rows], sets[rows] == 0, groups=part)[1:]
    if name not in _COUNTED:
        return None
    rows = sides.get(_COUNTED[name], rows)
    hits = (flagged == (sets > 0)) if name in ("accuracy", "tnr", "tpr") else flagged == (sets == 0)
    if groups is None:
        return exact_interval(int(hits[rows].sum()), int(rows.sum()))
    return rate_estimate(hits[rows], groups=groups[rows])[1:]


def _widen(estimates, still, n_photographs, n_generated):
    """Give figures that no draw changed, where nothing is flagged say, the bounds of the rates."""
    bounds = zip(estimates["tnr"][1:], estimates["tpr"][1:], strict=True)
    low, high = (_from_rates(tnr, tpr, n_photographs, n_generated) for tnr, tpr in bounds)
    for name in low:
        if name in still:
            estimates[name] = Estimate(estimates[name].value, low[name], high[name])


def _from_rates(tnr, tpr, n_photographs, n_generated):
    """The figures that follow from the two rates; all rise with both."""
    right = n_photographs * tnr + n_generated * tpr
    flagged = n_photographs * (1 - tnr) + n_generated * tpr
    return {
        "accuracy": right / (n_photographs + n_generated),
        "balanced_accuracy": (tnr + tpr) / 2,
        "f_score": 2 * n_generated * tpr / (n_generated + flagged),
    }


def _average(name, rows, draws, n_units):
    estimates = [getattr(row, name) for row in rows]
    if len(estimates) == 1:
        return estimates[0]
    value = float(np.mean([one.value for one in estimates]))
    low, high = redrawn_interval(value, draws, n_units)
    if name in ("tnr", "fpr") or low == high or value in (0.0, 1.0):
        # The same photographs in every row; or no draw that differs. The bounds' means hold.
        low, high = np.mean([one[1:] for one in estimates], axis=0).tolist()
    return Estimate(value, low, high)
