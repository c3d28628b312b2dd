"""A picture of `evaluate_by_generator`: one figure of every generator, with its interval."""

from typing import Any

from ...ground.types import Column, Photographs
from ..displays.drawing import COLOURS, new_axes, plainly, room_for
from ..judge import judge
from .figures import FIGURES
from .measure import report_by_generator
from .report import check_figure


class GeneratorDisplay:
    """One figure of every generator as a dot, its 95 % interval as a line.

    It is made by `from_estimator`, by `from_predictions`, or from a report.

    Parameters
    ----------
    report : GeneratorReport

    Attributes
    ----------
    dots_ : matplotlib ErrorbarContainer
        From bottom to top: the average, then the generators, the last one first.
    ax_, figure_ : matplotlib Axes and Figure

    See Also
    --------
    evaluate_by_generator : Makes the report.
    RocByGeneratorDisplay : Every threshold instead of one.
    """

    def __init__(self, report: Any) -> None:
        self.report = report

    @classmethod
    def from_estimator(
        cls,
        detector: Any,
        paths: Photographs,
        y: Any,
        generator: Any,
        *,
        name: str = "auc",
        ax: Any = None,
        **options: Any,
    ) -> "GeneratorDisplay":
        """Judge a fitted detector, and draw.

        Parameters
        ----------
        detector, paths, y, generator, **options
            As in `evaluate_by_generator`.
        name, ax
            As in `plot`.

        Returns
        -------
        GeneratorDisplay
        """
        judged = judge(detector, paths, options.get("photographic_label", 1))
        scores, flags = judged.scores, judged.flags
        return cls.from_predictions(scores, flags, y, generator, name=name, ax=ax, **options)

    @classmethod
    def from_predictions(
        cls,
        scores: Column,
        flagged: Column,
        y: Any,
        generator: Any,
        *,
        name: str = "auc",
        ax: Any = None,
        **options: Any,
    ) -> "GeneratorDisplay":
        """Draw what scores and verdicts give.

        Parameters
        ----------
        scores, flagged, y, generator, **options
            As in `report_by_generator`: scores are higher for photographs, and ``flagged`` is
            True where a row was taken for AI-generated.
        name, ax
            As in `plot`.

        Returns
        -------
        GeneratorDisplay
        """
        report = report_by_generator(scores, flagged, y, generator, **options)
        return cls(report).plot(ax, name=name)

    def plot(self, ax: Any = None, *, name: str = "auc") -> "GeneratorDisplay":
        """Draw, generators from top to bottom and the average last.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        name : str, default="auc"
            The figure: a name of `GeneratorRow`, such as ``"tpr"``.

        Returns
        -------
        GeneratorDisplay
            Itself.
        """
        check_figure(name)
        rows = [self.report.average, *self.report.rows[::-1]]
        names = [f"{plainly(row.generator)} ({row.n_generated})" for row in rows]
        ax = new_axes(ax, size=(6.4 + room_for(names), 1.3 + 0.32 * len(rows)))
        values, lows, highs = zip(*(getattr(row, name) for row in rows), strict=True)
        # A percentile interval may leave its figure outside; a bar cannot be negative.
        below = [max(value - low, 0) for value, low in zip(values, lows, strict=True)]
        above = [max(high - value, 0) for value, high in zip(values, highs, strict=True)]
        places = range(len(rows))
        self.dots_ = ax.errorbar(
            values, places, xerr=[below, above], fmt="o", color=COLOURS[0], capsize=3
        )
        ax.axhline(0.5, color="0.7", linewidth=0.8)
        if name in ("auc", "balanced_accuracy"):
            ax.axvline(0.5, color="0.7", linewidth=0.8, linestyle="--")  # chance
        ax.set_yticks(list(places), names)
        n = self.report.average.n_photographs
        ax.set(
            xlim=(-0.02, 1.02),
            ylim=(-0.6, len(rows) - 0.4),
            xlabel=f"{FIGURES[name]} (95 % interval)\n{n} photographs against each",
        )
        self.ax_, self.figure_ = ax, ax.figure
        return self
