"""Persons and sources: rows that belong together, as numbers, and kept on one side of a split."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import check_random_state
from sklearn.utils.validation import column_or_1d

from ..errors import SmallSampleWarning
from .missing import refuse_missing
from .types import Column, IntArray, RandomState
from .warn import warn


def group_codes(groups: Column, n_samples: int, name: str = "groups") -> IntArray:
    """Number the groups from 0, in the order in which they first come.

    One pass, and one integer a row: an array of strings would give every row the room of the
    longest name, which for paths is gigabytes.

    Parameters
    ----------
    groups : array-like of shape (n_samples,)
        Numbers, words, or both; anything that can be the key of a dict.
    n_samples : int
    name : str, default="groups"
        What an error calls them.

    Returns
    -------
    ndarray of shape (n_samples,), int64

    Raises
    ------
    ValueError
        If a row has no group (NaN, None), there are more or fewer than ``n_samples``, or an entry
        cannot be a group.

    Examples
    --------
    >>> group_codes(["ben", "anna", "ben"], 3)
    array([0, 1, 0])
    """
    entries = _entries(groups, name)
    if len(entries) != n_samples:
        raise ValueError(f"{name} has {len(entries)} rows, and X has {n_samples}: one for each.")
    refuse_missing(entries, name)
    codes: dict[Any, int] = {}
    try:
        numbers = (codes.setdefault(entry, len(codes)) for entry in entries)
        return np.fromiter(numbers, dtype=np.int64, count=n_samples)
    except TypeError as error:
        raise ValueError(
            f"{name} must be one column of names or numbers; it holds a "
            f"{type(entries[len(codes)]).__name__}, which cannot be compared ({error})."
        ) from error


def _entries(column, name):
    """A column as a list; lists stay what they are."""
    if isinstance(column, list | tuple):
        return column
    try:
        return column_or_1d(np.asarray(column, dtype=object)).tolist()
    except ValueError as error:
        raise ValueError(f"{name} must be one column, an entry a row: {error}") from error


def holdout(
    n_samples: int,
    fraction: float,
    random_state: RandomState,
    *,
    groups: Column | None = None,
    stratify: Column | None = None,
    n_groups: int | None = None,
) -> tuple[IntArray, IntArray]:
    """Draw two disjoint sets of rows; a group is on one side only.

    Parameters
    ----------
    n_samples : int
    fraction : float in (0, 1)
        Share of the rows to hold out, rounded up.
    random_state : RandomState or int
    groups : array-like of shape (n_samples,), default=None
        Person or source of every row. Groups are drawn at random until the rows held out are as
        near as they come to that share. A group that is larger than the whole part is never in
        it, unless all are.
    stratify : array-like of shape (n_samples,), default=None
        Classes to keep in proportion; not used together with ``groups``.
    n_groups : int, default=None
        Groups to hold out instead, where it is they that count and not their rows: so many, if
        there are so many that are not larger than the part.

    Returns
    -------
    kept, held : ndarrays of int
        Row numbers.

    Raises
    ------
    ValueError
        If a side would be empty, a class too small to be on both sides, or a row has no group.

    Warns
    -----
    SmallSampleWarning
        If the groups are so uneven that less than half of the wanted rows (not with ``n_groups``)
        or more than twice as many are held out.

    Examples
    --------
    >>> kept, held = holdout(6, 0.3, 0, groups=["anna", "anna", "anna", "anna", "ben", "cleo"])
    >>> held
    array([4, 5])
    """
    if groups is not None:
        codes = group_codes(groups, n_samples)
        return _hold_out_groups(codes, fraction, check_random_state(random_state), n_groups)
    splitter = ShuffleSplit if stratify is None else StratifiedShuffleSplit
    split = splitter(n_splits=1, test_size=fraction, random_state=random_state)
    return next(split.split(np.empty((n_samples, 0)), stratify))


def _hold_out_groups(codes, fraction, random_state, n_groups):
    sizes = np.bincount(codes)
    if len(sizes) < 2:
        raise ValueError(
            "groups holds a single group, which cannot be on both sides of the split; "
            "give every photograph its person or source, or leave groups out."
        )
    wanted = math.ceil(fraction * len(codes) - 1e-9)
    order = random_state.permutation(len(sizes))
    fitting = order[sizes[order] <= wanted]
    if not len(fitting):  # the smallest is the least harm
        fitting = order[[np.argmin(sizes[order])]]
    if n_groups is None:  # the nearest share; of two as near, the larger one
        rows = np.cumsum(sizes[fitting])
        n_groups = len(rows) - int(np.argmin(np.abs(rows - wanted)[::-1]))
        too_small = 2 * sizes[fitting[:n_groups]].sum() < wanted
    else:
        too_small = False
    drawn = fitting[: min(n_groups, len(sizes) - 1)]
    held = np.isin(codes, drawn)
    n_held = int(held.sum())
    if too_small or n_held > 2 * wanted:
        warn(
            f"{n_held} of {len(codes)} rows are held out, and {wanted} were wanted: the "
            f"{len(sizes)} groups have {sizes.min()} to {sizes.max()} rows, and one cannot be "
            "divided. More or smaller groups would do.",
            SmallSampleWarning,
        )
    return np.flatnonzero(~held), np.flatnonzero(held)


def one_of_each(groups: Column | NDArray[Any], random_state: RandomState) -> IntArray:
    """Draw one row of every group.

    Rows of one group depend on each other; one of each are as good as independent draws.

    Parameters
    ----------
    groups : array-like of shape (n_samples,)
    random_state : int, RandomState or None

    Returns
    -------
    ndarray of shape (n_groups,), int
        Row numbers, in increasing order.

    Examples
    --------
    >>> one_of_each(["anna", "ben", "cleo"], random_state=0)
    array([0, 1, 2])
    >>> one_of_each(["anna", "anna", "anna", "ben"], random_state=0)
    array([2, 3])
    """
    codes = group_codes(groups, len(groups))  # type: ignore[arg-type]
    order = check_random_state(random_state).permutation(len(codes))
    _, first = np.unique(codes[order], return_index=True)
    return np.sort(order[first])
