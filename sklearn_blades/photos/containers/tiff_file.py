"""TIFF files: what the pixels need of the first directory, and raw files by what they are."""

import struct

from .splice import Container, Spliced, bytes_at
from .tiff import Entry, Tiff

_SUBFILE, _WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_FILL_ORDER, _SAMPLES, _PROFILE, _DNG_VERSION = 266, 277, 34675, 50706
_MOST_SAMPLES = 6
# Tags that say how to decode pixels. The others are the reader's, and damaged ones among them are
# what Pillow warns about; orientation is applied by us, as for every format.
_SINGLE = {
    _WIDTH,
    _LENGTH,
    _COMPRESSION,
    _PHOTOMETRIC,
    _FILL_ORDER,
    _SAMPLES,
    278,
    284,
    317,
    322,
    323,
}
_LISTS = {_BITS, 273, 279, 320, 324, 325, 338, 339, 347, 530, 532}
_MOST = 1 << 26  # bytes of one list: the positions of 16 million strips
# How raw files say that their pixels lie behind a mosaic of colours, or are raw all the same.
_MOSAICS = {32803, 34892, 51177}
_RAW_COMPRESSIONS = {32767, 34713, 65000, 65535}  # Sony, Nikon, Kodak, Pentax


class RawFile(Exception):
    """A file whose picture is a camera's raw data, or that holds a reduced copy first."""


def take_apart(stream) -> Container:
    """A TIFF as a `Container`.

    Raises
    ------
    RawFile
        Where the first picture is a small copy of one that is not readable here.
    """
    tiff = Tiff(stream)
    entries, _ = tiff.directory(tiff.first)
    refuse_raw(tiff)
    samples = _number(tiff, entries, _SAMPLES)
    if samples > _MOST_SAMPLES:  # Pillow logs this as an error, and refuses it
        raise ValueError(f"{samples} samples a pixel")
    profile = entries.get(_PROFILE)
    facts, changed = _gray(tiff, entries)
    return Container(
        _view(tiff, entries, changed),
        stream,
        b"" if profile is None else bytes_at(stream, profile.at, profile.size),
        facts,
    )


def refuse_raw(tiff: Tiff) -> None:
    """Raise `RawFile` for a raw file, unless its first picture is as large as the raw one.

    Phones put a full developed picture first (Apple's ProRAW does), cameras a thumbnail.
    """
    first, *others = tiff.directories() or [{}]
    sizes = [_sides(tiff, directory) for directory in (first, *others)]
    own, largest = sizes[0], max(sizes, key=lambda sides: sides[0] * sides[1])
    mosaic = _is_mosaic(tiff, first)
    raw = mosaic or _DNG_VERSION in first or any(_is_mosaic(tiff, one) for one in others)
    raw |= bytes_at(tiff.stream, 8, 2) == b"CR"  # Canon's do not say how large the raw picture is
    reduced = bool(int(_number(tiff, first, _SUBFILE)) & 1)
    # Raw pictures have a few per cent of border more than the developed one.
    small = any(a < 0.9 * b for a, b in zip(own, largest, strict=True))
    small |= any(_is_mosaic(tiff, one) and not all(_sides(tiff, one)) for one in others)
    if raw and (mosaic or small or bytes_at(tiff.stream, 8, 2) == b"CR"):
        raise RawFile(raw_problem(own))
    if reduced and small:
        raise RawFile(
            f"opens as a reduced copy of {own[1]} x {own[0]} pixels, and the picture of "
            f"{largest[1]} x {largest[0]} stands behind it; save that one as a file of its own."
        )


def raw_problem(sides=(0, 0)) -> str:
    """What is said of a raw file whose first picture has these sides."""
    preview = f" and opens as a preview of {sides[1]} x {sides[0]} pixels" if all(sides) else ""
    return (
        f"is a raw file{preview}; develop it first, with your camera's software, darktable or "
        "rawpy, and give the JPEG or TIFF."
    )


def _is_mosaic(tiff, directory):
    return (
        _number(tiff, directory, _PHOTOMETRIC) in _MOSAICS
        or _number(tiff, directory, _COMPRESSION) in _RAW_COMPRESSIONS
    )


def _sides(tiff, directory):
    """The shorter and the longer side, so that turned copies compare."""
    return tuple(sorted(_number(tiff, directory, tag) for tag in (_WIDTH, _LENGTH)))


def _number(tiff, directory, tag):
    value = tiff.value(directory.get(tag), 0)
    return value if isinstance(value, int) else 0


def _gray(tiff, entries):
    """What `to_rgb` must know of deep grays, and which tags Pillow is to see with other values.

    Pillow reads 12 and 16 bits with 0 for black only; so 0 for white is turned over by us.
    """
    bits = tiff.values(entries.get(_BITS), most=4)
    photometric = _number(tiff, entries, _PHOTOMETRIC)
    if bits not in ((12,), (16,)) or photometric not in (0, 1):
        return {}, {}
    facts = {"bits": bits[0], "white_is_zero": photometric == 0}
    return facts, {_PHOTOMETRIC: 1} if photometric == 0 else {}


def _view(tiff, entries, changed):
    """The file with a first directory of sound entries, each needed for the pixels."""
    kept, lists = [], []
    # Twelve packed bits look the same in both byte orders, and Pillow knows one of them.
    order = "<" if tiff.values(entries.get(_BITS), most=4) == (12,) else tiff.order
    for tag in sorted(entries.keys() & (_SINGLE | _LISTS)):
        entry = entries[tag]
        if entry.at + entry.size > tiff.end or entry.size > _MOST:
            continue
        if tag in _SINGLE:
            number = changed.get(tag, tiff.value(entry))
            if tag == _FILL_ORDER and number not in (1, 2):
                continue  # the default holds
            if isinstance(number, int) and 0 <= number < 2**32:
                kept.append((tag, 4, 1, struct.pack(order + "I", number)))
        elif order == tiff.order:
            kept.append((tag, entry.kind, entry.length, _raw_entry(tiff, entry)))
        else:
            lists.append((tag, entry))
    position = "Q" if tiff.big else "I"
    extra, place = b"", tiff.end
    for tag, entry in lists:
        numbers = tiff.values(entry, most=entry.length)
        if all(isinstance(number, int) for number in numbers):
            data = struct.pack(f"{order}{len(numbers)}I", *numbers)
            kept.append((tag, 4, len(numbers), _placed(data, order, position, place + len(extra))))
            extra += data
    rows = b"".join(
        struct.pack(f"{order}HH{position}", *row[:3])
        + row[3].ljust(struct.calcsize(position), b"\0")
        for row in sorted(kept)
    )
    counter = struct.pack(order + ("Q" if tiff.big else "H"), len(kept))
    directory = counter + rows + bytes(struct.calcsize("<" + position))
    return Spliced(tiff.stream, [*_around(tiff, order, directory), extra])


def _placed(data, order, position, place):
    """Values as an entry holds them: themselves, or where they stand."""
    if len(data) <= struct.calcsize("<" + position):
        return data
    return struct.pack(order + position, place)


def _raw_entry(tiff: Tiff, entry: Entry):
    inline = 8 if tiff.big else 4
    if entry.size <= inline:
        return bytes_at(tiff.stream, entry.at, entry.size)
    return struct.pack(tiff.order + ("Q" if tiff.big else "I"), entry.at)


def _around(tiff, order, directory):
    """Header, file and directory in their places."""
    head = bytes_at(tiff.stream, 0, 16 if tiff.big else 8)
    if order != tiff.order:
        code = "Q" if tiff.big else "I"
        mark = struct.pack("<HHH", 43, 8, 0) if tiff.big else struct.pack("<H", 42)
        head = b"II" + mark + struct.pack("<" + code, tiff.first)
    behind = tiff.first + len(directory)
    return [head, (len(head), tiff.first), directory, (behind, max(behind, tiff.end))]
