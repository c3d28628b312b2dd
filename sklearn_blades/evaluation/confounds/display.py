"""A picture of `audit_confounds`: what each cue tells of the label, and all together."""

from typing import Any

import numpy as np

from ..displays.drawing import COLOURS, GREY, new_axes
from .verdict import ranked


class ConfoundDisplay:
    """The area of each cue as a dot, its 95 % interval as a line.

    Parameters
    ----------
    report : ConfoundReport

    Attributes
    ----------
    dots_ : matplotlib ErrorbarContainer
        From bottom to top: all together, then the cues, the most telling last.
    ax_, figure_ : matplotlib Axes and Figure

    See Also
    --------
    audit_confounds : Makes the report.
    """

    def __init__(self, report: Any) -> None:
        self.report = report

    def plot(self, ax: Any = None) -> "ConfoundDisplay":
        """Draw, the most telling cue on top and all together at the bottom.

        Parameters
        ----------
        ax : matplotlib Axes, optional

        Returns
        -------
        ConfoundDisplay
            Itself.
        """
        cues = [self.report.together, *ranked(self.report.cues)[::-1]]
        ax = new_axes(ax, size=(6.4, 1.2 + 0.26 * len(cues)))
        auc, low, high = np.array([cue.auc for cue in cues]).T
        places = np.arange(len(cues))
        self.dots_ = ax.errorbar(
            auc, places, xerr=[auc - low, high - auc], fmt="o", color=COLOURS[0], capsize=3
        )
        ax.axhline(0.5, color=GREY, linewidth=0.8)
        ax.axvline(0.5, color=GREY, linewidth=0.8, linestyle="--")  # chance
        ax.set_yticks(places, [cue.name.replace("_", " ") for cue in cues])
        ax.set(
            xlim=(-0.02, 1.02),
            ylim=(-0.6, len(cues) - 0.4),
            xlabel="AUC without looking at a face (95 % interval)",
            title=f"{self.report.n_photographs} photographs, {self.report.n_generated} generated",
        )
        self.ax_, self.figure_ = ax, ax.figure
        return self
