"""TIFFs read by seeking, raw files refused by what they are, corrupt tags and deep grays."""

import io
import struct
import warnings

import numpy as np
import pytest
from PIL import Image

from sklearn_blades.errors import PhotoError
from sklearn_blades.photos import open_photo, read_exif, read_photos
from sklearn_blades.photos.containers.tiff import Tiff
from tests.photos.built import DNG, RAW, directory, gray, raw, tiff


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
