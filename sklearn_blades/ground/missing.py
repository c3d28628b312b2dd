"""Rows without a value are refused, by number: never dropped, never taken for a value."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def refuse_missing(column: Sequence[Any] | NDArray[Any], name: str) -> None:
    """Raise where a row of a column has no value.

    Which rows a model has seen must not depend on a gap in a table.

    Parameters
    ----------
    column : list or ndarray of shape (n_samples,)
    name : str
        What the user calls it: "y", "groups".

    Raises
    ------
    ValueError
        For NaN, infinity, None, NaT or pandas' NA: how many, which rows come first.

    Examples
    --------
    >>> refuse_missing(["anna", None, "cleo"], "groups")
    Traceback (most recent call last):
    ValueError: groups contains NaN, infinity or None in 1 of 3 rows (rows 1): fill them in, ...
    """
    kind = column.dtype.kind if isinstance(column, np.ndarray) else "O"
    if kind in "biuSU":
        return
    if kind == "f":
        missing = np.flatnonzero(~np.isfinite(column)).tolist()
    else:
        missing = [row for row, entry in enumerate(column) if _is_missing(entry)]
    if missing:
        first = ", ".join(map(str, missing[:3])) + (", ..." if len(missing) > 3 else "")
        raise ValueError(
            f"{name} contains NaN, infinity or None in {len(missing)} of {len(column)} rows "
            f"(rows {first}): fill them in, or leave those rows out everywhere."
        )


def _is_missing(entry):
    if entry is None:
        return True
    if isinstance(entry, float | np.floating):
        return not math.isfinite(entry)
    try:
        return bool(entry != entry)  # NaT is not itself
    except (TypeError, ValueError):  # pandas' NA is neither equal nor unequal to anything
        return True
