"""Reports of `sklearn_blades.evaluation` as tables of a page."""

from collections.abc import Mapping
from typing import Any

from ...evaluation.table import Table

_SHORT = {"GeneratorReport": ("n_photographs", "n_generated", "auc", "tpr", "fpr")}
"""Columns of reports that have more than a page is wide."""


def tables(report: Any, name: str) -> list[dict[str, Any]]:
    """A report, or several by name, as tables.

    Parameters
    ----------
    report : Table, mapping of str to Table, or None
    name : str
        By which the error names it.

    Returns
    -------
    list of dict
        ``title`` (str), ``head`` (list of str), ``rows`` (lists of str, the first of each names
        it), ``note`` (str).

    Raises
    ------
    TypeError
        For anything else.
    """
    if report is None:
        return []
    named = report if isinstance(report, Mapping) else {"": report}
    wrong = [value for value in named.values() if not isinstance(value, Table)]
    if wrong:
        raise TypeError(
            f"{name}= takes a report of sklearn_blades.evaluation, or a dict of such reports by "
            f"name, not {type(wrong[0]).__name__}."
        )
    return [_table(title, one) for title, one in named.items()]


def _table(title, report):
    columns = _SHORT.get(type(report).__name__, tuple(report._titles))
    rows = [
        [
            " ".join(str(record[part]) for part in report._index),
            *(_cell(report, column, record[column]) for column in columns),
        ]
        for record in report._records()
    ]
    note = getattr(report, "verdict", "") or report._note()
    head = [" ".join(report._index), *(report._titles[column] for column in columns)]
    return {"title": str(title), "head": head, "rows": rows, "note": note}


def _cell(report, column, value):
    """As in the report's own table, but text as it is: only markdown's needs escapes."""
    return value if isinstance(value, str) else report._shown(column, value, True)
