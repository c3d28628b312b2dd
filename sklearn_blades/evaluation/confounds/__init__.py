"""Files of two classes come in; whether their form alone, without any face, tells them apart."""

from .audit import ConfoundReport, audit_confounds
from .display import ConfoundDisplay

__all__ = ["ConfoundDisplay", "ConfoundReport", "audit_confounds"]
