"""Tasks about what was done to a face: whether anything, to which parts, and what."""

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..photos.manipulations import REGIONS, UNTOUCHED, Manipulation
from ..photos.pseudo_fakes import manipulations_of
from .losses import fidelity, multilabel_fidelity


class _OfManipulations:
    """What tasks that are asked about manipulations have in common: which ones they know."""

    reads = "manipulation"
    manipulations: str | tuple

    def __post_init__(self):
        if not isinstance(self.manipulations, str):
            object.__setattr__(self, "manipulations", tuple(self.manipulations))
        manipulations_of(self.manipulations)  # refused now, not in the middle of a fit

    @property
    def edits(self) -> tuple[Manipulation, ...]:
        """The manipulations that it is asked about."""
        return manipulations_of(self.manipulations)

    def _known(self, view):
        """The place of a view's manipulation among its own: 0 = untouched, -1 = none of them."""
        names = [UNTOUCHED.name, *(how.name for how in self.edits)]
        return names.index(view.manipulation.name) if view.manipulation.name in names else -1


@dataclass(frozen=True)
class Manipulated(_OfManipulations):
    """Tell an untouched face (class 0) from a manipulated one (class 1).

    Parameters
    ----------
    manipulations : {"default", "pseudo_fakes", "all", "contrast"} or tuple of str and Manipulation
        What is done to faces: the four of the method, the faults of generators
        (`sklearn_blades.photos.pseudo_fakes`), both, or any of them by name. Training makes views
        of all that its tasks name; of those that a task does not name it is not asked.

    Attributes
    ----------
    name : str
        What ``primary_task`` calls it: ``"pseudo_fakes"`` for those, for a single manipulation
        its own, else ``"manipulated"``. So one encoder may weigh several.

    See Also
    --------
    ManipulatedRegions : Which parts of the face.
    WhichManipulation : By which edit.
    default_tasks : The paper's.

    Examples
    --------
    >>> Manipulated().name, Manipulated("pseudo_fakes").name, Manipulated(("self_blend",)).name
    ('manipulated', 'pseudo_fakes', 'self_blend')
    """

    manipulations: str | tuple = "default"

    @property
    def name(self):
        if self.manipulations == "pseudo_fakes":
            return self.manipulations
        return self.edits[0].name if len(self.edits) == 1 else "manipulated"

    @property
    def prompts(self):
        if self.name == "manipulated":
            return ("a photo of a photographic face", "a photo of a manipulated face")
        words = self.name.replace("_", " ")
        return (f"a photo of a face without {words}", f"a photo of a face with {words}")

    def target(self, view: Any) -> Any:
        return min(self._known(view), 1)

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        return fidelity(logits, target)

    def reading(self, logits: Tensor) -> dict[str, Tensor]:
        """Return the probabilities of an untouched face and of a manipulated one."""
        return dict(zip(("untouched", "manipulated"), logits.softmax(-1).unbind(-1), strict=True))


@dataclass(frozen=True)
class ManipulatedRegions(_OfManipulations):
    """Name the manipulated regions of the face, none, one or several.

    Parameters
    ----------
    regions : tuple of str
    manipulations : {"default", "pseudo_fakes", "all", "contrast"} or tuple of str and Manipulation
        As for `Manipulated`.

    See Also
    --------
    Manipulated : Whether at all.
    default_tasks : The paper's.
    """

    regions: tuple = REGIONS
    manipulations: str | tuple = "default"
    name = "manipulated_regions"

    @property
    def prompts(self):
        return tuple(f"a photo of a face with a manipulated {r} region" for r in self.regions)

    def target(self, view: Any) -> Any:
        if self._known(view) < 0:
            return (math.nan,) * len(self.regions)
        return tuple(float(region in view.manipulation.regions) for region in self.regions)

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        return multilabel_fidelity(logits, target)

    def reading(self, logits: Tensor) -> dict[str, Tensor]:
        """Return each region's probability of being manipulated; they are not exclusive."""
        return dict(zip(self.regions, logits.sigmoid().unbind(-1), strict=True))


@dataclass(frozen=True)
class WhichManipulation(_OfManipulations):
    """Name the manipulation: class 0 is an untouched face, the others stand in the given order.

    Parameters
    ----------
    manipulations : {"default", "pseudo_fakes", "all", "contrast"} or tuple of str and Manipulation
        As for `Manipulated`.

    See Also
    --------
    Manipulated : Whether at all.
    sklearn_blades.photos.pseudo_fakes : The faults of generators among them.
    """

    manipulations: str | tuple = "all"
    name = "which_manipulation"

    @property
    def prompts(self):
        words = [how.name.replace("_", " ") for how in self.edits]
        return ("a photo of an untouched face", *(f"a photo of a face after {w}" for w in words))

    def target(self, view: Any) -> Any:
        return self._known(view)

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        return fidelity(logits, target)

    def reading(self, logits: Tensor) -> dict[str, Tensor]:
        """Return the probability of each manipulation, and of none."""
        names = [UNTOUCHED.name, *(how.name for how in self.edits)]
        return dict(zip(names, logits.softmax(-1).unbind(-1), strict=True))
