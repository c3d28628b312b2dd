"""Arrays on disk: in a folder that the user names, or in a temporary file without a name."""

import errno
import hashlib
import io
import os
import tempfile
import time
import uuid
import weakref
from contextlib import suppress
from pathlib import Path

import numpy as np

try:
    import fcntl
except ImportError:  # Windows, where every disk has locks
    fcntl = None  # type: ignore[assignment]

from ..ground.warn import warn
from .forks import LOCK

DISK_LIMIT = 10**10
"""Bytes that a folder, or the temporary file of a process, keeps."""

_CHECK = 8  # bytes of checksum behind each array
_BLOCK = 4096  # a small file takes this much of a disk
_ABANDONED = 3600  # seconds after which a half-written file has lost its writer


_MOST_FORMS = 1 << 10  # kinds of arrays that one temporary file holds


def short(key):
    """A key in 15 bytes, by which millions take less than half the memory: one more costs 16."""
    return hashlib.blake2b(key.encode(), digest_size=15).digest()


class ArrayOverflow:
    """Arrays one behind the other in a temporary file, for this process and its forked copies.

    The file is this user's alone, on POSIX without a name to open it by, and it is gone with the
    process, also after a crash. It is made when it is first needed. An entry takes some 120 bytes
    of memory.

    A forked copy reads what was there when it was forked. It never writes to the same file, where
    it would overwrite what the others write: its own arrays go to a file of its own.

    Parameters
    ----------
    max_bytes : int
        Once the file holds this much nothing more is written. (What is used in turns, as
        photographs are in every epoch, loses the most where the oldest make room for the newest.)
    """

    def __init__(self, max_bytes=DISK_LIMIT):
        self.max_bytes = max_bytes
        self.clear()

    def read(self, key):
        """Return the array, read-only, or None."""
        places, forms = self._tables  # together: another thread may forget everything meanwhile
        place = places.get(short(key))
        if place is None:
            return None
        offset, form = divmod(place, _MOST_FORMS)
        file, shape, dtype, size = forms[form]
        try:
            raw = file.read(offset, size)
        except OSError:
            return None
        return np.ndarray(shape, dtype, raw) if len(raw) == size else None

    def write(self, key, array):
        """Keep an array, while there is room; where that fails, one warning says so."""
        with LOCK:
            places, forms = self._tables
            full = self._used + array.nbytes > self.max_bytes or len(forms) == _MOST_FORMS
            if full or self._failed or short(key) in places:
                return
            try:
                if self._file is None or self._file.owner != os.getpid():
                    self._file = _PrivateFile()
                offset = self._file.append(array.data)
            except OSError as error:
                self._failed = True
                warn(
                    "What exceeds cache_size cannot be written to a temporary file "
                    f"({error.strerror}) and will be computed again; give a higher cache_size, "
                    "name a folder as memory, or set TMPDIR to a folder with more room.",
                )
                return
            form = self._file, array.shape, array.dtype, array.nbytes
            if form not in forms:  # of a few: arrays of one form share it
                forms.append(form)
            # One number, since millions of tuples would take more room than what they speak of.
            places[short(key)] = offset * _MOST_FORMS + forms.index(form)
            self._used += array.nbytes

    def clear(self):
        """Forget everything; the file closes when nobody is reading any more."""
        with LOCK:
            self._tables = {}, []
            self._file, self._used, self._failed = None, 0, False


class _PrivateFile:
    """A temporary file that ends with the last reference to it, or with the process.

    Attributes
    ----------
    owner : int
        The process that may append.
    """

    def __init__(self):
        # Unbuffered: a forked copy sees all that was appended before.
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self.owner, self._end = os.getpid(), 0

    def append(self, raw):
        """Write bytes and return their offset."""
        with LOCK:
            self._file.seek(self._end)
            if self._file.write(raw) < raw.nbytes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            offset, self._end = self._end, self._end + raw.nbytes
        return offset

    def read(self, offset, size):
        if hasattr(os, "pread"):
            return os.pread(self._file.fileno(), size, offset)
        with LOCK:  # Windows: all threads share one position
            self._file.seek(offset)
            return self._file.read(size)


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
        self.writable, self._locks = True, None  # None: not tried yet

    def place(self):
        """The folder for files of other kinds; None where this one cannot be written."""
        if self.writable:
            try:
                self._root.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                self._give_up(error)
        return str(self._root) if self.writable else None

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
        """Keep an array; where that fails, one warning says so, and no more are written."""
        if not self.writable:
            return
        body = io.BytesIO()
        np.save(body, array)
        raw = body.getvalue() + _checksum(body.getvalue())
        path = self._path(key)
        part = path.with_name(f"{uuid.uuid4().hex}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # the cache was cleared meanwhile
                # A reader sees the whole file or none, also when two write or one is killed.
                part.write_bytes(raw)
                part.replace(path)
        except OSError as error:
            self._give_up(error)
        finally:
            _delete(part)
        self._unseen += _on_disk(len(raw))
        if self._unseen > self.max_bytes // 20:
            self._trim()

    def lock(self, name, held, *, wait):
        """Lock a name among processes until ``held`` closes or ours ends.

        Returns
        -------
        bool or None
            False if it is taken; None where the folder has no locks, which one warning says.
        """
        from filelock import FileLock, Timeout  # imports asyncio: not for `import photos`

        path = self._root / "locks" / name
        if not self._can_lock(path):
            return None
        lock = FileLock(path)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)  # somebody may have deleted all
            lock.acquire(timeout=-1 if wait else 0)
        except Timeout:
            return False
        except OSError as error:
            self._give_up(error)
            return None
        held.callback(lock.release)
        return True

    def clear(self):
        """Delete all arrays; locks stay, for somebody may hold one."""
        for _, _, path in self._files():
            _delete(path)
        self.writable, self._locks = True, None  # there is room again, perhaps

    def _can_lock(self, path):
        """Whether the folder has locks; tried once, for where it has none some wait for ever."""
        if self._locks is None and self.writable:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                problem = _lock_problem(path)
            except OSError as error:
                self._give_up(error)
                return False
            self._locks = problem is None
            if problem:
                warn(
                    f"memory={self.named!r} has no locks ({problem}): threads wait for each other, "
                    "but another process may embed the same photographs at the same time.",
                )
        return self.writable and self._locks

    def _give_up(self, error):
        with LOCK:
            first, self.writable = self.writable, False
        if first:
            warn(
                f"memory={self.named!r} cannot be written ({error.strerror}): what is missing "
                "there is kept in memory and in a temporary file, for this process alone. To keep "
                "it for others, name a folder that can be written and has room.",
            )

    def _path(self, key):
        return self._root / key[:2] / f"{key}.npy"

    def _files(self):
        """Yield (modification time, size, path) of all that `write` left."""
        for folder, _, names in os.walk(self._root):
            for path in (Path(folder, name) for name in names if name.endswith((".npy", ".part"))):
                with suppress(OSError):  # deleted by another process meanwhile
                    stat = path.stat()
                    yield stat.st_mtime, _on_disk(stat.st_size), path

    def _trim(self):
        files, self._unseen = sorted(self._files()), 0
        excess = sum(size for _, size, _ in files) - self.max_bytes * 9 // 10
        for used, size, path in files:
            if excess > 0 or (path.suffix == ".part" and used < time.time() - _ABANDONED):
                _delete(path)
                excess -= size


def _lock_problem(path):
    """Why a file cannot be locked, or None; that it is locked already is no such problem."""
    if fcntl is None:
        return None
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            taken = error.errno in (errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK)
            return None if taken else error.strerror
    return None


def _checksum(raw):
    return hashlib.blake2b(raw, digest_size=_CHECK).digest()


def _delete(path):
    with suppress(OSError):  # gone already, or open in another process on Windows
        path.unlink()


def _on_disk(size):
    return -(-size // _BLOCK) * _BLOCK
