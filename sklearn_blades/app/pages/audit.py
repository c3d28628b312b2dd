"""Was it the face or the file? What tells flagged files from the others without a look at them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...evaluation.confounds.permutation import p_values_of_cues
from ...evaluation.statistics.intervals import auc_estimate
from ..rows import Row
from .text import counted, number

FEWEST = 10  # files of either side
MOST = 2500  # files of either side that are compared; drawn where there are more
LEVEL = 0.05

_NUMBERS = {
    "pixels": ("Number of pixels", "more pixels", "fewer pixels"),
    "bytes": ("File size", "larger files", "smaller files"),
    "bytes_per_pixel": ("Bytes per pixel", "milder compression", "stronger compression"),
    "aspect": ("Width over height", "wider pictures", "taller pictures"),
}
_CHANCE = "no more different than chance may make it"
_WORDS = {"format": "File format", "exif": "EXIF"}


def audit(rows: Sequence[Row]) -> dict[str, Any]:
    """Compare the files of flagged rows with those of rows that are not flagged.

    Parameters
    ----------
    rows : sequence of Row

    Returns
    -------
    dict
        ``verdict`` (str, in words) and ``cues``: dicts of ``name``, ``flagged`` and ``others``
        (what is typical, as text), ``pairs`` (text: of 100 pairs of a flagged file and another,
        in how many the flagged one has more; 50 = alike; with its 95 % interval), ``p`` (float,
        corrected for the number of cues), ``words`` and ``telling`` (bool).
    """
    rng = np.random.default_rng(0)
    sides = [
        _drawn([row.facts for row in rows if row.verdict == verdict], rng)
        for verdict in ("flagged", "not flagged")
    ]
    if min(map(len, sides)) < FEWEST:
        few = " and ".join(
            f"{len(side)} {name}"
            for side, name in zip(sides, ("flagged", "not flagged"), strict=True)
        )
        return {
            "cues": [],
            "verdict": f"Too few files to compare: {few}, and {FEWEST} of each are needed.",
        }
    flagged = np.repeat([True, False], [len(side) for side in sides])
    values = _values([*sides[0], *sides[1]])
    p_values = p_values_of_cues(values, flagged, np.arange(len(flagged)), seed=0) if values else {}
    cues = [_cue(name, column, flagged, p_values[name]) for name, column in values.items()]
    return {"cues": cues, "verdict": _verdict(cues, sides)}


def _drawn(facts, rng):
    if len(facts) <= MOST:
        return facts
    return [facts[i] for i in np.sort(rng.choice(len(facts), MOST, replace=False))]


def _values(facts):
    """Columns of the cues that differ between any two files."""

    def column(name):
        return np.array([fact.get(name) or np.nan for fact in facts], dtype=float)

    width, height, size = column("width"), column("height"), column("bytes")
    values = {
        "pixels": width * height,
        "bytes": size,
        "bytes_per_pixel": size / (width * height),
        "aspect": width / height,
        "format": np.array([str(fact.get("format") or "unknown") for fact in facts]),
        "exif": np.array(["yes" if fact.get("exif") else "no" for fact in facts]),
    }
    return {name: column for name, column in values.items() if _varies(column)}


def _varies(column):
    known = column[~np.isnan(column)] if column.dtype.kind == "f" else column
    return len(np.unique(known)) > 1


def _cue(name, column, flagged, p):
    telling = p <= LEVEL
    if name in _WORDS:
        sides = [_commonest(column[rows]) for rows in (flagged, ~flagged)]
        words = _in_words(name, column, flagged) if telling else _CHANCE
        return _row(_WORDS[name], *sides, "", p, words)
    known = ~np.isnan(column)
    area = auc_estimate(column[known], flagged[known])
    title, more, fewer = _NUMBERS[name]
    sides = [_typical(name, column[rows & known]) for rows in (flagged, ~flagged)]
    pairs = "{:.0f} ({:.0f} to {:.0f})".format(*(100 * end for end in area))
    if not telling:
        words = _CHANCE
    elif area.low <= 0.5 <= area.high:
        words = "flagged files lie further out, on both sides"
    else:
        words = f"flagged: {more if area.value > 0.5 else fewer}"
    return _row(title, *sides, pairs, p, words)


def _row(title, flagged, others, pairs, p, words):
    return {
        "name": title,
        "flagged": flagged,
        "others": others,
        "pairs": pairs,
        "p": p,
        "words": words,
        "telling": p <= LEVEL,
    }


def _in_words(name, column, flagged):
    """Which word is the most commoner, or rarer, among the flagged."""
    words = np.unique(column)
    gaps = [np.mean(column[flagged] == word) - np.mean(column[~flagged] == word) for word in words]
    if name == "exif":
        return f"flagged: {'more' if gaps[-1] > 0 else 'less'} often with EXIF"
    return f"flagged: more often {words[np.argmax(gaps)]}"


def _commonest(words):
    found = Counter(words.tolist()).most_common(3)
    return ", ".join(f"{word} {100 * n / len(words):.0f} %" for word, n in found)


def _typical(name, values):
    if not len(values):
        return number(None)
    middle = float(np.median(values))
    if name == "pixels":
        return f"{middle / 1e6:.3g} million" if middle >= 1e6 else f"{middle:,.0f}"
    return f"{middle / 1000:,.3g} kB" if name == "bytes" else number(middle, 3)


def _verdict(cues, sides):
    telling = [cue["name"] for cue in cues if cue["telling"]]
    compared = f"{counted(len(sides[0]), 'flagged file')} and {len(sides[1]):,} others compared"
    if telling:
        names = ", ".join(name if name == "EXIF" else name.lower() for name in telling)
        return (
            f"The flagged files differ from the others as files, without a look at the faces: "
            f"{names}. They may come from another place, and be generated or not; or the "
            f"detector may have answered to the form of the files. {compared}."
        )
    return (
        "Nothing found: the flagged files are alike the others in what is compared here, as far "
        f"as so many can tell. {compared}."
    )
