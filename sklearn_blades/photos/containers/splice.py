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


class Spliced:
    """Parts of a file, read as if they stood one behind the other.

    Parameters
    ----------
    stream : binary file object
    parts : iterable of bytes or (start, stop)
        Bytes as they are, or a range of the stream.
    """

    def __init__(self, stream: BinaryIO, parts):
        self._stream, self._parts, self._at = stream, _joined(parts), 0
        self._ends = list(accumulate(map(_length, self._parts)))

    def __getattr__(self, name):
        # This is how Pillow hands a file to libtiff, which reads the original by itself.
        if name in ("fileno", "getvalue", "flush"):
            return getattr(self._stream, name)
        raise AttributeError(name)

    def read(self, size=-1):
        end = self._ends[-1] if self._ends else 0
        stop = end if size is None or size < 0 else min(end, self._at + size)
        pieces = []
        while self._at < stop:
            number = bisect_right(self._ends, self._at)
            part, end = self._parts[number], self._ends[number]
            offset = self._at - (end - _length(part))
            wanted = min(stop, end) - self._at
            if isinstance(part, bytes):
                piece = part[offset : offset + wanted]
            else:
                self._stream.seek(part[0] + offset)
                piece = self._stream.read(wanted)
            self._at += len(piece)
            pieces.append(piece)
            if len(piece) < wanted:  # the file is shorter than it was
                break
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

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
