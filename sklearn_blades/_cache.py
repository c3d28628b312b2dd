"""The one cache: small arrays by key, bounded in memory, on disk where the user names a folder."""

import contextlib
import hashlib
import io
import os
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path

import numpy as np

MEMORY_LIMIT = 1 << 30
"""Bytes of arrays that the in-memory cache of a process keeps."""


def key_of(*parts):
    """Hash strings, numbers and bytes into one key.

    >>> key_of("a", 1) == key_of("a", 1), key_of("a", 1) == key_of("a1")
    (True, False)
    """
    digest = hashlib.sha256()
    for part in parts:
        raw = part if isinstance(part, bytes) else repr(part).encode()
        digest.update(len(raw).to_bytes(8, "little") + raw)
    return digest.hexdigest()


def file_identity(path):
    """What changes whenever a file does: real path, size, modification time in nanoseconds."""
    stat = Path(path).stat()
    return os.path.realpath(path), stat.st_size, stat.st_mtime_ns


class ArrayCache:
    """A mapping of key to array that forgets what was used longest ago; safe between threads.

    Parameters
    ----------
    max_bytes : int
        Bound on what is kept in memory.
    folder : str, optional
        Keep a copy of everything here as well, across processes and sessions.
    """

    def __init__(self, max_bytes=MEMORY_LIMIT, folder=None):
        self.max_bytes, self.folder = max_bytes, folder
        self._arrays, self._bytes, self._lock = OrderedDict(), 0, threading.Lock()

    def get(self, key):
        """Return the array, read-only, or None."""
        with self._lock:
            if key in self._arrays:
                self._arrays.move_to_end(key)
                return self._arrays[key]
        array = self._read(key) if self.folder else None
        if array is not None:
            self._keep(key, array)
        return array

    def put(self, key, array):
        """Remember an array; it becomes read-only."""
        array = np.ascontiguousarray(array)
        array.flags.writeable = False
        self._keep(key, array)
        if self.folder:
            self._write(key, array)

    def clear(self):
        """Forget what is in memory; files stay."""
        with self._lock:
            self._arrays.clear()
            self._bytes = 0

    def _keep(self, key, array):
        with self._lock:
            if key in self._arrays or array.nbytes > self.max_bytes:
                return
            self._arrays[key] = array
            self._bytes += array.nbytes
            while self._bytes > self.max_bytes:
                self._bytes -= self._arrays.popitem(last=False)[1].nbytes

    def _path(self, key):
        return Path(self.folder) / key[:2] / f"{key}.npy"

    def _read(self, key):
        try:
            array = np.load(io.BytesIO(self._path(key).read_bytes()), allow_pickle=False)
        except (OSError, ValueError, EOFError):  # not there, or damaged: it is computed again
            return None
        array.flags.writeable = False
        return array

    def _write(self, key, array):
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        # A reader sees the whole file or none, also when two writers race or one is killed.
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.save(file, array)
            Path(temporary).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise


_in_memory = ArrayCache()
_on_disk = {}


def cache_for(memory=None):
    """The cache of this process: in memory, or the one that also writes to the folder `memory`."""
    if memory is None:
        return _in_memory
    folder = str(Path(memory).resolve())
    return _on_disk.setdefault(folder, ArrayCache(folder=folder))
