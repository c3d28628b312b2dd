"""What `evaluate_by_generator` found: a table to read, to keep and to draw."""

import json
from dataclasses import dataclass

from ..labels import AVERAGE
from ..statistics.intervals import Estimate
from .figures import FIGURES

LEGEND = (
    "Positive = AI-generated; flagged = taken for AI-generated. TNR, FPR: shares of the "
    "photographs that are not flagged, and that are (false alarms). TPR, FNR: shares of the "
    "AI-generated faces that are flagged (caught), and that are missed. F-score: of flagging. AUC "
    "and balanced accuracy do not depend on how many rows each side has; both APs, accuracy and "
    "F-score do. In brackets: 95 % intervals. Average: the plain mean over generators."
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
class GeneratorReport:
    """A detector's figures, one row a generator.

    Attributes
    ----------
    rows : tuple of GeneratorRow
        In the order in which the generators first appear.
    average : GeneratorRow
        Every figure's plain mean over ``rows``: generators count alike, whatever their size.
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

    def to_dict(self):
        """Lists, dicts, strings and numbers only; `from_dict` reads it."""
        return {"rows": [_plain(row) for row in self.rows], AVERAGE: _plain(self.average)}

    @classmethod
    def from_dict(cls, table):
        """The report that gave this `to_dict`."""
        return cls(tuple(_row(entry) for entry in table["rows"]), _row(table[AVERAGE]))

    def to_json(self):
        """`to_dict` as text; `from_json` reads it."""
        return json.dumps(self.to_dict(), indent=1)

    @classmethod
    def from_json(cls, text):
        """The report that gave this `to_json`."""
        return cls.from_dict(json.loads(text))

    def to_frame(self):
        """A DataFrame indexed by generator, the average last; needs pandas.

        Columns are ``n_photographs``, ``n_generated`` and for each figure its value, ``auc``
        say, and the interval, ``auc_low`` and ``auc_high``; all figures in [0, 1].
        """
        import pandas as pd

        rows = [_flat(row) for row in (*self.rows, self.average)]
        return pd.DataFrame(rows).set_index("generator")

    def to_markdown(self, names=tuple(FIGURES), *, intervals=True, legend=True):
        """A markdown table in percent.

        Parameters
        ----------
        names : iterable of str
            Figures to show; the names of `GeneratorRow`, ``"auc"`` or ``"fpr"`` say.
        intervals, legend : bool, default=True
            Show the intervals, and below the table what its columns mean.

        Returns
        -------
        str
        """
        names = [check_figure(name) for name in names]
        titles = [f"{FIGURES[name]} (%)" for name in names]
        lines = [
            ["generator", "photographs", "AI-generated", *titles],
            ["---", *["---:"] * (len(names) + 2)],
        ]
        for row in (*self.rows, self.average):
            title = row.generator.replace("|", "\\|").replace("\n", " ")
            shown = [_percent(getattr(row, name), intervals) for name in names]
            lines.append([title, str(row.n_photographs), str(row.n_generated), *shown])
        table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        return f"{table}\n\n{LEGEND}" if legend else table

    def plot(self, ax=None, *, name="auc"):
        """Draw one figure of all generators; returns the `GeneratorDisplay`."""
        from .display import GeneratorDisplay

        return GeneratorDisplay(self).plot(ax, name=name)

    def __str__(self):
        return self.to_markdown()

    def _repr_markdown_(self):
        return self.to_markdown()


def check_figure(name):
    """The name, if there is such a figure."""
    if name not in FIGURES:
        raise ValueError(f"There is no figure {name!r}; choose from {', '.join(FIGURES)}.")
    return name


def _plain(row):
    """A row as a dict of plain values; estimates as [value, low, high]."""
    return {
        key: list(value) if isinstance(value, Estimate) else value
        for key, value in vars(row).items()
    }


def _row(entry):
    return GeneratorRow(
        **{key: Estimate(*value) if key in FIGURES else value for key, value in entry.items()}
    )


def _flat(row):
    flat = {}
    for key, value in vars(row).items():
        flat |= value.columns(key) if isinstance(value, Estimate) else {key: value}
    return flat


def _percent(estimate, interval):
    value, low, high = (100 * figure for figure in estimate)
    return f"{value:.1f} [{low:.1f}, {high:.1f}]" if interval else f"{value:.1f}"
