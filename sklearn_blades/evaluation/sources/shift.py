"""From one source of photographs to another: does the promise hold there?"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import betabinom, binomtest, ks_2samp
from sklearn.utils import check_random_state

from ...ground.groups import one_of_each
from ...ground.types import Column, Features, Photographs, RandomState
from ...heads.conformal import fewest_calibration_scores
from ..judge import judge, promising_head
from ..labels import checked_scores, numbered_groups, warn_if_few
from ..statistics.intervals import Estimate, auc_estimate, exact_interval, rate_estimate
from ..table import Table, percent, plain

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
class SourceShift(Table):
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
        if self.other.p_above < LEVEL and self.photographs.p_above < LEVEL:
            return (
                f"Broken on both sources: {_percent(self.photographs.rate)} of the first and "
                f"{found} of the other are flagged where {promised}. The other source is not to "
                "blame for it: the detector's promise does not hold for new photographs at all. "
                "Calibrate on photographs that neither encoder nor head has seen, and on more."
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

    _index = ("source",)
    _titles = {
        "n": "photographs",
        "n_groups": "persons",
        "flagged": "flagged",
        "rate": "rate (%)",
        "p_above": "p: rate as promised",
        "p_exchangeable": "p: exchangeable",
    }

    def _records(self):
        named = {"photographs": self.photographs, "other photographs": self.other}
        rows = [{"source": name, **vars(row)} for name, row in named.items()]
        # What compares them stands beside the second.
        rows[1] |= {"auc": self.auc, "p_same_scores": self.p_same_scores}
        return rows

    def _shown(self, name, value, intervals):
        if name == "rate":
            return percent(value, intervals)
        return f"{value:.2g}" if name.startswith("p_") else super()._shown(name, value, intervals)

    def _note(self):
        return self.verdict

    def to_dict(self):
        """Dicts, words and numbers only, None for NaN."""
        return plain({**asdict(self, dict_factory=_plain), "verdict": self.verdict})


def source_shift(
    detector: Any,
    photographs: Photographs | Features,
    other_photographs: Photographs | Features,
    *,
    groups: Column | None = None,
    other_groups: Column | None = None,
    random_state: RandomState = 0,
) -> SourceShift:
    """Does the promised false-alarm rate hold on a second source of photographs?

    Parameters
    ----------
    detector : BladesOneClass, or Pipeline, FrozenEstimator or search that ends in one; fitted
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
        source, "Broken on both sources" neither: the promise did not hold to begin with.

    Raises
    ------
    TypeError
        If the detector does not end in a `BladesOneClass`: others promise no rate.

    Warns
    -----
    SmallSampleWarning
        For fewer than 20 photographs, or persons, of a source.

    See Also
    --------
    recalibrate : Renews the promise for the other source.

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
    head, rng = promising_head(detector), check_random_state(random_state)
    sources = []
    given_groups = {"groups": groups, "other_groups": other_groups}
    for X, name in zip((photographs, other_photographs), given_groups, strict=True):
        judged = judge(detector, X)
        scores = checked_scores(judged.scores)
        given = numbered_groups(given_groups[name], len(scores), name)
        drawn = slice(None) if given is None else one_of_each(given, rng)
        sources.append((scores, judged.flags, given, drawn))
    (first, _, groups, drawn), (other, _, other_groups, other_drawn) = sources
    sizes = {"photographs": len(first[drawn]), "other photographs": len(other[other_drawn])}
    grouped = groups is not None or other_groups is not None
    warn_if_few(sizes, grouped)
    rates = [_false_alarms(flags, given, rows, head) for _, flags, given, rows in sources]
    return SourceShift(
        head.target_fpr,
        len(head.calibration_scores_),
        rates[0],
        rates[1],
        auc_estimate(
            np.concatenate([first, other]),
            np.repeat([True, False], [len(first), len(other)]),
            groups=_over_both(groups, other_groups, len(first), len(other)),
        ),
        float(ks_2samp(first[drawn], other[other_drawn]).pvalue),
    )


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
