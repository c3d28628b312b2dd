"""From one source of photographs to another: whether the promise holds, and how to renew it."""

from .recalibrate import recalibrate
from .shift import source_shift

__all__ = ["recalibrate", "source_shift"]


def __dir__():
    return __all__
