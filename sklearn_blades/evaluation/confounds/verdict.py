"""A confound report in words."""

import numpy as np
from scipy.special import logit
from scipy.stats import norm

from ..statistics.intervals import Estimate

CLEAR, STRONG = 0.6, 0.75
"""From this area on, the cues together tell the classes apart clearly, or strongly."""
LEVEL = 0.05
"""At most this share of sets without any confound is called confounded: half of it by the
permutation test of the cues alone, half by the trees that see all of them."""

_TAIL = 0.025  # of an `Estimate`, on either side
# Nadeau and Bengio (2003): the five folds' trees share most of their files, and chance that one
# fold holds is learned and found again in the others; the variance of their mean is not
# 1/5 of a fold's, but 1/5 + 1/4.
_FOLDS_SHARE = np.sqrt((1 / 5 + 1 / 4) / (1 / 5))


def ranked(cues):
    """The most telling cue first."""
    return sorted(cues, key=lambda cue: -cue.auc.value)


def verdict(cues, auc):
    """What the figures mean for a detector.

    Parameters
    ----------
    cues : list of Cue
    auc : Estimate
        Of all cues together.

    Returns
    -------
    str
        "Confounded", where one cue tells more than chance by the permutation test
        (`p_values_of_cues`) at half of `LEVEL`, or the area of all together is above 0.5 by a test
        at the other half. The larger area says how much: weakly, clearly (from `CLEAR`) or strongly
        (from `STRONG`). Else "Cannot tell", where an interval excludes 0.5 or reaches `STRONG`, or
        "Nothing found".
    """
    proven = [cue for cue in cues if cue.p <= LEVEL / 2]
    telling = ", ".join(cue.name for cue in cues if cue in proven or cue.auc.low > 0.5)
    hint = f" Alone, {telling} may say a little." if telling else ""
    found = [auc] if above_chance(auc, LEVEL / 2) else []
    found += [_larger(cue) for cue in proven]
    if not found and not auc.high < STRONG:  # or NaN: no fold held both classes
        upper = 1.0 if np.isnan(auc.high) else auc.high
        return f"Cannot tell: too few files; the cues' AUC together may be up to {upper:.3f}.{hint}"
    if not found and any(not one.low <= 0.5 <= one.high for one in (auc, *(c.auc for c in cues))):
        return (
            f"Cannot tell: an interval excludes 0.5, as one of {len(cues) + 1} may by chance (all "
            f"together: AUC {auc}).{hint} Audit more files."
        )
    if not found:
        return (
            "Nothing found: the cues together tell the classes apart no better than chance may "
            f"(AUC {auc})."
        )
    most = max(found, key=lambda estimate: estimate.value)
    how = "strongly" if most.value >= STRONG else "clearly" if most.value >= CLEAR else "weakly"
    pairs = "on matched pairs (report.matched())"
    beyond = f"where its own interval lies wholly above {most.high:.3f}, or {pairs}"
    return (
        f"Confounded: without looking at a face, the classes are told apart {how} (AUC {most}). "
        f"Telling alone: {telling or 'none'}. A detector means something only "
        f"{beyond if most.high < 0.9995 else pairs}. "
        "Where format, size or compression tell, prepare all files alike before you compare, and "
        "see harmonise= of BladesEncoder."
    )


def _larger(cue):
    """The area of a proven cue: that of the trees or, without an interval, that of its ranks."""
    ranks = max(cue.higher_in_photographs, 1 - cue.higher_in_photographs)
    if np.isnan(ranks) or ranks <= cue.auc.value:
        return cue.auc
    return Estimate(ranks, cue.auc.low, max(ranks, cue.auc.high))


def above_chance(estimate, level):
    """Whether an area of 5 folds lies above 0.5, by a one-sided test at ``level``.

    Parameters
    ----------
    estimate : Estimate
        Of `auc_estimate`: its interval takes the fitted trees as they are.
    level : float
        Chance of True where there is nothing to find.
    """
    value, low, high = estimate
    if not (value > 0.5 and low < high):  # as of a cue that does not vary
        return False
    if value == 1:  # the bound is exact there: _TAIL ** (1 / n)
        return low ** (np.log(level) / np.log(_TAIL)) > 0.5
    deviation = (logit(value) - logit(low)) / norm.isf(_TAIL) * _FOLDS_SHARE
    return logit(value) > norm.isf(level) * deviation
