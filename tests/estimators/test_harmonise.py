"""harmonise: faces compressed once more, alike, say less of how their files were compressed."""

import io

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_blades import BladesEncoder
from sklearn_blades.datasets import make_photos
from sklearn_blades.persistence import load, save
from sklearn_blades.photos import face_crop
from sklearn_blades.photos.crops import Crops, CropSettings, photo_key
from sklearn_blades.photos.pixels import harmonised
from sklearn_blades.storage.cache import ArrayCache

SIZE = 96
SETTINGS = {"face_locator": "whole", "face_margin": 1.6, "image_size": SIZE}


@pytest.fixture(scope="module")
def saved_twice(tmp_path_factory):
    """120 faces as files of 96 px: half at quality 95, half at 60, dealt at random."""
    folder = tmp_path_factory.mktemp("twice")
    coarse = np.random.default_rng(0).permutation(np.arange(120) % 2)
    paths = make_photos(120, folder, random_state=8)
    for path, is_coarse in zip(paths, coarse, strict=True):
        with Image.open(path) as image:
            pixels = image.convert("RGB").crop((32, 32, 128, 128))
        pixels.save(path, quality=60 if is_coarse else 95, subsampling=0)
    return paths, coarse


def spectrum(pixels):
    """Log power in rings of frequency, of light and of colour."""
    rows, columns = np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)
    rings = (np.hypot(rows, columns) * 20).astype(int).clip(0, 10).ravel()
    red, green, blue = pixels.astype(float).transpose(2, 0, 1)
    planes = ((red + green + blue) / 3, red - green, blue - green)
    powers = [np.abs(np.fft.rfft2(plane)) ** 2 for plane in planes]
    return np.log1p(np.concatenate([np.bincount(rings, p.ravel()) for p in powers]))


def how_well_compression_is_told(saved_twice, harmonise):
    paths, coarse = saved_twice
    crops = [face_crop(path, **SETTINGS, harmonise=harmonise).pixels for path in paths]
    told = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    return cross_val_score(told, [spectrum(c) for c in crops], coarse, scoring="roc_auc").mean()


def test_compression_is_told_less_well(saved_twice):
    without = how_well_compression_is_told(saved_twice, None)
    alike = how_well_compression_is_told(saved_twice, 60)
    assert without > 0.75
    assert alike < without - 0.1


def test_pure_and_deterministic(photos):
    pixels = face_crop(photos[0], **SETTINGS).pixels
    before = pixels.copy()
    made = harmonised(pixels, 75)
    assert np.array_equal(pixels, before)
    assert np.array_equal(made, harmonised(pixels, 75))
    assert (made.dtype, made.shape) == (np.uint8, pixels.shape)
    assert not np.array_equal(made, pixels)
    assert np.abs(made.astype(float) - pixels).mean() < 6
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=75, subsampling=0)
    assert np.array_equal(made, np.asarray(Image.open(buffer)))


@pytest.mark.parametrize("locator", ["whole", lambda image: [(0.2, 0.2, 0.8, 0.8)]])
def test_the_last_thing_done_to_a_crop(photos, locator):
    settings = {**SETTINGS, "face_locator": locator}
    plain = face_crop(photos[0], **settings)
    made = face_crop(photos[0], **settings, harmonise=60)
    assert np.array_equal(made.pixels, harmonised(plain.pixels, 60))
    assert made.face == plain.face


def test_settings_share_no_cache(photos):
    cache = ArrayCache()
    settings = [CropSettings(*SETTINGS.values(), harmonise=h) for h in (None, 75, 50)]
    assert len({photo_key(photos[0], one) for one in settings}) == 3
    pixels = [Crops(photos[:1], one, cache)[0].pixels for one in settings]
    again = [Crops(photos[:1], one, cache)[0].pixels for one in settings]
    assert np.array_equal(pixels, again)
    assert not np.array_equal(pixels[0], pixels[1])
    assert not np.array_equal(pixels[1], pixels[2])


def test_encoder_uses_it_in_fit_and_transform(photos, tmp_path):
    """An encoder that harmonises sees of a file what another sees of the harmonised file."""
    options = {**SETTINGS, "image_size": 32, "random_state": 0, "max_epochs": 1}
    encoder = BladesEncoder(**options, harmonise=70).fit(photos[:6])
    files = []
    for index, path in enumerate(photos[:6]):
        pixels = face_crop(path, **SETTINGS | {"image_size": 32}, harmonise=70).pixels
        files.append(str(tmp_path / f"{index}.png"))
        with Image.open(path) as image:
            Image.fromarray(pixels).save(files[-1], exif=image.info["exif"])
    other = BladesEncoder(**options).fit(files)
    features = encoder.transform(photos[:6])
    assert np.array_equal(features, encoder.transform(photos[:6]))
    np.testing.assert_allclose(features, other.transform(files), atol=1e-6)
    assert encoder.digest_ == other.digest_
    plain = encoder.set_params(harmonise=None).transform(photos[:6])
    assert not np.array_equal(plain, features)


@pytest.mark.parametrize("wrong", [0, 101, 75.5, "75"])
def test_quality_is_checked(photos, wrong):
    with pytest.raises(InvalidParameterError, match="harmonise"):
        BladesEncoder(**SETTINGS, harmonise=wrong, max_epochs=0).fit(photos[:2])


def test_it_is_saved(photos, tmp_path):
    encoder = BladesEncoder(**SETTINGS, harmonise=80, max_epochs=0, random_state=0).fit(photos[:2])
    save(encoder, tmp_path / "encoder.blades")
    again = load(tmp_path / "encoder.blades")
    assert again.harmonise == 80
    assert np.array_equal(again.transform(photos[:3]), encoder.transform(photos[:3]))
