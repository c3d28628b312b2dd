"""A file that is put together from ranges of another one and from a few bytes of our own."""

import io
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, BinaryIO

MOST = 1 << 24
"""Bytes that one piece of metadata may have; the largest colour profiles have 4 million."""


@dataclass
class Container:
    """An image file, taken apart without decoding it.

    Attributes
    ----------
    view : file object
        What the pixels need and no more: metadata that a decoder might stumble over are left out.
    exif : file object, optional
        A TIFF structure with the tags; positions in it count from its first byte.
    profile : bytes
        The ICC profile; empty where there is none.
    facts : dict
        What the pixels mean and Pillow does not say: see `pixels.to_rgb`.
    """

    view: Any
    exif: Any = None
    profile: bytes = b""
    facts: dict = field(default_factory=dict)


class Spliced(io.BufferedReader):
    """Parts of a file, read as if they stood one behind the other.

    Pillow reads a header byte by byte, which costs next to nothing from a buffer.

    Parameters
    ----------
    stream : binary file object
    parts : iterable of bytes or (start, stop)
        Bytes as they are, or a range of the stream.
    """

    def __init__(self, stream: BinaryIO, parts):
        super().__init__(_Parts(stream, _joined(parts)))

    def __getattr__(self, name):
        # This, or `fileno`, is how Pillow hands a file to libtiff, which reads the original.
        if name == "getvalue":
            return self.raw.stream.getvalue
        raise AttributeError(name)


class _Parts(io.RawIOBase):
    def __init__(self, stream, parts):
        self.stream, self._parts, self._at = stream, parts, 0
        self._ends = list(accumulate(map(_length, parts)))

    def readable(self):
        return True

    def seekable(self):
        return True

    def fileno(self):
        return self.stream.fileno()

    def readinto(self, buffer):
        number = bisect_right(self._ends, self._at)
        if number == len(self._parts):
            return 0
        part, end = self._parts[number], self._ends[number]
        start = self._at - (end - _length(part))
        wanted = min(len(buffer), end - self._at)
        if isinstance(part, bytes):
            buffer[:wanted], read = part[start : start + wanted], wanted
        else:
            self.stream.seek(part[0] + start)
            read = self.stream.readinto(memoryview(buffer)[:wanted])
        self._at += read
        return read

    def seek(self, offset, whence=io.SEEK_SET):
        start = {io.SEEK_CUR: self._at, io.SEEK_END: self._ends[-1] if self._ends else 0}
        self._at = max(0, start.get(whence, 0) + offset)
        return self._at

    def tell(self):
        return self._at


def size_of(stream: BinaryIO) -> int:
    """Bytes in a stream, which is left at its end."""
    return stream.seek(0, io.SEEK_END)


def bytes_at(stream: BinaryIO, start: int, length: int) -> bytes:
    """Some bytes of a stream; fewer where it ends, and at most `MOST`."""
    stream.seek(start)
    return stream.read(max(0, min(length, MOST)))


def _length(part):
    return len(part) if isinstance(part, bytes) else part[1] - part[0]


def _joined(parts):
    """Without empty parts, and ranges that follow each other as one."""
    joined: list = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(part, tuple) and isinstance(last, tuple) and last[1] == part[0]:
            joined[-1] = last[0], part[1]
        elif _length(part) > 0:
            joined.append(part)
    return joined
