"""Where the bars, lines and ticks of a drawing stand; the templates draw them.

Across, everything is in percent of the width, so that text keeps its size on any screen; down, in
pixels.
"""

import math
from typing import Any

import numpy as np

from ..rows import Row
from .text import number

BINS = 44
_SPANS_BELOW, _SPANS_ABOVE = 2.0, 1.0  # of the calibration scores, beyond which bars are gathered


def histogram(
    scores: Any,
    calibration: Any,
    offset: float | None,
    *,
    nouns: tuple[str, ...] = ("files", "calibration photographs"),
    height: int = 120,
) -> dict:
    """Scores above a line and calibration scores below it, as shares on one scale.

    Parameters
    ----------
    scores, calibration : array-like of float, finite; either may be empty
    offset : float or None
        The threshold; a bar ends there, so that no bar is half flagged.
    nouns : tuple of str
        What is counted above and, unless it is left out, below.
    height : int
        Pixels of the highest bar.

    Returns
    -------
    dict
        ``bars`` (left, width, up, down in percent and pixels; ``flagged``; ``words``), ``ticks``
        (at, label), ``threshold`` (percent or None), ``offset`` (its text), ``gathered``
        (whether the outermost bars hold what lies further out).
    """
    scores, calibration = np.asarray(scores, float), np.asarray(calibration, float)
    offset = offset if offset is not None and math.isfinite(offset) else None
    both = np.concatenate([scores, calibration, [] if offset is None else [offset]])
    if not both.size:
        return {}
    edges = _edges(both, calibration, offset)
    inside = edges[0], edges[-1] - 1e-9 * (edges[-1] - edges[0])
    counts = [np.histogram(np.clip(part, *inside), edges)[0] for part in (scores, calibration)]
    shares = [count / max(count.sum(), 1) for count in counts]
    scale = height / max(share.max() for share in shares)
    at = 100 * (edges - edges[0]) / (edges[-1] - edges[0])
    bars = [
        {
            "left": round(at[i], 3),
            "width": round(at[i + 1] - at[i], 3),
            "up": round(scale * shares[0][i], 1),
            "down": round(scale * shares[1][i], 1),
            "flagged": offset is not None and edges[i + 1] <= offset + 1e-9 * abs(offset),
            "words": f"{number(edges[i])} to {number(edges[i + 1])}: "
            + ", ".join(f"{n[i]:,} {noun}" for n, noun in zip(counts, nouns, strict=False)),
        }
        for i in range(len(edges) - 1)
        if counts[0][i] or counts[1][i]
    ]

    def place(value):
        return round(100 * (value - edges[0]) / (edges[-1] - edges[0]), 3)

    return {
        "bars": bars,
        "ticks": [{"at": place(t), "label": number(t)} for t in ticks(edges[0], edges[-1])],
        "offset": number(offset),
        "threshold": None if offset is None else place(offset),
        "gathered": bool((both < edges[0]).any() or (both > edges[-1]).any()),
    }


def _edges(both, calibration, offset):
    """Edges of bins, one of them at the threshold; far scores do not stretch the picture."""
    body = calibration if calibration.size > 1 else np.percentile(both, [2, 98])
    span = (body.max() - body.min()) or 1.0
    low = max(both.min(), body.min() - _SPANS_BELOW * span)
    high = min(both.max(), body.max() + _SPANS_ABOVE * span)
    if offset is not None:
        low, high = min(low, offset), max(high, offset)
    width = (high - low) / BINS or 1.0
    start = low if offset is None else offset - math.ceil((offset - low) / width - 1e-9) * width
    count = math.floor((high - start) / width + 1e-9) + 1
    return start + width * np.arange(count + 1)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers between two.

    Examples
    --------
    >>> ticks(-3.2, 11.0)
    [0.0, 5.0, 10.0]
    """
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * part for part in (1, 2, 5, 10) if power * part >= raw)
    return [step * k for k in range(math.ceil(low / step), math.floor(high / step) + 1)]


def finite_scores(rows: list[Row]) -> np.ndarray:
    """The scores there are."""
    scores = np.array([row.score for row in rows], dtype=float)
    return scores[np.isfinite(scores)]
