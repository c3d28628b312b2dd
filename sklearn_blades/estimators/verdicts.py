"""What a detector says of each photograph, as a table that keeps every row."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import NoFaceError, PhotoError, SmallFaceError
from ..evaluation.judge import unwrapped
from ..evaluation.table import Table
from ..heads.verdicts import Verdict, named
from .changed import changed


@dataclass(frozen=True)
class Verdicts(Table):
    """Verdicts in the order of the photographs; print it, or take ``to_frame()``.

    Attributes
    ----------
    rows : tuple of Verdict
    target_fpr : float or None
        The promised share of photographs that are flagged.
    """

    rows: tuple[Verdict, ...]
    target_fpr: float | None = None

    _index = ("path",)
    _titles = {
        "score": "score",
        "p_value": "p-value",
        "verdict": "verdict",
        "error": "error",
    }

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, row):
        return self.rows[row]

    def _records(self):
        return [asdict(row) for row in self.rows]

    def _facts(self):
        return {"target_fpr": self.target_fpr}

    def _note(self):
        flagged = sum(row.verdict == "flagged" for row in self.rows)
        unjudged = sum(bool(row.error) for row in self.rows)
        words = f"{flagged} of {len(self.rows)} flagged"
        if unjudged:
            words += f", {unjudged} could not be judged"
        if self.target_fpr is None:
            return f"{words}. No rate of false alarms is promised."
        return (
            f"{words}. Of photographs like those that calibrated, {100 * self.target_fpr:.3g} % "
            "are flagged at most, on average."
        )


def verdicts_of(photos: Any, scores: Any, p_values: Any, flagged: Any, encoder: Any) -> list:
    """A `Verdict` for every photograph; those without a score are asked once more, for the reason.

    Parameters
    ----------
    photos : sequence
    scores, p_values : ndarrays of shape (n_photos,), NaN where there are none
    flagged : ndarray of shape (n_photos,), bool
    encoder : estimator that gave NaN features
    """
    rows = []
    for number, photo in enumerate(photos):
        path = named(photo, number)
        if np.isfinite(scores[number]):
            verdict = "flagged" if flagged[number] else "not flagged"
            rows.append(Verdict(path, float(scores[number]), float(p_values[number]), verdict))
        else:
            rows.append(Verdict(path, np.nan, np.nan, *_reason(photo, encoder)))
    return rows


def _reason(photo, encoder):
    """Verdict and error of a photograph that has no features."""
    encoder = unwrapped(encoder)
    try:
        changed(encoder, lambda known: {"on_error": "raise"}).transform([photo])
    except (NoFaceError, SmallFaceError) as error:
        return "no face", error.problem
    except PhotoError as error:
        return "unreadable", error.problem
    return "unreadable", f"{type(encoder).__name__} gave no features."
