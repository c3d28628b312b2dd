"""Any fitted detector as what a scan needs of it: an encoder that leaves no row out, and a head."""

import math
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SmallSampleWarning
from ..estimators.answers import AnswersMixin, features_of, taken_apart
from ..estimators.changed import changed
from ..estimators.embedding import crop_how
from ..estimators.encoder import BladesEncoder
from ..evaluation.judge import head_of, promise_of
from ..heads.verdicts import Verdict
from ..persistence import load
from ..persistence.digests import digest_of_parts
from .rows import quantiles
from .versions import LIBRARIES


class Asked(AnswersMixin):
    """The answers of a detector whose encoder gives NaN for what it cannot use.

    Parameters
    ----------
    encoder : fitted transformer of photographs
    head : fitted estimator of its features
    """

    def __init__(self, encoder: Any, head: Any):
        self.encoder_, self.head_ = encoder, head

    libraries = LIBRARIES

    def _embedded(self, X):
        return features_of(self.encoder_, X)

    @property
    def n_jobs(self) -> int | None:
        """Threads that read and decode; None where the encoder has no say."""
        return getattr(self.encoder_, "n_jobs", None)

    @property
    def has_p_values(self) -> bool:
        """Whether the head gives p-values."""
        return hasattr(self.head_, "p_values")

    @property
    def name(self) -> str:
        """What judges, in a word."""
        return type(self.head_).__name__

    def rows(self, records: Sequence[Any]) -> Sequence[Verdict]:
        """A verdict for every photograph."""
        return self.verdicts(records).rows

    def facts(self) -> dict[str, Any]:
        """What a scan's header says of its detector, as plain JSON."""
        return facts_of(self)

    @property
    def crop(self) -> dict[str, Any]:
        """How the encoder cuts faces, locator and all; {} where it does not say."""
        if not isinstance(self.encoder_, BladesEncoder):
            known = self.encoder_.get_params(deep=False)
            return {name: known[name] for name in ("face_locator",) if name in known}
        return crop_how(self.encoder_, self.encoder_.crop_defaults_)

    @property
    def calibration_scores(self) -> np.ndarray | None:
        """Sorted; None for heads that hold no photographs out."""
        return getattr(head_of(self), "calibration_scores_", None)

    @property
    def offset(self) -> float | None:
        """The threshold on the scores; None where there is none."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SmallSampleWarning)  # predict says it
            offset = getattr(head_of(self), "offset_", None)
        return None if offset is None else float(np.ravel(offset)[0])

    @property
    def map_limit(self) -> float | None:
        """The end of the one scale of a detector's maps: how far photographs usually pass.

        Median calibration score less the threshold; None where there is none, or no distance.
        """
        known, offset = self.calibration_scores, self.offset
        if known is None or offset is None or not math.isfinite(offset):
            return None
        return float(np.median(known) - offset) or None


class _Behind:
    """A head behind further transformers, with all its methods."""

    def __init__(self, middle, head):
        self.middle, self.head = middle, head

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(self.head, name)
        if name in ("predict", "score_samples", "decision_function", "p_values"):
            return lambda X: found(self.middle.transform(X))
        return found


def asked(detector: Any, n_jobs: int | None = None) -> Asked:
    """Take a detector apart; it stays as it is.

    Parameters
    ----------
    detector : fitted detector, pipeline or search, or the path of a ``.blades`` file
    n_jobs : int, default=None
        Threads; None leaves the encoder's own.

    Raises
    ------
    TypeError
        If it is no detector of photographs.
    """
    if isinstance(detector, str | os.PathLike):
        detector = load(Path(detector))
    encoder, middle, head = taken_apart(detector)
    return Asked(_lenient(encoder, n_jobs), head if middle is None else _Behind(middle, head))


def _lenient(encoder, n_jobs):
    """A copy of an encoder that keeps the rows of photographs that it cannot use."""
    wanted = {"on_error": "nan"} | ({} if n_jobs is None else {"n_jobs": n_jobs})
    return changed(encoder, lambda known: wanted)


def for_workers(detector: Asked) -> Asked:
    """A copy for processes that each see a file once: what they saw of it goes to no disk."""
    encoder = changed(
        detector.encoder_, lambda known: {} if known.get("memory") else {"disk_size": 0}
    )
    return Asked(encoder, detector.head_)


def facts_of(detector: Asked) -> dict[str, Any]:
    """What a scan's header says of its detector, as plain JSON."""
    known = detector.calibration_scores
    offset = detector.offset
    head = head_of(detector)
    return {
        "digest": digest_of(detector),
        "encoder": type(detector.encoder_).__name__,
        "architecture": getattr(detector.encoder_, "architecture", None),
        "head": type(head).__name__,
        "target_fpr": promise_of(detector),
        "confidence": getattr(head, "confidence", None),
        "offset": offset if offset is not None and math.isfinite(offset) else None,
        "n_calibration": 0 if known is None else len(known),
        "calibration_scores": [] if known is None else quantiles(known),
    }


def digest_of(detector: Asked) -> str:
    """A fingerprint of all that decides what a detector says of a file."""
    middle, head = [], detector.head_
    while isinstance(head, _Behind):
        middle.append(head.middle)
        head = head.head
    return digest_of_parts(detector.encoder_, detector.crop, middle, head)
