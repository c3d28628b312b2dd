"""Warnings that name the line of whoever is warned: theirs, not one of ours that they never saw."""

import sys
import warnings
from types import FrameType

# Between a person's line and ours: a Pipeline, a fit's wrapper, a training loop.
_BETWEEN = {"sklearn_blades", "sklearn", "joblib", "skorch", "torch", "contextlib"}


def warn(message: str | Warning, category: type[Warning] = UserWarning) -> None:
    """As `warnings.warn`, of the last line before ours, scikit-learn's and its like.

    >>> with warnings.catch_warnings(record=True, action="always") as said:
    ...     warn("Few photographs.")
    >>> said[0].category
    <class 'UserWarning'>
    """
    frame: FrameType | None = sys._getframe(1)
    level = 2
    while frame is not None and _between(frame):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=2 if frame is None else level)


def _between(frame):
    return frame.f_globals.get("__name__", "").split(".")[0] in _BETWEEN
