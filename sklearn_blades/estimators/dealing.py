"""Which photographs teach an encoder, and which a head: no person is on both sides."""

import math
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator

from ..errors import SmallSampleWarning
from ..evaluation.judge import promise_of
from ..ground.groups import holdout
from ..ground.types import IntArray
from ..ground.warn import warn
from ..heads.conformal import fewest_calibration_scores
from .contrast import ENOUGH, MOST
from .encoder import BladesEncoder

MOST_TO_HEAD = 0.7
"""Share of the photographs beyond which a promise is not worth an encoder that saw so few."""

MOST_TO_CALIBRATE = 0.5
"""Share of the head's photographs that may calibrate, where the head is the default one."""


def learns(encoder: Any) -> bool:
    """Whether ``fit`` would teach an encoder anything of the photographs it is given."""
    if isinstance(encoder, FrozenEstimator):
        return False
    return encoder.get_params(deep=False).get("max_epochs") != 0


def wants_contrast(
    contrast: bool | str, encoder: Any, head: Any, n_photographs: int, n_units: int, wanted: int
) -> bool:
    """Whether a detector is to learn a contrast with pseudo-fakes.

    Left to itself it does so where there are enough for the contrast, which gets half of them, at
    most `contrast.MOST`, and the other photographs (persons, where they are told apart) still are
    as many as the promise takes.

    Parameters
    ----------
    contrast : bool or "auto"
    encoder, head : estimator, head also None
    n_photographs, n_units : int
        The second are persons, where ``groups`` tell them apart.
    wanted : int
        See `wanted_by`.

    Raises
    ------
    ValueError
        If one is asked for, and the head is not the default one.
    """
    if contrast == "auto":
        settings = encoder.get_params(deep=False)
        untaught = isinstance(encoder, BladesEncoder) and settings["max_epochs"] == 0
        if head is not None or not untaught or n_photographs < 2 * ENOUGH:
            return False
        return (1 - share_of_contrast(n_photographs)) * n_units >= wanted
    if contrast and head is not None:
        raise ValueError(
            "contrast=True is for the default head. For one of your own: "
            "head=BladesHybrid(contrast=make_contrast(encoder, photographs)), of photographs that "
            "fit is not given."
        )
    return bool(contrast)


def share_of_contrast(n_photographs: int) -> float:
    """Share of the photographs that teach a contrast, where no encoder learns from them."""
    return min(0.5, MOST / n_photographs)


def wanted_by(head: Any, target_fpr: float, by_person: bool) -> int:
    """Photographs, or persons, that a head's promise takes; 0 where it promises nothing.

    Parameters
    ----------
    head : estimator or None
        None is the default head, of whose photographs up to half calibrate.
    target_fpr : float
        Of the default head.
    by_person : bool
        Then every head raises its own share for calibration, where the promise takes more.
    """
    if head is None:
        return math.ceil(fewest_calibration_scores(target_fpr) / MOST_TO_CALIBRATE)
    if promise_of(head) is None or not hasattr(head, "calibration_fraction"):
        return 0
    fewest = fewest_calibration_scores(head.target_fpr, getattr(head, "confidence", None))
    share = max(head.calibration_fraction, MOST_TO_CALIBRATE if by_person else 0)
    return math.ceil(round(fewest / share, 6))


def deal(
    photographs: IntArray,
    groups: IntArray | None,
    fraction: float,
    wanted: int,
    random_state: np.random.RandomState,
) -> tuple[IntArray, IntArray]:
    """Rows of photographs for the encoder, and for the head.

    Parameters
    ----------
    photographs : ndarray of int
        Row numbers.
    groups : ndarray of int, one a row, or None
        Persons: each is on one side.
    fraction : float in (0, 1)
        The head's share of the photographs. Where its promise takes more it rises, to at most
        `MOST_TO_HEAD`, and that is said; where that is not enough it stays.
    wanted : int
        Photographs, or persons with ``groups``, that the promise takes.
    random_state : RandomState

    Raises
    ------
    ValueError
        If there are too few to be dealt to both.

    Warns
    -----
    SmallSampleWarning
        If the head's share rises.
    """
    units = len(photographs) if groups is None else len(np.unique(groups[photographs]))
    if units < 4:
        what = "photographs" if groups is None else "persons"
        raise ValueError(
            f"n_samples = {len(photographs)}: {units} {what} cannot be dealt to an encoder and a "
            "head, of which 3 take a head's place at least. Give more, or an encoder that is "
            "fitted: BladesDetector(FrozenEstimator(encoder))."
        )
    n_groups, share = None, max(fraction, 3 / units)
    if share * units < wanted <= MOST_TO_HEAD * units:
        n_groups, share = wanted, wanted / units
        warn(
            f"{wanted} of {units} {'photographs' if groups is None else 'persons'} go to the head, "
            f"more than head_fraction={fraction:g}: so many take a threshold that keeps its "
            "promise. The encoder learns from the others.",
            SmallSampleWarning,
        )
    kept, held = holdout(
        len(photographs),
        share,
        random_state,
        groups=None if groups is None else groups[photographs],
        n_groups=n_groups,
    )
    return photographs[np.sort(kept)], photographs[np.sort(held)]
