"""What names a crop: all that determines its pixels, and the code that cut it."""

import io

import numpy as np
import PIL
import pytest
from PIL import Image

from sklearn_blades.photos import crop_keys
from sklearn_blades.photos.crops import Crops, CropSettings, photo_key
from sklearn_blades.storage.cache import ArrayCache
from tests.photos.test_colour import profile

WHOLE = CropSettings("whole", image_size=16)
INDEX = (np.indices((32, 48)).sum(0) // 8 % 2).astype(np.uint8)


def palette(*colours, transparency=None):
    image = Image.frombytes("P", (48, 32), INDEX.tobytes())
    image.putpalette(sum(colours, ()))
    if transparency is not None:
        image.info["transparency"] = transparency
    return image


def turned(turn):
    image = palette((0, 0, 0), (255, 255, 255)).convert("RGB")
    image.getexif()[0x0112] = turn
    return image


def described(icc):
    image = Image.new("RGB", (48, 32), (200, 100, 50))
    image.info["icc_profile"] = icc
    return image


BLACK, WHITE, YELLOW = (0, 0, 0), (255, 255, 255), (250, 250, 0)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (palette(BLACK, WHITE), palette(YELLOW, BLACK)),
        (palette(BLACK, WHITE), palette(BLACK, WHITE, transparency=0)),
        (palette(BLACK, WHITE, transparency=1), palette(BLACK, WHITE, transparency=0)),
        (turned(1), turned(6)),
        (turned(1), turned(3)),
        (described(b""), described(profile())),
    ],
    ids=["palette", "transparency", "which", "turned", "upside down", "profile"],
)
def test_images_that_look_different_have_their_own_crops(first, second):
    assert photo_key(first, WHOLE) != photo_key(second, WHOLE)
    assert photo_key(first, WHOLE) == photo_key(first.copy() if not first._exif else first, WHOLE)
    cache = ArrayCache()
    got = [Crops([image], WHOLE, cache)[0].pixels for image in (first, second)]
    assert not np.array_equal(*got)
    alone = Crops([second], WHOLE, ArrayCache())[0].pixels
    assert np.array_equal(got[1], alone)


def test_images_that_look_the_same_share_a_crop():
    stream = io.BytesIO()
    palette(BLACK, WHITE).save(stream, "PNG")
    with Image.open(stream) as opened:
        keys = {photo_key(image, WHOLE) for image in (opened, palette(BLACK, WHITE))}
    assert len(keys) == 1


def test_a_crop_of_other_code_is_not_taken(monkeypatch, tmp_path):
    cv2 = pytest.importorskip("cv2")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    haar = WHOLE._replace(face_locator="haar")
    changes = [
        (crop_keys, "CUT_VERSION", crop_keys.CUT_VERSION + 1),
        (PIL, "__version__", "0.1"),
        (np, "__version__", "0.1"),
        (crop_keys.features, "version", lambda codec: "0.1"),
        (crop_keys, "version", lambda package: "0.1"),
        (cv2, "__version__", "0.1"),
    ]
    keys = {photo_key(tmp_path / "a.png", haar)}
    for change in changes:
        crop_keys.libraries.cache_clear()
        with monkeypatch.context() as patch:
            patch.setattr(*change)
            keys.add(photo_key(tmp_path / "a.png", haar))
    crop_keys.libraries.cache_clear()
    assert len(keys) == 1 + len(changes)
    with monkeypatch.context() as patch:  # which finds no face here
        whole = photo_key(tmp_path / "a.png", WHOLE)
        patch.setattr(cv2, "__version__", "0.1")
        assert photo_key(tmp_path / "a.png", WHOLE) == whole
