"""What the heads ask of their input: finite features, and labels that are known.

The held-out part, and groups, are in `groups`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d, validate_data

from .missing import refuse_missing
from .types import BoolArray, Column
from .warn import warn

LABEL_OF_PHOTOGRAPHS = 1
_said = False  # whether this process was told that 1 is taken for photographs


def check_features(estimator, X, *, reset=False):
    """Validate a feature matrix; every value must be finite.

    Parameters
    ----------
    estimator : estimator
        The head; its ``n_features_in_`` is set (``reset=True``) or compared.
    X : array-like of shape (n_samples, n_features)
    reset : bool, default=False

    Returns
    -------
    ndarray of shape (n_samples, n_features), float64

    Raises
    ------
    ValueError
        With NaN or infinity: how many rows, which come first, and how to drop them.
    """
    X = validate_data(estimator, X, reset=reset, dtype=np.float64, ensure_all_finite=False)
    bad = np.flatnonzero(~np.isfinite(X).all(axis=1))
    if bad.size:
        first = ", ".join(map(str, bad[:3])) + (", ..." if bad.size > 3 else "")
        raise ValueError(
            f"{bad.size} of {len(X)} rows contain NaN or infinity (rows {first}), as photographs "
            "that could not be read do. Drop them with `keep = np.isfinite(X).all(axis=1)` and "
            "use X[keep], y[keep]."
        )
    return X


def photograph_rows(
    y: Column | None, photographic_label: float | None, n_samples: int
) -> BoolArray:
    """Which rows are photographs.

    Parameters
    ----------
    y : array-like of shape (n_samples,), numeric or boolean, or None
        Without it all rows are photographs.
    photographic_label : float or None
        The value of ``y`` that marks a photograph. None: 1.
    n_samples : int

    Returns
    -------
    ndarray of shape (n_samples,), bool

    Raises
    ------
    ValueError
        If ``y`` holds strings, a row without a label, or no photograph.

    Warns
    -----
    UserWarning
        Once a process, if ``photographic_label`` is None and the labels do not say by themselves
        what they are, as 1 and -1 do: many code fake = 1.

    Examples
    --------
    >>> photograph_rows([1, 0, 1], photographic_label=1, n_samples=3)
    array([ True, False,  True])
    """
    if y is None:
        return np.ones(n_samples, dtype=bool)
    y = numeric_labels(y)
    label = LABEL_OF_PHOTOGRAPHS if photographic_label is None else photographic_label
    rows = y == label
    labels = np.unique(y)
    if not rows.any():
        raise ValueError(
            f"y holds no photograph: no row equals photographic_label={label!r}; "
            f"its {len(labels)} class(es) are {_some(labels)}. Pass photographic_label=..., or "
            "leave y out if all rows are photographs."
        )
    if photographic_label is None and not says_itself(labels):
        _say_once_what_is_taken(labels[~(labels == label)])
    return rows


def says_itself(labels: NDArray[Any]) -> bool:
    """Whether labels tell which of them marks photographs: 1 and -1 do, as in scikit-learn."""
    return {1, -1}.issuperset(labels.tolist())


def _say_once_what_is_taken(others):
    """Say which label is taken for photographs; a search fits hundreds of times."""
    global _said
    if not _said:
        others = ", ".join(f"{float(label):g}" for label in others[:5])
        warn(
            f"1 is taken for photographs; say photographic_label=1 (or {others})",
            UserWarning,
        )
        _said = True


def numeric_labels(y: Column) -> NDArray[Any]:
    """Labels as numbers, none of them missing.

    Parameters
    ----------
    y : array-like of shape (n_samples,), numeric or boolean

    Returns
    -------
    ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If they are words, or a row has none.
    """
    column = column_or_1d(y)
    refuse_missing(column, "y")
    return _numeric(column)


def two_classes(y):
    """Encode two labels of any kind.

    Parameters
    ----------
    y : array-like of shape (n_samples,)

    Returns
    -------
    classes : ndarray of shape (2,)
        The labels, sorted.
    target : ndarray of shape (n_samples,), int64
        For every row its place in ``classes``.

    Raises
    ------
    ValueError
        If ``y`` holds one label, more than two, missing values or a continuous quantity.

    Examples
    --------
    >>> classes, target = two_classes(["photo", "fake", "photo"])
    >>> classes.tolist(), target.tolist()
    (['fake', 'photo'], [1, 0, 1])
    """
    y = column_or_1d(y, warn=True)
    refuse_missing(y, "y")
    check_classification_targets(y)
    if type_of_target(y) != "binary":
        raise ValueError(
            "Only binary classification is supported. The type of the target is "
            f"{type_of_target(y)}; label photographs 1 and all AI-generated faces 0."
        )
    classes, target = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(
            f"y holds 1 class only ({classes[0]!r}); a classifier needs photographs and "
            "AI-generated faces. With photographs alone use BladesOneClass."
        )
    return classes, target.astype(np.int64)


def _numeric(y):
    """``y`` as numbers; object arrays of numbers, as data frames give them, included."""
    if y.dtype.kind in "biuf":
        return y
    try:
        if y.dtype.kind == "O" and not any(isinstance(label, str) for label in y):
            return y.astype(float)
    except (TypeError, ValueError):
        pass
    raise ValueError(
        f"y holds labels that are not numbers ({_some(np.unique(y.astype(str)))}); use 1 for "
        "photographs and 0 or -1 for AI-generated faces. For other labels use BladesBinary."
    )


def _some(labels):
    return ", ".join(map(str, labels[:5])) + (", ..." if len(labels) > 5 else "")
