"""Files built byte by byte: TIFFs, raw files, PNGs and JPEGs with parts of one's choice."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

from tests.drawn import block

PLAIN = block().removeprefix(b"Exif\0\0")


def directory(entries, order="<", following=0):
    rows = b"".join(struct.pack(order + "HHII", *entry) for entry in sorted(entries))
    return struct.pack(order + "H", len(entries)) + rows + struct.pack(order + "I", following)


def tiff(entries, data=b"", order="<", at=8):
    """A TIFF whose pixels or other data stand at 400."""
    mark = b"II" if order == "<" else b"MM"
    return (
        (mark + struct.pack(order + "HI", 42, at)).ljust(at, b"\0") + directory(entries, order)
    ).ljust(400, b"\0") + data


def short(value, order):
    """A SHORT in the field of an entry."""
    return value if order == "<" else value << 16


def gray(values, bits, photometric, order="<", extra=()):
    """A TIFF of one strip from packed values (h, w)."""
    height, width = values.shape
    if bits == 12:
        padded = np.pad(values, ((0, 0), (0, width % 2)))
        pairs = padded.reshape(height, -1, 2).astype(np.uint32)
        joined = (pairs[:, :, 0] << 12) | pairs[:, :, 1]
        rows = np.stack([joined >> 16, joined >> 8 & 255, joined & 255], axis=-1)
        data = b"".join(
            row.reshape(-1).astype(np.uint8).tobytes()[: -(-width * 12 // 8)] for row in rows
        )
    else:
        data = values.astype(order + "u2").tobytes()
    numbers = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 277: 1}
    entries = [(tag, 3, 1, short(value, order)) for tag, value in numbers.items()]
    entries += [(273, 4, 1, 400), (278, 4, 1, height), (279, 4, 1, len(data)), *extra]
    return tiff(entries, data, order)


def large_block(size=70_000):
    """EXIF whose own directory stands far behind 64 kB of another program's data."""
    exif = [(0x8827, 3, 1, 400), (0x829D, 5, 1, 200)]
    at = 400 + size
    base = [(0x010F, 2, 6, 210), (0x02BC, 1, size, 400), (0x8769, 4, 1, at)]
    head = tiff(base)[:200] + struct.pack("<II", 28, 10)
    return (head.ljust(210, b"\0") + b"Canon\0").ljust(400, b"\0") + b"x" * size + directory(exif)


def saved(form, **options):
    stream = io.BytesIO()
    Image.new("RGB", (16, 16), "gray").save(stream, form, **options)
    return stream.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(before=b"", after=b""):
    plain = saved("PNG")
    first, end = plain.find(b"IDAT") - 4, plain.find(b"IEND") - 4
    return plain[:first] + before + plain[first:end] + after + plain[end:]


def jpeg(*segments):
    plain = saved("JPEG")
    extra = b"".join(
        b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data
        for marker, data in segments
    )
    return plain[:2] + extra + plain[2:]


RAW = {254: 0, 256: 4032, 257: 3024, 259: 7, 262: 32803}


def raw(first, second=RAW, pointer=330, extra=(), size=(16, 12)):
    """A file that begins with a picture of 16 x 12, and holds another directory at 1100."""
    data = bytes([200, 60, 60]) * (size[0] * size[1])
    entries = [(256, 4, 1, size[0]), (257, 4, 1, size[1]), (258, 3, 3, 390), (259, 3, 1, 1)]
    entries += [(262, 3, 1, 2), (273, 4, 1, 2000), (277, 3, 1, 3), (278, 4, 1, size[1])]
    entries += [(279, 4, 1, len(data)), *((tag, 4, 1, value) for tag, value in first.items())]
    entries += [*extra, *([(330, 4, 1, 1100)] if pointer == 330 else [])]
    made = tiff(entries)
    if pointer == "next":
        after = 10 + 12 * len(entries)
        made = made[:after] + struct.pack("<I", 1100) + made[after + 4 :]
    made = made[:390] + struct.pack("<HHH", 8, 8, 8) + made[396:]
    inner = directory([(tag, 4, 1, value) for tag, value in second.items()])
    return (made.ljust(1100, b"\0") + inner).ljust(2000, b"\0") + data


DNG = (50706, 1, 4, 0x00000401)
