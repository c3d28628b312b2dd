"""Every task's truth about every photograph: one small array a task, made once from EXIF.

A target may depend on the photograph (a tag of its EXIF), on the manipulation (which regions it
touches), or on both (a task of your own). Its array has one axis for each, of length 1 where that
side does not matter, so that nine EXIF tasks of a million photographs take 26 MB. The arrays
pickle, so that workers of any kind share the truth without the EXIF behind it.
"""

import numpy as np

from ...photos.manipulations import UNTOUCHED
from ..tasks import View

_PART = 10_000  # photographs whose targets are Python objects at a time


class Targets:
    """The targets of photographs under each manipulation.

    Parameters
    ----------
    arrays : dict of task name to ndarray of shape (n or 1, len(hows) or 1, ...)
        float32 with NaN = unknown, or int16 (int32 for large numbers) with -1 = unknown.
    n : int
        Photographs.
    of_photographs : frozenset of str
        The tasks whose targets depend on the photograph.
    hows : tuple of Manipulation
        What may be done to a face, nothing being the first; a view's manipulation is its place
        in here.
    """

    def __init__(self, arrays, n, of_photographs, hows):
        self.arrays, self.n, self.of_photographs = arrays, n, of_photographs
        self.hows = hows

    def __len__(self):
        return self.n

    def part(self, rows):
        """The targets of some of the photographs."""
        parts = {k: a[rows] if k in self.of_photographs else a for k, a in self.arrays.items()}
        return Targets(parts, len(rows), self.of_photographs, self.hows)

    def of(self, index, how, *, labelled=True):
        """Every task's target about one view.

        Parameters
        ----------
        index, how : int
            Photograph, and manipulation as its place in ``hows``.
        labelled : bool, default=True
            False: what depends on the photograph counts as unknown.

        Returns
        -------
        dict of task name to ndarray or number
        """
        return {
            name: array[index % len(array), how % array.shape[1]]
            if labelled or name not in self.of_photographs
            else np.full_like(array[0, 0], _unknown(array))
            for name, array in self.arrays.items()
        }

    def of_pair(self, index, how, *, labelled=True):
        """Every task's targets about an untouched view and its manipulated copy.

        A task that does not know the manipulation is asked about neither: it would see more
        untouched faces than manipulated ones.

        Returns
        -------
        tuple of 2 dict
            As `of` gives them.
        """
        untouched, edited = (self.of(index, place, labelled=labelled) for place in (0, how))
        for name in self.arrays.keys() - self.of_photographs:
            if not _is_known(np.asarray(edited[name])).any():
                untouched[name] = edited[name]
        return untouched, edited

    @property
    def known(self):
        """Whose photographs are told apart by which task: bool of shape (n, n_exif_tasks)."""
        columns = [
            _is_known(array).reshape(len(array), -1).any(axis=1)
            for name, array in self.arrays.items()
            if name in self.of_photographs
        ]
        return np.stack(columns, axis=1) if columns else np.zeros((self.n, 0), dtype=bool)


def tabulate(tasks, exifs):
    """Ask every task about every photograph, once.

    Parameters
    ----------
    tasks : TaskSet
        With their vocabularies learned.
    exifs : list of mapping

    Returns
    -------
    Targets
    """
    hows = (UNTOUCHED, *tasks.manipulations)
    arrays = {task.name: _table(task, exifs, hows) for task in tasks}
    of_photographs = {
        task.name
        for task in tasks
        if len(arrays[task.name]) == len(exifs) and getattr(task, "reads", "") != "manipulation"
    }
    return Targets(arrays, len(exifs), frozenset(of_photographs), hows)


def _table(task, exifs, hows):
    reads = getattr(task, "reads", "both")
    # A side that the task does not read is asked once.
    rows = exifs if reads != "manipulation" else [{}]
    hows = hows if reads != "exif" else hows[:1]
    starts = range(0, max(1, len(rows)), _PART)
    table = np.concatenate(
        [
            _compact([[task.target(View(e, how)) for how in hows] for e in rows[i : i + _PART]])
            for i in starts
        ]
    )
    for axis in (0, 1):  # nor need a task of yours say what it reads: equal rows are one
        first = table.take([0], axis)
        if np.array_equal(table, np.broadcast_to(first, table.shape), equal_nan=True):
            table = first
    return table


def _compact(targets):
    table = np.asarray(targets)
    if table.dtype.kind == "f":
        return table.astype(np.float32)
    small = np.abs(table).max(initial=0) <= np.iinfo(np.int16).max
    return table.astype(np.int16 if small else np.int32)


def _is_known(array):
    return ~np.isnan(array) if array.dtype.kind == "f" else array >= 0


def _unknown(array):
    return np.nan if array.dtype.kind == "f" else -1
