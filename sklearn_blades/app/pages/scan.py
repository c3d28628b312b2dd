"""What a page says of a scan: its promise, its counts, and every row as the script reads it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..rows import Row
from ..thumbnails import thumbnails
from .audit import audit
from .drawing import finite_scores, histogram
from .sentences import discoveries, headline, promise
from .text import shortened, significant, visible

MOST_PICTURES = 1000
"""Rows with a thumbnail, of 4 kB each: the most suspicious ones."""
MOST_DETAILED = 5000
"""Rows whose reasons and EXIF are in the page, the most suspicious ones; 1 to 2 kB each."""
_MOST_TAGS, _MOST_TEXT, _MOST_REASONS = 60, 300, 20
FACTS = (
    "versions",
    "detector",
    "target_fpr",
    "confidence",
    "offset",
    "calibration_scores",
    "n_calibration",
    "calibrated_on",
    "where",
    "settings",
    "started",
    "finished",
    "target_fdr",
    "n_fdr_flagged",
    "fdr_warning",
)
MEANING = {
    "flagged": "scores below the threshold",
    "unsure": "could fall on either side",
    "not flagged": "scores like photographs",
    "no face": "no face that can be judged",
    "unreadable": "no picture that can be judged",
}
"""The verdicts of `rows.VERDICTS`, from the most to the least suspicious, and what each means."""


def scan_context(
    facts: Mapping[str, Any], rows: Sequence[Row], pictures: bool, n_jobs: int | None
) -> dict[str, Any]:
    """All that the template of a scan shows."""
    facts = known(facts, rows)
    rows = by_suspicion(rows)
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in MEANING}
    offset = facts.get("offset")
    drawing = histogram(finite_scores(rows), facts["calibration_scores"] or (), offset)
    return {
        "facts": facts,
        "n": len(rows),
        "counts": counts,
        "meaning": MEANING,
        "headline": headline(counts, len(rows), facts["n_left"]),
        "promise": promise(facts, counts),
        "discoveries": discoveries(facts),
        "histogram": drawing,
        "audit": audit(rows),
        "errors": errors(rows),
        "limits": limits(len(rows), pictures),
        "data": {
            "verdicts": list(MEANING),
            "offset": significant(offset, 6),
            "calibration": [significant(s) for s in facts["calibration_scores"] or ()],
            "n_calibration": facts.get("n_calibration"),
            "exact": facts.get("confidence") is None,
            "rows": records(rows, pictures, n_jobs),
        },
    }


def known(facts: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    """Facts by the names of `FACTS`, also those that a scan's own file keeps elsewhere.

    Such a file says ``"digest"`` for ``"detector"``, has ``"target_fdr"`` among the settings and,
    in ``"end"``, when the scan finished and the largest p-value of a discovery. Its ``"offset"``
    is null where nothing can be flagged, since JSON knows no infinity.
    """
    full = {**dict.fromkeys(FACTS), **facts}
    settings, end = dict(full["settings"] or {}), facts.get("end") or {}
    full["detector"] = full["detector"] or facts.get("digest")
    full["finished"] = full["finished"] or end.get("finished")
    in_settings = settings.pop("target_fdr", None)
    full["target_fdr"] = full["target_fdr"] or in_settings
    if full["n_fdr_flagged"] is None and full["target_fdr"] is not None and end:
        cutoff = -math.inf if end.get("cutoff") is None else end["cutoff"]
        full["n_fdr_flagged"] = sum(row.p_value <= cutoff for row in rows)
    if full["target_fpr"] is not None and "offset" in facts and facts["offset"] is None:
        full["offset"] = -math.inf
    interrupted = "end" in facts and not end and "n_files" in facts
    full["n_left"] = facts["n_files"] - len(rows) if interrupted else 0
    parts = {name: facts.get(name) for name in ("encoder", "architecture", "head")}
    every = {**parts, **settings}.items()
    full["settings"] = {name: value for name, value in every if value is not None}
    return full


def by_suspicion(rows: Sequence[Row]) -> list[Row]:
    """The lowest score first; rows without one behind, in their order."""
    judged = [row for row in rows if not math.isnan(row.score)]
    others = [row for row in rows if math.isnan(row.score)]
    return [*sorted(judged, key=lambda row: row.score), *others]


def errors(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Files without a score by their reason, the commonest first, and some of their names."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.error:
            found.setdefault((row.verdict, row.error), []).append(row.path)
    ranked = sorted(found.items(), key=lambda item: -len(item[1]))
    groups = [
        {
            "verdict": verdict,
            "reason": shortened(reason, 2 * _MOST_TEXT),
            "n": len(paths),
            "paths": [shortened(path, _MOST_TEXT) for path in paths[:5]],
        }
        for (verdict, reason), paths in ranked[:_MOST_REASONS]
    ]
    rest = sum(len(paths) for _, paths in ranked[_MOST_REASONS:])
    if rest:
        reason = f"{len(ranked) - _MOST_REASONS} more reasons; the table names each file's"
        groups.append({"verdict": "", "reason": reason, "n": rest, "paths": []})
    return groups


def limits(n: int, pictures: bool) -> str:
    """What the page leaves out to stay small."""
    words = [] if pictures else ["Pictures were left out (thumbnails=False)."]
    if pictures and n > MOST_PICTURES:
        words.append(f"Pictures are shown of the {MOST_PICTURES:,} lowest scores.")
    if n > MOST_DETAILED:
        words.append(f"Reasons and EXIF are shown for the {MOST_DETAILED:,} lowest scores.")
    return " ".join(words)


def records(rows: Sequence[Row], pictures: bool, n_jobs: int | None) -> list[dict[str, Any]]:
    """Rows as the script reads them, without what there is none of."""
    seen = [row for row in rows if row.verdict != "unreadable"][:MOST_PICTURES] if pictures else []
    made = thumbnails([row.path for row in seen], n_jobs=n_jobs)
    drawn = dict(zip(map(id, seen), made, strict=True))
    return [
        _record(row, drawn.get(id(row), ("", "")), place < MOST_DETAILED)
        for place, row in enumerate(rows)
    ]


def _record(row, picture, detailed):
    facts = row.facts
    record = {
        "path": visible(row.path),
        "verdict": list(MEANING).index(row.verdict),
        "score": significant(row.score, 6),
        "p": significant(row.p_value),
        "error": shortened(row.error, 2 * _MOST_TEXT),
        "face": row.face and [significant(side) for side in row.face],
        "format": facts.get("format"),
        "width": facts.get("width"),
        "height": facts.get("height"),
        "bytes": facts.get("bytes"),
        "faces": facts.get("faces"),
        "image": picture[0],
        "no_image": picture[1] and visible(picture[1]),
    }
    if detailed:
        exif = list((facts.get("exif") or {}).items())
        record["exif"] = {shortened(k, 80): shortened(v, _MOST_TEXT) for k, v in exif[:_MOST_TAGS]}
        record["reasons"] = {name: _reason(name, value) for name, value in row.reasons.items()}
    return {name: value for name, value in record.items() if value not in (None, "", {}, [])}


def _reason(name, value):
    """A reason with short numbers; one that this page does not know, as text."""
    if name == "map":
        nats = [[significant(cell, 3) for cell in line] for line in value["nats"]]
        return {"nats": nats, "limit": significant(value["limit"])}
    if name == "nearest":
        return [{"path": visible(n["path"]), "distance": significant(n["distance"])} for n in value]
    if name == "parts":
        return {visible(part): significant(nats) for part, nats in value.items()}
    return significant(value) if name == "usual_distance" else shortened(value, _MOST_TEXT)
