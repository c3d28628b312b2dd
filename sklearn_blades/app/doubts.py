"""Verdicts that would be others with a picture sent on, or with other calibration photographs."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image
from scipy.stats import beta

from ..photos.pixels import harmonised
from ..photos.records import PhotoRecord
from .crops import crops_again, flags_of
from .parts import Asked
from .rows import Row

QUALITY = 85
"""Of the JPEG compression that a verdict should survive."""

LEVEL = 0.8
"""Probability of the interval in which the threshold's own rate lies."""


def _smaller(pixels):
    """A tenth smaller, and back."""
    side = len(pixels)
    small = Image.fromarray(pixels).resize((round(0.9 * side),) * 2, Image.Resampling.BICUBIC)
    return np.array(small.resize((side, side), Image.Resampling.BICUBIC))


def _cropped(pixels):
    """Without the outer 5 % of its side, as large as before."""
    side = len(pixels)
    edge = max(1, round(0.025 * side))
    inner = Image.fromarray(pixels[edge : side - edge, edge : side - edge])
    return np.array(inner.resize((side, side), Image.Resampling.BICUBIC))


VARIANTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    f"compressed once more (JPEG, quality {QUALITY})": lambda p: harmonised(p, QUALITY),
    "scaled down by 10 % and back": _smaller,
    "cropped by 5 %": _cropped,
}
"""What is done to a face as the encoder sees it, by how one says it."""


def doubted(ask: Asked, rows: Sequence[Row], records: Sequence[PhotoRecord]) -> list[Row]:
    """Rows with the verdict "unsure" where there is reason to it.

    A verdict is unsure if one of `VARIANTS` turns it, or if its p-value lies where the
    calibration cannot tell which side of the threshold is right. The threshold is the k-th
    smallest of n calibration scores, so the rate of photographs below it is Beta(k, n + 1 - k):
    p-values from its 10th to its 90th percentile are unsure. The lowest p-value there can be,
    1 / (n + 1), is not: such a score is below all that calibrated, and how far, p does not say.

    Parameters
    ----------
    ask : Asked
    rows, records
        Of judged photographs, in the same order.
    """
    found = enumerate(crops_again(ask, records))
    faces = {number: face for number, face in found if face is not None}
    turned: dict[int, list[str]] = {number: [] for number in range(len(rows))}
    harmonise = ask.crop["harmonise"]
    for name, change in VARIANTS.items():
        if not faces:
            break
        changed = [change(face) for face in faces.values()]
        if harmonise is not None:
            changed = [harmonised(pixels, harmonise) for pixels in changed]
        for number, flag in zip(faces, flags_of(ask, np.stack(changed)), strict=True):
            if flag != (rows[number].verdict == "flagged"):
                turned[number].append(name)
    interval = threshold_interval(ask)
    return [_with_doubts(row, turned[number], interval) for number, row in enumerate(rows)]


def threshold_interval(ask: Asked, level: float = LEVEL) -> tuple[float, float] | None:
    """Between which rates of photographs the threshold lies, with this probability.

    Returns
    -------
    (low, high) or None
        Quantiles of Beta(k, n + 1 - k) for the k-th smallest of n scores; None without either.
    """
    known, offset = ask.calibration_scores, ask.offset
    if known is None or offset is None or not np.isfinite(offset) or not len(known):
        return None
    n = len(known)
    k = int(np.searchsorted(known, offset, side="right"))
    if not k:
        return None
    low, high = beta.ppf([(1 - level) / 2, (1 + level) / 2], k, n + 1 - k)
    lowest = 1 / (n + 1)
    return max(float(low), np.nextafter(lowest, 1)), float(high)


def _with_doubts(row, turned, interval):
    doubts = []
    if turned:
        doubts.append(f"{row.verdict}, but not when {' or when '.join(turned)}")
    if interval is not None and interval[0] <= row.p_value <= interval[1]:
        doubts.append(
            f"{row.verdict} with p = {row.p_value:.3g}, and the threshold may lie anywhere from "
            f"{interval[0]:.2g} to {interval[1]:.2g}: more calibration photographs would narrow it"
        )
    if not doubts:
        return row
    return replace(row, verdict="unsure", reasons={**row.reasons, "unsure": "; ".join(doubts)})
