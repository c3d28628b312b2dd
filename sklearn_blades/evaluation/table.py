"""A report's rows, in whatever form somebody needs them: a dict, JSON, a frame, markdown."""

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
    """The columns of the markdown table beside these, with their titles, in order."""
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

    def to_frame(self):
        """A DataFrame, a row a row; needs pandas.

        The ends of a figure's interval are columns of their own, ``auc_low`` and ``auc_high``
        beside ``auc``.
        """
        import pandas as pd

        frame = pd.DataFrame([flat(row) for row in self._records()])
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
        columns = [self._column(name) for name in (self._titles if columns is None else columns)]
        records = self._records()
        words = [isinstance(records[0][name], str) for name in columns] if records else []
        lines = [
            [*self._index, *(self._titles[name] for name in columns)],
            [*["---"] * len(self._index), *("---" if word else "---:" for word in words)],
        ]
        for record in records:
            shown = [self._shown(name, record[name], intervals) for name in columns]
            lines.append([*(_escaped(record[name]) for name in self._index), *shown])
        table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        note = self._note() if legend else ""
        return f"{table}\n\n{note}" if note else table

    def _column(self, name):
        if name not in self._titles:
            raise ValueError(f"There is no figure {name!r}; choose from {', '.join(self._titles)}.")
        return name

    def _shown(self, name, value, intervals):
        """A cell of the markdown table."""
        if isinstance(value, Estimate):
            return str(value) if intervals else f"{value.value:.3f}"
        if value is None or (isinstance(value, float) and np.isnan(value)):
            return ""
        return f"{value:.4g}" if isinstance(value, float) else _escaped(value)

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


def _escaped(word):
    return str(word).replace("|", "\\|").replace("\n", " ")
