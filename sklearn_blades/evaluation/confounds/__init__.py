"""Files of two classes come in; whether their form alone, without any face, tells them apart."""

from .audit import audit_confounds
from .display import ConfoundDisplay
from .report import ConfoundReport

__all__ = ["ConfoundDisplay", "ConfoundReport", "audit_confounds"]


def __dir__():
    return __all__
