"""What a run is to do, said once: plain data without photographs or towers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...ground.ranks import ALONE, Ranks
from ...photos.exif_rows import ExifRows
from ..tasks import TaskSet
from .runs import Run


@dataclass(frozen=True)
class ViewPlan:
    """How photographs become views.

    Parameters
    ----------
    paired : bool, default=True
        Each photograph gives an untouched view and a manipulated one, into the same batch
        (docs/method.md, section 4). Otherwise it gives one view, untouched half of the time.
    resampled : bool, default=True
        All views, the untouched ones too, pass through one interpolation (docs/method.md, section
        7). False only to see what happens when manipulations betray themselves by it.
    augment : bool, default=False
        Process the views as publishers do (`photos.publishing`), those of a pair alike.
    """

    paired: bool = True
    resampled: bool = True
    augment: bool = False


@dataclass(frozen=True)
class BatchPlan:
    """How photographs meet: ``size`` in views; ``exif_fraction`` as in `PhotoBatches`."""

    size: int = 48
    exif_fraction: float = 0.25


@dataclass(frozen=True)
class WeightingPlan:
    """How the task weights are found (docs/method.md, section 5).

    Parameters
    ----------
    weighting : str or mapping of task name to float
        See `TaskWeights`. With fixed weights no photograph is held out and no task is primary.
    primary : str
        The task whose loss on held-out photographs the weights serve.
    primary_share : "auto" or float
        Share of the total weight with which the primary task starts on the simplex.
    outer_fraction : float
        Share of the photographs (of the groups, if given) held out for the weights.
    outer_interval : int
        Learn the weights at every so many steps.
    look_ahead : {"sgd", "adamw"}
        The virtual step: along the gradient, or as AdamW scales it.
    weight_lr : "auto" or float
        Adam's rate on the weights.
    """

    weighting: str | Mapping[str, float] = "bilevel"
    primary: str = "manipulated"
    primary_share: str | float = "auto"
    outer_fraction: float = 0.1
    outer_interval: int = 1
    look_ahead: str = "sgd"
    weight_lr: str | float = "auto"


@dataclass(frozen=True)
class RatePlan:
    """How fast and how long the towers learn.

    Parameters
    ----------
    max_epochs : int
    lr : "auto" or float
        AdamW's rate.
    weight_decay : float
    pretrained : bool
        Whether the towers start from weights, on which what is ``"auto"`` depends.
    """

    max_epochs: int = 20
    lr: str | float = "auto"
    weight_decay: float = 1e-3
    pretrained: bool = False


@dataclass(frozen=True)
class RuntimePlan:
    """Where and how it runs; the result does not depend on it, but for device and precision.

    Parameters
    ----------
    device : str
    precision : {"float32", "bfloat16"}
    n_workers : int
        Processes that make views; 0: this one.
    run : Run, optional
        Saves its checkpoints, and goes on from them where it was cut off.
    callbacks : list
        Of skorch.
    verbose : int or None
        See `~sklearn_blades.pretext.training.progress.watched`.
    ranks : Ranks
        The processes that learn together.
    """

    device: str = "cpu"
    precision: str = "float32"
    n_workers: int = 0
    run: Run | None = None
    callbacks: list = field(default_factory=list)
    verbose: int | None = 0
    ranks: Ranks = ALONE


@dataclass(frozen=True)
class Plan:
    """All that `pretrain` needs to know beside photographs and towers."""

    tasks: TaskSet
    seed: int
    views: ViewPlan = ViewPlan()
    batches: BatchPlan = BatchPlan()
    weighting: WeightingPlan = WeightingPlan()
    rates: RatePlan = RatePlan()
    runtime: RuntimePlan = field(default_factory=RuntimePlan)


@dataclass(frozen=True)
class Photographs:
    """What a run learns from, row by row.

    Parameters
    ----------
    crops : Crops
    exifs : ExifRows
        As `sklearn_blades.photos.read_exif` gives them.
    groups : ndarray of shape (n,)
        A group is on one side of the outer split only.
    """

    crops: Any
    exifs: ExifRows
    groups: Any

    def __len__(self) -> int:
        return len(self.exifs)
