"""The confound audit: can the files' own form, without any face, tell the classes apart?"""

import os
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.utils import check_random_state

from ...ground.jobs import local_jobs
from ...ground.types import Column, Photographs, RandomState
from ...photos.records import photo_list
from ..labels import Labels
from .cues import CATEGORICAL, NUMERIC, read_cues
from .measure import check_classes
from .report import ConfoundReport


def audit_confounds(
    paths: Photographs,
    y: Column,
    *,
    groups: Column | None = None,
    photographic_label: Any = 1,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
) -> ConfoundReport:
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
    random_state : int, RandomState or None, default=0
        Deals the folds.
    n_jobs : int, optional
        Threads that read files.

    Returns
    -------
    ConfoundReport
        ``print(report)``; ``report.verdict`` in words: confounded, weakly, clearly (AUC of at
        least 0.6) or strongly (0.75), where all cues together or one of them tell more than
        chance. Where there is nothing to find (and five groups of each class or more) that is
        said in at most 5 of 100 audits. "Nothing found" is never said where an interval excludes
        0.5: that is "Cannot tell".

    Raises
    ------
    PhotoError
        For a file that cannot be decoded.
    ValueError
        If a class has fewer than 10 files or fewer than 2 groups, or a label or group is missing.
    TypeError
        For pictures that are no files.

    Warns
    -----
    SmallSampleWarning
        For fewer than 20 files, or groups, of a class.

    See Also
    --------
    evaluate_by_generator : Judges a detector on the same files.
    ConfoundDisplay : Draws the report.

    Notes
    -----
    The interval (DeLong's by class with Satterthwaite's t, by group where groups are given) is of
    the files judged, the fitted trees taken as they are. Over new files *and* new trees an area of
    5 folds varies more (Nadeau and Bengio, 2003), and where there is nothing to find some of 13
    intervals still leave 0.5 out. The verdict corrects for both. Half of its 5 % is a permutation
    test of the cues: labels are dealt anew to the groups 1,999 times, and each cue's rank
    statistic or chi-square is compared with the largest of all cues in each deal (Westfall and
    Young, 1993). The other half is for the trees that see all cues, their variance corrected.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_blades.datasets import make_photos
    >>> from sklearn_blades.evaluation import audit_confounds
    >>> folder = tempfile.mkdtemp()
    >>> photographs = make_photos(20, folder, random_state=0)
    >>> fakes = make_photos(20, folder, generated="noiseless", random_state=1)
    >>> report = audit_confounds(photographs + fakes, [1] * 20 + [0] * 20, random_state=0)
    >>> [cue.photograph for cue in report.cues if cue.name == "has_exif"]
    ['yes']
    """
    photos = [getattr(photo, "path", photo) for photo in photo_list(paths)]
    if not all(isinstance(photo, str | os.PathLike) for photo in photos):
        raise TypeError("The audit reads files: pass paths or PhotoRecords, not decoded pictures.")
    groups = np.arange(len(photos)) if groups is None else groups
    labels = Labels.of(len(photos), y, photographic_label=photographic_label, groups=groups)
    groups = labels.groups
    check_classes(labels.photographic, groups, photographic_label)
    labels.warn_if_few()
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    rows = Parallel(n_jobs=local_jobs(n_jobs), require="sharedmem")(
        delayed(read_cues)(path) for path in photos
    )
    values = {name: np.array([row[name] for row in rows]) for name in (*NUMERIC, *CATEGORICAL)}
    return ConfoundReport.of(values, labels.photographic, groups, seed)
