"""Files taken apart: tags wherever they stand, odd metadata, and what is no file at all."""

import io
import os
import socket
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from sklearn_blades.errors import PhotoError
from sklearn_blades.photos import open_photo, read_exif
from sklearn_blades.photos.containers.splice import Spliced
from tests.drawn import FACTS
from tests.photos.built import PLAIN, chunk, jpeg, large_block, png, saved

LARGE = {"FNumber": 2.8, "ISOSpeedRatings": 400.0, "Make": "canon"}


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
    spliced.seek(30)
    assert spliced.read(1) == Spliced(stream, []).read() == b""
    assert spliced.getvalue() == stream.getvalue()  # for libtiff, which reads the original
    with pytest.raises(AttributeError):
        spliced.nothing  # noqa: B018
    del spliced
    assert not stream.closed


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


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "HEIC"])
def test_corrupt_tags_neither_warn_nor_cost_the_picture(form):
    rng = np.random.default_rng(3)
    with_header = b"Exif\0\0" + PLAIN
    plain = heif(with_header) if form == "HEIC" else saved(form, exif=with_header)
    begin = plain.find(PLAIN[:8])
    want = np.asarray(open_photo(plain))
    for _ in range(40):
        data = bytearray(plain)
        for place in begin + 4 + rng.integers(0, len(PLAIN) - 4, 6):
            data[place] = rng.integers(256)
        if form == "PNG":  # with a true sum, as a careless editor writes it
            data = png(before=chunk(b"eXIf", bytes(data[begin : begin + len(PLAIN)])))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert open_photo(bytes(data)).size == want.shape[1::-1]
            read_exif(bytes(data))
