"""Files taken apart: tags wherever they stand, raw files, odd metadata, deep grays, pipes."""

import io
import os
import socket
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from sklearn_blades.errors import PhotoError
from sklearn_blades.photos import open_photo, read_exif, read_photos
from sklearn_blades.photos.containers.splice import Spliced
from sklearn_blades.photos.containers.tiff import Tiff
from tests.drawn import FACTS, block

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


LARGE = {"FNumber": 2.8, "ISOSpeedRatings": 400.0, "Make": "canon"}


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


def in_pieces(data, size=65_000):
    return [(0xE1, b"Exif\0\0" + data[at : at + size]) for at in range(0, len(data), size)]


def heif(exif):
    pillow_heif = pytest.importorskip("pillow_heif")
    stream = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (32, 32), "gray")).save(stream, exif=exif)
    return stream.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "PNG behind", "WEBP", "AVIF", "HEIC"])
def test_exif_beyond_64_kilobytes(form):
    data = large_block()
    with_header = b"Exif\0\0" + data
    made = {
        "JPEG": lambda: jpeg(*in_pieces(data)),
        "PNG": lambda: png(before=chunk(b"eXIf", data)),
        "PNG behind": lambda: png(after=chunk(b"eXIf", data)),
        "WEBP": lambda: saved("WEBP", exif=with_header),
        "AVIF": lambda: saved("AVIF", exif=with_header),
        "HEIC": lambda: heif(with_header),
    }[form]()
    assert read_exif(made) == LARGE
    assert open_photo(made).size == ((32, 32) if form == "HEIC" else (16, 16))


@pytest.mark.parametrize("kind", ["tEXt", "zTXt", "iTXt", "iTXt packed"])
def test_imagemagicks_text_is_read_in_every_kind_of_chunk(kind):
    data = b"Exif\0\0" + PLAIN
    text = f"\nexif\n{len(data):8}\n{data.hex()}\n".encode()
    body = {
        "tEXt": text,
        "zTXt": b"\0" + zlib.compress(text),
        "iTXt": b"\0\0\0\0" + text,
        "iTXt packed": b"\1\0\0\0" + zlib.compress(text),
    }[kind]
    part = chunk(kind[:4].encode(), b"Raw profile type exif\0" + body)
    assert read_exif(png(before=part)) == read_exif(png(after=part)) == FACTS


def test_a_second_exif_segment_does_not_spoil_the_first():
    twice = jpeg((0xE1, b"Exif\0\0" + PLAIN), (0xE1, b"Exif\0\0" + large_block(1000)))
    assert read_exif(twice) == FACTS
    assert read_exif(jpeg((0xE1, b"Exif\0\0"), (0xE1, b"Exif\0\0" + PLAIN))) == FACTS


class Counting(io.BytesIO):
    """A file of which one counts what is read."""

    largest = total = 0

    def read(self, size=-1):
        data = super().read(size)
        self.largest, self.total = max(self.largest, len(data)), self.total + len(data)
        return data


def test_a_tiff_is_read_by_seeking(tmp_path):
    """One of 1.2 GB, most of it a hole, whose camera stands at its end."""
    import tracemalloc

    width, height, end = 20_000, 10_000, 1_200_000_000
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, 300), (259, 3, 1, 1)]
    entries += [(262, 3, 1, 2), (271, 2, 6, end), (273, 4, 1, 400), (277, 3, 1, 3)]
    entries += [(278, 4, 1, height), (279, 4, 1, 3 * width * height)]
    entries += [(37724, 7, 500_000_000, 650_000_000)]  # another program's layers
    path = tmp_path / "large.tif"
    with path.open("wb") as file:
        file.write(tiff(entries)[:300] + struct.pack("<HHH", 8, 8, 8))
        file.seek(end)
        file.write(b"Canon\0")
    tracemalloc.start()
    assert read_exif(path) == {"Make": "canon"}
    assert read_photos([path])[0].exif == {"Make": "canon"}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


def test_a_hostile_directory_costs_little():
    rows = [(tag, 4, 1, 8) for tag in range(60_000)]
    stream = Counting(tiff([(330, 4, 1, 8)])[:8] + directory(rows))
    assert len(Tiff(stream).directories()) == 1
    assert stream.largest < 1e5
    endless = Counting(b"II*\0" + struct.pack("<I", 8) + bytes([255]) * 100_000)
    assert len(Tiff(endless).directories()) <= 16
    assert endless.total < 2e6


def test_spliced_files_read_like_files():
    stream = io.BytesIO(bytes(range(100)))
    spliced = Spliced(stream, [(10, 20), b"abc", b"", (20, 20), (50, 60), (60, 62)])
    whole = bytes(range(10, 20)) + b"abc" + bytes(range(50, 62))
    assert spliced.read() == whole
    for start in range(26):
        for size in (0, 1, 5, 30):
            spliced.seek(start)
            assert spliced.read(size) == whole[start : start + size]
    assert spliced.seek(-2, io.SEEK_END) == 23
    assert spliced.seek(-3, io.SEEK_CUR) == spliced.tell() == 20


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


@pytest.mark.parametrize(
    "content",
    [
        raw({254: 1}, extra=[DNG]),
        raw({254: 1}),  # NEF and ARW: a mosaic in a sub-directory
        raw({}),
        raw({254: 1}, {k: v for k, v in RAW.items() if k not in (256, 257)}),
        raw({}, {254: 0, 256: 4032, 257: 3024, 259: 34713, 262: 1}),
        raw({}, pointer="next"),
        raw({})[:8] + b"CR\x02\0" + raw({})[12:],
        b"IIU\0" + bytes(100),
        b"IIRO" + bytes(100),
        b"FUJIFILMCCD-RAW " + bytes(100),
        struct.pack(">I", 24) + b"ftypcrx " + bytes(100),
    ],
    ids=["dng", "nef", "plain", "unsized", "nikon", "next", "cr2", "rw2", "orf", "raf", "cr3"],
)
def test_raw_files_are_refused_by_name(content, tmp_path):
    path = tmp_path / "a.raw"
    path.write_bytes(content)
    for opened in (open_photo, read_exif, lambda path: read_photos([path])):
        with pytest.raises(PhotoError, match=r"a\.raw: is a raw file.*develop it first"):
            opened(path)


def test_a_full_preview_is_the_photograph():
    """Apple ProRAW: the first directory is called reduced, and is as large as the raw picture."""
    linear = {254: 0, 256: 17, 257: 12, 259: 7, 262: 34892}
    assert open_photo(raw({254: 1}, linear, extra=[DNG])).size == (16, 12)
    turned = {**linear, 256: 12, 257: 16}
    assert open_photo(raw({254: 1}, turned, extra=[DNG])).getpixel((3, 3)) == (200, 60, 60)


def test_a_reduced_copy_of_another_picture_is_refused():
    larger = {254: 0, 256: 160, 257: 120, 259: 1, 262: 2}
    with pytest.raises(PhotoError, match=r"reduced copy of 16 x 12 .* 160 x 120"):
        open_photo(raw({254: 1}, larger))
    assert open_photo(raw({254: 0}, larger, pointer="next")).size == (16, 12)  # two pages


@pytest.mark.parametrize(
    "part",
    [
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * (2 << 20))),
        chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(b"x" * (2 << 20))),
        chunk(b"iCCP", b"profile\0\0" + zlib.compress(bytes(2 << 20))),
        chunk(b"iCCP", b"profile\0\7no such method"),
        chunk(b"zTXt", b"Comment\0\7no such method"),
        chunk(b"pHYs", b"\0"),
        chunk(b"gAMA", b"\0"),
        chunk(b"acTL", bytes(8)),
        chunk(b"fcTL", bytes(26)),
        chunk(b"tEXt", b"Comment\0wrong sum")[:-4] + bytes(4),
    ],
    ids=["ztxt", "itxt", "icc", "icc-method", "method", "phys", "gama", "actl", "fctl", "crc"],
)
def test_odd_metadata_of_a_png_cost_nothing(part):
    want = np.asarray(open_photo(png()))
    for content in (png(before=part), png(after=part)):
        assert np.array_equal(open_photo(content), want)
        assert read_exif(content) == {}


@pytest.mark.parametrize(
    "segment",
    [
        (0xE0, b"JFIF\0"),
        (0xEE, b"Adobe"),
        (0xE2, b"ICC_PROFILE\0"),
        (0xE2, b"ICC_PROFILE\0\x01\x02half"),
        (0xED, b"Photoshop 3.0\x008BIM\x04"),
        (0xE1, b"Exif\0\0"),
        (0xE2, b"MPF\0broken"),
        (0xFE, b""),
    ],
)
def test_odd_segments_of_a_jpeg_cost_nothing(segment):
    want = np.asarray(open_photo(jpeg()))
    assert np.array_equal(open_photo(jpeg(segment)), want)


def test_corrupt_tags_of_a_tiff_neither_warn_nor_refuse():
    ramp = np.tile(np.arange(256), (8, 1)) * 257
    odd = [
        (305, 2, 99_999, 150),  # longer than the file
        (282, 5, 1, 2**31),  # behind its end
        (700, 1, 0, 0),
        (33432, 99, 1, 0),
        (266, 3, 3, 1),  # three values where there is one
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for entry in odd:
            made = open_photo(gray(ramp, 16, 1, extra=[entry]))
            assert np.array_equal(np.asarray(made)[0, :, 0], np.arange(256))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("bits", [12, 16])
def test_deep_grays_come_out_right(bits, photometric, order):
    """An odd width, so that rows of 12 bits end within a byte."""
    upper = np.tile(np.arange(255), (8, 1))
    deep = upper * (257 if bits == 16 else 16)
    values = deep if photometric else 2**bits - 1 - deep
    made = open_photo(gray(values, bits, photometric, order))
    assert np.abs(np.asarray(made)[:, :, 0].astype(int) - upper).max() <= 1


def test_deep_grays_in_memory_and_compressed():
    ramp = np.tile(np.arange(256), (8, 1))
    with Image.open(io.BytesIO(gray(65535 - ramp * 257, 16, 0))) as image:
        assert np.abs(np.asarray(open_photo(image))[:, :, 0].astype(int) - ramp).max() <= 1
    stream = io.BytesIO()
    Image.fromarray((ramp * 257).astype(np.uint16)).save(stream, "TIFF", compression="tiff_lzw")
    assert np.array_equal(np.asarray(open_photo(stream.getvalue()))[:, :, 0], ramp)


@pytest.mark.parametrize(
    "compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"]
)
@pytest.mark.parametrize("big", [False, True])
def test_every_tiff_from_a_file_and_from_memory(compression, big, tmp_path):
    pixels = np.zeros((40, 56, 3), np.uint8)
    pixels[:, :28], pixels[20:] = (200, 100, 50), (20, 160, 90)
    path = tmp_path / "a.tif"
    image = Image.fromarray(pixels)
    options = {"quality": 100} if compression == "jpeg" else {}
    image.save(path, compression=compression, big_tiff=big, description="text", **options)
    for source in (path, path.read_bytes()):
        difference = np.asarray(open_photo(source)).astype(int) - pixels
        assert np.abs(difference).mean() < 2


def test_a_large_tiff_does_not_warn():
    """Pillow does, from 90 megapixels on."""
    stream = io.BytesIO()
    Image.new("1", (12_000, 8_000)).save(stream, "TIFF", compression="group4")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_photo(stream.getvalue()).size == (12_000, 8_000)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_what_is_no_file_is_named_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "pipe.jpg")
    for name in ("pipe.jpg", "link.jpg"):
        with pytest.raises(PhotoError, match=rf"{name}: is a named pipe \(FIFO\), not a file"):
            open_photo(tmp_path / name)
    with pytest.raises(PhotoError, match="is a device, not a file"):
        read_exif("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        with pytest.raises(PhotoError, match="is a socket, not a file"):
            open_photo(tmp_path / "s")
