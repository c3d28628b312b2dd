"""Who is asked: a detector or its file, and for an ONNX file neither torch nor scikit-learn."""

from __future__ import annotations

import os
from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

from ..heads.verdicts import Verdict
from ..portable import OnnxDetector
from ..portable.sealed import is_exported
from .rows import quantiles

if TYPE_CHECKING:
    from .parts import Asked


def asked(detector: Any, n_jobs: int | None = None) -> Asked | AskedFile:
    """A detector as a scan asks it; it stays as it is.

    Parameters
    ----------
    detector : fitted detector, pipeline or search, OnnxDetector, or the path of a file of either
    n_jobs : int, default=None
        Threads; None leaves the detector's own.

    Raises
    ------
    TypeError
        If it is no detector of photographs.
    """
    if isinstance(detector, str | os.PathLike) and is_exported(detector):
        detector = OnnxDetector(detector)
    if isinstance(detector, OnnxDetector):
        return AskedFile(detector, n_jobs)
    from .parts import asked as taken_apart  # with torch and scikit-learn

    return taken_apart(detector, n_jobs)


class AskedFile:
    """What a scan asks of an `OnnxDetector`, under the names of `Asked`.

    Parameters
    ----------
    detector : OnnxDetector
    n_jobs : int, optional
    """

    libraries = ("sklearn-blades", "onnxruntime", "numpy", "pillow")
    """On which scores may depend."""

    def __init__(self, detector: OnnxDetector, n_jobs: int | None = None):
        self.detector = copy(detector) if n_jobs is not None else detector
        if n_jobs is not None:
            self.detector.n_jobs = n_jobs

    @property
    def n_jobs(self) -> int | None:
        """Threads that read and decode."""
        return self.detector.n_jobs

    @property
    def crop(self) -> dict[str, Any]:
        """How faces are cut, locator and all."""
        return self.detector.crop

    @property
    def has_p_values(self) -> bool:
        """Whether there are p-values: an exported detector promises a rate."""
        return True

    @property
    def name(self) -> str:
        """What judges, in a word."""
        return type(self.detector).__name__

    def rows(self, records: Sequence[Any]) -> Sequence[Verdict]:
        """A verdict for every photograph."""
        return self.detector.verdicts(records)

    def facts(self) -> dict[str, Any]:
        """What a scan's header says of its detector, as plain JSON."""
        detector, known = self.detector, self.detector.facts_
        scores = detector.calibration_scores_
        return {
            "digest": detector.digest_,
            "encoder": known["encoder"],
            "architecture": known["architecture"],
            "head": known["head"],
            "target_fpr": detector.target_fpr,
            "confidence": detector.confidence,
            "offset": known["offset"],
            "n_calibration": len(scores),
            "calibration_scores": quantiles(scores),
            "exported": {"digest": known["digest"], "versions": known["versions"]},
        }


def check_whole_detector(ask: Asked | AskedFile, option: str) -> None:
    """Refuse an ONNX file where its detector itself is needed.

    Raises
    ------
    TypeError
    """
    if isinstance(ask, AskedFile):
        raise TypeError(
            f"{option} needs the detector itself, and {ask.detector.path} holds its verdicts only: "
            "scan with the .blades file that was exported."
        )
