"""What each cue of the files tells of the label, and what all of them tell together."""

from dataclasses import dataclass

import numpy as np

from ..statistics.intervals import Estimate, auc_estimate
from .permutation import p_values_of_cues
from .trees import out_of_fold


@dataclass(frozen=True)
class Cue:
    """What one cue, or all together, tell of the label.

    Attributes
    ----------
    name : str
    auc : Estimate
        Area under the ROC curve of a classifier that sees this cue alone, on files it was not
        fitted on; 0.5 = nothing. Below 0.5 is chance.
    higher_in_photographs : float
        How often a photograph has the higher value than a generated face, ties counting a half:
        the direction, 0 to 1. NaN for words.
    photograph, generated : float or str
        The median, or the commonest word, of each class.
    p : float
        Of `p_values_of_cues`: how often labels dealt anew make one of all the cues tell as much
        as this one does; NaN of all together.
    """

    name: str
    auc: Estimate
    higher_in_photographs: float = np.nan
    photograph: float | str = ""
    generated: float | str = ""
    p: float = np.nan


def check_classes(photographs, groups, label):
    for rows, name in ((photographs, "photographs"), (~photographs, "generated faces")):
        if rows.sum() < 10 or len(np.unique(groups[rows])) < 2:
            raise ValueError(
                f"{rows.sum()} {name} in {len(np.unique(groups[rows]))} groups (photographs are "
                f"the rows with y == {label!r}): an audit needs at least 10 files of each class, "
                "of at least 2 groups; some 100 for an interval narrow enough to say something."
            )


def measure_cues(values, photographs, groups, seed):
    """What each cue tells of the label, and what all together tell.

    Parameters
    ----------
    values : dict of str to ndarray of shape (n,)
        Floats and words.
    photographs : ndarray of shape (n,), bool
    groups : ndarray of shape (n,), int
    seed : int

    Returns
    -------
    cues : tuple of Cue
    together : Cue
    """

    def judged(names):
        part = {name: values[name] for name in names}
        scores, folds = out_of_fold(part, photographs, groups, seed)
        return auc_estimate(scores, photographs, folds=folds, groups=groups)

    p = p_values_of_cues(values, photographs, groups, seed)
    cues = tuple(
        Cue(name, judged([name]), *_direction(values[name], photographs), p[name])
        for name in values
    )
    return cues, Cue("all together", judged(list(values)))


def _direction(values, photographs):
    """How often photographs are higher, and what is typical of each class."""
    if values.dtype.kind != "f":
        return np.nan, *(_commonest(values[rows]) for rows in (photographs, ~photographs))
    known = ~np.isnan(values)
    higher = auc_estimate(values[known], photographs[known]).value
    typical = [values[known & rows] for rows in (photographs, ~photographs)]
    return higher, *(float(np.median(part)) if len(part) else np.nan for part in typical)


def _commonest(words):
    found, count = np.unique(words, return_counts=True)
    return str(found[np.argmax(count)])
