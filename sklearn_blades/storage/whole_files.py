"""Files that are written whole or not at all, and what a writer that was killed leaves behind."""

import errno
import os
import re
import stat
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, which never deletes a file that somebody has open
    fcntl = None  # type: ignore[assignment]

_PART = re.compile(r"\.[0-9a-f]{32}\.part")
_ABANDONED = 3600  # seconds after which a part has lost its writer, where nothing can be locked


@contextmanager
def whole_file(path):
    """Open a file to write; it takes the place of ``path`` if the block ends well.

    A reader sees the old file or the new one, also after a crash or a power cut: the bytes are on
    the disk before the name is. What writers that were killed left in the folder is deleted.

    Parameters
    ----------
    path : str or Path
        A link stays, and what it leads to is replaced; so does the mode of a file that is there.

    Yields
    ------
    binary file

    Raises
    ------
    OSError
        If ``path`` is a folder, a device, a pipe or a socket, or lies in a folder that is not
        there, saying what to do; or if the disk refuses.
    """
    target = writable(path)
    remove_abandoned(target.parent)
    part, file = _new_part(target.parent)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if target.exists():
                part.chmod(stat.S_IMODE(target.stat().st_mode))
            if fcntl is not None:
                part.replace(target)  # still locked: until now others let it be
        if fcntl is None:
            part.replace(target)  # Windows renames no open file
        _sync_folder(target.parent)
    finally:
        part.unlink(missing_ok=True)


def writable(path):
    """The file that ``path`` leads to, there or not; anything but a file is refused by name."""
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise IsADirectoryError(
            f"{path} is a folder; name a file: {str(Path(path) / 'model.blades')!r}."
        )
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"{target.parent} is no folder, so {target.name} cannot be written there; make it "
            f"first: Path({str(target.parent)!r}).mkdir(parents=True)."
        )
    if what := special(target):
        raise OSError(f"{path} is {what} and would be replaced; name a file.")
    return target


def special(path):
    """``"a device"``, ``"a pipe"`` or ``"a socket"``; None for a file, a folder or nothing."""
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        return "a device"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a socket" if stat.S_ISSOCK(mode) else None


def remove_abandoned(folder):
    """Delete the parts in a folder whose writers are gone; what cannot be deleted stays."""
    with suppress(OSError):
        for path in Path(folder).iterdir():
            if _PART.fullmatch(path.name):
                with suppress(OSError):
                    _remove_if_abandoned(path)


def _remove_if_abandoned(part):
    with part.open("r+b") as file:  # network file systems lock nothing that is only read
        if _lock(file, wait=False) is None and time.time() - part.stat().st_mtime < _ABANDONED:
            return
        part.unlink()


def _new_part(folder):
    """A new file that this process holds, with a short name: a name may have 255 bytes."""
    while True:
        part = folder / f".{uuid.uuid4().hex}.part"
        file = part.open("xb")
        try:
            _lock(file, wait=True)
            # Before it was locked, another process may have taken it for an abandoned one.
            if os.fstat(file.fileno()).st_nlink or fcntl is None:
                return part, file
            file.close()
        except BaseException:
            file.close()
            part.unlink(missing_ok=True)
            raise


def _lock(file, *, wait):
    """Lock an open file until it is closed.

    Returns
    -------
    True or None
        None where the system has no such locks.

    Raises
    ------
    BlockingIOError
        If another process holds it, unless ``wait``.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL):
            return None
        raise
    return True


def _sync_folder(folder):
    """Put the new name on the disk too, where a folder can be opened."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
