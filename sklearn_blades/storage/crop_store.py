"""The crops of a fit: rows of bytes in one file, which all of its processes read."""

import errno
import mmap
import os
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..ground.warn import warn
from .disk import short
from .forks import LOCK

_OURS = Path("/proc/self/fd")  # Linux: an open file of ours has a name there
_SHARE_OF_FREE = 0.95  # a disk that is full to the last byte harms others


class CropStore:
    """Rows of bytes by key, written once and read in every epoch by any kind of worker.

    The file belongs to the process that made the store, and ends with the last reference to it or
    with that process. On Linux this is so after a kill too: the file is in no folder, and others
    open it as ``/proc/<process>/fd/<number>``. Elsewhere it has a name, and what a killed process
    leaves is left to the system's cleaning of temporary files.

    A pickled store is the name of its file: where it is loaded, in a worker that was spawned or in
    another rank of a run, the same file is opened. Where it cannot be opened, None is loaded, with
    a warning. Reading takes no lock, so a fork cannot copy one that is held.

    Parameters
    ----------
    row_bytes : int
    capacity : int
        Rows that may be written.
    folder : str, optional
        By default the system's folder for temporary files.

    Attributes
    ----------
    problem : str or None
        Why the file could not be written any further.

    Raises
    ------
    OSError
        If there can be no file in the folder.
    """

    def __init__(self, row_bytes, capacity, folder=None):
        self.row_bytes, self.capacity = row_bytes, capacity
        self._file, self._name = _temporary_file(self, folder)
        self._owner = os.getpid()
        self._slots, self._n_rows, self._map = {}, 0, None
        self.problem = None

    def __len__(self):
        return self._n_rows

    @property
    def n_bytes(self):
        """Bytes of the file."""
        return self._n_rows * self.row_bytes

    def slot(self, key):
        """Where the row with this key is, or None."""
        return self._slots.get(short(key))

    def put(self, key, row):
        """Write a row and return its slot; None where there is no room, or in a forked copy."""
        key = short(key)
        with LOCK:
            if key in self._slots:
                return self._slots[key]
            if self._n_rows >= self.capacity or self._owner != os.getpid():
                return None
            try:
                self._file.seek(self._n_rows * self.row_bytes)
                if self._file.write(row.data) < row.nbytes:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError as error:
                self.problem, self.capacity = error.strerror, self._n_rows
                return None
            slot = self._slots[key] = self._n_rows
            self._n_rows += 1
        return slot

    def read(self, slot):
        """Return a row, a read-only array of uint8.

        Raises
        ------
        OSError
            Where somebody has cut the file short.
        """
        start = slot * self.row_bytes
        if hasattr(os, "pread"):
            # Of a map, the system would count pages around each row as this process's memory: sums
            # over workers of what each has mapped are what batch systems kill for.
            row = os.pread(self._file.fileno(), self.row_bytes, start)
        else:
            row = self._mapped(start + self.row_bytes)[start : start + self.row_bytes]
        if len(row) < self.row_bytes:
            raise OSError(errno.EIO, "the file of crops was cut short", self._name)
        return np.frombuffer(row, np.uint8)

    def _mapped(self, stop):
        if self._map is None or len(self._map) < stop:
            self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._map

    def __reduce__(self):
        status = os.fstat(self._file.fileno())
        return _reopened, (self._name, self.row_bytes, (status.st_dev, status.st_ino))


def store_for_fit(stores, n_rows, keys, *, row_bytes, max_bytes, folder=None):
    """The file for the crops of a fit; it has those that fits before have left there.

    It is begun anew where crops that are not wanted take the room of those that are.

    Parameters
    ----------
    stores : dict of int to CropStore
        By ``row_bytes``; those that go before are taken out, the one that is returned is in it.
    n_rows : int
        Crops that are wanted, at most.
    keys : set of str or None
        Their keys, by which those in a store that is there are found; None begins anew.

    Returns
    -------
    store : CropStore or None
        None where there can be no file.
    shortage : str or None
        A sentence, where not all of them have room.
    """
    store, held = stores.pop(row_bytes, None), 0
    if keys is None:
        store = None
    if store is not None:
        n_rows, held = len(keys), sum(store.slot(key) is not None for key in keys)
        foreign = len(store) - held
        if foreign and (foreign + n_rows) * row_bytes > max_bytes:
            store, held = None, 0
    if sum(other.n_bytes for other in stores.values()) + n_rows * row_bytes > max_bytes:
        stores.clear()
    try:
        rows, shortage = room(n_rows, held, row_bytes=row_bytes, max_bytes=max_bytes, folder=folder)
        if store is None:
            store = CropStore(row_bytes, 0, folder)
    except OSError as error:
        return None, (
            f"No file for the crops of a fit can be made in {folder or tempfile.gettempdir()} "
            f"({error.strerror}): those beyond cache_size will be decoded again in every epoch. "
            "Name a folder that can be written as memory=, or set TMPDIR to one."
        )
    store.capacity = len(store) - held + rows
    stores[row_bytes] = store
    return store, shortage


def room(n_rows, held, *, row_bytes, max_bytes, folder=None):
    """How many of the crops of a fit may be kept, and a sentence where these are not all.

    Parameters
    ----------
    n_rows : int
    held : int
        How many of these are in the file already.
    row_bytes : int
    max_bytes : float
        Bound on the file.
    folder : str, optional
        Its disk is the other bound; by default that of temporary files.

    Returns
    -------
    rows : int
    shortage : str or None
        What it needs, and what to type.
    """
    folder = folder or tempfile.gettempdir()
    free = shutil.disk_usage(folder).free * _SHARE_OF_FREE
    in_bound, on_disk = int(max_bytes // row_bytes), held + int(free // row_bytes)
    rows = min(in_bound, on_disk)
    if rows >= n_rows:
        return n_rows, None
    needed, bounds, cures = n_rows * row_bytes, [], []
    if in_bound < n_rows:
        bounds.append(f"disk_size={max_bytes / 1e6:g} allows {_size(max_bytes)}")
        cures.append(f"give disk_size={-(-needed // 10**6)}")
    if on_disk < n_rows:
        bounds.append(f"{_size(free)} are free in {folder}")
        cures.append("name a folder with that room as memory=, or set TMPDIR to one")
    return rows, (
        f"The crops of {n_rows} photographs need {_size(needed)} of disk, but "
        f"{' and '.join(bounds)}: {n_rows - rows} of them will be decoded again in every epoch. "
        f"To keep all, {' and '.join(cures)}."
    )


def _size(n_bytes):
    """
    >>> _size(18.2e9), _size(20_000_000), _size(1234)
    ('18.2 GB', '20.0 MB', '1.2 kB')
    """
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= scale:
            return f"{n_bytes / scale:.1f} {unit}"
    return f"{n_bytes / 1e3:.1f} kB"


def _temporary_file(store, folder):
    """A file that ends with the store, unbuffered, and the name by which others open it."""
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
    if _OURS.exists():
        file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        weakref.finalize(store, file.close)
        return file, f"/proc/{os.getpid()}/fd/{file.fileno()}"
    file = tempfile.NamedTemporaryFile(  # noqa: SIM115
        prefix="sklearn_blades-", suffix=".crops", dir=folder, buffering=0, delete=False
    )
    weakref.finalize(store, _remove, file, os.getpid())
    return file, file.name


def _remove(file, owner):
    file.close()
    if os.getpid() == owner:  # a forked copy leaves it to the process that made it
        with suppress(OSError):
            Path(file.name).unlink()


def _reopened(name, row_bytes, identity):
    """The store of another process, by its file's name; None, with a warning, if that is gone."""
    try:
        file = Path(name).open("rb", buffering=0)  # noqa: SIM115
    except OSError as error:
        return _gone(name, error.strerror)
    status = os.fstat(file.fileno())
    if (status.st_dev, status.st_ino) != identity:  # the number of a process that ended, say
        file.close()
        return _gone(name, "another file has its name now")
    store = CropStore.__new__(CropStore)
    store.row_bytes, store._file, store._name = row_bytes, file, name
    store.capacity = store._n_rows = status.st_size // row_bytes
    store._owner = None
    store._slots, store._map, store.problem = {}, None, None
    weakref.finalize(store, file.close)
    return store


def _gone(name, why):
    warn(
        f"The file of crops {name} cannot be opened here ({why}): this process cuts its crops "
        "again, in every epoch.",
    )
