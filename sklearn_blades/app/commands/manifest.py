"""A manifest: a CSV file that names pictures and says what they are."""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...ground.types import Column, IntArray


class Table(NamedTuple):
    """Columns of a manifest; ``generator`` and ``groups`` None where they are not there."""

    paths: list[str]
    y: IntArray
    generator: Column | None
    groups: Column | None


def read_manifest(path: Path, photographs: str) -> Table:
    """Read a CSV file with columns ``path``, ``label`` and perhaps ``generator`` and ``group``.

    Parameters
    ----------
    path : Path
        Paths in it are relative to its folder.
    photographs : str
        The label of photographs; all others are of generated faces.

    Returns
    -------
    Table
        ``y`` is 1 for photographs and -1 for others.

    Raises
    ------
    ValueError
        If a column is missing, a row is not whole, or no row is a photograph's.
    """
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        reader = csv.DictReader(file)
        columns = reader.fieldnames or []
        rows = list(reader)
    for name in ("path", "label"):
        if name not in columns:
            raise ValueError(f"{path}: has no column {name!r}, but {', '.join(columns) or 'none'}.")
    for number, row in enumerate(rows, start=2):
        if not row["path"] or not row["label"]:
            raise ValueError(f"{path}, line {number}: has no path or no label.")
    y = np.array([1 if row["label"].strip() == photographs else -1 for row in rows])
    if not (y == 1).any():
        labels = ", ".join(sorted({row["label"] for row in rows})[:5])
        raise ValueError(
            f"{path}: no row has the label {photographs!r} of photographs (labels: {labels}); "
            "name theirs with --photographs."
        )
    generator = np.array(
        [None if label == 1 else row.get("generator") for row, label in zip(rows, y, strict=True)],
        dtype=object,
    )
    return Table(
        [str(path.parent / row["path"]) for row in rows],
        y,
        generator if "generator" in columns else None,
        [row["group"] for row in rows] if "group" in columns else None,
    )
