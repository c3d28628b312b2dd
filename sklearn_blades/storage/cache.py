"""The one cache: small arrays by key, bounded in memory, and what falls out of that on disk."""

import hashlib
import os
import threading
from collections import OrderedDict, deque
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path

import numpy as np

from .disk import DISK_LIMIT, ArrayFolder, ArrayOverflow

CACHE_SIZE = 100
"""MB of arrays that a process keeps in memory, where no other bound is given."""

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
    """A mapping of key to array, in memory and on disk; safe between threads.

    Memory keeps what was used last. What falls out of it goes to a temporary file, where no
    folder has it already.

    Parameters
    ----------
    max_bytes : float
        Bound on what is kept in memory.
    folder : str, optional
        Keep a copy of everything here, across processes and sessions.
    max_disk_bytes : int
        Bound on what is kept there, or else in the temporary file.
    """

    def __init__(self, max_bytes=CACHE_SIZE * _MB, folder=None, max_disk_bytes=DISK_LIMIT):
        self.max_bytes = max_bytes
        self.folder = None if folder is None else ArrayFolder(folder, max_disk_bytes)
        self._overflow = ArrayOverflow(max_disk_bytes) if folder is None else None
        self._arrays, self._bytes, self._lock = OrderedDict(), 0, threading.Lock()
        self._claims = {}

    def get(self, key):
        """Return the array, read-only, or None."""
        with self._lock:
            if key in self._arrays:
                self._arrays.move_to_end(key)
                return self._arrays[key]
        if self.folder is None:
            # It stays in the file: in epochs all come in turns, and what would make room for it
            # is as likely to be next. So workers grow no memory of their own either.
            return self._overflow.read(key)
        array = self.folder.read(key)
        if array is not None:
            self._keep(key, array)
        return array

    def put(self, key, array):
        """Remember an array; it becomes read-only."""
        array = np.ascontiguousarray(array)
        self._keep(key, array)
        if self.folder is not None:
            self.folder.write(key, array)

    def fill(self, keys, make, *, batch, start=None, ahead=0):
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

        Returns
        -------
        dict of key to array
        """
        if self.folder is not None:
            # A claim is an open lock file, and a process may have as few as 256 files open.
            batch = min(batch, MOST_CLAIMS // 2)
            ahead = min(ahead, MOST_CLAIMS // batch - 1)
        found = self._known(keys)
        left = [key for key in keys if key not in found]
        for wait in (False, True):  # first what nobody is at, then what others were at
            asked, left = left, []
            started = deque()
            with _Claims(self._claim) as claims:
                for begin in range(0, len(asked), batch):
                    part = asked[begin : begin + batch]
                    ours = claims.take(part, wait=wait)
                    left += [key for key in part if key not in ours]
                    known = self._known(ours)  # who had the claim before us may have made it
                    found |= known
                    unknown = [key for key in ours if key not in known]
                    started.append((ours, start(unknown) if start and unknown else unknown))
                    # Whoever waits holds nothing but what it waits for: there is no deadlock.
                    while len(started) > (0 if wait else ahead):
                        found |= self._finish(*started.popleft(), make, claims)
                while started:
                    found |= self._finish(*started.popleft(), make, claims)
        return found

    def resize(self, max_bytes):
        """Change the bound on what is kept in memory."""
        with self._lock:
            self.max_bytes = max_bytes
            self._shrink()

    def clear(self):
        """Forget everything, in this process's memory and on disk."""
        with self._lock:
            self._arrays.clear()
            self._bytes = 0
        (self.folder or self._overflow).clear()

    def __reduce__(self):
        # What is cached never travels: another process has, or makes, a cache of its own.
        return _shared, (None if self.folder is None else self.folder.named, self.max_bytes)

    def _known(self, keys):
        return {key: array for key in keys if (array := self.get(key)) is not None}

    def _finish(self, keys, job, make, claims):
        made = make(job) if job else {}
        for key, array in made.items():
            self.put(key, array)
        claims.give_back(keys)
        return made

    def _claim(self, group, held, *, wait):
        if self.folder is not None:
            return self.folder.lock(group, held, wait=wait)
        lock = self._claims.setdefault(group, threading.Lock())
        taken = lock.acquire(blocking=wait)
        if taken:
            held.callback(lock.release)
        return taken

    def _keep(self, key, array):
        array.flags.writeable = False
        with self._lock:
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
        if self._overflow is not None:
            self._overflow.write(key, array)


class _Claims:
    """The claims of one `ArrayCache.fill`; whatever it still holds is let go at the end.

    Claims are locks on groups of keys, so that there are never more than 4096 lock files. Several
    batches of one ``fill`` may share a group.
    """

    def __init__(self, claim):
        self._claim, self._held, self._uses = claim, {}, {}

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for lock in self._held.values():
            lock.close()

    def take(self, keys, *, wait):
        """Claim keys and return those that are ours; without ``wait`` not all may be."""
        # In one order: two that wait for the same groups cannot each have what the other needs.
        for group in sorted(_groups(keys)):
            with ExitStack() as lock:
                if group in self._held or self._claim(group, lock, wait=wait):
                    self._held.setdefault(group, lock.pop_all())
                    self._uses[group] = self._uses.get(group, 0) + 1
        return [key for key in keys if key[:3] in self._held]

    def give_back(self, keys):
        """Let go of the groups of these keys that no other batch has."""
        for group in _groups(keys):
            self._uses[group] -= 1
            if not self._uses[group]:
                del self._uses[group]
                self._held.pop(group).close()


def _groups(keys):
    return {key[:3] for key in keys}


_caches: dict[str | None, ArrayCache] = {}


def cache_for(memory=None, cache_size=CACHE_SIZE):
    """The cache of this process, in memory or for a folder.

    Parameters
    ----------
    memory : str, optional
        Folder for a copy of everything; without it there is a temporary file for what falls out
        of memory.
    cache_size : float
        MB to keep in memory; of several that are asked for the last one counts.

    Returns
    -------
    ArrayCache
    """
    return _shared(memory, cache_size * _MB)


def _shared(memory, max_bytes):
    folder = None if memory is None else str(Path(memory).resolve())
    # Made each time, so that a folder somebody deleted is there again.
    cache = _caches.setdefault(folder, ArrayCache(max_bytes, folder))
    cache.resize(max_bytes)
    return cache
