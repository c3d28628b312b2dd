"""Pictures in the manner of scikit-learn's displays; matplotlib is imported where one is drawn."""

from .embedding import EmbeddingDisplay
from .roc import RocByGeneratorDisplay
from .scores import ScoreDisplay
from .tasks import TaskReadingsDisplay, TaskWeightsDisplay

__all__ = [
    "EmbeddingDisplay",
    "RocByGeneratorDisplay",
    "ScoreDisplay",
    "TaskReadingsDisplay",
    "TaskWeightsDisplay",
]


def __dir__():
    return __all__
