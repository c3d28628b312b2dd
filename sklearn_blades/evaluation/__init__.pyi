from .baselines import RadialPowerSpectrum as RadialPowerSpectrum
from .confounds import ConfoundDisplay as ConfoundDisplay
from .confounds import ConfoundReport as ConfoundReport
from .confounds import audit_confounds as audit_confounds
from .displays import EmbeddingDisplay as EmbeddingDisplay
from .displays import RocByGeneratorDisplay as RocByGeneratorDisplay
from .displays import ScoreDisplay as ScoreDisplay
from .displays import TaskReadingsDisplay as TaskReadingsDisplay
from .displays import TaskWeightsDisplay as TaskWeightsDisplay
from .generators import GeneratorDisplay as GeneratorDisplay
from .generators import GeneratorReport as GeneratorReport
from .generators import evaluate_by_generator as evaluate_by_generator
from .generators import report_by_generator as report_by_generator
from .robustness import RobustnessDisplay as RobustnessDisplay
from .robustness import RobustnessReport as RobustnessReport
from .robustness import default_degradations as default_degradations
from .robustness import robustness_curve as robustness_curve
from .sources import recalibrate as recalibrate
from .sources import source_shift as source_shift
from .statistics import benjamini_hochberg as benjamini_hochberg

__all__ = [
    "ConfoundDisplay",
    "ConfoundReport",
    "EmbeddingDisplay",
    "GeneratorDisplay",
    "GeneratorReport",
    "RadialPowerSpectrum",
    "RobustnessDisplay",
    "RobustnessReport",
    "RocByGeneratorDisplay",
    "ScoreDisplay",
    "TaskReadingsDisplay",
    "TaskWeightsDisplay",
    "audit_confounds",
    "benjamini_hochberg",
    "default_degradations",
    "evaluate_by_generator",
    "recalibrate",
    "report_by_generator",
    "robustness_curve",
    "source_shift",
]
