"""What is learned from photographs, and how: losses, tasks, towers, the bi-level step."""

from .bilevel import hypergradient
from .losses import fidelity, focal_fidelity, multilabel_fidelity, ranking_fidelity
from .tasks import (
    CategoricalTag,
    Manipulated,
    ManipulatedRegions,
    OrdinalTag,
    TaskSet,
    default_tasks,
)

__all__ = [
    "CategoricalTag",
    "Manipulated",
    "ManipulatedRegions",
    "OrdinalTag",
    "TaskSet",
    "default_tasks",
    "fidelity",
    "focal_fidelity",
    "hypergradient",
    "multilabel_fidelity",
    "ranking_fidelity",
]
