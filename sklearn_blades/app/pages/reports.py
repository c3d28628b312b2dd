"""Reports of `sklearn_blades.evaluation` as tables of a page."""

from collections.abc import Mapping
from typing import Any

from ...evaluation.table import Table

_SHORT = {"GeneratorReport": ("n_photographs", "n_generated", "auc", "tpr", "fpr")}
_NOTES = {
    "GeneratorReport": "AUC: how often a photograph scores above a generated face. TPR: share of "
    "the generated faces that are flagged; FPR: of the photographs, false alarms. In brackets: "
    "95 % intervals. Average: the plain mean over generators."
}
"""Of a report with more columns than a page is wide: those shown, and what they mean."""
_LOST = "lost_photographs", "lost_generated"  # shown where any were


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
        it), ``verdict`` and ``note`` (str, empty where there is none).

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
    kind, records = type(report).__name__, report._records()
    columns = [
        column
        for column in _SHORT.get(kind, report._titles)
        if column not in _LOST or any(record[column] for record in records)
    ]
    rows = [
        [
            " ".join(str(record[part]) for part in report._index),
            *(_cell(report, column, record[column]) for column in columns),
        ]
        for record in records
    ]
    verdict = getattr(report, "verdict", "")
    note = _NOTES.get(kind, report._note())
    head = [" ".join(report._index), *(report._titles[column] for column in columns)]
    return {
        "title": str(title),
        "head": head,
        "rows": rows,
        "verdict": verdict,
        "note": "" if note == verdict else note,
    }


def _cell(report, column, value):
    """As in the report's own table, but text as it is: only markdown's needs escapes."""
    return value if isinstance(value, str) else report._shown(column, value, True)
