"""A confound report in words, as rows, as a table and as a picture."""

import numpy as np
from scipy.special import logit
from scipy.stats import norm

from ._cues import CATEGORICAL, NUMERIC

N_CUES = len(NUMERIC) + len(CATEGORICAL)
CLEAR, STRONG = 0.6, 0.75
"""From this area on, the cues together tell the classes apart clearly, or strongly."""


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
        "Confounded", where the interval of all together lies above 0.5, or that of one cue does
        after Bonferroni's correction for their number (few files and many cues: trees that see
        them all may miss what one alone shows). The larger area says how much: weakly, clearly
        (from `CLEAR`) or strongly (from `STRONG`). Else "Cannot tell", with an interval up to
        `STRONG` or more, or "Nothing found".
    """
    telling = ", ".join(cue.name for cue in cues if cue.auc.low > 0.5)
    hint = f" Alone, {telling} may say a little." if telling else ""
    found = [auc] if auc.low > 0.5 else []
    found += [cue.auc for cue in cues if _above_chance(cue.auc, N_CUES)]
    if not found and auc.high >= STRONG:
        return (
            f"Cannot tell: too few files; the cues' AUC together may be up to {auc.high:.3f}.{hint}"
        )
    if not found:
        return (
            "Nothing found: the cues together tell the classes apart no better than chance (AUC "
            f"{auc}).{hint}"
        )
    most = max(found, key=lambda estimate: estimate.value)
    how = "strongly" if most.value >= STRONG else "clearly" if most.value >= CLEAR else "weakly"
    return (
        f"Confounded: without looking at a face, the classes are told apart {how} (AUC {most}). "
        f"Telling alone: {telling or 'none'}. A detector means something only where its own "
        f"interval lies wholly above {most.high:.3f}, or on matched pairs (report.matched()). "
        "Where format, size or compression tell, prepare all files alike before you compare, and "
        "see harmonise= of BladesEncoder."
    )


def _above_chance(estimate, n_cues):
    """Whether an interval widened for ``n_cues`` looks, on the logit scale, lies above 0.5."""
    value, low = np.clip([estimate.value, estimate.low], 1e-9, 1 - 1e-9)
    widened = logit(value) - (logit(value) - logit(low)) * norm.ppf(1 - 0.025 / n_cues) / 1.96
    return widened > 0


def as_row(cue):
    """A `Cue` as a flat dict."""
    return {
        "cue": cue.name,
        "auc": cue.auc.value,
        "low": cue.auc.low,
        "high": cue.auc.high,
        "higher_in_photographs": cue.higher_in_photographs,
        "photographs": cue.photograph,
        "generated": cue.generated,
    }


def without_nan(row):
    """A row with None for NaN, which JSON does not know."""
    return {
        key: None if isinstance(value, float) and np.isnan(value) else value
        for key, value in row.items()
    }


def markdown(rows):
    """A table of the rows that `as_row` makes."""
    lines = [
        "| cue | AUC | 95 % interval | higher in photographs | photographs | generated |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        area = f"{row['auc']:.3f} | {row['low']:.3f} to {row['high']:.3f}"
        rest = " | ".join(_short(row[k]) for k in list(row)[4:])
        lines.append(f"| {row['cue']} | {area} | {rest} |")
    return "\n".join(lines)


def _short(value):
    return value if isinstance(value, str) else "" if np.isnan(value) else f"{value:.4g}"


def draw(cues, ax=None):
    """Points and whiskers, the first cue on top; returns the matplotlib axes."""
    import matplotlib.pyplot as plt

    ax = plt.subplots(figsize=(6, 4), layout="constrained")[1] if ax is None else ax
    auc, low, high = np.array([(c.auc.value, c.auc.low, c.auc.high) for c in cues]).T
    places = np.arange(len(cues))[::-1]
    ax.errorbar(auc, places, xerr=[auc - low, high - auc], fmt="o", capsize=3)
    ax.axvline(0.5, color="0.6", linestyle="--")
    ax.set_yticks(places, [cue.name for cue in cues])
    ax.set(xlabel="AUC without looking at a face (95 % interval)", xlim=(0, 1.02))
    return ax
