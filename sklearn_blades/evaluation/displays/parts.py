"""Scores in parts: those of photographs and of each generator, and how many are flagged."""

from typing import Any

import numpy as np

from ...ground.types import Column, FloatArray
from ..labels import Labels, checked_scores
from ..statistics.intervals import exact_interval


def scores_by_generator(
    scores: Column,
    y: Column,
    generator: Column | None = None,
    photographic_label: Any = 1,
    *,
    photographs_alone: bool = False,
) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Part scores into those of photographs and of each generator.

    Parameters
    ----------
    scores, y : array-like of shape (n,)
    generator : array-like of shape (n,), optional
        Name of each row's generator.
    photographic_label : label
    photographs_alone : bool
        Whether there may be no AI-generated face.

    Returns
    -------
    photographs : ndarray
    generated : dict of str to ndarray
        In the order in which the names first come; one ``"generated"`` without ``generator``.

    Raises
    ------
    ValueError
        If a score is not finite, or labels and generators cannot be right.
    """
    scores = checked_scores(scores)
    infinite = np.flatnonzero(np.isinf(scores))
    if infinite.size:
        raise ValueError(
            f"{infinite.size} of {len(scores)} scores are infinite (first: row {infinite[0]}) and "
            "cannot be drawn; leave those rows out: keep = np.isfinite(scores)."
        )
    labels = Labels.of(
        len(scores),
        y,
        photographic_label=photographic_label,
        generator=generator,
        photographs_alone=photographs_alone,
    )
    parts = {
        name: scores[labels.sets == number]
        for number, name in enumerate(labels.generators, start=1)
    }
    return scores[labels.photographic], parts


def share_flagged(scores: FloatArray, threshold: float) -> tuple[float, float, float]:
    """Share of scores below a threshold, with the exact 95 % interval.

    Returns
    -------
    tuple of three floats
        Share, lower end, upper end.
    """
    count = int((np.asarray(scores) < threshold).sum())
    return count / len(scores), *exact_interval(count, len(scores))
