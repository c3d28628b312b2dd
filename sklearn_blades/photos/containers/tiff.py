"""TIFF structures, which hold EXIF too: directories of entries, read by seeking, never whole."""

import struct
from typing import Any, BinaryIO, NamedTuple

from .splice import bytes_at, size_of

EXIF_DIRECTORY, SUB_DIRECTORIES = 0x8769, 0x014A
_MOST_DIRECTORIES, _MOST_ENTRIES = 16, 4096  # far beyond what cameras and programs write
_MOST_VALUES = 1024  # of one entry; the tags of a camera have one or two, its names a few dozen

# Field types of TIFF 6.0 and BigTIFF; rationals are two numbers.
_TYPES = {1: "B", 2: "s", 3: "H", 4: "I", 5: "2I", 6: "b", 7: "s", 8: "h", 9: "i", 10: "2i"}
_TYPES |= {11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_TEXT, _UNSIGNED, _SIGNED = 2, 5, 10
_UNSET = {_UNSIGNED: (0xFFFFFFFF,), _SIGNED: (-(2**31), 2**31 - 1)}


class Entry(NamedTuple):
    """One entry of a directory: where its values stand."""

    kind: int
    length: int
    at: int

    @property
    def size(self) -> int:
        """Bytes of all values."""
        return self.length * struct.calcsize("<" + _TYPES[self.kind])


class Tiff:
    """A TIFF structure in a stream.

    Parameters
    ----------
    stream : binary file object
        Position 0 is the structure's first byte.

    Attributes
    ----------
    order : {"<", ">", ""}
        Byte order as `struct` writes it; empty where this is no TIFF structure.
    first : int
        Where the first directory stands.
    big : bool
        Whether this is a BigTIFF, with 64-bit positions.
    """

    def __init__(self, stream: BinaryIO):
        self.stream, self.end = stream, size_of(stream)
        head = bytes_at(stream, 0, 16)
        self.order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
        self.big = 43 in head[2:4]
        self.first = 0
        if self.order and len(head) >= (16 if self.big else 8):
            code, start = ("Q", 8) if self.big else ("I", 4)
            (self.first,) = struct.unpack_from(self.order + code, head, start)

    @property
    def entry_size(self) -> int:
        """Bytes of an entry."""
        return 20 if self.big else 12

    def directory(self, at: Any) -> tuple[dict[int, Entry], int]:
        """The entries of a directory by tag, and where the next directory stands, or 0.

        Of a damaged directory the part that can be read; of two entries of one tag the first.
        """
        if not self.order or not isinstance(at, int) or not 8 <= at < self.end:
            return {}, 0
        counter, position = ("Q", "Q") if self.big else ("H", "I")
        size = struct.calcsize("<" + counter)
        head = bytes_at(self.stream, at, size)
        if len(head) < size:
            return {}, 0
        (count,) = struct.unpack(self.order + counter, head)
        length = min(count, _MOST_ENTRIES) * self.entry_size
        rows = bytes_at(self.stream, at + size, length)
        entries: dict[int, Entry] = {}
        for start in range(0, len(rows) - self.entry_size + 1, self.entry_size):
            tag, entry = self._entry(rows[start : start + self.entry_size], at + size + start)
            if entry is not None:
                entries.setdefault(tag, entry)
        tail = bytes_at(self.stream, at + size + length, struct.calcsize("<" + position))
        whole = len(tail) == struct.calcsize("<" + position) and count <= _MOST_ENTRIES
        return entries, struct.unpack(self.order + position, tail)[0] if whole else 0

    def _entry(self, row: bytes, at: int) -> tuple[int, Entry | None]:
        """An entry from its bytes, which stand at ``at``, and its tag; None where it is damaged."""
        position = self.order + ("Q" if self.big else "I")
        inline = struct.calcsize(position)
        tag, kind = struct.unpack_from(self.order + "HH", row)
        (count,) = struct.unpack_from(position, row, 4)
        if kind not in _TYPES or not count:
            return tag, None
        entry = Entry(kind, count, at + 4 + inline)
        if entry.size > inline:
            entry = entry._replace(at=struct.unpack_from(position, row, 4 + inline)[0])
        there = entry.at + min(entry.size, _MOST_VALUES) <= self.end
        return tag, entry if there or kind == _TEXT else None

    def directories(self) -> list[dict[int, Entry]]:
        """The first directory, its sub-directories, and the ones that follow; a bounded number."""
        found: list[dict[int, Entry]] = []
        ahead, seen = [self.first], set()
        while ahead and len(found) < _MOST_DIRECTORIES:
            at = ahead.pop(0)
            if at in seen or at == 0:
                continue
            seen.add(at)
            entries, following = self.directory(at)
            inner = self.values(entries.get(SUB_DIRECTORIES), most=_MOST_DIRECTORIES)
            ahead += [*(place for place in inner if isinstance(place, int)), following]
            found.append(entries)
        return found

    def values(self, entry: Entry | None, most: int = 1) -> tuple[Any, ...]:
        """The first values of an entry: numbers, None for a fraction that says nothing, or a text.

        A fraction says nothing where its denominator is 0, or where one of its numbers is the
        largest or smallest there is: EXIF's "infinity" and the way of many cameras to say "unset".
        """
        if entry is None:
            return ()
        code = _TYPES[entry.kind]
        if code == "s":
            raw = bytes_at(self.stream, entry.at, min(entry.length, _MOST_VALUES))
            return (_text(raw.split(b"\x00")[0]),) if entry.kind == _TEXT else (raw,)
        width = struct.calcsize("<" + code)
        raw = bytes_at(self.stream, entry.at, min(entry.length, most) * width)
        rows = struct.iter_unpack(self.order + code, raw[: len(raw) // width * width])
        if entry.kind in _UNSET:
            return tuple(_quotient(a, b, _UNSET[entry.kind]) for a, b in rows)
        return tuple(number for (number,) in rows)

    def value(self, entry: Entry | None, default: Any = None) -> Any:
        """The first value of an entry, or ``default`` where there is none."""
        return next(iter(self.values(entry)), default)


def _quotient(numerator, denominator, unset):
    if denominator == 0 or numerator in unset or denominator in unset:
        return None
    if numerator == denominator == -1:  # all bits set: unset again
        return None
    return numerator / denominator


def _text(raw):
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
