"""Tables of what is known of photographs beside their files: EXIF of a sidecar, face boxes."""

import os
import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

from ..ground.warn import warn
from .exif import CATEGORICAL_TAGS, NUMERIC_TAGS, normalise_exif
from .faces import Face, as_face


def exif_table(exif: Any) -> dict[str, dict[str, Any]]:
    """EXIF by real path, in the form of `normalise_exif`.

    Parameters
    ----------
    exif : mapping {path: {tag: value}}, DataFrame indexed by path, or None

    Raises
    ------
    TypeError
        For what is no such table.
    ValueError
        Where it has rows, and no column of the tags.

    Warns
    -----
    UserWarning
        Where it has the tags, and no value that can be used.
    """
    rows = _by_real_path(exif, "exif")
    facts = {path: normalise_exif(row) for path, row in rows.items()}
    if facts and not any(facts.values()):
        known = (*NUMERIC_TAGS, *CATEGORICAL_TAGS)
        given = ((tag, row[tag]) for row in rows.values() for tag in known if tag in row)
        tag, value = next(given, (None, None))
        if tag is None:
            raise ValueError(
                f"exif= holds none of the tags; its columns must be among {', '.join(known)}."
            )
        warn(
            f"exif= has {len(rows)} rows, and no value in them can be used: {tag} is "
            f"{reprlib.repr(value)}, say."
        )
    return facts


def face_table(faces: Any) -> dict[str, Face]:
    """Faces by real path.

    Parameters
    ----------
    faces : mapping {path: Face or (left, top, right, bottom)}, or None

    Raises
    ------
    TypeError, ValueError
        For what is no such table, and for a box that is none, by its path.
    """
    return {path: _face(path, face) for path, face in _by_real_path(faces, "faces").items()}


def _face(path, face):
    try:
        return as_face(face)
    except (TypeError, ValueError) as error:
        raise type(error)(f"faces= of {path}: {error}") from error


def warn_if_strangers(name: str, table: Mapping[str, Any], paths: Iterable[str]) -> None:
    """Say so where a table has rows, and none of them is of these photographs.

    Parameters
    ----------
    name : str
        The parameter that it was given as.
    table : mapping
        By real path.
    paths : iterable of str
    """
    first = None
    for path in paths:
        first = first or path
        if os.path.realpath(path) in table:
            return
    if table and first:
        warn(
            f"{name}= has {len(table)} rows, and none is of a photograph that was asked for: its "
            f"first key is of {next(iter(table))}, the first photograph is "
            f"{os.path.realpath(first)}. Key it by the paths of the photographs, as they are given."
        )


def _by_real_path(table, name):
    """``table`` as a dict keyed by real path; {} for None."""
    if table is None:
        return {}
    if hasattr(table, "to_dict") and hasattr(table, "columns"):
        table = table.to_dict("index")
    if not isinstance(table, Mapping):
        raise TypeError(f"{name}= must be a mapping keyed by path, not {type(table).__name__}.")
    try:
        return {os.path.realpath(key): value for key, value in table.items()}
    except TypeError:
        raise TypeError(
            f"{name}= must be keyed by path; for a DataFrame, set_index('path') first."
        ) from None
