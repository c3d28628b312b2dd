"""The radial power spectrum: what it measures, and that it is a good citizen of a pipeline."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from sklearn_blades import BladesOneClass, make_detector
from sklearn_blades.errors import PhotoError
from sklearn_blades.evaluation import RadialPowerSpectrum
from sklearn_blades.evaluation.baselines import radial_power_spectrum
from sklearn_blades.photos import face_crop, read_photos


def image(values):
    return np.repeat(np.clip(np.rint(values), 0, 255).astype(np.uint8)[..., None], 3, axis=-1)


def wave(cycles_x, cycles_y, side=64, amplitude=60):
    y, x = np.mgrid[:side, :side] / side
    return image(128 + amplitude * np.cos(2 * np.pi * (cycles_x * x + cycles_y * y)))


def slow_spectrum(pixels):
    """The definition, pixel by pixel."""
    side = len(pixels)
    grey = pixels.astype(float) @ [0.299, 0.587, 0.114]
    taper = np.sin(np.pi * np.arange(1, side + 1) / (side + 1)) ** 2
    window = taper[:, None] * taper
    grey = (grey - (grey * window).sum() / window.sum()) * window
    rings = {}
    for ky in range(-(side // 2), side - side // 2):
        for kx in range(-(side // 2), side - side // 2):
            turn = np.exp(-2j * np.pi * np.arange(side) / side)
            amplitude = (turn**ky) @ grey @ (turn**kx)
            power = abs(amplitude) ** 2 + (window**2).sum() / 12
            rings.setdefault(round(float(np.hypot(ky, kx))), []).append(power)
    means = np.array([np.mean(rings[r]) for r in range(1, side // 2 + 1)])
    return np.log10(means / means.mean())


@pytest.mark.parametrize("side", [12, 15])
def test_against_the_definition(side):
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    np.testing.assert_allclose(radial_power_spectrum(pixels), slow_spectrum(pixels), atol=1e-9)


@pytest.mark.parametrize(("x", "y", "cycles"), [(9, 0, 9), (0, 9, 9), (6, 8, 10), (0, 31, 31)])
def test_a_wave_is_at_its_frequency_whatever_its_direction(x, y, cycles):
    assert radial_power_spectrum(wave(x, y)).argmax() == cycles - 1


def test_it_does_not_depend_on_brightness_and_hardly_on_contrast():
    grey = np.random.default_rng(0).normal(0, 30, (64, 64)).cumsum(0).cumsum(1)
    grey = 60 * grey / np.abs(grey).max()
    one, brighter, flatter = (
        radial_power_spectrum(image(v)) for v in (100 + grey, 140 + grey, 100 + grey / 2)
    )
    np.testing.assert_allclose(one, brighter, atol=0.05)
    np.testing.assert_allclose(one[:8], flatter[:8], atol=0.05)


def test_white_noise_is_flat_and_a_plain_image_is_finite():
    noise = image(np.random.default_rng(0).normal(128, 30, (256, 256)))
    assert np.abs(radial_power_spectrum(noise)[16:]).max() < 0.15
    np.testing.assert_allclose(radial_power_spectrum(image(np.full((32, 32), 90))), 0, atol=1e-9)


def test_an_enlarged_face_lacks_high_frequencies():
    rng = np.random.default_rng(0)
    small = rng.normal(128, 30, (32, 32))
    enlarged = np.kron(small, np.ones((4, 4)))
    for side in (0, 1):  # bilinear, roughly
        enlarged = sum(np.roll(enlarged, shift, side) for shift in range(-2, 3)) / 5
    full = image(rng.normal(128, 30, (128, 128)))
    ratio = radial_power_spectrum(full) - radial_power_spectrum(image(enlarged))
    assert ratio[48:].mean() > 1


def test_rows_are_those_of_the_crops(photos):
    spectra = RadialPowerSpectrum(face_locator="whole", image_size=32).fit()
    X = spectra.transform(photos[:4])
    for path, row in zip(photos, X, strict=False):
        crop = face_crop(path, face_locator="whole", image_size=32)
        np.testing.assert_array_equal(row, radial_power_spectrum(crop.pixels))
    np.testing.assert_array_equal(spectra.transform(read_photos(photos[:4], n_jobs=2)), X)
    np.testing.assert_array_equal(spectra.set_params(n_jobs=2).transform(photos[:4][::-1]), X[::-1])
    assert X.dtype == np.float64
    assert X.shape == (4, 16)
    assert len(spectra.get_feature_names_out()) == 16


def test_the_margin_decides_what_is_cut(photos):
    faces = {path: (0.3, 0.3, 0.6, 0.6) for path in photos[:2]}
    near, far = (
        RadialPowerSpectrum(face_locator=faces, face_margin=margin).fit_transform(photos[:2])
        for margin in (1.0, 2.0)
    )
    assert not np.allclose(near, far)


def test_clone_and_pickle(photos):
    spectra = RadialPowerSpectrum(face_locator="whole", image_size=16).fit()
    X = spectra.transform(photos[:3])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(spectra)).transform(photos[:3]), X)
    assert not hasattr(clone(spectra), "n_features_out_")


def test_unreadable_files(photos, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no image")
    spectra = RadialPowerSpectrum(face_locator="whole").fit()
    with pytest.raises(PhotoError, match=r"bad\.jpg"):
        spectra.transform([photos[0], bad])
    X = spectra.set_params(on_error="nan").transform([photos[0], bad, photos[1]])
    assert np.isfinite(X).all(axis=1).tolist() == [True, False, True]


@pytest.mark.parametrize(
    "wrong", [{"image_size": 0}, {"face_margin": 0.5}, {"on_error": "skip"}, {"face_locator": 1}]
)
def test_parameters_are_checked_in_fit(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RadialPowerSpectrum(**wrong).fit()


def test_the_baseline_is_a_detector(photos):
    head = BladesOneClass(n_components=1, target_fpr=0.4, random_state=0)
    detector = make_detector(RadialPowerSpectrum(face_locator="whole", image_size=32), head)
    assert set(detector.fit(photos).predict(photos).tolist()) <= {1, -1}
    # Not frozen: a search may choose the crop's size.
    clone(detector).set_params(encoder__image_size=16).fit(photos)
    y = np.tile([1, -1], 16)
    detector.set_params(head__calibration_fraction=0.4)
    assert np.isfinite(cross_val_score(detector, photos, y, cv=2, scoring="roc_auc")).all()
