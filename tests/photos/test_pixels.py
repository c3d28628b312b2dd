"""Opening: every format, mode and orientation in; bad files out, by name and quickly."""

import io
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from sklearn_blades.errors import OversizedPhotoError, PhotoError
from sklearn_blades.photos import files, read_exif, read_photos
from sklearn_blades.photos.files import opened
from sklearn_blades.photos.pixels import header, resized
from sklearn_blades.photos.records import exif_of, face_crop, open_photo
from tests.drawn import block, portrait


@pytest.fixture
def paths(tmp_path):
    """Three JPEGs with EXIF."""
    names = [tmp_path / f"{letter}.jpg" for letter in "abc"]
    for name in names:
        portrait(200, 160).save(name, exif=block())
    return names


def saved(folder, name, image, **options):
    path = folder / name
    image.save(path, **options)
    return path


@pytest.mark.parametrize("form", ["JPEG", "TIFF", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_orientation_is_applied(form, turn, tmp_path):
    """Each of the eight tags, against the EXIF standard: where the stored top-left corner goes."""
    corner = {1: "nw", 2: "ne", 3: "se", 4: "sw", 5: "nw", 6: "ne", 7: "se", 8: "sw"}[turn]
    stored = np.zeros((48, 96, 3), dtype=np.uint8)
    stored[:16, :16] = 255  # the stored top-left corner
    stored[:16, 80:] = 120  # the stored top-right corner
    options = {"quality": 95} if form != "PNG" else {}
    exif = Image.Exif()
    exif[0x0112] = turn
    path = saved(
        tmp_path, "a", Image.fromarray(stored), format=form, exif=exif.tobytes(), **options
    )
    image = open_photo(path)
    assert image.size == ((48, 96) if turn >= 5 else (96, 48))
    pixels = np.asarray(image)[:, :, 0].astype(int)
    corners = {"nw": pixels[8, 8], "ne": pixels[8, -8], "sw": pixels[-8, 8], "se": pixels[-8, -8]}
    assert corners.pop(corner) > 240
    second = {1: "ne", 2: "nw", 3: "sw", 4: "se", 5: "sw", 6: "se", 7: "ne", 8: "nw"}[turn]
    assert corners.pop(second) == pytest.approx(120, abs=12)
    assert max(corners.values()) < 15
    with Image.open(path) as opened:
        assert np.array_equal(np.asarray(open_photo(opened)), np.asarray(image))


@pytest.mark.parametrize("turn", [1, 6])
def test_heic_is_turned_once(turn):
    heif = pytest.importorskip("pillow_heif")
    stored = np.zeros((48, 96, 3), dtype=np.uint8)
    stored[:16, :16] = 255
    exif = Image.Exif()
    exif[0x0112] = turn
    stream = io.BytesIO()
    heif.from_pillow(Image.fromarray(stored)).save(stream, exif=exif.tobytes(), quality=95)
    image = open_photo(stream.getvalue())
    assert image.size == ((96, 48) if turn == 1 else (48, 96))
    assert image.getpixel((8, 8) if turn == 1 else (40, 8))[0] > 230


def modes():
    gray = Image.fromarray(np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1)))
    alpha = Image.merge("LA", (gray, Image.new("L", gray.size, 0)))
    deep = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
    clear = gray.convert("P")
    yield "L", gray, "PNG", gray
    yield "1", gray.convert("1"), "PNG", gray.convert("1")
    yield "P", gray.convert("P"), "GIF", gray
    yield "P-clear", clear, "PNG", Image.new("L", gray.size, 128)
    yield "LA", alpha, "PNG", Image.new("L", gray.size, 128)
    yield "RGBA", alpha.convert("RGBA"), "WEBP", Image.new("L", gray.size, 128)
    yield "16", deep, "PNG", gray
    yield "16-tiff", deep, "TIFF", gray
    yield "CMYK", gray.convert("RGB").convert("CMYK"), "JPEG", gray
    yield "L-jpeg", gray, "JPEG", gray
    yield "BMP", gray.convert("RGB"), "BMP", gray


@pytest.mark.parametrize(
    ("name", "image", "form", "expected"), list(modes()), ids=lambda v: str(v)[:9]
)
def test_every_mode_becomes_rgb(name, image, form, expected, tmp_path):
    options = {"transparency": bytes(256)} if name == "P-clear" else {}
    opened = open_photo(saved(tmp_path, "a", image, format=form, **options))
    assert opened.mode == "RGB"
    difference = np.asarray(opened).astype(int) - np.asarray(expected.convert("RGB"))
    assert np.abs(difference).max() <= (8 if form == "JPEG" else 1)


def test_pixels_of_unknown_white_are_refused(tmp_path):
    path = saved(tmp_path, "deep.tif", Image.new("F", (8, 8), 0.5))
    with pytest.raises(PhotoError, match=r"deep\.tif: .*32-bit.*8-bit or 16-bit"):
        open_photo(path)


def test_an_open_image_is_left_as_it_is(paths):
    with Image.open(paths[0]) as image:
        small = open_photo(image, min_size=10)
        assert small.size == image.size == (200, 160)
    own = Image.new("RGB", (4, 4))
    open_photo(own).putpixel((0, 0), (255, 0, 0))
    assert own.getpixel((0, 0)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("min_size", "expected"), [(None, 1200), (1200, 1200), (601, 1200), (600, 600), (140, 150)]
)
def test_a_jpeg_is_decoded_no_smaller_than_asked(min_size, expected, tmp_path):
    path = saved(tmp_path, "big.jpg", Image.new("RGB", (1600, 1200)))
    assert min(open_photo(path, min_size=min_size).size) == expected


def test_paths_bytes_and_images_agree(paths):
    pixels = np.asarray(open_photo(paths[0]))
    assert np.array_equal(np.asarray(open_photo(str(paths[0]))), pixels)
    assert np.array_equal(np.asarray(open_photo(paths[0].read_bytes())), pixels)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_an_open_file_is_taken_apart_once_for_all_but_a_second_decoding(
    form, tmp_path, monkeypatch
):
    path = saved(tmp_path, "a", portrait(400, 320), format=form, exif=block())
    whole, small = open_photo(path), open_photo(path, min_size=80)
    taken, real = [], files._identify
    monkeypatch.setattr(files, "_identify", lambda *args: taken.append(1) or real(*args))
    with opened(path) as file:
        facts, size = exif_of(file), header(file)
        assert (facts, size) == (read_exif(path), (whole.size, form))
        taken.clear()
        assert np.array_equal(open_photo(file, min_size=80), small)
        assert not taken
        assert np.array_equal(open_photo(file), whole)
        assert (exif_of(file), header(file)) == (facts, size)
        assert np.array_equal(open_photo(file), whole)
        assert len(taken) == 2  # one for each decoding after the first
    with opened(saved_bytes(tmp_path, path.read_bytes()[:-700])) as cut:
        for _ in range(2):  # what failed once is not taken for what it was before
            with pytest.raises(PhotoError):
                open_photo(cut)


def saved_bytes(folder, content):
    path = folder / "cut"
    path.write_bytes(content)
    return path


def png_header(width, height):
    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(bytes(100)))
        + chunk(b"IEND", b"")
    )


def huge_jpeg():
    stream = io.BytesIO()
    Image.new("RGB", (16, 16)).save(stream, "JPEG")
    data = bytearray(stream.getvalue())
    frame = data.find(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 65500, 65500)
    return bytes(data)


def truncated(form):
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stream, form)
    return stream.getvalue()[: len(stream.getvalue()) // 2]


@pytest.mark.parametrize(
    ("name", "content", "error", "words"),
    [
        ("missing.jpg", None, PhotoError, "there is no such file"),
        ("folder.jpg", "folder", PhotoError, "is a directory; list its files"),
        ("text.jpg", b"Dear reader, this is no picture.", PhotoError, "is not a JPEG, TIFF, PNG"),
        ("short.jpg", b"\xff\xd8\xff", PhotoError, "header is damaged"),
        ("empty.jpg", b"", PhotoError, r"is empty \(0 bytes\)"),
        ("half.jpg", truncated("JPEG"), PhotoError, "cannot be decoded: .*truncated"),
        ("half.png", truncated("PNG"), PhotoError, "cannot be decoded"),
        ("half.tif", truncated("TIFF"), PhotoError, "truncated|damaged|decoded"),
        ("half.webp", truncated("WEBP"), PhotoError, "damaged|decoded"),
        ("half.avif", truncated("AVIF"), PhotoError, "damaged|decoded"),
        ("huge.png", png_header(100_000, 100_000), OversizedPhotoError, "100000 x 100000"),
        ("huge.jpg", huge_jpeg(), OversizedPhotoError, "65500 x 65500 .* smaller copy"),
        ("bomb.png", png_header(14_000, 14_000), PhotoError, "cannot be decoded"),
        ("nul\0.jpg", None, PhotoError, "cannot be opened"),
    ],
)
def test_bad_files_are_refused_by_name(name, content, error, words, tmp_path):
    path = tmp_path / name
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    start = time.perf_counter()
    with pytest.raises(error, match=words) as caught:
        open_photo(path)
    assert caught.value.path == str(path)
    with pytest.raises(error, match=words):
        face_crop(path)
    assert time.perf_counter() - start < 10
    if "huge" in name or words in ("there is no such file", "header is damaged"):
        with pytest.raises(error):
            read_photos([path])


def test_a_108_megapixel_picture_is_no_bomb(tmp_path):
    """Pillow itself would warn (an error here) from 89 million pixels on."""
    path = saved(tmp_path, "phone.jpg", Image.new("L", (12000, 9000)), quality=30)
    assert open_photo(path, min_size=1000).size == (1500, 1125)
    assert read_photos([path])[0].exif == {}


@pytest.mark.parametrize("size", [(300, 200), (40, 57), (1, 1)])
def test_no_antialias_is_torchs_plain_bilinear(size):
    torch = pytest.importorskip("torch")
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    planes = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    expected = torch.nn.functional.interpolate(
        planes, size=(64, 64), mode="bilinear", align_corners=False, antialias=False
    )
    ours = resized(Image.fromarray(pixels), 64, antialias=False)
    difference = ours - expected[0].permute(1, 2, 0).numpy()
    assert np.abs(difference).max() <= 0.501  # rounding to 8 bits


def test_antialias_averages_what_plain_sampling_aliases():
    stripes = np.zeros((256, 256, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    image = Image.fromarray(stripes)
    assert resized(image, 50).std() < 12
    assert resized(image, 50, antialias=False).std() > 30
