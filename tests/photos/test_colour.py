"""Colour profiles: what is not sRGB is brought there, once; what says nothing changes nothing."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from sklearn_blades.photos import colour, face_crop, open_photo

D50 = (0.9642, 1.0, 0.8249)
# Primaries adapted to D50, as X, Y, Z of red, green and blue.
DISPLAY_P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
SRGB = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7139))
TO_SRGB = np.linalg.inv(np.transpose(SRGB)) @ np.transpose(DISPLAY_P3)


def number(value):
    return struct.pack(">i", round(value * 65536))


def profile(primaries=DISPLAY_P3, *, curve=None, gray=False):
    """An ICC profile (version 2) with sRGB's curve, or a plain gamma."""
    if curve is None:
        points = np.linspace(0, 1, 1024)
        points = np.where(points <= 0.04045, points / 12.92, ((points + 0.055) / 1.055) ** 2.4)
        values = np.rint(points * 65535).astype(">u2").tobytes()
        curve = b"curv" + bytes(4) + struct.pack(">I", 1024) + values
    else:
        curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(curve * 256)) + bytes(2)
    xyz = [b"XYZ " + bytes(4) + b"".join(map(number, row)) for row in (D50, *primaries)]
    name = b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags = {b"desc": name, b"wtpt": xyz[0], b"cprt": b"text" + bytes(4) + b"none\0"}
    if gray:
        tags[b"kTRC"] = curve
    else:
        tags |= dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), xyz[1:], strict=True))
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, data, at = b"", b"", 132 + 12 * len(tags)
    for tag, content in tags.items():
        content += bytes(-len(content) % 4)
        table += tag + struct.pack(">II", at + len(data), len(content))
        data += content
    body = struct.pack(">I", len(tags)) + table + data
    space = b"GRAY" if gray else b"RGB "
    head = struct.pack(">I4sI4s4s4s", 128 + len(body), b"lcms", 0x02400000, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp"
    return head.ljust(68, b"\0") + b"".join(map(number, D50)) + bytes(48) + body


def inks():
    """A CMYK profile of a press that prints every ink as one and the same gray."""
    ramp = bytes(range(256))
    grid = b"".join(bytes([51 if node else 255, 128, 128]) for node in range(16))  # L*, a*, b*
    one, none = number(1), number(0)
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + (one + none * 3) * 2 + one
    table += ramp * 4 + grid + ramp * 3
    table += bytes(-len(table) % 4)
    kind = (b"lcms", 0x02400000, b"prtr", b"CMYK", b"Lab ")
    head = struct.pack(">I4sI4s4s4s", 144 + len(table), *kind)
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp"
    head = head.ljust(68, b"\0") + b"".join(map(number, D50)) + bytes(48)
    return head + struct.pack(">I4sII", 1, b"A2B0", 144, len(table)) + table


def expected(pixels):
    """Display P3 to sRGB from the equations."""
    linear = np.asarray(pixels) / 255
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ TO_SRGB.T, 0, 1)
    curved = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return curved * 255


@pytest.fixture
def picture():
    pixels = np.zeros((24, 24, 3), np.uint8)
    pixels[:, :8], pixels[:, 8:16], pixels[:, 16:] = (200, 120, 100), (90, 130, 60), (128, 128, 128)
    return Image.fromarray(pixels)


def saved(image, form, icc, **options):
    stream = io.BytesIO()
    image.save(stream, form, icc_profile=icc, **options)
    return stream.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "HEIF"])
def test_display_p3_becomes_srgb_in_every_format(form, picture):
    if form == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    options = {} if form in ("PNG", "TIFF") else {"quality": 100}
    data = saved(picture, form, profile(), **options)
    got = np.asarray(open_photo(data)).astype(int)
    want = expected(picture)
    limit = 2 if form in ("PNG", "TIFF") else 6
    for column in (4, 12, 20):
        assert np.abs(got[12, column] - want[12, column]).max() <= limit
    assert np.abs(want - np.asarray(picture)).max() > 10
    plain = np.asarray(open_photo(saved(picture, form, None, **options))).astype(int)
    assert np.abs(plain - np.asarray(picture))[:, [4, 12, 20]].max() <= limit


def test_it_is_converted_once_however_it_comes(picture):
    data = saved(picture, "PNG", profile())
    once = np.asarray(open_photo(data))
    assert np.array_equal(open_photo(open_photo(data)), once)
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(open_photo(image), once)
    options = {"face_locator": "whole", "image_size": 24}
    found = face_crop(data, face_locator=lambda image: [(0, 0, 1, 1)], face_margin=1, image_size=24)
    assert np.array_equal(face_crop(data, **options).pixels, found.pixels)
    assert np.array_equal(found.pixels, once)


def test_a_jpeg_is_still_decoded_small(picture):
    data = saved(picture.resize((1600, 1200)), "JPEG", profile(), quality=95)
    small = open_photo(data, min_size=150)
    assert small.size == (200, 150)
    assert np.abs(np.asarray(small)[75, 30] - expected(picture)[12, 4]).max() <= 4


@pytest.mark.parametrize(
    "icc",
    [
        b"no profile",
        b"\0" * 200,
        profile()[:300],
        profile(gray=True),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(),
    ],
    ids=["text", "zeros", "cut", "for grays", "lab"],
)
def test_a_profile_that_says_nothing_changes_nothing(icc, picture):
    assert np.array_equal(open_photo(saved(picture, "PNG", icc)), picture)


@pytest.mark.parametrize(
    "icc", [profile(SRGB), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()]
)
def test_srgb_stays_bit_by_bit(icc, picture):
    assert np.array_equal(open_photo(saved(picture, "PNG", icc)), picture)


def test_grays_with_a_profile_of_their_own():
    ramp = Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (4, 1)))
    linear = open_photo(saved(ramp, "PNG", profile(gray=True, curve=1.0)))
    assert np.ptp(np.asarray(linear).astype(int), axis=2).max() == 0
    assert np.asarray(linear)[0, 55, 0] == pytest.approx(
        128, abs=2
    )  # 0.216 in light is 0.5 in sRGB
    layered = ramp.copy()
    layered.putalpha(255)
    assert np.array_equal(open_photo(saved(layered, "PNG", profile(gray=True, curve=1.0))), linear)
    coloured = np.asarray(open_photo(saved(ramp, "PNG", profile(curve=1.0))))
    assert np.abs(coloured.astype(int) - np.asarray(linear)).max() <= 2


@pytest.mark.parametrize("form", ["TIFF", "JPEG"])
def test_inks_look_as_their_press_prints_them(form):
    pixels = np.zeros((24, 24, 4), np.uint8)
    pixels[:, 8:16, 0], pixels[:, 16:, 3] = 128, 255
    image = Image.frombytes("CMYK", (24, 24), pixels.tobytes())
    plain = np.asarray(open_photo(saved(image, form, None)))[12].astype(int)
    assert plain[12, 2] - plain[12, 0] > 100  # cyan
    printed = np.asarray(open_photo(saved(image, form, inks())))[12].astype(int)
    assert printed[4].min() >= 250
    assert np.ptp(printed[12]) <= 8
    assert 60 < printed[12].mean() < 200
    assert np.abs(printed[20] - 48).max() <= 3  # L* = 20
    other = np.asarray(open_photo(saved(image, form, profile())))[12]
    assert np.array_equal(other, plain)  # a profile for screens says nothing of inks


def test_transparent_parts_are_mid_gray_in_any_profile(picture):
    picture.putalpha(0)
    assert set(np.asarray(open_photo(saved(picture, "PNG", profile()))).reshape(-1)) == {128}


def test_few_transforms_are_kept(picture, monkeypatch):
    monkeypatch.setattr(colour, "_KEPT", 2)
    for gamma in (1.0, 1.2, 1.4, 1.6):
        open_photo(saved(picture, "PNG", profile(curve=gamma)))
    assert len(colour._transforms) <= 2
