"""The paper's tables on any data: photographs against each generator's faces."""

import os
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from ...ground.types import Column, Features, Photographs, RandomState
from ..judge import judge
from ..labels import Labels, check_draws, checked_predictions
from .measure import measured
from .report import GeneratorReport


def evaluate_by_generator(
    detector: Any,
    paths: Photographs | Features,
    y: Column,
    generator: Column,
    *,
    groups: Column | None = None,
    photographic_label: Any = 1,
    n_bootstrap: int = 1000,
    random_state: RandomState = 0,
) -> GeneratorReport:
    """Judge a fitted detector on photographs against each generator's faces.

    "Positive" is AI-generated, as in the published tables: FPR is the share of photographs that
    are flagged (false alarms), TPR the share of AI-generated faces that are (caught).

    Parameters
    ----------
    detector : fitted estimator
        A pipeline of `make_detector`, a head alone, or any classifier or outlier detector of
        scikit-learn that has a score beside ``predict``.
    paths : list, array or Series of paths or PhotoRecord; or matrix (n_samples, n_features)
        What the detector takes; a pipeline's encoder sees each row once.
    y : array-like of shape (n_samples,)
        ``photographic_label`` = photograph, anything else = AI-generated. For a classifier in
        the code that it was fitted with.
    generator : array-like of shape (n_samples,)
        Name of the generator of each AI-generated face; at photographs anything, None say.
    groups : array-like of shape (n_samples,), default=None
        Person or source of each row. Rows of one group are not independent: with ``groups``,
        intervals are those of drawing the groups anew.
    photographic_label : label, default=1
    n_bootstrap : int, default=1000
        Draws behind the intervals.
    random_state : int, RandomState or None, default=0
        Of the draws: intervals alone depend on it.

    Returns
    -------
    GeneratorReport
        One row a generator, and their average.

    Raises
    ------
    ValueError, TypeError
        If lengths differ, a side is missing, an AI-generated face has no generator, a photograph
        has the name of one, or the detector's answers cannot be understood.

    Warns
    -----
    SmallSampleWarning
        If an interval rests on fewer than 20 rows (groups, if given) of a side.

    See Also
    --------
    report_by_generator : From scores and flags that are there already.
    GeneratorDisplay : Draws the report.
    robustness_curve : The same detector on degraded pictures.
    audit_confounds : What the files alone give away.

    Notes
    -----
    Accuracy, rates and F-score are at the detector's own threshold, that of its ``predict``.

    The 95 % intervals of accuracy, TNR, FPR, TPR and FNR are Clopper and Pearson's, with
    ``groups`` Korn and Graubard's; that of the AUC is Newcombe's. Below two groups of a side they
    have no ends (NaN). All others have the spread of the draws, on the scale of log odds, and
    Student's quantile for the smaller side. What follows from two rates that do not vary gets what
    follows from their bounds. For the average all generators meet the same photographs in a draw.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_blades import BladesOneClass
    >>> from sklearn_blades.evaluation import evaluate_by_generator
    >>> rng = np.random.default_rng(0)
    >>> head = BladesOneClass(random_state=0).fit(rng.normal(size=(300, 4)))
    >>> X = np.r_[rng.normal(size=(40, 4)), rng.normal(size=(30, 4)) + 1, rng.normal(size=(30, 4))]
    >>> y, generator = np.repeat([1, 0], [40, 60]), np.repeat(["", "easy", "hard"], [40, 30, 30])
    >>> report = evaluate_by_generator(head, X, y, generator, random_state=0)
    >>> report["easy"].auc.value > report["hard"].auc.value
    True
    """
    if isinstance(paths, str | os.PathLike):
        raise TypeError(f"{paths}: one photograph; a report takes a list of them.")
    n = np.shape(paths)[0] if hasattr(paths, "shape") else len(cast(Sequence[Any], paths))
    labels = Labels.of(  # before the work
        n,
        y,
        photographic_label=photographic_label,
        generator=generator,
        groups=groups,
        by_generator=True,
    )
    check_draws(n_bootstrap)
    judged = judge(detector, paths, photographic_label)
    scores, flags = checked_predictions(judged.scores, judged.flags)
    return measured(scores, flags, labels, n_bootstrap, random_state)
