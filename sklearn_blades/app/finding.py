"""From files that were looked at to rows: verdicts, then doubts, then reasons."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from ..errors import NoFaceError
from ..photos.faces import Face
from .asking import AskedFile
from .journal import Journal
from .looking import Look, looks
from .rows import Row

if TYPE_CHECKING:  # with torch and scikit-learn, which an ONNX file does without
    from .parts import Asked
    from .reasons import Known

PIECE = 100
"""Files between two steps of the bar, and rows that a kill may cost."""


@dataclass(frozen=True)
class Questions:
    """Who is asked, and what beside the verdicts.

    Attributes
    ----------
    ask : Asked or AskedFile
    unsure : bool
    reasons : list of str
    known : Known or None
        Photographs to compare with.
    """

    ask: Asked | AskedFile
    unsure: bool
    reasons: list[str]
    known: Known | None

    @classmethod
    def of(cls, ask: Asked | AskedFile, settings: dict[str, Any]) -> Self:
        """As the header of a scan says."""
        reference = settings["reference"] if "nearest" in settings["reasons"] else None
        known = None
        if reference is not None and not isinstance(ask, AskedFile):
            from .reasons import known_photographs

            known = known_photographs(ask, reference)
        return cls(ask, settings["unsure"], settings["reasons"], known)


def judge(
    questions: Questions,
    paths: Iterable[str],
    journal: Journal,
    chunk_size: int,
    advance: Callable[[int], None],
) -> None:
    """Rows of all files into the journal, piece by piece; ``advance`` is told of each."""
    ask, unsynced = questions.ask, 0
    piece = min(PIECE, chunk_size)
    for seen in looks(paths, ask.crop.get("face_locator"), n_jobs=ask.n_jobs, piece=piece):
        rows = _rows(questions, seen)
        unsynced += len(rows)
        sync = unsynced >= chunk_size
        journal.append(rows, sync=sync)
        unsynced = 0 if sync else unsynced
        advance(len(rows))


def _rows(questions, seen):
    """A row for each file that was looked at; those with an error are not opened again."""
    ask = questions.ask
    rows = {one.path: _lost(one) for one in seen if one.record is None}
    records = [one.record for one in seen if one.record is not None]
    facts = {one.path: one.facts for one in seen}
    rows |= {
        said.path: Row(**asdict(said), face=_box(record.face), facts=facts[said.path])
        for said, record in zip(_verdicts(ask, records), records, strict=True)
    }
    judged = {record.path: record for record in records if not rows[record.path].error}
    if questions.unsure and judged:
        from .doubts import doubted

        doubts = doubted(ask, [rows[path] for path in judged], list(judged.values()))
        rows |= {row.path: row for row in doubts}
    striking = {
        path: record
        for path, record in judged.items()
        if questions.reasons and rows[path].verdict in ("flagged", "unsure")
    }
    if striking:
        from .reasons import reasoned

        chosen = [rows[path] for path in striking], list(striking.values())
        told = reasoned(ask, *chosen, questions.reasons, questions.known)
        rows |= {row.path: row for row in told}
    return [rows[one.path] for one in seen]


def _lost(one: Look) -> Row:
    verdict = "no face" if isinstance(one.error, NoFaceError) else "unreadable"
    problem = "" if one.error is None else one.error.problem
    return Row(one.path, verdict=verdict, error=problem, facts=one.facts)


def _verdicts(ask, records):
    if not records:
        return []
    with warnings.catch_warnings():  # every such file has a row that says it
        warnings.filterwarnings("ignore", ".* photographs cannot be used; their rows are NaN")
        return ask.rows(records)


def _box(face: Face | None):
    return None if face is None else tuple(float(edge) for edge in face.box)
