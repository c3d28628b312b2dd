"""The one cache: small arrays by key, bounded in memory, and what falls out of that on disk."""

import hashlib
import os
import threading
import weakref
from collections import OrderedDict, deque
from functools import lru_cache
from pathlib import Path

import numpy as np

from .claims import Claims
from .crop_store import store_for_fit
from .disk import DISK_LIMIT, ArrayFolder, ArrayOverflow
from .forks import LOCK

CACHE_SIZE = 100
"""MB of arrays that a process keeps in memory, where no other bound is given."""

DISK_SIZE = DISK_LIMIT / 10**6
"""MB of them on disk, where no other bound is given."""

MOST_CLAIMS = 128
"""Lock files that one `ArrayCache.fill` holds open at most; on macOS a process may open 256."""

_MB = 10**6


def key_of(*parts):
    """Hash strings, numbers and bytes into one key.

    >>> key_of("a", 1) == key_of("a", 1), key_of("a", 1) == key_of("a1")
    (True, False)
    """
    raws = [part if isinstance(part, bytes) else repr(part).encode() for part in parts]
    lengths = b",".join(b"%d" % len(raw) for raw in raws)
    return hashlib.sha256(b"".join([lengths, b":", *raws])).hexdigest()


def file_identity(path):
    """What changes whenever a file does: real path, size, times in nanoseconds, inode.

    A file moved over another may have its size and modification time. It has another inode, and
    on POSIX another time of change, which a copy onto the old file has too.
    """
    stat = os.stat(path)  # noqa: PTH116  asked thousands of times; a Path doubles the cost
    real = _real_path(os.fspath(path), stat.st_dev, stat.st_ino)
    return real, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


@lru_cache(1 << 16)
def _real_path(path, device, inode):
    # The slow part of an identity; a link that leads elsewhere now has another inode.
    return os.path.realpath(path)


class ArrayCache:
    """A mapping of key to array, in memory and on disk; safe between threads, and in forked copies.

    Memory keeps what was used last. What falls out of it goes to a temporary file, where no
    folder has it already. The crops of fits are in a file of their own: see `crop_store`.

    Parameters
    ----------
    max_bytes : float
        Bound on what is kept in memory.
    folder : str, optional
        Keep a copy of everything here, across processes and sessions.
    max_disk_bytes : float
        Bound on what is kept there, or else in the temporary file; and on the crops of fits.
    """

    def __init__(self, max_bytes=CACHE_SIZE * _MB, folder=None, max_disk_bytes=DISK_LIMIT):
        self.max_bytes, self.max_disk_bytes = max_bytes, max_disk_bytes
        self.folder = None if folder is None else ArrayFolder(folder, max_disk_bytes)
        self._overflow = ArrayOverflow(max_disk_bytes)
        self._arrays, self._bytes, self._stores = OrderedDict(), 0, {}
        self._claims = {}
        _all.add(self)

    def get(self, key):
        """Return the array, read-only, or None."""
        with LOCK:
            if key in self._arrays:
                self._arrays.move_to_end(key)
                return self._arrays[key]
            stores = [*self._stores.values()]
        for store in stores:
            if (slot := store.slot(key)) is not None:
                return store.read(slot)
        if self.folder is not None and (array := self.folder.read(key)) is not None:
            self._keep(key, array)
            return array
        # It stays in the file: in epochs all come in turns, and what would make room for it is as
        # likely to be next. So workers grow no memory of their own either.
        return self._overflow.read(key)

    def put(self, key, array):
        """Remember an array; it becomes read-only."""
        array = np.ascontiguousarray(array)
        self._keep(key, array)
        if self.folder is not None:
            self.folder.write(key, array)

    def put_if_room(self, key, array):
        """Remember an array in memory, unless others would have to make room for it."""
        with LOCK:
            if self._bytes + array.nbytes <= self.max_bytes:
                self._keep(key, array)

    def put_on_disk(self, key, array):
        """Keep a copy in the folder, if there is one, for other processes."""
        if self.folder is not None:
            self.folder.write(key, array)

    def crop_store(self, n_rows, keys, row_bytes):
        """The file for the crops of a fit, and a sentence where they have no room.

        ``keys`` is a callable, asked only where its answer counts; see `store_for_fit`.
        """
        known = keys() if row_bytes in self._stores else None
        folder = None if self.folder is None else self.folder.place()
        with LOCK:
            return store_for_fit(
                self._stores,
                n_rows,
                known,
                row_bytes=row_bytes,
                max_bytes=self.max_disk_bytes,
                folder=folder,
            )

    def fill(self, keys, make, *, batch, start=None, ahead=0, tell=None):
        """Return the arrays of keys, and make those that are not known.

        Of all threads, and with a folder of all processes, that want an array at the same time
        one makes it and the others wait.

        Parameters
        ----------
        keys : list of str, without duplicates
        make : callable
            Takes what ``start`` returned, by default a list of keys, and returns ``{key: array}``;
            what cannot be made is left out.
        batch : int
            Keys to make at a time.
        start : callable, optional
            Takes a list of keys as soon as it is sure that they are to be made here, and sets
            about it in other threads.
        ahead : int
            Batches that are started before ``make`` gets the first.
        tell : callable, optional
            Takes a list of keys that are done: known, made, or not to be made.

        Returns
        -------
        dict of key to array
        """
        if self.folder is not None:
            batch = self.batch_of(batch)
            ahead = min(ahead, MOST_CLAIMS // batch - 1)
        tell = tell or (lambda keys: None)
        found = self._known(keys)
        tell([*found])
        left = [key for key in keys if key not in found]
        for wait in (False, True):  # first what nobody is at, then what others were at
            asked, left = left, []
            started = deque()
            with Claims(self._claim) as claims:
                for begin in range(0, len(asked), batch):
                    part = asked[begin : begin + batch]
                    ours = claims.take(part, wait=wait)
                    left += [key for key in part if key not in ours]
                    known = self._known(ours)  # who had the claim before us may have made it
                    found |= known
                    tell([*known])
                    unknown = [key for key in ours if key not in known]
                    job = start(unknown) if start and unknown else unknown
                    started.append((ours, unknown, job))
                    # Whoever waits holds nothing but what it waits for: there is no deadlock.
                    while len(started) > (0 if wait else ahead):
                        found |= self._finish(*started.popleft(), make, claims, tell)
                while started:
                    found |= self._finish(*started.popleft(), make, claims, tell)
        return found

    def batch_of(self, batch):
        """What `fill` makes at a time where ``batch`` is asked for."""
        # A claim is an open lock file, and a process may have as few as 256 files open.
        return batch if self.folder is None else min(batch, MOST_CLAIMS // 2)

    def resize(self, max_bytes, max_disk_bytes):
        """Change the bounds on what is kept in memory and on disk."""
        with LOCK:
            self.max_bytes, self.max_disk_bytes = max_bytes, max_disk_bytes
            for disk in filter(None, (self.folder, self._overflow)):
                disk.max_bytes = max_disk_bytes
            self._shrink()

    def clear(self):
        """Forget everything, in this process's memory and on disk."""
        with LOCK:
            self._arrays.clear()
            self._stores.clear()
            self._bytes = 0
        self._overflow.clear()
        if self.folder is not None:
            self.folder.clear()

    def __reduce__(self):
        # What is cached never travels: another process has, or makes, a cache of its own.
        folder = None if self.folder is None else self.folder.named
        return _shared, (folder, self.max_bytes, self.max_disk_bytes)

    def _known(self, keys):
        return {key: array for key in keys if (array := self.get(key)) is not None}

    def _finish(self, keys, unknown, job, make, claims, tell):
        made = make(job) if job else {}
        for key, array in made.items():
            self.put(key, array)
        claims.give_back(keys)
        tell(unknown)
        return made

    def _claim(self, group, held, *, wait):
        if self.folder is not None:
            taken = self.folder.lock(group, held, wait=wait)
            if taken is not None:
                return taken
        lock = self._claims.setdefault(group, threading.Lock())
        taken = lock.acquire(blocking=wait)
        if taken:
            held.callback(lock.release)
        return taken

    def _keep(self, key, array):
        array.flags.writeable = False
        with LOCK:
            if key in self._arrays:
                return
            if array.nbytes > self.max_bytes:
                self._spill(key, array)
                return
            self._arrays[key] = array
            self._bytes += array.nbytes
            self._shrink()

    def _shrink(self):
        while self._bytes > self.max_bytes:
            oldest, array = self._arrays.popitem(last=False)
            self._bytes -= array.nbytes
            self._spill(oldest, array)

    def _spill(self, key, array):
        if self.folder is None or not self.folder.writable:
            self._overflow.write(key, array)


_caches: dict[str | None, ArrayCache] = {}
_all: weakref.WeakSet = weakref.WeakSet()


def _forget_claims():
    """In a forked copy: the threads that held claims are not there, and never give them back."""
    for cache in _all:
        cache._claims = {}


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_claims)


def cache_for(memory=None, cache_size=CACHE_SIZE, disk_size=DISK_SIZE):
    """The cache of this process, in memory or for a folder.

    Parameters
    ----------
    memory : str, optional
        Folder for a copy of everything; without it there is a temporary file for what falls out
        of memory.
    cache_size : float
        MB to keep in memory; of several that are asked for the last one counts.
    disk_size : float
        MB to keep on disk; likewise.

    Returns
    -------
    ArrayCache
    """
    return _shared(memory, cache_size * _MB, disk_size * _MB)


def _shared(memory, max_bytes, max_disk_bytes):
    folder = None if memory is None else str(Path(memory).resolve())
    with LOCK:
        cache = _caches.get(folder)
        if cache is None:
            cache = _caches[folder] = ArrayCache(max_bytes, folder, max_disk_bytes)
    cache.resize(max_bytes, max_disk_bytes)
    return cache
