"""From one source of photographs to another: whether the promise holds, and how to renew it."""

from .transfer import recalibrate, source_shift

__all__ = ["recalibrate", "source_shift"]
