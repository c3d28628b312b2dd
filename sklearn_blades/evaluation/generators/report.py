"""What `evaluate_by_generator` found: a table to read, to keep and to draw."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import nan
from typing import Any

from ..labels import AVERAGE
from ..statistics.intervals import Estimate
from ..table import Table, percent, plain
from .figures import FIGURES

LEGEND = (
    "Positive = AI-generated; flagged = taken for AI-generated. TNR, FPR: shares of the "
    "photographs that are not flagged, and that are (false alarms). TPR, FNR: shares of the "
    "AI-generated faces that are flagged (caught), and that are missed. F-score: of flagging. AUC "
    "and balanced accuracy do not depend on how many rows each side has; both APs, accuracy and "
    "F-score do. In brackets: 95 % intervals. Average: the plain mean over generators."
)


PRINTED = ("n_generated", "auc", "tpr", "fpr")
SHORT_LEGEND = (
    "AUC: {n} photographs against this generator's faces. TPR: share of these that are flagged "
    "(caught) at the detector's threshold. FPR: share of the photographs that are flagged (false "
    "alarms). In brackets: 95 % intervals. Average: the plain mean over generators. All figures: "
    "to_frame(), to_markdown()."
)


@dataclass(frozen=True)
class GeneratorRow:
    """All photographs against one generator's faces; "positive" is AI-generated.

    Attributes
    ----------
    generator : str
    n_photographs, n_generated : int
        Rows; in the average row all AI-generated ones.
    auc : Estimate
        Chance that a photograph scores above an AI-generated face.
    ap_photographs, ap_generated : Estimate
        Average precision of finding the photographs from the top of the scores down, and of
        finding the AI-generated faces from the bottom up. Chance is that side's share of rows.
    accuracy, balanced_accuracy : Estimate
        Share of all rows that are judged rightly; mean of ``tnr`` and ``tpr``, which is the
        accuracy on sides of equal size.
    tnr, fpr : Estimate
        Shares of the photographs that are not flagged, and that are: false alarms.
    tpr, fnr : Estimate
        Shares of the AI-generated faces that are flagged, and that are missed.
    f_score : Estimate
        Harmonic mean of ``tpr`` and of the share of AI-generated faces among flagged rows.
    """

    generator: str
    n_photographs: int
    n_generated: int
    auc: Estimate
    ap_photographs: Estimate
    ap_generated: Estimate
    accuracy: Estimate
    balanced_accuracy: Estimate
    tnr: Estimate
    fpr: Estimate
    tpr: Estimate
    fnr: Estimate
    f_score: Estimate


@dataclass(frozen=True)
class GeneratorReport(Table):
    """A detector's figures, one row a generator.

    Attributes
    ----------
    rows : tuple of GeneratorRow
        In the order in which the generators first appear.
    average : GeneratorRow
        Every figure's plain mean over ``rows``: generators count alike, whatever their size.

    See Also
    --------
    evaluate_by_generator, report_by_generator : Make it.
    GeneratorDisplay : Draws it.
    """

    rows: tuple
    average: GeneratorRow

    def __getitem__(self, generator):
        """The row of a generator, or ``"average"``."""
        for row in (*self.rows, self.average):
            if row.generator == generator:
                return row
        known = ", ".join(row.generator for row in self.rows)
        raise KeyError(f"{generator!r}; there are {known} and {AVERAGE!r}")

    _index = ("generator",)
    _titles = {
        "n_photographs": "photographs",
        "n_generated": "AI-generated",
        **{name: f"{title} (%)" for name, title in FIGURES.items()},
    }

    def _records(self):
        return [vars(row) for row in (*self.rows, self.average)]

    def _shown(self, name, value, intervals):
        return percent(value, intervals) if name in FIGURES else str(value)

    def _note(self):
        return LEGEND

    def to_dict(self) -> dict[str, Any]:
        """Lists, dicts, words and numbers only, None for NaN; `from_dict` reads it."""
        rows, average = [_lists(row) for row in self.rows], _lists(self.average)
        return plain({"rows": rows, AVERAGE: average})

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> "GeneratorReport":
        """The report that gave this `to_dict`."""
        return cls(tuple(_row(entry) for entry in table["rows"]), _row(table[AVERAGE]))

    @classmethod
    def from_json(cls, text: str) -> "GeneratorReport":
        """The report that gave this `to_json`."""
        return cls.from_dict(json.loads(text))

    def to_markdown(
        self, columns: Iterable[str] | None = None, *, intervals: bool = True, legend: bool = True
    ) -> str:
        """A markdown table in percent.

        Parameters
        ----------
        columns : iterable of str, optional
            Figures to show; the names of `GeneratorRow`, ``"auc"`` or ``"fpr"`` say. By default
            all.
        intervals, legend : bool, default=True
            Show the intervals, and below the table what its columns mean.

        Returns
        -------
        str
        """
        sizes = ("n_photographs", "n_generated")
        figures = FIGURES if columns is None else [check_figure(name) for name in columns]
        return super().to_markdown((*sizes, *figures), intervals=intervals, legend=legend)

    def __str__(self):
        legend = SHORT_LEGEND.format(n=self.average.n_photographs)
        return f"{super().to_markdown(PRINTED, legend=False)}\n\n{legend}"

    def plot(self, ax: Any = None, *, name: str = "auc") -> Any:
        """Draw one figure of all generators; returns the `GeneratorDisplay`."""
        from .display import GeneratorDisplay

        return GeneratorDisplay(self).plot(ax, name=name)


def check_figure(name):
    """The name, if there is such a figure."""
    if name not in FIGURES:
        raise ValueError(f"There is no figure {name!r}; choose from {', '.join(FIGURES)}.")
    return name


def _lists(row):
    """A row as a dict; estimates as [value, low, high]."""
    return {
        name: list(value) if isinstance(value, Estimate) else value
        for name, value in vars(row).items()
    }


def _row(entry):
    return GeneratorRow(
        **{name: _estimate(value) if name in FIGURES else value for name, value in entry.items()}
    )


def _estimate(value):
    return Estimate(*(nan if figure is None else figure for figure in value))
