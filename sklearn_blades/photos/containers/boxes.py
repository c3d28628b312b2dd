"""AVIF and HEIC: boxes within boxes (ISO 14496-12), of which one says where the EXIF item lies."""

import io
from typing import NamedTuple

from .splice import Container, Spliced, bytes_at, size_of

_MOST_BOXES = 4096


class _Box(NamedTuple):
    """A box without its head: where its content begins and ends."""

    name: bytes
    start: int
    stop: int


def take_apart(stream) -> Container:
    """An AVIF or HEIC as a `Container`; the reader sees a file without an EXIF item."""
    end = size_of(stream)
    meta = _first(stream, 0, end, b"meta")
    exif = None
    parts: list = [(0, end)]
    if meta is not None:
        inside = meta.start + 4, meta.stop  # behind version and flags
        number, at = _exif_item(stream, *inside)
        if number is not None:
            parts = [(0, at), b"free", (at + 4, end)]
            data = _item(stream, inside, number)
            skip = int.from_bytes(data[:4], "big")  # bytes before the TIFF structure
            exif = io.BytesIO(data[4 + skip :].removeprefix(b"Exif\x00\x00"))
    return Container(Spliced(stream, parts), exif or io.BytesIO())


def _boxes(stream, start, stop):
    """The boxes between two places, one after the other."""
    for _ in range(_MOST_BOXES):
        head = bytes_at(stream, start, 16)
        size, content = int.from_bytes(head[:4], "big"), 8
        if size == 1:
            size, content = int.from_bytes(head[8:], "big"), 16
        elif size == 0:  # to the end
            size = stop - start
        if len(head) < 8 or size < content or start + size > stop:
            return
        yield _Box(head[4:8], start + content, start + size)
        start += size


def _first(stream, start, stop, name):
    return next((box for box in _boxes(stream, start, stop) if box.name == name), None)


def _exif_item(stream, start, stop):
    """The number of the EXIF item, and where its type is written; (None, 0) without one."""
    items = _first(stream, start, stop, b"iinf")
    if items is None:
        return None, 0
    version = bytes_at(stream, items.start, 1)
    first = items.start + (6 if version == b"\x00" else 8)  # behind the count of items
    for box in _boxes(stream, first, items.stop):
        head = bytes_at(stream, box.start, 16)
        wide = 4 if head[:1] == b"\x03" else 2
        if box.name == b"infe" and head[6 + wide : 10 + wide] == b"Exif":
            return int.from_bytes(head[4 : 4 + wide], "big"), box.start + 6 + wide
    return None, 0


def _item(stream, inside, number):
    """The bytes of an item, gathered from its extents."""
    places, own = (_first(stream, *inside, name) for name in (b"iloc", b"idat"))
    if places is None:
        return b""
    table = io.BytesIO(bytes_at(stream, places.start, places.stop - places.start))

    def read(size):
        return int.from_bytes(table.read(size), "big")

    version, _, sizes, bases = read(1), read(3), read(1), read(1)
    wide = 4 if version == 2 else 2
    for _ in range(min(read(wide), _MOST_BOXES)):
        found = read(wide) == number
        within = read(2) & 15 if version in (1, 2) else 0  # 0: the file, 1: the box "idat"
        read(2)
        base = read(bases >> 4)
        if within == 1:
            base += own.start if own else 0
        data = b""
        for _ in range(min(read(2), _MOST_BOXES)):
            read(bases & 15 if version in (1, 2) else 0)
            offset, length = read(sizes >> 4), read(sizes & 15)
            if found and within in (0, 1):
                data += bytes_at(stream, base + offset, length)
        if found:
            return data
    return b""
