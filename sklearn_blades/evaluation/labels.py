"""The columns that come with a table of judged faces, checked against each other."""

import numpy as np
from sklearn.utils.validation import column_or_1d

AVERAGE = "average"
"""The last row of a report by generator; no generator can have this name."""


def check_rows(n, y, generator, groups=None, photographic_label=1):
    """Which rows are photographs, every row's generator, and its group's number.

    Parameters
    ----------
    n : int
        Rows that there should be.
    y, generator, groups, photographic_label
        As in `evaluate_by_generator`.

    Returns
    -------
    photographic : ndarray of shape (n,), bool
    names : ndarray of shape (n,), object
        Of strings at AI-generated rows.
    groups : ndarray of shape (n,), int, or None

    Raises
    ------
    ValueError
        If lengths differ, a side is missing, or names do not fit the labels.
    """
    photographic = photographic_rows(y, n, photographic_label)
    names = _generator_names(_column("generator", generator, n), photographic)
    return photographic, names, numbered_groups(groups, n)


def photographic_rows(y, n, photographic_label=1):
    """Which of ``n`` rows are photographs, as bools; refuses labels that cannot be right."""
    y = _complete("y", y, n)
    photographic = y == photographic_label
    if photographic.all() or not photographic.any():
        lacking = "no AI-generated face" if photographic.any() else "no photograph"
        raise ValueError(
            f"There is {lacking} in y: photographic_label={photographic_label!r}, and the labels "
            f"are {list(dict.fromkeys(y.tolist()))[:5]}. Both sides are needed."
        )
    return photographic


def numbered_groups(groups, n, name="groups"):
    """Groups of ``n`` rows as numbers from 0 without gaps; None stays None."""
    if groups is None:
        return None
    # As words: numbers and words may be mixed, which cannot be sorted.
    return np.unique(_complete(name, groups, n).astype(str), return_inverse=True)[1]


def _complete(name, column, n):
    column = _column(name, column, n)
    if any(_missing(entry) for entry in column.tolist()):
        raise ValueError(f"{name} has missing entries; leave those rows out or fill them in.")
    return column


def _column(name, column, n):
    # As objects: NaN among strings would become the word "nan".
    column = column_or_1d(np.asarray(column, dtype=object))
    if len(column) != n:
        raise ValueError(f"{name} has {len(column)} rows, and there are {n} to judge.")
    return column


def _generator_names(column, photographic):
    nameless = [row for row in np.flatnonzero(~photographic) if _missing(column[row])]
    if nameless:
        raise ValueError(
            f"{len(nameless)} AI-generated rows (first: {nameless[0]}) have no generator; write "
            "'unknown' if it is not known."
        )
    names = np.array([str(name) for name in column], dtype=object)
    both = set(names[photographic]) & set(names[~photographic])
    if both:
        name = min(both)
        raise ValueError(
            f"generator={name!r} is on photographs and on AI-generated rows: give photographs "
            "None there, or correct y."
        )
    if AVERAGE in names[~photographic]:
        raise ValueError(f"A generator cannot be called {AVERAGE!r}, as the last row is.")
    return names


def _missing(entry):
    try:
        return bool(entry is None or entry == "" or entry != entry)  # NaN alone is not itself
    except TypeError:  # pandas' NA is neither equal nor unequal to anything
        return True


def checked_predictions(scores, flagged):
    """Scores and flags as arrays, if they are what they should be."""
    scores, flagged = column_or_1d(scores).astype(float), column_or_1d(flagged)
    if flagged.dtype != bool:
        raise TypeError(
            f"flagged holds {flagged.dtype}: give True where a row was taken for AI-generated, "
            "predicted == -1 say."
        )
    if len(scores) != len(flagged):
        raise ValueError(f"There are {len(scores)} scores and {len(flagged)} flags.")
    bad = np.flatnonzero(np.isnan(scores))
    if bad.size:
        raise ValueError(
            f"{bad.size} of {len(scores)} scores are NaN (first: row {bad[0]}); leave those rows "
            "out."
        )
    return scores, flagged


def check_draws(n_bootstrap):
    """Refuse fewer draws than the ends of an interval take."""
    if n_bootstrap < 40:
        raise ValueError(
            f"n_bootstrap={n_bootstrap}: a 95 % interval takes 40 draws at least, and 1000 to be "
            "steady."
        )
