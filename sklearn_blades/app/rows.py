"""What is said of one file, in a form that a line of JSON holds."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..ground.types import FloatArray

VERDICTS = ("flagged", "not flagged", "unsure", "no face", "unreadable")

REASONS = ("nearest", "parts", "map")
"""What a score may be said to rest on."""

MOST_QUANTILES = 1000
"""Of the calibration scores that the header of a scan keeps."""


def quantiles(scores: FloatArray) -> list[float]:
    """Sorted scores, or as many of their quantiles as a header keeps."""
    if len(scores) > MOST_QUANTILES:
        scores = np.quantile(scores, np.linspace(0, 1, MOST_QUANTILES))
    return [float(score) for score in scores]


@dataclass(frozen=True)
class Row:
    """What a detector says of one file.

    Attributes
    ----------
    path : str
        As it was named, or found below a folder that was named.
    score : float
        Higher = more photographic; NaN where there is none.
    p_value : float
        Of "this is a photograph like those that calibrated"; low = AI-generated. NaN where there
        is none.
    verdict : str
        One of `VERDICTS`.
    error : str
        Why there is no score; empty where there is one.
    reasons : dict
        What the score rests on, by name: ``"unsure"`` (str, why), ``"nearest"`` (a list of
        ``{"path", "distance"}``), ``"usual_distance"`` (float), ``"parts"`` ({part of the head:
        nats}), ``"map"`` ({"nats": rows of floats, "limit": float}: how much the score falls where
        that part of the face is covered). Each is there only where it was asked for.
    face : tuple of float or None
        Left, top, right and bottom of the face, in fractions of the upright image.
    facts : dict
        Of the file: ``"format"``, ``"width"``, ``"height"``, ``"bytes"``, ``"faces"`` (how many
        were found), ``"exif"`` ({tag: text}).
    """

    path: str
    score: float = math.nan
    p_value: float = math.nan
    verdict: str = "unreadable"
    error: str = ""
    reasons: dict[str, Any] = field(default_factory=dict)
    face: tuple[float, float, float, float] | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON: null for NaN."""
        row = asdict(self)
        for name in ("score", "p_value"):
            row[name] = None if math.isnan(row[name]) else row[name]
        return row

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> "Row":
        """What `to_json` gave, after any number of trips through a file."""
        numbers = {name: math.nan if row[name] is None else row[name] for name in
                   ("score", "p_value")}  # fmt: skip
        face = None if row["face"] is None else tuple(row["face"])
        return cls(**{**row, **numbers, "face": face})
