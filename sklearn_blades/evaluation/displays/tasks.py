"""How an encoder weighs its tasks, and how it answers them about a photograph."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .drawing import COLOURS, GREY, label_line_ends, new_axes, plainly, style

_WIDE = 5  # largest weight over smallest, beyond which they are drawn on a logarithmic scale
LEVEL = "level"
"""The answer of an ordinal task: from 1 = low to 3 = high. All others are probabilities."""


class TaskWeightsDisplay:
    """Task weights over training; the one thing of docs/method.md, section 5 that can be watched.

    Weights sum to the number of tasks, so that 1 is an equal share; where the largest is many
    times the smallest their axis is logarithmic. It is made by `from_estimator` or
    `from_history`.

    Parameters
    ----------
    weights : dict of str to array-like of shape (n_epochs,)
        By task, at the end of each epoch.

    Attributes
    ----------
    lines_ : dict of str to matplotlib Line2D
    labels_ : list of matplotlib Annotation
        The names at the ends of the lines.
    ax_, figure_ : matplotlib Axes and Figure

    See Also
    --------
    TaskReadingsDisplay : What was learned, in one photograph.
    sklearn_blades.BladesEncoder : Its ``history_`` holds the weights.

    Examples
    --------
    >>> from sklearn_blades.evaluation import TaskWeightsDisplay
    >>> history = [{"weights": {"Make": 1.0, "manipulated": 1.0}},
    ...            {"weights": {"Make": 0.7, "manipulated": 1.3}}]
    >>> display = TaskWeightsDisplay.from_history(history)
    >>> display.lines_["manipulated"].get_ydata().tolist()
    [1.0, 1.3]
    """

    def __init__(self, *, weights: Any) -> None:
        self.weights = weights

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> "TaskWeightsDisplay":
        """Draw the weights that a fitted encoder had.

        Parameters
        ----------
        estimator : BladesEncoder, FrozenEstimator or Pipeline
            Fitted; a pipeline may hold the encoder at any place.
        ax : matplotlib Axes, optional
            By default those of a new figure.

        Returns
        -------
        TaskWeightsDisplay
        """
        return cls.from_history(_with(estimator, "history_").history_, ax=ax)

    @classmethod
    def from_history(
        cls, history: Sequence[Mapping[str, Any]], *, ax: Any = None
    ) -> "TaskWeightsDisplay":
        """Draw the weights in an encoder's ``history_``.

        Parameters
        ----------
        history : list of dict
            Per epoch, with ``"weights"``: a dict of task name to float.
        ax : matplotlib Axes, optional
            By default those of a new figure.

        Returns
        -------
        TaskWeightsDisplay

        Raises
        ------
        ValueError
            If there was no epoch.
        """
        if not history:
            raise ValueError("The history is empty: this encoder was not trained (max_epochs=0).")
        names = history[0]["weights"]
        return cls(weights={n: [row["weights"][n] for row in history] for n in names}).plot(ax)

    def plot(self, ax: Any = None) -> "TaskWeightsDisplay":
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            By default those of a new figure.

        Returns
        -------
        TaskWeightsDisplay
            Itself.
        """
        self.ax_ = ax = new_axes(ax, size=(7.6, 4.6))
        self.figure_ = ax.figure
        self.lines_ = {}
        ax.axhline(1, color=GREY, linewidth=0.8, zorder=0)
        for index, (name, values) in enumerate(self.weights.items()):
            epochs = np.arange(1, len(values) + 1)
            marker = {"marker": "o", "markersize": 3.5}
            (self.lines_[name],) = ax.plot(epochs, values, **style(index), **marker)
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.set(xlabel="epoch", xlim=(0.5, 1.5) if epochs[-1] == 1 else (1, epochs[-1]))
        ax.set(ylabel="task weight (1 = equal share)")
        _set_heights(ax, [value for values in self.weights.values() for value in values])
        ends = [values[-1] for values in self.weights.values()]
        colours = [line.get_color() for line in self.lines_.values()]
        self.labels_ = label_line_ends(
            ax, [plainly(n) for n in self.weights], epochs[-1], ends, colours
        )
        return self


def _set_heights(ax, values):
    """Let weights of different sizes all be seen to move: by a logarithmic scale if need be."""
    low, high = min(*values, 1), max(*values, 1)
    if low > 0 and high / low > _WIDE:
        ax.set_yscale("log")
        ax.set_ylim(low / 1.2, high * 1.2)
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter("")
    else:
        ax.set_ylim(min(low * 1.08, 0), high * 1.08)


class TaskReadingsDisplay:
    """What an encoder sees in one photograph: its own answer to each pretext task.

    Tags as it reads them from the pixels, whatever the file says. They are not calibrated, and
    only as good as `BladesEncoder.score_tasks` says. It is made by `from_estimator` or
    `from_readings`.

    Parameters
    ----------
    readings : dict of str to dict of str to float
        By task: the ``"level"`` of an ordinal task, from 1 = low to 3 = high, or a probability
        for each of the answers.
    max_answers : int, default=3
        The most likely answers shown, for each task.

    Attributes
    ----------
    bars_ : matplotlib BarContainer
        The probabilities, from top to bottom.
    line_ : matplotlib Line2D
        The levels, as points on a scale from low to high.
    ax_, figure_ : matplotlib Axes and Figure

    See Also
    --------
    TaskWeightsDisplay : How much each task counted.
    sklearn_blades.BladesEncoder : Its ``read_tasks`` gives the readings.

    Examples
    --------
    >>> from sklearn_blades.evaluation import TaskReadingsDisplay
    >>> readings = {"FNumber": {"level": 2.5}, "Make": {"canon": 0.2, "nikon": 0.8}}
    >>> display = TaskReadingsDisplay(readings=readings).plot()
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['FNumber', 'Make: nikon', 'Make: canon']
    """

    def __init__(self, *, readings: Any, max_answers: int = 3) -> None:
        self.readings = readings
        self.max_answers = max_answers

    @classmethod
    def from_estimator(
        cls, estimator: Any, photo: Any, *, max_answers: int = 3, ax: Any = None
    ) -> "TaskReadingsDisplay":
        """Ask a fitted encoder about a photograph, and draw.

        Parameters
        ----------
        estimator : BladesEncoder, FrozenEstimator or Pipeline
            Fitted; a pipeline may hold the encoder at any place.
        photo : path, PhotoRecord, PIL image or uint8 array (h, w, 3)
            One only.
        max_answers : int, default=3
        ax : matplotlib Axes, optional
            By default those of a new figure.

        Returns
        -------
        TaskReadingsDisplay
        """
        readings = _with(estimator, "read_tasks").read_tasks([photo])
        return cls.from_readings(readings, max_answers=max_answers, ax=ax)

    @classmethod
    def from_readings(
        cls, readings: Any, *, row: int = 0, max_answers: int = 3, ax: Any = None
    ) -> "TaskReadingsDisplay":
        """Draw one row of what `BladesEncoder.read_tasks` returned.

        Parameters
        ----------
        readings : dict of str to dict of str to array of shape (n,)
        row : int, default=0
            Which photograph.
        max_answers : int, default=3
        ax : matplotlib Axes, optional
            By default those of a new figure.

        Returns
        -------
        TaskReadingsDisplay

        Raises
        ------
        ValueError
            If there are no readings, or those of this row are NaN.
        """
        one = {
            task: {answer: float(values[row]) for answer, values in answers.items()}
            for task, answers in readings.items()
        }
        if not one:
            raise ValueError("There are no readings: none of the encoder's tasks can be read.")
        if np.isnan([value for answers in one.values() for value in answers.values()]).any():
            raise ValueError(f"The readings of row {row} are NaN: its photograph was unusable.")
        return cls(readings=one, max_answers=max_answers).plot(ax)

    def plot(self, ax: Any = None) -> "TaskReadingsDisplay":
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            By default those of a new figure.

        Returns
        -------
        TaskReadingsDisplay
            Itself.
        """
        rows = _rows(self.readings, self.max_answers)
        self.ax_ = ax = new_axes(ax, size=(7.0, 0.9 + 0.27 * len(rows)))
        self.figure_ = ax.figure
        levels = [(x, y) for y, (_, answer, x) in enumerate(rows) if answer == LEVEL]
        shares = [(x, y) for y, (_, answer, x) in enumerate(rows) if answer != LEVEL]
        width, at = zip(*shares, strict=True) if shares else ((), ())
        self.bars_ = ax.barh(at, width, height=0.62, color=COLOURS[0])
        level, at = zip(*levels, strict=True) if levels else ((), ())
        ax.hlines(at, 0, 1, color=GREY, linewidth=1)
        position = (np.array(level) - 1) / 2
        (self.line_,) = ax.plot(position, at, "D", color=COLOURS[3], markersize=7, clip_on=False)
        if levels:
            top = ax.secondary_xaxis("top")
            top.set_xticks([0, 0.5, 1], ["low", "medium", "high"])
            top.set_xlabel("level (diamonds)")
        _name_rows(ax, rows)
        ax.set(xlabel="probability (bars)", xlim=(0, 1), ylim=(len(rows) - 0.4, -0.6))
        return self


def _rows(readings, max_answers):
    """Task, answer and value of every row of the picture, the likeliest answers first."""
    return [
        (task, answer, value)
        for task, answers in readings.items()
        for answer, value in sorted(answers.items(), key=lambda item: -item[1])[:max_answers]
    ]


def _name_rows(ax, rows):
    """Name each row on the left and give its value on the right, with a band per task."""
    tasks = list(dict.fromkeys(task for task, *_ in rows))
    names = []
    for y, (task, answer, value) in enumerate(rows):
        names.append(plainly(task if answer == LEVEL else f"{task}: {answer}"))
        text = f"{value:.1f}" if answer == LEVEL else f"{value:.0%}"
        if tasks.index(task) % 2:
            ax.axhspan(y - 0.5, y + 0.5, color="0.95", linewidth=0, zorder=0)
        ax.text(1.02, y, text, transform=ax.get_yaxis_transform(), va="center", fontsize=9)
    ax.set_yticks(range(len(rows)), names)
    ax.tick_params(axis="y", length=0)


def _with(estimator, name):
    """The estimator, its encoder or the first step of its pipeline, that has such an attribute."""
    steps = [step for _, step in getattr(estimator, "steps", [])]
    for candidate in (estimator, getattr(estimator, "encoder_", None), *steps):
        if hasattr(candidate, name):
            return candidate
    raise TypeError(
        f"{type(estimator).__name__} has no {name}, and no step that has: pass a fitted "
        "BladesEncoder, or a detector that contains one."
    )
