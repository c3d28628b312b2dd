"""What is left of a detector after pictures were saved again, scaled, blurred or cropped."""

from ...photos.degradations import default_degradations
from .curve import robustness_curve
from .display import RobustnessDisplay
from .report import RobustnessReport

__all__ = ["RobustnessDisplay", "RobustnessReport", "default_degradations", "robustness_curve"]


def __dir__():
    return __all__
