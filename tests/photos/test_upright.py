"""A photograph is turned upright once: every orientation, format, locator and kind of input."""

import io

import numpy as np
import pytest
from PIL import Image

from sklearn_blades.photos import Face, PhotoRecord, face_crop, open_photo
from sklearn_blades.photos.files import open_header
from sklearn_blades.photos.pixels import header
from sklearn_blades.photos.tags import orientation

STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
FACE = Face.from_box((0.1, 0.2, 0.4, 0.8))
FORMS = ["JPEG", "PNG", "WEBP", "AVIF", "TIFF", "HEIF"]


def quarters():
    """An upright picture, 96 x 64, that no turn leaves as it is."""
    pixels = np.zeros((64, 96, 3), np.uint8)
    pixels[:32, :48], pixels[:32, 48:] = (230, 40, 40), (40, 200, 40)
    pixels[32:, :48], pixels[32:, 48:] = (40, 40, 230), (220, 220, 40)
    return Image.fromarray(pixels)


def stored(turn, form):
    """The picture as a camera stores it under an orientation."""
    if form == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = turn
    image = quarters().transpose(STORED[turn]) if turn in STORED else quarters()
    stream = io.BytesIO()
    options = {} if form in ("PNG", "TIFF") else {"quality": 100}
    image.save(stream, form, exif=exif.tobytes(), **options)
    return stream.getvalue()


def same(image, other):
    difference = np.asarray(image).astype(int) - np.asarray(other).astype(int)
    return np.abs(difference).mean() < 7


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("turn", range(1, 9))
def test_every_file_and_locator(form, turn, tmp_path):
    path = tmp_path / "photo"
    path.write_bytes(stored(turn, form))
    seen = []

    def find(image):
        seen.append(image.size)
        return [FACE]

    image = open_photo(path)
    assert header(path)[0] == image.size == (96, 64)
    assert same(image, quarters())
    assert same(open_photo(image), quarters())
    assert not image.info
    assert orientation(image) == 1
    want = face_crop(quarters(), face_locator=find, image_size=24).pixels
    ways = [(path, find), (path, {path: FACE}), (PhotoRecord(path, {}, FACE), "haar")]
    ways.append((path.read_bytes(), find))
    for photo, locator in ways:
        assert same(face_crop(photo, face_locator=locator, image_size=24).pixels, want)
    whole = face_crop(path, face_locator="whole", image_size=32).pixels
    assert same(whole, face_crop(quarters(), face_locator="whole", image_size=32).pixels)
    assert set(seen) == {(96, 64)}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("turn", range(1, 9))
def test_images_that_are_handed_over(form, turn):
    want = face_crop(quarters(), face_locator="whole", image_size=32).pixels
    with Image.open(io.BytesIO(stored(turn, form))) as image:
        assert same(open_photo(image), quarters())
    with Image.open(io.BytesIO(stored(turn, form))) as image:
        assert header(image)[0] == (96, 64)
        assert same(face_crop(image, face_locator="whole", image_size=32).pixels, want)
        found = face_crop(image, face_locator=lambda upright: [FACE], image_size=24).pixels
    assert same(found, face_crop(quarters(), face_locator=lambda i: [FACE], image_size=24).pixels)


@pytest.mark.parametrize("turn", range(1, 9))
def test_an_orientation_that_was_set_in_memory_counts(turn):
    image = quarters().transpose(STORED[turn]) if turn in STORED else quarters()
    image.getexif()[0x0112] = turn
    assert np.array_equal(open_photo(image), quarters())
    assert image.getexif()[0x0112] == turn  # and is left as it is


def test_haar_looks_at_an_upright_picture(tmp_path):
    pytest.importorskip("cv2")
    from tests.drawn import portrait

    upright = portrait(300, 200)
    want = face_crop(upright, image_size=48).pixels
    for form in ("PNG", "WEBP", "JPEG", "TIFF"):
        exif = Image.Exif()
        exif[0x0112] = 6
        path = tmp_path / form
        options = {} if form in ("PNG", "TIFF") else {"quality": 100}
        upright.transpose(STORED[6]).save(path, form, exif=exif.tobytes(), **options)
        assert same(face_crop(path, image_size=48).pixels, want)


def test_a_corrupt_block_of_an_image_in_memory_turns_nothing():
    image = quarters()
    image.info["exif"] = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(range(200))
    assert np.array_equal(open_photo(image), quarters())


def test_an_opened_file_says_how_it_is_stored(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(stored(6, "PNG"))
    with open_header(path) as image:
        assert (image.size, image.turn) == ((64, 96), 6)
