"""What the encoder is asked about a face: tasks that own prompts, targets and loss together."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from ..ground.warn import warn
from ..photos.manipulations import MANIPULATIONS, Manipulation
from .face_tasks import Manipulated, ManipulatedRegions
from .tags import CategoricalTag, OrdinalTag, why_not


class View(NamedTuple):
    """What a task may look at to know its answer: never the pixels."""

    exif: Mapping
    manipulation: Manipulation


@runtime_checkable
class PretextTask(Protocol):
    """A question whose answer comes free with a photograph.

    A task may also have ``learn(exifs) -> task or None``: it sees the EXIF of all training
    photographs once and returns itself with what it learned (a class vocabulary), or None when
    they cannot teach it anything. It may have ``reading(logits) -> dict``: what it answers, in
    people's words, from logits (n, len(prompts)); a dict of answer to Tensor (n,). It may have
    ``count(target) -> Tensor of shape ()``: over how many terms its loss is a mean, by default
    over the known entries of the target, and ``chance(target) -> float``, its lowest loss over
    constant logits, where there is a formula. And it may say what it ``reads``, ``"exif"`` or
    ``"manipulation"``: its target is then asked once a photograph, or once a manipulation. And
    ``edits``, a tuple of `Manipulation`: those that views are to be made of for it.

    Attributes
    ----------
    name : str
    prompts : tuple of str
        One sentence per logit column.

    See Also
    --------
    OrdinalTag, CategoricalTag, Manipulated, ManipulatedRegions : Those that there are.
    TaskSet : Several, with their prompts.
    """

    name: str
    prompts: tuple

    def target(self, view: Any) -> Any:
        """Return the truth about a `View`: a number, or a tuple of them; NaN or -1 = unknown."""

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss in [0, 1], a scalar, from logits (n, len(prompts)) and the stacked targets."""


class TaskSet:
    """An ordered set of tasks, and the sole owner of the map from prompts to logit columns.

    Parameters
    ----------
    tasks : iterable of PretextTask

    Attributes
    ----------
    tasks : tuple of PretextTask
    names : tuple of str
    prompts : tuple of str
        Of all tasks, in the order of the logit columns.
    slices : dict of str to slice
        The columns of each task.

    See Also
    --------
    default_tasks : The paper's tasks.
    PretextTask : What one has to offer.
    """

    def __init__(self, tasks: Iterable[Any]) -> None:
        self.tasks = tuple(tasks)
        for task in self.tasks:
            if not isinstance(task, PretextTask):
                raise TypeError(
                    f"{task!r} is no pretext task: it needs name, prompts, target(view) and "
                    "loss(logits, target)."
                )
        self.names = tuple(task.name for task in self.tasks)
        twice = [name for name, count in Counter(self.names).items() if count > 1]
        if twice:
            raise ValueError(f"tasks: {', '.join(twice)} given more than once.")
        self.slices, self.prompts = {}, ()
        for task in self.tasks:
            start = len(self.prompts)
            self.prompts += tuple(task.prompts)
            self.slices[task.name] = slice(start, len(self.prompts))

    @property
    def manipulations(self) -> tuple[Manipulation, ...]:
        """What views are made of: all that any task names; the four of the method if none does.

        Raises
        ------
        ValueError
            Where two tasks mean different manipulations by one name.
        """
        named = [how for task in self.tasks for how in getattr(task, "edits", ())]
        found = {how.name: how for how in named}
        differ = [how.name for how in named if found[how.name] != how]
        if differ:
            raise ValueError(f"tasks: two different manipulations are named {differ[0]!r}.")
        return tuple(found.values()) or MANIPULATIONS

    def __len__(self):
        return len(self.tasks)

    def __iter__(self):
        return iter(self.tasks)

    def __getitem__(self, name):
        """The task of this name."""
        return self.tasks[self.names.index(name)]

    def __repr__(self):
        return f"TaskSet({list(self.tasks)!r})"

    def learn(self, exifs: Sequence[Mapping[str, Any]]) -> "TaskSet":
        """Return the tasks that these photographs can teach, with their vocabularies.

        Parameters
        ----------
        exifs : list of mapping
            EXIF of the photographs that the towers are trained on.

        Warns
        -----
        UserWarning
            Naming the tasks left out, and why: their tag is absent, known to fewer than
            `SUPPORT` photographs, or the same everywhere.
        """
        learned = [getattr(task, "learn", lambda _, task=task: task)(exifs) for task in self.tasks]
        lost = [task for task, kept in zip(self.tasks, learned, strict=True) if kept is None]
        if lost and not any(exifs):
            names = ", ".join(task.name for task in lost)
            warn(
                f"None of the {len(exifs)} photographs has EXIF: training goes on without {names}.",
            )
        elif lost:
            reasons = ", ".join(f"{task.name} ({why_not(task, exifs)})" for task in lost)
            warn(f"Training goes on without {reasons}.")
        return TaskSet(task for task in learned if task is not None)

    def targets(self, view: Any) -> dict[str, Any]:
        """Every task's truth about a view, as a dict of name to number or tuple."""
        return {task.name: task.target(view) for task in self.tasks}

    def counts(self, targets: Mapping[str, Tensor]) -> Tensor:
        """Over how many terms each loss is a mean; 0 = nothing was known. Tensor of shape (K,)."""
        return torch.stack([count_known(task, targets[task.name]) for task in self])

    def losses(self, logits: Tensor, targets: Mapping[str, Tensor]) -> Tensor:
        """Every task's loss, as a tensor of shape (K,).

        Parameters
        ----------
        logits : Tensor of shape (n, len(prompts))
        targets : dict of str to Tensor with n rows
        """
        return torch.stack(
            [task.loss(logits[:, self.slices[task.name]], targets[task.name]) for task in self]
        )


def count_known(task, target):
    """Over how many terms a task's loss is a mean, as a Tensor of shape ()."""
    if hasattr(task, "count"):
        return task.count(target)
    return (~target.isnan() if target.is_floating_point() else target >= 0).sum()


def default_tasks(preset: str = "default") -> list[Any]:
    """Return the tasks of a published detector.

    Parameters
    ----------
    preset : {"default", "zou25"}
        ``"default"``: nine EXIF tags and the two face tasks (docs/method.md, section 2). The
        aperture is read from ``FNumber``, which cameras write more often than its APEX twin
        ``ApertureValue``. ``"zou25"``: the predecessor's four ordinal tags and coarse manipulation.

    See Also
    --------
    TaskSet : What the encoder makes of them.
    sklearn_blades.BladesEncoder : Takes them as ``tasks``.

    Examples
    --------
    >>> [task.name for task in default_tasks("zou25")]
    ['ISOSpeedRatings', 'FNumber', 'ExposureTime', 'FocalLength', 'manipulated']
    """
    ordinal = ("ISOSpeedRatings", "FNumber", "ExposureTime", "FocalLength")
    categorical = ("Make", "MeteringMode", "ExposureMode", "WhiteBalance", "ExposureProgram")
    if preset not in ("default", "zou25"):
        raise ValueError(f"tasks={preset!r}; use 'default', 'zou25' or a list of tasks.")
    tasks = [OrdinalTag(tag) for tag in ordinal]
    if preset == "zou25":
        return [*tasks, Manipulated()]
    return [*tasks, *map(CategoricalTag, categorical), Manipulated(), ManipulatedRegions()]
