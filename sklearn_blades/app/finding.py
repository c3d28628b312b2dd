"""From files that were looked at to rows: verdicts, then doubts, then reasons."""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from ..errors import NoFaceError
from ..ground.cluster import check_sight, chunk_length, cluster_workers, say_again, spread
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
    paths: Sequence[str],
    journal: Journal,
    chunk_size: int,
    advance: Callable[[int], None],
) -> None:
    """Rows of all files into the journal, piece by piece; ``advance`` is told of each.

    Workers of a cluster, where a ``joblib.parallel_config`` names one, are given up to
    ``chunk_size`` files at once. They take them piece by piece as well, so rows are the same.
    """
    unsynced, piece = 0, min(PIECE, chunk_size)
    workers = cluster_workers() if len(paths) > piece else 0
    if workers:
        judged = _judged_there(questions, paths, piece, chunk_size, workers)
    else:
        judged = _judged(questions, paths, piece)
    with closing(judged):
        for rows in judged:
            unsynced += len(rows)
            sync = unsynced >= chunk_size
            journal.append(rows, sync=sync)
            unsynced = 0 if sync else unsynced
            advance(len(rows))


def _judged(questions, paths, piece) -> Generator[list[Row], None, None]:
    """Rows, a piece at a time."""
    ask = questions.ask
    for seen in looks(paths, ask.crop.get("face_locator"), n_jobs=ask.n_jobs, piece=piece):
        yield _rows(questions, seen)


def _judged_there(questions, paths, piece, chunk_size, workers) -> Generator[list[Row], None, None]:
    """The same from workers."""
    length = chunk_length(len(paths), workers, piece, chunk_size)
    sent = _packed(questions, piece, os.getcwd())  # noqa: PTH109
    chunks = (paths[start : start + length] for start in range(0, len(paths), length))
    known: set = set()
    with closing(spread(_pieces, sent, chunks)) as answers:
        try:
            for pieces, said in answers:
                say_again(said, known)
                yield from pieces
        except Exception as error:  # workers that were lost, most of all
            error.add_note("The rows before this are kept: with out= the same call goes on there.")
            raise


def _packed(questions, *beside):
    """What workers are sent: of an ONNX file its path, and then no torch is imported there."""
    if isinstance(questions.ask, AskedFile):
        return pickle.dumps((questions, *beside))
    from ..towers.packing import packed
    from .parts import for_workers

    return packed((replace(questions, ask=for_workers(questions.ask)), *beside))


def _pieces(sent, paths):
    """In a worker: all rows of a chunk."""
    questions, piece, home = sent
    check_sight(paths, home)
    return [*_judged(questions, paths, piece)]


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
