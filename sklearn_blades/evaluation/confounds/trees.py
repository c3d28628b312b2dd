"""Trees that guess the label from the cues of files they have not seen."""

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedGroupKFold
from threadpoolctl import threadpool_limits

_RARE = 5  # a word in fewer files than this says nothing of the next file
_MOST_WORDS = 250  # the trees take 255


def out_of_fold(values, photographs, groups, seed):
    """Log-odds of a photograph for every file, by trees that were fitted on the others.

    Parameters
    ----------
    values : dict of str to ndarray of shape (n,)
        Cues: floats, NaN where there is none to be had, or words.
    photographs : ndarray of shape (n,), bool
    groups : ndarray of shape (n,)
        A group is in one fold only.
    seed : int

    Returns
    -------
    scores : ndarray of shape (n,)
        Higher = more like a photograph; comparable within a fold only. All 0, in one fold, where
        no cue varies.
    folds : ndarray of shape (n,), int
    """
    words = [column.dtype.kind != "f" for column in values.values()]
    codes = [encoded(column) for column in values.values()]
    varying = [place for place, column in enumerate(codes) if len(np.unique(column)) > 1]
    if not varying:
        return np.zeros(len(groups)), np.zeros(len(groups), dtype=int)
    matrix = np.column_stack([codes[place] for place in varying])
    n_splits = min(5, *(len(np.unique(groups[rows])) for rows in (photographs, ~photographs)))
    splitter = StratifiedGroupKFold(n_splits, shuffle=True, random_state=seed)
    scores, folds = np.zeros(len(groups)), np.zeros(len(groups), dtype=int)
    for fold, (train, test) in enumerate(splitter.split(matrix, photographs, groups)):
        trees = HistGradientBoostingClassifier(
            max_iter=50,
            max_leaf_nodes=8,
            min_samples_leaf=max(2, min(20, len(train) // 10)),
            l2_regularization=1.0,
            categorical_features=[words[place] for place in varying],
            early_stopping=False,
            random_state=seed,
        )
        # Tables this small take seconds on one thread; several only wait for one another, minutes
        # where other work is on the machine.
        with threadpool_limits(1, user_api="openmp"):
            trees.fit(matrix[train], photographs[train])
            scores[test], folds[test] = trees.decision_function(matrix[test]), fold
    return scores, folds


def encoded(values):
    """Numbers as they are; words as 1, 2, ... by falling frequency, the rare ones as 0.

    The label is not looked at.
    """
    if values.dtype.kind == "f":
        return values
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    rank = np.argsort(np.argsort(-count, kind="stable")) + 1
    return np.where((count >= _RARE) & (rank < _MOST_WORDS), rank, 0)[place].astype(float)
