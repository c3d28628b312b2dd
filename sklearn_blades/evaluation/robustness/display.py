"""A picture of `robustness_curve`: a measure against the severity of each degradation."""

from typing import Any

import numpy as np

from ..displays.drawing import GREY, THRESHOLD, new_axes, plainly, style
from .report import MEASURES


class RobustnessDisplay:
    """A measure against the severity of each degradation, with 95 % intervals.

    Parameters
    ----------
    report : RobustnessReport

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    lines_ : list of matplotlib ErrorbarContainer
        One per degradation, in the report's order.

    See Also
    --------
    robustness_curve : Makes the report.
    """

    def __init__(self, report: Any) -> None:
        self.report = report

    def plot(self, measure: str = "auc", *, ax: Any = None) -> "RobustnessDisplay":
        """Draw; severities stand in the order in which they were given, mild ones first.

        Parameters
        ----------
        measure : {"auc", "change", "false_alarms", "detected"}
        ax : matplotlib Axes, optional

        Returns
        -------
        self
        """
        if measure not in MEASURES:
            raise ValueError(f"measure={measure!r}; use one of {', '.join(MEASURES)}.")
        ax = new_axes(ax, size=(8, 4))
        clean, *rows = self.report.rows
        self.ax_, self.figure_, self.lines_ = ax, ax.figure, []
        places = {id(row): place for place, row in enumerate(rows)}
        for index, name in enumerate(dict.fromkeys(row.degradation for row in rows)):
            part = [row for row in rows if row.degradation == name]
            estimates = [getattr(row, measure) for row in part]
            value, low, high = np.array([(e.value, e.low, e.high) for e in estimates]).T
            x = [places[id(row)] for row in part]
            # An interval may leave its figure outside, by rounding or resampling; no bar can.
            whiskers = np.maximum([value - low, high - value], 0)
            self.lines_.append(
                ax.errorbar(
                    x, value, whiskers, marker="o", capsize=3, label=plainly(name), **style(index)
                )
            )
        ax.axhline(getattr(clean, measure).value, color=GREY, label="undegraded")
        if measure == "false_alarms" and self.report.target_fpr is not None:
            ax.axhline(self.report.target_fpr, **THRESHOLD, label="promised")
        ax.set_xticks(range(len(rows)), [str(row.severity) for row in rows], rotation=60)
        ax.set(xlabel="severity", ylabel=f"{MEASURES[measure]} (95 % interval)")
        # Above the axes: inside them it would lie on some interval.
        ax.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1), ncols=5, fontsize="small", frameon=False
        )
        return self
