"""What both heads ask of their input: finite features, known labels, a held-out part."""

import warnings

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import assert_all_finite, check_random_state
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d, validate_data


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


def photograph_rows(y, photographic_label, n_samples):
    """Which rows are photographs.

    Parameters
    ----------
    y : array-like of shape (n_samples,), numeric or boolean, or None
        Without it all rows are photographs.
    photographic_label : float
        The value of ``y`` that marks a photograph.
    n_samples : int

    Returns
    -------
    ndarray of shape (n_samples,), bool

    Raises
    ------
    ValueError
        If ``y`` holds strings, or no photograph.

    Warns
    -----
    UserWarning
        If ``y`` holds two labels and the photographs are the rarer one, by more than a random
        draw from balanced data would make them (two standard deviations): many code fake = 1.

    Examples
    --------
    >>> photograph_rows([1, 0, 1], photographic_label=1, n_samples=3)
    array([ True, False,  True])
    """
    if y is None:
        return np.ones(n_samples, dtype=bool)
    y = _numeric(column_or_1d(y))
    rows = y == photographic_label
    labels = np.unique(y)
    if not rows.any():
        raise ValueError(
            f"y holds no photograph: no row equals photographic_label={photographic_label!r}; "
            f"its {len(labels)} class(es) are {_some(labels)}. Pass photographic_label=..., or "
            "leave y out if all rows are photographs."
        )
    if len(labels) == 2 and len(y) / 2 - rows.sum() > np.sqrt(len(y)):
        warnings.warn(
            f"Photographs (label {photographic_label!r}) are the rarer class: {rows.sum()} of "
            f"{len(y)} rows. If that label marks the AI-generated faces in your data, pass "
            f"photographic_label={labels[labels != photographic_label][0]}.",
            UserWarning,
            stacklevel=4,  # past scikit-learn's fit wrapper, to the line that called fit
        )
    return rows


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
    assert_all_finite(y, input_name="y")
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


def holdout(n_samples, fraction, random_state, *, groups=None, stratify=None):
    """Draw two disjoint sets of rows; a group is on one side only.

    Parameters
    ----------
    n_samples : int
    fraction : float in (0, 1)
        Share of the rows to hold out, rounded up; with ``groups``, share of the groups.
    random_state : RandomState or int
    groups : array-like of shape (n_samples,), default=None
        Person or source of every row.
    stratify : array-like of shape (n_samples,), default=None
        Classes to keep in proportion; not used together with ``groups``.

    Returns
    -------
    kept, held : ndarrays of int
        Row numbers.

    Raises
    ------
    ValueError
        If a side would be empty, or a class too small to be on both sides.
    """
    if groups is not None:
        groups = column_or_1d(groups)
        if len(np.unique(groups)) < 2:
            raise ValueError(
                "groups holds a single group, which cannot be on both sides of the split; "
                "give every photograph its person or source, or leave groups out."
            )
        splitter = GroupShuffleSplit
    else:
        splitter = ShuffleSplit if stratify is None else StratifiedShuffleSplit
    split = splitter(n_splits=1, test_size=fraction, random_state=random_state)
    return next(split.split(np.empty((n_samples, 0)), stratify, groups))


def one_of_each(groups, random_state):
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
    groups = column_or_1d(groups)
    order = check_random_state(random_state).permutation(len(groups))
    _, first = np.unique(groups[order], return_index=True)
    return np.sort(order[first])


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
