"""The file of a scan: a header, a line a file, a closing line; it survives being killed."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..ground.types import StrPath
from ..storage.whole_files import whole_file
from .rows import Row

try:
    import fcntl
except ImportError:  # Windows, where nothing keeps two scans apart
    fcntl = None  # type: ignore[assignment]

MUST_AGREE = ("digest", "where", "settings")
"""Facts of the header that a scan has to share with the one that it goes on from."""

_WORDS = {
    "digest": "by another detector, or by this one with other settings",
    "where": "of another place",
    "settings": "with other settings",
}


class Journal:
    """Lines of JSON in a file that grows.

    The first line is ``{"scan": facts}``, the last of a scan that came to its end
    ``{"end": facts}``, every other a `Row`. Of a path that has several lines, because its file had
    changed, the last counts.

    Parameters
    ----------
    path : str or Path
    """

    def __init__(self, path: StrPath):
        self.path = Path(path)
        self._file: Any = None

    def header(self) -> dict[str, Any]:
        """The facts of the first line.

        Raises
        ------
        ValueError
            If the file is no scan.
        """
        with self.path.open("rb") as file:
            first = file.readline()
        try:
            return json.loads(first)["scan"]
        except (ValueError, KeyError, TypeError):
            raise ValueError(
                f"{self.path}: not the file of a scan; name another file as out."
            ) from None

    def lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Offset in bytes and content of all whole lines but the first."""
        with self.path.open("rb") as file:
            offset = len(file.readline())
            for line in file:
                if not line.endswith(b"\n"):
                    return  # torn: its writer was killed
                yield offset, self._parsed(line)
                offset += len(line)

    def _parsed(self, line):
        try:
            return json.loads(line)
        except ValueError:
            raise ValueError(f"{self.path}: a line in it is damaged: {line[:60]!r}.") from None

    def end(self) -> dict[str, Any] | None:
        """The facts of the closing line, None where a scan has not come to its end."""
        end = None
        for _, line in self.lines():
            end = line.get("end")  # one before further rows was of an earlier scan
        return end

    def offsets(self) -> dict[str, tuple[int, Any, Any]]:
        """Where the line that counts is, and size and time of its file, by path."""
        return {
            line["path"]: (offset, line["facts"].get("bytes"), line["facts"].get("mtime_ns"))
            for offset, line in self.lines()
            if "path" in line
        }

    def row_at(self, file: Any, offset: int) -> Row:
        """The row whose line begins at an offset of the opened file."""
        file.seek(offset)
        return Row.from_json(self._parsed(file.readline()))

    def begin(self, facts: dict[str, Any]) -> None:
        """Start a new file, in the place of another scan's.

        Raises
        ------
        ValueError
            If there is a file that is no scan: it stays.
        """
        if self.path.exists() and self.path.stat().st_size:
            self.header()
        with whole_file(self.path) as file:
            file.write(_line({"scan": facts}))
        self._file = self._claimed("ab")

    def go_on(self, facts: dict[str, Any]) -> None:
        """Open the file of a scan to append, its torn last line cut off.

        Raises
        ------
        ValueError
            If it is no scan, or one of another detector, place or settings.
        """
        known = self.header()
        for name in MUST_AGREE:
            if known.get(name) != facts[name]:
                was = f" ({_shown(known.get(name))}, now {_shown(facts[name])})"
                raise ValueError(
                    f"{self.path}: a scan {_WORDS[name]}{'' if name == 'digest' else was}. Name "
                    "another file as out, or replace this one with resume=False (--no-resume)."
                )
        self._file = self._claimed("r+b")
        self._file.seek(_whole_bytes(self.path))
        self._file.truncate()

    def _claimed(self, mode):
        """The opened file, which no other scan can write to before it is closed."""
        file = self.path.open(mode)
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                raise ValueError(
                    f"{self.path}: another scan is writing it; wait for it, or name another file "
                    "as out."
                ) from None
        return file

    def append(self, rows: list[Row], *, sync: bool = False) -> None:
        """Add rows; with ``sync`` they are on the disk when this returns."""
        self._file.write(b"".join(_line(row.to_json()) for row in rows))
        self._file.flush()
        if sync:
            os.fsync(self._file.fileno())

    def finish(self, paths: list[str], facts: dict[str, Any]) -> None:
        """Close with the facts; lines are put into the order of ``paths`` where they are not."""
        self.close()
        offsets = self.offsets()
        wanted = [offsets[path][0] for path in paths]
        present = [offset for offset, line in self.lines()]
        if wanted == present:
            with self.path.open("ab") as file:
                file.write(_line({"end": facts}))
                file.flush()
                os.fsync(file.fileno())
            return
        with self.path.open("rb") as old, whole_file(self.path) as new:
            new.write(old.readline())
            for offset in wanted:
                old.seek(offset)
                new.write(old.readline())
            new.write(_line({"end": facts}))

    def close(self) -> None:
        """Write what is left, and close."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None


def _line(value):
    # ASCII alone: names that are no UTF-8 keep their bytes, and no letter ends a line.
    return json.dumps(value, allow_nan=False).encode("ascii") + b"\n"


def _shown(value):
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _whole_bytes(path):
    """Bytes up to the end of the last whole line."""
    whole = 0
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                whole += len(line)
    return whole
