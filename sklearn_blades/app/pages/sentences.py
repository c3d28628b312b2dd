"""What was promised, on what it rests and what came out, in sentences."""

import math
from collections.abc import Mapping
from typing import Any

from .text import counted, percent


def headline(counts: Mapping[str, int], n: int, n_left: int = 0) -> str:
    """How many of the files have which verdict, and how many an interrupted scan has left."""
    words = f"{counts['flagged']:,} of {counted(n, 'file')} flagged"
    if counts["unsure"]:
        words += f", {counts['unsure']:,} unsure"
    lost = counts["no face"] + counts["unreadable"]
    words += f", {lost:,} not judged" if lost else ""
    return f"{words}; interrupted, {counted(n_left, 'file')} left" if n_left else words


def promised(facts: Mapping[str, Any]) -> str:
    """The promise in one sentence: how often, about which photographs, resting on how many."""
    rate, n = facts.get("target_fpr"), facts.get("n_calibration")
    if rate is None:
        return "The detector promises no rate of false alarms."
    if _flags_nothing(facts):
        few = "too few photographs" if n is None else f"{counted(n, 'photograph')}, too few"
        return (
            f"Nothing can be flagged: the detector was calibrated on {few} for a rate of false "
            f"alarms of {percent(rate)}. Recalibrate it on more, or raise target_fpr."
        )
    like = "those" if n is None else f"the {n:,}"
    on = f" ({facts['calibrated_on']})" if facts.get("calibrated_on") else ""
    confidence = facts.get("confidence")
    sure = "on average" if confidence is None else f"in {percent(confidence)} of calibrations"
    return (
        f"Of photographs like {like} that calibrated the detector{on}, at most {percent(rate)} "
        f"are flagged by mistake, {sure}; for photographs of another kind nothing is promised."
    )


def promise(facts: Mapping[str, Any], counts: Mapping[str, int]) -> list[str]:
    """The promise, and what it means for so many files."""
    first, rate = promised(facts), facts.get("target_fpr")
    judged = sum(counts[verdict] for verdict in ("flagged", "unsure", "not flagged"))
    if rate is None or _flags_nothing(facts) or not judged:
        return [first]
    return [
        first,
        f"Were all {judged:,} judged files such photographs, about {rate * judged:,.3g} would be "
        "flagged.",
    ]


def _flags_nothing(facts):
    return facts.get("offset") == -math.inf


def discoveries(facts: Mapping[str, Any]) -> str:
    """What is left where the share of photographs among the flagged is bounded."""
    rate, n = facts.get("target_fdr"), facts.get("n_fdr_flagged")
    if rate is None:
        return ""
    warning = str(facts.get("fdr_warning") or "")
    if n is None:
        return warning
    if not n:
        return (
            f"No file stands out so far that at most {percent(rate)} of such files would be "
            f"photographs, on average (Benjamini and Hochberg). {warning}"
        ).strip()
    stand = "stands" if n == 1 else "stand"
    return (
        f"{counted(n, 'file')} {stand} out so far that at most {percent(rate)} of such files are "
        f"photographs, on average (Benjamini and Hochberg). {warning}"
    ).strip()
