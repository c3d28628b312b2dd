"""The report of `robustness_curve`: rows, tables and a picture."""

from dataclasses import dataclass, field
from typing import Any

from ..statistics.intervals import Estimate
from ..table import Table

CLEAN = "none"
MEASURES = {
    "auc": "AUC",
    "change": "change of AUC",
    "false_alarms": "photographs flagged",
    "detected": "generated faces flagged",
}


@dataclass(frozen=True)
class Measured:
    """A detector under one degradation.

    Attributes
    ----------
    degradation : str
        ``"none"`` for the pictures as they are.
    severity : object
        As it was named.
    auc : Estimate
        Area under the ROC curve, photographs above generated faces.
    change : Estimate
        Of the area, against the same pictures undegraded; below 0 = worse.
    false_alarms : Estimate
        Share of the photographs flagged at the detector's own threshold.
    detected : Estimate
        Share of the generated faces flagged at the same threshold.
    lost_photographs, lost_generated : int
        Pictures without a score, because the locator no longer found the face; the figures are
        of the others.
    """

    degradation: str
    severity: object
    auc: Estimate
    change: Estimate
    false_alarms: Estimate
    detected: Estimate
    lost_photographs: int
    lost_generated: int


@dataclass(frozen=True)
class RobustnessReport(Table):
    """What `robustness_curve` measured.

    Attributes
    ----------
    rows : tuple of Measured
        The pictures as they are first.
    n_photographs, n_generated : int
    target_fpr : float or None
        The false-alarm rate that the detector promised.
    scores : dict of (degradation, severity) to ndarray of shape (n,)
        Higher = more photographic; NaN where the face was lost.

    See Also
    --------
    robustness_curve : Makes it.
    RobustnessDisplay : Draws it.
    """

    rows: tuple
    n_photographs: int
    n_generated: int
    target_fpr: float | None
    scores: dict = field(repr=False)

    _index = ("degradation", "severity")
    _titles = {
        "auc": "AUC",
        "change": "change",
        "false_alarms": "false alarms",
        "detected": "detected",
        "lost_photographs": "photographs lost",
        "lost_generated": "generated faces lost",
    }

    def _records(self):
        return [vars(row) for row in self.rows]

    def _facts(self):
        return {
            "n_photographs": self.n_photographs,
            "n_generated": self.n_generated,
            "target_fpr": self.target_fpr,
        }

    def __str__(self):
        promise = "" if self.target_fpr is None else f"; promised false alarms {self.target_fpr:g}"
        return (
            f"Robustness on {self.n_photographs} photographs and {self.n_generated} generated "
            f"faces, both degraded alike{promise}\n\n{self.to_markdown()}"
        )

    def plot(self, measure: str = "auc", *, ax: Any = None) -> Any:
        """Draw a measure against severity.

        Parameters
        ----------
        measure : {"auc", "change", "false_alarms", "detected"}
        ax : matplotlib Axes, optional

        Returns
        -------
        RobustnessDisplay
        """
        from .display import RobustnessDisplay

        return RobustnessDisplay(self).plot(measure, ax=ax)
