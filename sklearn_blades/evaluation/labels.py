"""The columns that come with a table of judged faces, checked once and against each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import column_or_1d

from ..errors import SmallSampleWarning
from ..ground.types import BoolArray, Column, IntArray
from ..ground.warn import warn

AVERAGE = "average"
"""The last row of a report by generator."""
PHOTOGRAPHS = "photographs"
"""The photographs' row in a display."""
GENERATED = "generated"
"""The AI-generated faces where no generator is named."""
FEWEST = 20
"""Rows, or groups, of a side: figures of fewer say little, whatever interval is made of them."""


@dataclass(frozen=True)
class Labels:
    """What is known of each row, after `of` has checked it.

    Attributes
    ----------
    photographic : ndarray of shape (n,), bool
    generators : tuple of str
        In the order in which they first come.
    sets : ndarray of shape (n,), int
        0 = a photograph, i + 1 = a face of ``generators[i]``.
    groups : ndarray of shape (n,), int, or None
        Numbered from 0 without gaps.
    """

    photographic: BoolArray
    generators: tuple[str, ...]
    sets: IntArray
    groups: IntArray | None

    @classmethod
    def of(
        cls,
        n: int,
        y: Column,
        *,
        photographic_label: Any = 1,
        generator: Column | None = None,
        groups: Column | None = None,
        by_generator: bool = False,
        photographs_alone: bool = False,
    ) -> "Labels":
        """Check the columns of ``n`` rows.

        Parameters
        ----------
        n : int
            Rows that there should be.
        y, photographic_label, generator, groups
            As in `evaluate_by_generator`; without ``generator`` there is one, `GENERATED`.
        by_generator : bool
            Whether ``generator`` must be given.
        photographs_alone : bool
            Whether there may be no AI-generated face.

        Raises
        ------
        ValueError
            If a length differs, a label, group or generator is missing, a side is, or names do
            not fit the labels. It names the column.
        """
        photographic = _complete("y", y, n) == photographic_label
        if not photographic.any() or (photographic.all() and not photographs_alone):
            lacking = "no AI-generated face" if photographic.any() else "no photograph"
            labels = list(dict.fromkeys(np.asarray(y, dtype=object).ravel().tolist()))[:5]
            raise ValueError(
                f"There is {lacking} in y: photographic_label={photographic_label!r}, and the "
                f"labels are {labels}. {_needed(photographs_alone)}"
            )
        if generator is None and by_generator:
            raise ValueError(
                "generator is None: name the generator of every AI-generated face, 'unknown' if "
                "it is not known; photographs have none (None, say)."
            )
        if generator is None:
            names = np.full(n, GENERATED, dtype=object)
        else:
            names = _generator_names(_column("generator", generator, n), photographic)
        known = tuple(dict.fromkeys(names[~photographic].tolist()))
        place = {name: number for number, name in enumerate(known, start=1)}
        sets = np.zeros(n, dtype=int)
        sets[~photographic] = [place[name] for name in names[~photographic]]
        return cls(photographic, known, sets, numbered_groups(groups, n))

    def warn_if_few(self) -> None:
        """Warn of sides of fewer than `FEWEST` rows, or groups where these are known."""
        grouped = self.groups is not None and self.groups.max() + 1 < len(self.groups)
        sizes = {}
        for number, name in enumerate([PHOTOGRAPHS, *self.generators]):
            rows = self.sets == number
            units = np.flatnonzero(rows) if self.groups is None else self.groups[rows]
            sizes[name] = len(np.unique(units))
        warn_if_few(sizes, grouped)


def warn_if_few(sizes: Mapping[str, int], grouped: bool) -> None:
    """Warn of sides of fewer than `FEWEST` rows or groups, by name and size."""
    few = [f"{name} ({n})" for name, n in sizes.items() if n < FEWEST]
    if few:
        warn(
            f"Fewer than {FEWEST} {'groups' if grouped else 'rows'} of {', '.join(few)}: the "
            "figures say little, and resampled intervals are too narrow. Judge on more.",
            SmallSampleWarning,
        )


def numbered_groups(groups: Column | None, n: int, name: str = "groups") -> IntArray | None:
    """Groups of ``n`` rows as numbers from 0 without gaps; None stays None.

    Numbers and words may be mixed: they are compared as words. One long name among a million
    costs its own length, not a million times that.
    """
    if groups is None:
        return None
    words = [str(entry) for entry in _complete(name, groups, n).tolist()]
    number = {word: place for place, word in enumerate(sorted(set(words)))}
    return np.fromiter((number[word] for word in words), dtype=int, count=n)


def _needed(photographs_alone):
    return "Photographs are needed." if photographs_alone else "Both sides are needed."


def _complete(name, column, n):
    column = _column(name, column, n)
    missing = [row for row, entry in enumerate(column.tolist()) if _missing(entry)]
    if missing:
        raise ValueError(
            f"{name} has missing entries ({len(missing)} of {n}, first: row {missing[0]}); leave "
            "those rows out or fill them in."
        )
    return column


def _column(name, column, n):
    # As objects: NaN among strings would become the word "nan".
    column = np.asarray(column, dtype=object)
    if column.ndim != 1 and column.shape[1:] != (1,):
        given = repr(column.item()) if column.ndim == 0 else f"an array of shape {column.shape}"
        raise ValueError(f"{name} is {given}: give one entry a row, {n} of them.")
    column = column_or_1d(column)
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
    for taken, where in ((AVERAGE, "the last row"), (PHOTOGRAPHS, "the photographs' row")):
        if taken in names[~photographic]:
            raise ValueError(f"A generator cannot be called {taken!r}, as {where} is.")
    return names


def _missing(entry):
    try:
        return bool(entry is None or entry == "" or entry != entry)  # NaN alone is not itself
    except TypeError:  # pandas' NA is neither equal nor unequal to anything
        return True


def checked_scores(scores: Column) -> np.ndarray:
    """Scores as floats, one a row, none of them NaN."""
    found: np.ndarray = np.asarray(column_or_1d(np.asarray(scores)), dtype=float)
    bad = np.flatnonzero(np.isnan(found))
    if bad.size:
        raise ValueError(
            f"{bad.size} of {len(found)} scores are NaN (first: row {bad[0]}); leave those rows "
            "out: keep = ~np.isnan(scores)."
        )
    return found


def checked_predictions(scores: Column, flagged: Column) -> tuple[np.ndarray, np.ndarray]:
    """Scores and flags as arrays, if they are what they should be."""
    found: np.ndarray = checked_scores(scores)
    flags: np.ndarray = np.asarray(flagged).ravel()
    if flags.dtype != bool:
        raise TypeError(
            f"flagged holds {flags.dtype}: give True where a row was taken for AI-generated, "
            "predicted == -1 say."
        )
    if len(found) != len(flags):
        raise ValueError(f"There are {len(found)} scores and {len(flags)} flags.")
    return found, flags


def check_draws(n_bootstrap: int) -> None:
    """Refuse fewer draws than the ends of an interval take."""
    if n_bootstrap < 40:
        raise ValueError(
            f"n_bootstrap={n_bootstrap}: a 95 % interval takes 40 draws at least, and 1000 to be "
            "steady."
        )
