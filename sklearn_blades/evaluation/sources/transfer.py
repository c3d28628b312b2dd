"""From one source of photographs to another: does the promise hold there, and how to renew it."""

from copy import copy
from dataclasses import asdict, dataclass

import numpy as np
from scipy.stats import betabinom, binomtest, ks_2samp
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state

from ...ground.rows import one_of_each
from ...heads.conformal import fewest_calibration_scores
from ..labels import numbered_groups
from ..statistics.intervals import Estimate, auc_estimate, exact_interval, rate_estimate

LEVEL = 0.05
"""A p-value below this is called a sign; intervals have the rest, 95 %."""


@dataclass(frozen=True)
class SourceRate:
    """False alarms on the photographs of one source.

    Attributes
    ----------
    n, n_groups, flagged : int
        Photographs; persons (None where they are not known); photographs that are flagged.
    rate : Estimate
        Share that is flagged, 0 to 1. Its 95 % interval is exact, or by person.
    p_above : float
        Binomial test of "this detector flags at most ``target_fpr`` of this source".
    p_exchangeable : float
        The same for "these photographs are exchangeable with the calibration photographs": the
        threshold is one draw of those, so that a detector may flag more, and the count is then
        beta-binomial. Low = another source, not the luck of that draw.
    """

    n: int
    n_groups: int | None
    flagged: int
    rate: Estimate
    p_above: float
    p_exchangeable: float


@dataclass(frozen=True)
class SourceShift:
    """What `source_shift` found.

    Attributes
    ----------
    target_fpr : float
        The promise.
    n_calibration : int
        Calibration photographs behind it.
    photographs, other : SourceRate
        False alarms on each source.
    auc : Estimate
        Chance that a photograph of the first source scores above one of the other, with its 95 %
        interval. 0.5 = alike; higher = the other source looks more AI-generated.
    p_same_scores : float
        Kolmogorov-Smirnov test of "both sources' scores have one distribution".
    """

    target_fpr: float
    n_calibration: int
    photographs: SourceRate
    other: SourceRate
    auc: Estimate
    p_same_scores: float

    @property
    def verdict(self):
        """What the figures mean, in words."""
        return f"{self._promise()} {self._scores()}"

    def _promise(self):
        found, promised = _percent(self.other.rate), f"{100 * self.target_fpr:.3g}% were promised"
        if self.n_calibration < fewest_calibration_scores(self.target_fpr):
            return (
                f"Nothing is ever flagged: {self.n_calibration} calibration photographs are too "
                f"few for {100 * self.target_fpr:.3g}%."
            )
        if self.other.p_exchangeable < LEVEL:
            return (
                f"Broken: {found} of the other source are flagged where {promised}, more than the "
                f"draw of {self.n_calibration} calibration photographs explains. Recalibrate on "
                "photographs of that source, which are then no test."
            )
        if self.other.p_above < LEVEL:
            return (
                f"Above the promise: {found} of the other source are flagged where {promised}. "
                f"The draw of only {self.n_calibration} calibration photographs may do that on "
                "any source; calibrate on more."
            )
        if self.other.rate.high > 2 * self.target_fpr:
            return f"Cannot tell: too few photographs, {found} are flagged where {promised}."
        return f"No sign against the promise: {found} are flagged where {promised}."

    def _scores(self):
        p = f"p = {self.p_same_scores:.2g}, AUC {self.auc}"
        if self.p_same_scores >= LEVEL:
            return f"The scores of the two sources show no difference ({p})."
        looks = "more" if self.auc.value > 0.5 else "less"
        return f"The scores of the two sources differ ({p}): the other looks {looks} AI-generated."

    def to_dict(self):
        """Dicts, strings and numbers only."""
        return {**asdict(self, dict_factory=_plain), "verdict": self.verdict}

    def to_frame(self):
        """A DataFrame of one row a source; needs pandas. What compares them is in the second."""
        import pandas as pd

        compared = {**self.auc.columns("auc"), "p_same_scores": self.p_same_scores}
        rows = {"photographs": self.photographs, "other photographs": self.other}
        table = [{**asdict(row), **row.rate.columns("rate")} for row in rows.values()]
        table[1].update(compared)
        return pd.DataFrame(table, index=pd.Index(rows, name="source"))

    def to_markdown(self):
        """A markdown table of the rates, and the verdict below it."""
        lines = [
            "| source | photographs | persons | flagged | rate | p: rate as promised "
            "| p: exchangeable |",
            "|---|---:|---:|---:|---:|---:|---:|",
        ]
        for name, row in (("photographs", self.photographs), ("other photographs", self.other)):
            persons = "" if row.n_groups is None else row.n_groups
            lines.append(
                f"| {name} | {row.n} | {persons} | {row.flagged} | {_percent(row.rate)} "
                f"| {row.p_above:.2g} | {row.p_exchangeable:.2g} |"
            )
        return "\n".join([*lines, "", self.verdict])

    def __str__(self):
        return self.to_markdown()

    def _repr_markdown_(self):
        return self.to_markdown()


def source_shift(
    detector, photographs, other_photographs, *, groups=None, other_groups=None, random_state=0
):
    """Does the promised false-alarm rate hold on a second source of photographs?

    Parameters
    ----------
    detector : BladesOneClass or Pipeline ending in one, fitted
    photographs : array-like
        What ``detector.predict`` takes: photographs of the source that it was calibrated on,
        which neither its encoder nor its head has seen.
    other_photographs : array-like
        Photographs of the other source, as new to the detector.
    groups, other_groups : array-like, default=None
        Person of every photograph of each source. Intervals are then over persons, and the tests
        take one photograph of each. The same name in both is taken for two persons.
    random_state : int, RandomState or None, default=0
        Draws those photographs.

    Returns
    -------
    SourceShift
        Print it, or read its ``verdict``; ``to_frame()``, ``to_markdown()``, ``to_dict()``. A
        verdict "Above the promise" blames the draw of the calibration photographs, "Broken" the
        source.

    Raises
    ------
    TypeError
        If the detector does not end in a `BladesOneClass`: others promise no rate.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_blades import BladesOneClass
    >>> rng = np.random.default_rng(0)
    >>> head = BladesOneClass(random_state=0).fit(rng.normal(size=(1000, 4)))
    >>> shift = source_shift(head, rng.normal(size=(300, 4)), 2 * rng.normal(size=(300, 4)))
    >>> shift.verdict.split(":")[0], round(shift.other.rate.value, 1)
    ('Broken', 0.6)
    """
    head, rng = _one_class_head(detector), check_random_state(random_state)
    sources = []
    given_groups = {"groups": groups, "other_groups": other_groups}
    for X, name in zip((photographs, other_photographs), given_groups, strict=True):
        scores = np.asarray(detector.score_samples(X))
        given = numbered_groups(given_groups[name], len(scores), name)
        drawn = slice(None) if given is None else one_of_each(given, rng)
        sources.append((scores, given, drawn))
    (first, _, drawn), (other, _, other_drawn) = sources
    offset = head.offset_
    return SourceShift(
        head.target_fpr,
        len(head.calibration_scores_),
        *(_false_alarms(scores < offset, given, rows, head) for scores, given, rows in sources),
        auc_estimate(
            np.concatenate([first, other]),
            np.repeat([True, False], [len(first), len(other)]),
            groups=_over_both(*(given for _, given, _ in sources), len(first), len(other)),
        ),
        float(ks_2samp(first[drawn], other[other_drawn]).pvalue),
    )


def recalibrate(detector, photographs, *, groups=None):
    """A detector with the same encoder and density, whose promise is for these photographs.

    Parameters
    ----------
    detector : BladesOneClass or Pipeline ending in one, fitted
        It stays as it is; the new one shares its encoder and its mixture.
    photographs : array-like
        What ``detector.predict`` takes: photographs of the source to judge, which neither the
        encoder nor the head was trained on. At 5 % it takes 19 of them, at 1 % 99.
    groups : array-like, default=None
        Person of every photograph: one of each person is used, and the promise is for new persons.

    Returns
    -------
    detector of the same type
        Its false-alarm promise is for photographs exchangeable with these, no longer for the
        source it was calibrated on before. What it catches may be less: a source that looks more
        AI-generated gets a lower threshold.

    Raises
    ------
    TypeError
        If the detector does not end in a `BladesOneClass`.

    Warns
    -----
    SmallSampleWarning
        If the photographs are too few for ``target_fpr``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_blades import BladesOneClass
    >>> rng = np.random.default_rng(0)
    >>> head = BladesOneClass(random_state=0).fit(rng.normal(size=(1000, 4)))
    >>> elsewhere, fresh = 2 * rng.normal(size=(2, 500, 4))
    >>> renewed = recalibrate(head, elsewhere)
    >>> [f"{np.mean(one.predict(fresh) == -1):.0%}" for one in (head, renewed)]
    ['64%', '7%']
    """
    _one_class_head(detector)
    if isinstance(detector, FrozenEstimator):
        return FrozenEstimator(recalibrate(detector.estimator, photographs, groups=groups))
    if isinstance(detector, Pipeline):
        features = detector[:-1].transform(photographs) if len(detector) > 1 else photographs
        name, head = detector.steps[-1]
        renewed = copy(detector)
        renewed.steps = [*detector.steps[:-1], (name, recalibrate(head, features, groups=groups))]
        return renewed
    return copy(detector).recalibrate(photographs, groups=groups)


def _one_class_head(detector):
    head = detector
    while isinstance(head, FrozenEstimator | Pipeline):
        head = head.estimator if isinstance(head, FrozenEstimator) else head.steps[-1][1]
    # By what it can do: heads live above this room, and those that promise share these names.
    if not (hasattr(head, "target_fpr") and hasattr(type(head), "recalibrate")):
        raise TypeError(
            f"The detector ends in {type(head).__name__}, which promises no false-alarm rate; "
            "pass a fitted BladesOneClass or a pipeline that ends in one."
        )
    return head


def _false_alarms(flagged, groups, drawn, head):
    """Rate of one source; ``drawn`` are the rows that the tests may take for independent."""
    n, n_flagged = len(flagged), int(flagged.sum())
    if groups is None:
        rate = Estimate(n_flagged / n, *exact_interval(n_flagged, n))
    else:
        rate = rate_estimate(flagged, groups=groups)
    hits, trials = int(flagged[drawn].sum()), len(flagged[drawn])
    n_calibration = len(head.calibration_scores_)
    k = int(np.searchsorted(head.calibration_scores_, head.offset_, side="right"))
    p_above = binomtest(hits, trials, head.target_fpr, alternative="greater").pvalue
    p_exchangeable = betabinom.sf(hits - 1, trials, k, n_calibration + 1 - k) if k else 1.0
    n_groups = None if groups is None else len(np.unique(groups))
    return SourceRate(n, n_groups, n_flagged, rate, float(p_above), float(p_exchangeable))


def _over_both(groups, other_groups, n, n_other):
    """Persons of both sources numbered in one; None where neither source's are known."""
    if groups is None and other_groups is None:
        return None
    _, first = np.unique(np.arange(n) if groups is None else groups, return_inverse=True)
    _, other = np.unique(
        np.arange(n_other) if other_groups is None else other_groups, return_inverse=True
    )
    return np.concatenate([first, other + first.max() + 1])


def _plain(fields):
    return {k: v._asdict() if isinstance(v, Estimate) else v for k, v in fields}


def _percent(rate):
    return f"{rate.value:.1%} [{rate.low:.1%}, {rate.high:.1%}]"
