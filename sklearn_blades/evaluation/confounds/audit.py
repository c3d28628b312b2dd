"""The confound audit: can the files' own form, without any face, tell the classes apart?"""

import os
from dataclasses import dataclass, field

import numpy as np
from joblib import Parallel, delayed
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.utils import check_random_state

from ...photos.records import photo_list
from ..labels import numbered_groups, photographic_rows
from ..statistics.intervals import Estimate, auc_estimate
from .cues import CATEGORICAL, NUMERIC, read_cues
from .matching import matched_pairs
from .trees import out_of_fold
from .verdict import as_row, markdown, ranked, verdict, without_nan


@dataclass(frozen=True)
class Cue:
    """What one cue, or all together, tell of the label.

    Attributes
    ----------
    name : str
    auc : Estimate
        Area under the ROC curve of a classifier that sees this cue alone, on files it was not
        fitted on; 0.5 = nothing. Below 0.5 is chance.
    higher_in_photographs : float
        How often a photograph has the higher value than a generated face, ties counting a half:
        the direction, 0 to 1. NaN for words.
    photograph, generated : float or str
        The median, or the commonest word, of each class.
    """

    name: str
    auc: Estimate
    higher_in_photographs: float = np.nan
    photograph: float | str = ""
    generated: float | str = ""


@dataclass(frozen=True)
class ConfoundReport:
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

    @property
    def verdict(self):
        """What the figures mean for a detector, in words."""
        return verdict(ranked(self.cues), self.together.auc)

    def matched(self, *, caliper=0.1):
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

    def audit_pairs(self, pairs):
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
        _check_classes(self.photographs[rows], self.groups[rows], True)
        # A twin left in the training folds would pull its partner to the wrong side, below 0.5.
        joined = _joined(self.groups[rows], np.arange(len(rows)) // 2)
        values = {name: column[rows] for name, column in self.values.items()}
        return _audit(values, self.photographs[rows], joined, self.seed)

    def to_dict(self):
        """The figures as plain data, ready for ``json.dumps``; NaN becomes None."""
        return {
            "n_photographs": self.n_photographs,
            "n_generated": self.n_generated,
            "n_groups": self.n_groups,
            "verdict": self.verdict,
            "cues": [without_nan(row) for row in self._rows()],
        }

    def to_frame(self):
        """A pandas DataFrame with one row per cue, the most telling first, all together last."""
        import pandas as pd

        return pd.DataFrame(self._rows()).set_index("cue")

    def to_markdown(self):
        """A table of the same rows."""
        return markdown(self._rows())

    def __str__(self):
        head = (
            f"Confound audit of {self.n_photographs} photographs and {self.n_generated} generated "
            f"faces ({self.n_groups} groups)"
        )
        return f"{head}\n\n{self.to_markdown()}\n\n{self.verdict}"

    def plot(self, ax=None):
        """Draw the areas with their intervals; returns the `ConfoundDisplay`."""
        from .display import ConfoundDisplay

        return ConfoundDisplay(self).plot(ax)

    def _rows(self):
        return [as_row(cue) for cue in (*ranked(self.cues), self.together)]


def audit_confounds(paths, y, *, groups=None, photographic_label=1, random_state=None, n_jobs=None):
    """Ask whether file size, format, compression, light or sharpness alone predict the label.

    A detector that scores no better than this may have learned nothing about faces. Every cue is
    given alone, and all are given together, to gradient-boosted trees (scikit-learn's
    `HistGradientBoostingClassifier`), which are judged on files they were not fitted on (5
    stratified folds). The trees find the direction themselves, and bands such as "both very small
    and very large files": no figure is folded to above 0.5, which would make chance look like a
    finding. Files are compared only within a fold, since pooling folds pulls chance below 0.5.

    Parameters
    ----------
    paths : list, array or Series of paths, or of PhotoRecord
        The original files of both classes, as the detector would be given them: not crops that
        you have made of them since.
    y : array-like of shape (n,)
        Labels; all that are not ``photographic_label`` are AI-generated.
    groups : array-like of shape (n,), optional
        Person or source of each file: one is on one side only of every split, and counts once in
        the intervals.
    photographic_label : default=1
    random_state : int, RandomState or None
        Deals the folds.
    n_jobs : int, optional
        Threads that read files.

    Returns
    -------
    ConfoundReport
        ``print(report)``; ``report.verdict`` in words: confounded, weakly, clearly (AUC of at
        least 0.6) or strongly (0.75), where all cues together or one of them tell more than
        chance. Where there is nothing to find (and five groups of each class or more) that is
        said in at most 5 of 100 audits.

    Raises
    ------
    PhotoError
        For a file that cannot be decoded.
    ValueError
        If a class has fewer than 10 files or fewer than 2 groups, or a label or group is missing.
    TypeError
        For pictures that are no files.

    Notes
    -----
    The interval (DeLong's, clustered by group) is of the files judged, the fitted trees taken as
    they are. Over new files *and* new trees an area of 5 folds varies more (Nadeau and Bengio,
    2003), and where there is nothing to find an audit of 13 cues still names about one of them as
    telling alone. The verdict corrects for both: half of its 5 % is for all cues together, half
    is shared among the cues that vary.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_blades.datasets import make_photos
    >>> from sklearn_blades.evaluation import audit_confounds
    >>> folder = tempfile.mkdtemp()
    >>> photographs = make_photos(10, folder, random_state=0)
    >>> fakes = make_photos(10, folder, generated="noiseless", random_state=1)
    >>> report = audit_confounds(photographs + fakes, [1] * 10 + [0] * 10, random_state=0)
    >>> [cue.photograph for cue in report.cues if cue.name == "has_exif"]
    ['yes']
    """
    photos = [getattr(photo, "path", photo) for photo in photo_list(paths)]
    if not all(isinstance(photo, str | os.PathLike) for photo in photos):
        raise TypeError("The audit reads files: pass paths or PhotoRecords, not decoded pictures.")
    photographs = photographic_rows(y, len(photos), photographic_label)
    groups = np.arange(len(photos)) if groups is None else groups
    groups = numbered_groups(groups, len(photos))
    _check_classes(photographs, groups, photographic_label)
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    rows = Parallel(n_jobs=n_jobs, prefer="threads")(delayed(read_cues)(path) for path in photos)
    values = {name: np.array([row[name] for row in rows]) for name in (*NUMERIC, *CATEGORICAL)}
    return _audit(values, photographs, groups, seed)


def _check_classes(photographs, groups, label):
    for rows, name in ((photographs, "photographs"), (~photographs, "generated faces")):
        if rows.sum() < 10 or len(np.unique(groups[rows])) < 2:
            raise ValueError(
                f"{rows.sum()} {name} in {len(np.unique(groups[rows]))} groups (photographs are "
                f"the rows with y == {label!r}): an audit needs at least 10 files of each class, "
                "of at least 2 groups; some 100 for an interval narrow enough to say something."
            )


def _audit(values, photographs, groups, seed):
    """The report of cues that have been read."""
    _check_classes(photographs, groups, True)

    def judged(names):
        part = {name: values[name] for name in names}
        scores, folds = out_of_fold(part, photographs, groups, seed)
        return auc_estimate(scores, photographs, folds=folds, groups=groups)

    cues = tuple(
        Cue(name, judged([name]), *_direction(values[name], photographs)) for name in values
    )
    together = Cue("all together", judged(list(values)))
    n_each = int(photographs.sum()), int((~photographs).sum())
    return ConfoundReport(
        cues, together, *n_each, len(np.unique(groups)), values, photographs, groups, seed
    )


def _direction(values, photographs):
    """How often photographs are higher, and what is typical of each class."""
    if values.dtype.kind != "f":
        return np.nan, *(_commonest(values[rows]) for rows in (photographs, ~photographs))
    known = ~np.isnan(values)
    higher = auc_estimate(values[known], photographs[known]).value
    typical = [values[known & rows] for rows in (photographs, ~photographs)]
    return higher, *(float(np.median(part)) if len(part) else np.nan for part in typical)


def _commonest(words):
    found, count = np.unique(words, return_counts=True)
    return str(found[np.argmax(count)])


def _joined(first, second):
    """Groups of the rows that either numbering ties together."""
    n = len(first)
    _, first = np.unique(first, return_inverse=True)
    ends = np.concatenate([n + first, n + first.max() + 1 + second])
    rows = np.tile(np.arange(n), 2)
    size = int(ends.max()) + 1
    links = coo_array((np.ones(2 * n), (rows, ends)), shape=(size, size))
    return connected_components(links, directed=False)[1][:n]
