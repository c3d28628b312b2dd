"""How a detector does on photographs against each generator's faces: a row a generator."""

from .display import GeneratorDisplay
from .evaluate import evaluate_by_generator
from .measure import report_by_generator
from .report import GeneratorReport

__all__ = ["GeneratorDisplay", "GeneratorReport", "evaluate_by_generator", "report_by_generator"]


def __dir__():
    return __all__
