"""EXIF: what is written is read back, in base units; what is corrupt is absent, and quickly."""

import io
import logging
import struct
import time
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from sklearn_blades.errors import OversizedPhotoError, PhotoError
from sklearn_blades.photos import read_exif
from sklearn_blades.photos.exif import CATEGORICAL_TAGS, NUMERIC_TAGS, normalise_exif
from tests.drawn import FACTS, block


def written(form, exif=None, **options):
    stream = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, form, exif=block() if exif is None else exif, **options)
    return stream.getvalue()


def raw_block(entries, order="<"):
    """A TIFF block whose EXIF directory holds (code, type, count, 4 value bytes) as given."""
    head = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8)
    first = struct.pack(order + "HHHIII", 1, 0x8769, 4, 1, 26, 0)
    inner = struct.pack(order + "H", len(entries))
    for code, kind, count, value in entries:
        inner += struct.pack(order + "HHI", code, kind, count) + value
    return b"Exif\0\0" + head + first + inner + bytes(4)


def jpeg_with(segment):
    plain = written("JPEG", exif=b"")
    return plain[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + plain[2:]


@pytest.mark.parametrize("form", ["JPEG", "MPO", "TIFF", "PNG", "WEBP", "AVIF"])
def test_every_tag_of_every_format_is_read(form, tmp_path):
    path = tmp_path / "photo"
    path.write_bytes(written(form))
    facts = read_exif(path)
    assert set(facts) == set(FACTS)
    for name in NUMERIC_TAGS:
        assert facts[name] == pytest.approx(FACTS[name], rel=1e-6)
    assert [facts[name] for name in CATEGORICAL_TAGS] == [FACTS[name] for name in CATEGORICAL_TAGS]
    assert read_exif(path.read_bytes()) == read_exif(str(path)) == facts


def test_the_tags_are_the_fifteen_of_the_method():
    assert set(NUMERIC_TAGS + CATEGORICAL_TAGS) == set(FACTS)
    assert all(isinstance(FACTS[name], float) for name in NUMERIC_TAGS)


def test_heic_is_read_with_its_extra():
    heif = pytest.importorskip("pillow_heif")
    image = heif.from_pillow(Image.new("RGB", (32, 32), "gray"))
    stream = io.BytesIO()
    image.save(stream, exif=block())
    assert read_exif(stream.getvalue())["ISOSpeedRatings"] == 400


def test_heic_without_its_extra_says_what_to_type(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    path = tmp_path / "a.heic"
    path.write_bytes(struct.pack(">I4s4s", 24, b"ftyp", b"heic") + bytes(100))
    with pytest.raises(PhotoError, match=r"a\.heic.*pip install \"sklearn-blades\[heic\]\""):
        read_exif(path)


def test_png_with_imagemagicks_profile_is_read():
    from PIL.PngImagePlugin import PngInfo

    data = b"Exif\0\0" + block().removeprefix(b"Exif\0\0")
    info = PngInfo()
    info.add_text("Raw profile type exif", f"\nexif\n{len(data):8}\n{data.hex()}\n")
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "PNG", pnginfo=info)
    assert read_exif(stream.getvalue())["Make"] == "nikon"


def test_no_exif_gives_an_empty_dict():
    assert read_exif(written("JPEG", exif=b"")) == {}


@pytest.mark.parametrize("order", ["<", ">"])
def test_impossible_numbers_are_absent(order):
    def ratio(numerator, denominator):
        return struct.pack(order + "II", numerator, denominator)

    at = 26 + 2 + 6 * 12 + 4
    entries, tail = [], b""
    for code, value in [
        (0x829A, ratio(1, 0)),  # zero denominator
        (0x829D, ratio(0, 1)),  # f/0
        (0x920A, ratio(0, 0)),
        (0x9201, struct.pack(order + "ii", 2**31 - 1, 1)),  # 2**-2147483647 s
        (0x9202, ratio(2**32 - 1, 1)),
        (0x9204, struct.pack(order + "ii", -1, 3)),  # the only possible one
    ]:
        kind = 10 if code in (0x9201, 0x9204) else 5
        entries.append((code, kind, 1, struct.pack(order + "I", at + len(tail))))
        tail += value
    facts = read_exif(jpeg_with(raw_block(entries, order) + tail))
    assert facts == {"ExposureBiasValue": pytest.approx(-1 / 3)}


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("ExposureTime", "1/125", 0.008),
        ("ExposureTime", Fraction(1, 125), 0.008),
        ("ExposureTime", "2", 2.0),
        ("ExposureTime", "0.5 s", 0.5),
        ("ExposureTime", "1/0", None),
        ("ExposureTime", -1, None),
        ("FNumber", "f/2.8", 2.8),
        ("FNumber", "F2.8", 2.8),
        ("FNumber", float("nan"), None),
        ("FNumber", float("inf"), None),
        ("FocalLength", "50.0 mm", 50.0),
        ("FocalLength", "__import__('os').getcwd()", None),
        ("ISOSpeedRatings", np.int64(200), 200.0),
        ("ISOSpeedRatings", "1e400", None),
        ("ISOSpeedRatings", "1e999999999", None),
        ("ISOSpeedRatings", None, None),
        ("ISOSpeedRatings", [100], None),
        ("ExposureBiasValue", "+1/3", 1 / 3),
        ("ExposureBiasValue", 0, 0.0),
        ("MeteringMode", 2, "center-weighted average"),
        ("MeteringMode", "Center-weighted average", "center-weighted average"),
        ("MeteringMode", "Multi-segment", "pattern"),
        ("MeteringMode", 5.0, "pattern"),
        ("MeteringMode", "0", None),
        ("MeteringMode", "My own", "my own"),
        ("ExposureProgram", "Program AE", "normal program"),
        ("ExposureProgram", "Not Defined", None),
        ("WhiteBalance", "Auto", "auto"),
        ("WhiteBalance", 7, None),
        ("SceneCaptureType", "Night", "night scene"),
        ("ExposureMode", "Auto bracket", "auto bracket"),
        ("Flash", 25, "fired"),
        ("Flash", "Off, Did not fire", "not fired"),
        ("Flash", "On, Fired", "fired"),
        ("Flash", "Flash did not fire", "not fired"),
        ("Flash", 32, "no flash"),
        ("Flash", "No flash function", "no flash"),
        ("Make", "OLYMPUS IMAGING CORP.", "olympus"),
        ("Make", "SAMSUNG TECHWIN", "samsung"),
        ("Make", "EASTMAN KODAK COMPANY", "kodak"),
        ("Make", "LEICA CAMERA AG", "leica"),
        ("Make", "CASIO COMPUTER CO.,LTD.", "casio"),
        ("Make", "FUJI PHOTO FILM CO., LTD.", "fujifilm"),
        ("Make", "LG Electronics", "lg"),
        ("Make", "LGE", "lg"),
        ("Make", "Apple\x00\x00", "apple"),
        ("Make", "Sony Ericsson", "sony ericsson"),
        ("Make", "Camera", None),
        ("Make", "N/A", None),
        ("Make", "Digital Camera Co., Ltd.", None),
        ("Make", "Motorola Mobility LLC", "motorola"),
        ("Make", "SEIKO EPSON CORP.", "epson"),
        ("Make", "Victor Hasselblad AB", "hasselblad"),
        ("Make", "Phase One A/S", "phase one"),
        ("Make", "T-Mobile", "t mobile"),
        ("Model", "---", None),
        ("Model", "Unknown", None),
        ("Model", "9700", "9700"),
        ("ExposureTime", "4294967295", None),
        ("ExposureTime", 1e-9, None),
        ("FNumber", "f/29532", None),
        ("FNumber", 0.2, None),
        ("FocalLength", 65535, None),
        ("ISOSpeedRatings", 65535, None),
        ("ISOSpeedRatings", 4294967295, None),
        ("ExposureBiasValue", -1.65e8, None),
        ("ExposureBiasValue", "0.33", 1 / 3),
        ("FNumber", 2.828427, 2.8),
        ("ExposureTime", "1/64", 1 / 60),
        ("ShutterSpeedValue", 2.0**-7, 1 / 125),
        ("Make", "  ", None),
        ("Model", "iPhone 5\x00", "iphone 5"),
    ],
)
def test_a_sidecar_row_is_brought_into_the_same_form(name, given, expected):
    facts = normalise_exif({name: given, "label": 1})
    assert facts == ({} if expected is None else {name: pytest.approx(expected)})
    assert normalise_exif(facts) == facts


def test_a_model_loses_its_makers_name():
    assert normalise_exif({"Make": "Canon", "Model": "Canon EOS 5D"})["Model"] == "eos 5d"
    assert normalise_exif({"Make": "Canon", "Model": "Canon"})["Model"] == "canon"


def test_corrupt_blocks_never_raise_hang_or_warn(caplog):
    caplog.set_level(logging.WARNING)
    rng = np.random.default_rng(7)
    forms = {form: written(form) for form in ("JPEG", "TIFF", "PNG", "WEBP")}
    kept = 0
    for trial in range(400):
        form = list(forms)[trial % 4]
        data = bytearray(forms[form])
        begin = data.find(b"MM\x00*")
        begin = data.find(b"II*\x00") if begin < 0 else begin
        for place in begin + 4 + rng.integers(0, 280, 1 + trial % 9):
            data[place] = rng.integers(256)
        start = time.perf_counter()
        try:
            facts = read_exif(bytes(data))
        except PhotoError:  # in a TIFF and in a PNG the header itself may be hit
            assert form in ("TIFF", "PNG")
        else:
            kept += bool(facts)
            assert normalise_exif(facts) == facts
        assert time.perf_counter() - start < 2
    assert kept > 100  # what can be read is read
    assert not caplog.records


def chain_of_directories():
    """3,500 directories, each with 900 fractions and a link to the next."""
    body = b"II*\0" + struct.pack("<I", 8)
    for link in range(26, 26 + 18 * 3500, 18):
        body += struct.pack("<HHHIII", 1, 0x9999, 5, 900, 8, link)
    return b"Exif\0\0" + body


HUGE = struct.pack("<I", 2**31)


@pytest.mark.parametrize(
    "segment",
    [
        b"Exif\0\0",
        b"Exif\0\0II",
        b"Exif\0\0not a TIFF at all",
        raw_block([(0x927C, 7, 2**32 - 1, HUGE)]),  # a maker note of 4 GB
        raw_block([(0x9286, 2, 2**32 - 1, HUGE)] * 40),  # comments of 4 GB
        raw_block([(0x1000 + i, 5, 999, bytes(4)) for i in range(5000)]),
        raw_block([(0x829A, 5, 999, HUGE)] * 5000),
        raw_block([(0x8769, 4, 1, struct.pack("<I", 26))]),  # a directory inside itself
        raw_block([(0xA005, 4, 1, struct.pack("<I", 26))]),
        chain_of_directories(),
    ],
    ids=[
        "empty",
        "short",
        "text",
        "maker-note",
        "comments",
        "wide",
        "repeated",
        "nested",
        "interop",
        "chain",
    ],
)
def test_hostile_blocks_are_read_in_bounded_time_and_memory(segment):
    import tracemalloc

    data = jpeg_with(segment)
    tracemalloc.start()
    start = time.perf_counter()
    assert read_exif(data) == {}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.perf_counter() - start < 3
    assert peak < 10e6


def test_what_is_no_image_is_refused_by_name(tmp_path):
    with pytest.raises(PhotoError, match=r"nowhere\.jpg: there is no such file"):
        read_exif(tmp_path / "nowhere.jpg")
    (tmp_path / "text.jpg").write_text("Dear reader,\n" * 10)
    with pytest.raises(PhotoError, match=r"text\.jpg: is not a JPEG"):
        read_exif(tmp_path / "text.jpg")


def test_a_tiff_of_a_size_that_nobody_decodes_is_refused():
    data = bytearray(written("TIFF"))
    entry = data.find(struct.pack("<HHIH", 0x0100, 4, 1, 32))  # ImageWidth
    assert entry > 0
    data[entry + 8 : entry + 12] = struct.pack("<I", 2**31)
    with pytest.raises(OversizedPhotoError, match="2147483648 x 24"):
        read_exif(bytes(data))
