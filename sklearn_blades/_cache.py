"""The one cache: small arrays by key, bounded in memory, on disk where the user names a folder."""

import hashlib
import io
import os
import threading
import time
import uuid
import warnings
from collections import OrderedDict
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from pathlib import Path

import numpy as np

MEMORY_LIMIT = 1 << 30
"""Bytes of arrays that the in-memory cache of a process keeps."""

DISK_LIMIT = 10 << 30
"""Bytes of files that a folder keeps."""

_CHECK = 8  # bytes of checksum behind each array
_BLOCK = 4096  # a small file takes this much of a disk
_ABANDONED = 3600  # seconds after which a half-written file has lost its writer


def key_of(*parts):
    """Hash strings, numbers and bytes into one key.

    >>> key_of("a", 1) == key_of("a", 1), key_of("a", 1) == key_of("a1")
    (True, False)
    """
    raws = [part if isinstance(part, bytes) else repr(part).encode() for part in parts]
    lengths = b",".join(b"%d" % len(raw) for raw in raws)
    return hashlib.sha256(b"".join([lengths, b":", *raws])).hexdigest()


def file_identity(path):
    """What changes whenever a file does: real path, size, modification time in nanoseconds."""
    stat = os.stat(path)  # noqa: PTH116  asked thousands of times; a Path doubles the cost
    return _real_path(os.fspath(path), stat.st_dev, stat.st_ino), stat.st_size, stat.st_mtime_ns


@lru_cache(1 << 16)
def _real_path(path, device, inode):
    # The slow part of an identity; a link that leads elsewhere now has another inode.
    return os.path.realpath(path)


class ArrayCache:
    """A mapping of key to array that forgets what was used longest ago; safe between threads.

    Parameters
    ----------
    max_bytes : int
        Bound on what is kept in memory.
    folder : str, optional
        Keep a copy of everything here as well, across processes and sessions.
    max_disk_bytes : int
        Bound on what is kept there.
    """

    def __init__(self, max_bytes=MEMORY_LIMIT, folder=None, max_disk_bytes=DISK_LIMIT):
        self.max_bytes = max_bytes
        self.folder = None if folder is None else ArrayFolder(folder, max_disk_bytes)
        self._arrays, self._bytes, self._lock = OrderedDict(), 0, threading.Lock()
        self._claims = {}

    def get(self, key):
        """Return the array, read-only, or None."""
        with self._lock:
            if key in self._arrays:
                self._arrays.move_to_end(key)
                return self._arrays[key]
        array = None if self.folder is None else self.folder.read(key)
        if array is not None:
            self._keep(key, array)
        return array

    def put(self, key, array):
        """Remember an array; it becomes read-only."""
        array = np.ascontiguousarray(array)
        self._keep(key, array)
        if self.folder is not None:
            self.folder.write(key, array)

    def fill(self, keys, make, *, batch):
        """Return the arrays of keys, and make those that are not known.

        Of all threads, and with a folder of all processes, that want an array at the same time
        one makes it and the others wait.

        Parameters
        ----------
        keys : list of str, without duplicates
        make : callable
            Takes a list of keys, returns ``{key: array}``; what cannot be made is left out.
        batch : int
            Keys to make at a time.

        Returns
        -------
        dict of key to array
        """
        found = self._known(keys)
        left = [key for key in keys if key not in found]
        for wait in (False, True):  # first what nobody is at, then what others were at
            asked, left = left, []
            for start in range(0, len(asked), batch):
                part = asked[start : start + batch]
                with self._claimed(part, wait=wait) as ours:
                    found |= self._made([key for key in part if key in ours], make)
                left += [key for key in part if key not in ours]
        return found

    def clear(self):
        """Forget everything, in this process's memory and in the folder."""
        with self._lock:
            self._arrays.clear()
            self._bytes = 0
        if self.folder is not None:
            self.folder.clear()

    def __reduce__(self):
        # What is cached never travels: another process has, or makes, a cache of its own.
        return cache_for, (None if self.folder is None else self.folder.named,)

    def _known(self, keys):
        return {key: array for key in keys if (array := self.get(key)) is not None}

    def _made(self, keys, make):
        found = self._known(keys)  # who had the claim before us may have made it
        unknown = [key for key in keys if key not in found]
        made = make(unknown) if unknown else {}
        for key, array in made.items():
            self.put(key, array)
        return found | made

    @contextmanager
    def _claimed(self, keys, *, wait):
        """Claim keys and yield the set of those that are ours; without ``wait`` not all may be."""
        # Claims are locks on groups of keys, so that there are never more than 4096 lock files.
        # Whoever waits holds none but those before it in one order: there is no deadlock.
        with ExitStack() as held:
            ours = {
                group
                for group in sorted({key[:3] for key in keys})
                if self._claim(group, held, wait=wait)
            }
            yield {key for key in keys if key[:3] in ours}

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
            if key in self._arrays or array.nbytes > self.max_bytes:
                return
            self._arrays[key] = array
            self._bytes += array.nbytes
            while self._bytes > self.max_bytes:
                self._bytes -= self._arrays.popitem(last=False)[1].nbytes


class ArrayFolder:
    """Arrays as files, each whole or absent, for any number of processes at once.

    Parameters
    ----------
    folder : str
        Everything goes into ``sklearn_blades`` in there.
    max_bytes : int
        Each process looks over the folder when it first writes and after every twentieth of
        this, and then deletes what was used longest ago down to nine tenths.
    """

    def __init__(self, folder, max_bytes=DISK_LIMIT):
        self.named, self.max_bytes = str(folder), max_bytes
        self._root = Path(folder, "sklearn_blades")
        self._unseen = max_bytes  # bytes written since the last look
        try:
            (self._root / "locks").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(
                f"memory={self.named!r} cannot hold a cache ({error.strerror}); name another "
                "folder, or use memory=None."
            ) from error

    def read(self, key):
        """Return the array, or None; a damaged file is deleted."""
        path = self._path(key)
        try:
            raw = path.read_bytes()
        except OSError:
            return None
        body, check = raw[:-_CHECK], raw[-_CHECK:]
        if _checksum(body) != check:
            _delete(path)
            return None
        with suppress(OSError):  # another person's file, say: its age cannot be reset
            os.utime(path)
        return np.load(io.BytesIO(body), allow_pickle=False)

    def write(self, key, array):
        """Keep an array; where that fails, a warning says so."""
        body = io.BytesIO()
        np.save(body, array)
        raw = body.getvalue() + _checksum(body.getvalue())
        path = self._path(key)
        part = path.with_name(f"{uuid.uuid4().hex}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # A reader sees the whole file or none, also when two write or one is killed.
            part.write_bytes(raw)
            part.replace(path)
        except FileNotFoundError:
            pass  # the cache was cleared meanwhile
        except OSError as error:
            warnings.warn(
                f"memory={self.named!r} cannot be written ({error.strerror}); what is missing "
                "there will be computed again.",
                stacklevel=2,
            )
        finally:
            _delete(part)
        self._unseen += _on_disk(len(raw))
        if self._unseen > self.max_bytes // 20:
            self._trim()

    def lock(self, name, held, *, wait):
        """Lock a name among processes until ``held`` closes or ours ends; False if it is taken."""
        from filelock import FileLock, Timeout  # imports asyncio: not for `import photos`

        lock = FileLock(self._root / "locks" / name)
        try:
            lock.acquire(timeout=-1 if wait else 0)
        except Timeout:
            return False
        held.callback(lock.release)
        return True

    def clear(self):
        """Delete all arrays; locks stay, for somebody may hold one."""
        for _, _, path in self._files():
            _delete(path)

    def _path(self, key):
        return self._root / key[:2] / f"{key}.npy"

    def _files(self):
        """Yield (modification time, size, path) of all that `write` left."""
        for folder, _, names in os.walk(self._root):
            for path in (Path(folder, name) for name in names if name.endswith((".npy", ".part"))):
                with suppress(FileNotFoundError):  # deleted by another process meanwhile
                    stat = path.stat()
                    yield stat.st_mtime, _on_disk(stat.st_size), path

    def _trim(self):
        files, self._unseen = sorted(self._files()), 0
        excess = sum(size for _, size, _ in files) - self.max_bytes * 9 // 10
        for used, size, path in files:
            if excess > 0 or (path.suffix == ".part" and used < time.time() - _ABANDONED):
                _delete(path)
                excess -= size


def _checksum(raw):
    return hashlib.blake2b(raw, digest_size=_CHECK).digest()


def _delete(path):
    with suppress(OSError):  # gone already, or open in another process on Windows
        path.unlink()


def _on_disk(size):
    return -(-size // _BLOCK) * _BLOCK


_in_memory = ArrayCache()
_in_folders = {}


def cache_for(memory=None):
    """The cache of this process: in memory, or the one that also writes to the folder `memory`."""
    if memory is None:
        return _in_memory
    folder = str(Path(memory).resolve())
    # Made each time, so that a folder somebody deleted is there again.
    return _in_folders.setdefault(folder, ArrayCache(folder=folder))
