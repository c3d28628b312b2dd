"""What `audit_confounds` found: figures, words, pairs, a table and a picture."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..table import Table
from .matching import matched_pairs
from .measure import Cue, check_classes, measure_cues
from .verdict import ranked, verdict


@dataclass(frozen=True)
class ConfoundReport(Table):
    """What `audit_confounds` found.

    Attributes
    ----------
    cues : tuple of Cue
        Each cue alone.
    together : Cue
        All cues at once.
    n_photographs, n_generated, n_groups : int
    values : dict of str to ndarray of shape (n,)
        The cues of each file, in the order of ``paths``.
    photographs : ndarray of shape (n,), bool
    groups : ndarray of shape (n,), int
    seed : int

    See Also
    --------
    audit_confounds : Makes it.
    ConfoundDisplay : Draws it.
    """

    cues: tuple
    together: Cue
    n_photographs: int
    n_generated: int
    n_groups: int
    values: dict = field(repr=False)
    photographs: np.ndarray = field(repr=False)
    groups: np.ndarray = field(repr=False)
    seed: int = field(repr=False)

    @classmethod
    def of(
        cls, values: dict[str, Any], photographs: Any, groups: Any, seed: int
    ) -> "ConfoundReport":
        """The report on cues that have been read; see the attributes."""
        check_classes(photographs, groups, True)
        cues, together = measure_cues(values, photographs, groups, seed)
        n_each = int(photographs.sum()), int((~photographs).sum())
        n_groups = len(np.unique(groups))
        return cls(cues, together, *n_each, n_groups, values, photographs, groups, seed)

    @property
    def verdict(self):
        """What the figures mean for a detector, in words."""
        return verdict(ranked(self.cues), self.together.auc)

    def matched(self, *, caliper: float = 0.1) -> Any:
        """Pairs of a photograph and a generated face that the cues cannot tell apart.

        Parameters
        ----------
        caliper : float, default=0.1
            Largest difference in a pair's propensity, in standard deviations of its logit.

        Returns
        -------
        ndarray of int, shape (n_pairs, 2)
            Rows of ``paths``: the photograph, the generated face. ``pairs.ravel()`` are the rows
            to judge a detector on. Empty where no two files match, say because each class has
            its own format: then nothing but `harmonise` or other files will help.
        """
        return matched_pairs(
            self.values, self.photographs, self.groups, caliper=caliper, seed=self.seed
        )

    def audit_pairs(self, pairs: Any) -> "ConfoundReport":
        """The audit again, on pairs alone; both of a pair are on one side of every split.

        Parameters
        ----------
        pairs : ndarray of int, shape (n_pairs, 2)
            From `matched`, or pairs of your own.

        Returns
        -------
        ConfoundReport
            Its rows are ``pairs.ravel()``.
        """
        rows = np.asarray(pairs, dtype=int).ravel()
        check_classes(self.photographs[rows], self.groups[rows], True)
        # A twin left in the training folds would pull its partner to the wrong side, below 0.5.
        joined = _joined(self.groups[rows], np.arange(len(rows)) // 2)
        values = {name: column[rows] for name, column in self.values.items()}
        return ConfoundReport.of(values, self.photographs[rows], joined, self.seed)

    _index = ("cue",)
    _titles = {
        "auc": "AUC",
        "p": "p",
        "higher_in_photographs": "higher in photographs",
        "photographs": "photographs",
        "generated": "generated",
    }
    _rows_name = "cues"

    def _records(self):
        return [_record(cue) for cue in (*ranked(self.cues), self.together)]

    def _facts(self):
        return {
            "n_photographs": self.n_photographs,
            "n_generated": self.n_generated,
            "n_groups": self.n_groups,
            "verdict": self.verdict,
        }

    def __str__(self):
        head = (
            f"Confound audit of {self.n_photographs} photographs and {self.n_generated} generated "
            f"faces ({self.n_groups} groups)"
        )
        return f"{head}\n\n{self.to_markdown()}\n\n{self.verdict}"

    def plot(self, ax: Any = None) -> Any:
        """Draw the areas with their intervals; returns the `ConfoundDisplay`."""
        from .display import ConfoundDisplay

        return ConfoundDisplay(self).plot(ax)


def _record(cue):
    return {
        "cue": cue.name,
        "auc": cue.auc,
        "p": cue.p,
        "higher_in_photographs": cue.higher_in_photographs,
        "photographs": cue.photograph,
        "generated": cue.generated,
    }


def _joined(first, second):
    """Groups of the rows that either numbering ties together."""
    n = len(first)
    _, first = np.unique(first, return_inverse=True)
    ends = np.concatenate([n + first, n + first.max() + 1 + second])
    rows = np.tile(np.arange(n), 2)
    size = int(ends.max()) + 1
    links = coo_array((np.ones(2 * n), (rows, ends)), shape=(size, size))
    return connected_components(links, directed=False)[1][:n]
