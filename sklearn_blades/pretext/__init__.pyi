from .bilevel import Hypergradient as Hypergradient
from .bilevel import hypergradient as hypergradient
from .face_tasks import Manipulated as Manipulated
from .face_tasks import ManipulatedRegions as ManipulatedRegions
from .face_tasks import WhichManipulation as WhichManipulation
from .losses import fidelity as fidelity
from .losses import focal_fidelity as focal_fidelity
from .losses import multilabel_fidelity as multilabel_fidelity
from .losses import ranking_fidelity as ranking_fidelity
from .tasks import CategoricalTag as CategoricalTag
from .tasks import OrdinalTag as OrdinalTag
from .tasks import PretextTask as PretextTask
from .tasks import TaskSet as TaskSet
from .tasks import default_tasks as default_tasks

__all__ = [
    "CategoricalTag",
    "Hypergradient",
    "Manipulated",
    "ManipulatedRegions",
    "OrdinalTag",
    "PretextTask",
    "TaskSet",
    "WhichManipulation",
    "default_tasks",
    "fidelity",
    "focal_fidelity",
    "hypergradient",
    "multilabel_fidelity",
    "ranking_fidelity",
]
