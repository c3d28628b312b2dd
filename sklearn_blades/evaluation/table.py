"""A report's rows, in whatever form somebody needs them: dict, JSON, frame, markdown, LaTeX."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from .statistics.intervals import Estimate


class Table:
    """What all reports can do with their rows; a report says what these are.

    A report has `_records`: of every row a dict of `Estimate`s, numbers and words. The dict form
    is `_facts` and the rows, below a name of the report's own (`_rows_name`).
    """

    _index: ClassVar[tuple[str, ...]]
    """The columns that name a row."""
    _titles: ClassVar[Mapping[str, str]]
    """The columns of the markdown and the LaTeX table beside these, with their titles, in order."""
    _rows_name: ClassVar[str] = "rows"

    def _records(self) -> list[dict[str, Any]]:
        raise NotImplementedError

    def _facts(self) -> dict[str, Any]:
        return {}

    def _note(self) -> str:
        """What stands below the markdown table."""
        return ""

    def to_dict(self) -> dict[str, Any]:
        """Dicts, lists, words and numbers only, ready for ``json.dumps``; NaN becomes None."""
        return plain({**self._facts(), self._rows_name: [flat(row) for row in self._records()]})

    def to_json(self) -> str:
        """`to_dict` as text; None for NaN, which JSON does not know."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False)

    def to_frame(self, columns: Iterable[str] | None = None):
        """A DataFrame, a row a row; needs pandas.

        Parameters
        ----------
        columns : iterable of str, optional
            Columns beside those that name a row, in this order; by default all. The ends of a
            figure's interval are columns of their own, ``auc_low`` and ``auc_high``; they come
            with ``auc``.

        Returns
        -------
        pandas.DataFrame

        Raises
        ------
        ValueError
            If there is no such column.
        """
        import pandas as pd

        records = self._records()
        if columns is not None:
            names = [*self._index, *columns]
            known = dict.fromkeys(name for record in records for name in record)
            for name in names:
                _check(name, known)
            records = [
                {name: record[name] for name in names if name in record} for record in records
            ]
        frame = pd.DataFrame([flat(row) for row in records])
        return frame.set_index(list(self._index) if len(self._index) > 1 else self._index[0])

    def to_markdown(
        self, columns: Iterable[str] | None = None, *, intervals: bool = True, legend: bool = True
    ) -> str:
        """A markdown table.

        Parameters
        ----------
        columns : iterable of str, optional
            Columns to show beside those that name a row; by default all.
        intervals : bool, default=True
            Show the 95 % intervals.
        legend : bool, default=True
            Say below the table what it means.

        Returns
        -------
        str
        """
        titles, words, rows = self._cells(columns, intervals)
        line = ["---" if word else "---:" for word in words]
        lines = [[_escaped(cell) for cell in cells] for cells in (titles, *rows)]
        lines.insert(1, line)
        table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        note = self._note() if legend else ""
        return f"{table}\n\n{note}" if note else table

    def to_latex(
        self,
        columns: Iterable[str] | None = None,
        *,
        intervals: bool = True,
        caption: str | None = None,
        label: str | None = None,
    ) -> str:
        r"""A LaTeX table with the rules of ``booktabs``; names are escaped.

        Parameters
        ----------
        columns : iterable of str, optional
            Columns to show beside those that name a row; by default all.
        intervals : bool, default=True
            Show the 95 % intervals.
        caption, label : str, optional
            With either, a ``table`` around the ``tabular``. The caption is text and is escaped;
            the label is for ``\ref``.

        Returns
        -------
        str
            For a document with ``\usepackage{booktabs}``.
        """
        titles, words, rows = self._cells(columns, intervals)
        head, *body = (
            f"{_protected(' & '.join(map(latex_escaped, cells)))} \\\\" for cells in (titles, *rows)
        )
        form = "".join("l" if word else "r" for word in words)
        tabular = [rf"\begin{{tabular}}{{{form}}}", r"\toprule", head, r"\midrule", *body]
        tabular += [r"\bottomrule", r"\end{tabular}"]
        if caption is None and label is None:
            return "\n".join(tabular)
        lines = [r"\begin{table}", r"\centering"]
        if caption is not None:
            lines.append(rf"\caption{{{latex_escaped(caption)}}}")
        if label is not None:
            lines.append(rf"\label{{{label}}}")
        return "\n".join([*lines, *tabular, r"\end{table}"])

    def _cells(self, columns, intervals):
        """Titles, whether a column holds words, and all rows; words and figures as text."""
        columns = list(self._titles if columns is None else columns)
        for name in columns:
            _check(name, self._titles)
        records = self._records()
        first = records[0] if records else {}
        words = [*[True] * len(self._index), *(isinstance(first.get(c), str) for c in columns)]
        rows = [
            [
                *(str(record[name]) for name in self._index),
                *(self._shown(name, record[name], intervals) for name in columns),
            ]
            for record in records
        ]
        return [*self._index, *(self._titles[name] for name in columns)], words, rows

    def _shown(self, name, value, intervals):
        """A cell of a table, as text."""
        if isinstance(value, Estimate):
            return str(value) if intervals else f"{value.value:.3f}"
        if value is None or (isinstance(value, float) and np.isnan(value)):
            return ""
        return f"{value:.4g}" if isinstance(value, float) else str(value)

    def __str__(self):
        return self.to_markdown()

    def _repr_markdown_(self):
        return str(self)


def flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """A row without `Estimate`s: their ends become columns, ``name_low`` and ``name_high``."""
    row: dict[str, Any] = {}
    for name, value in record.items():
        row |= value.columns(name) if isinstance(value, Estimate) else {name: value}
    return row


def plain(value: Any) -> Any:
    """What JSON knows: dicts, lists, words, numbers; None for NaN, words for all else."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None if np.isnan(value) else str(value)
    return value if isinstance(value, str | int | float | None) else str(value)


def percent(estimate: Estimate, intervals: bool = True) -> str:
    """An estimate of a share, in percent without the sign."""
    value, low, high = (100 * figure for figure in estimate)
    return f"{value:.1f} [{low:.1f}, {high:.1f}]" if intervals else f"{value:.1f}"


def latex_escaped(text: str) -> str:
    """Text in which nothing is a command of LaTeX.

    Examples
    --------
    >>> print(latex_escaped("sd_2.1 & 50 %"))
    sd\\_2.1 \\& 50 \\%
    """
    return "".join(_LATEX.get(character, character) for character in str(text))


_LATEX = {
    **{character: f"\\{character}" for character in "{}$&#_%"},
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",  # in the old font encoding these three are other characters
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\n": " ",
    "\r": " ",
}


def _protected(row):
    """After the end of a line LaTeX takes a bracket or a star for an option of that end."""
    return f"{{}}{row}" if row[:1] in ("[", "*") else row


def _check(name, known):
    if name not in known:
        raise ValueError(f"There is no figure {name!r}; choose from {', '.join(known)}.")


def _escaped(word):
    return str(word).replace("|", "\\|").replace("\n", " ")
