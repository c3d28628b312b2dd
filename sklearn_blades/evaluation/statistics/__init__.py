"""Numbers with their intervals, and p-values of many files at once."""

from ...heads.conformal import benjamini_hochberg
from .intervals import Estimate

__all__ = ["Estimate", "benjamini_hochberg"]


def __dir__():
    return __all__
