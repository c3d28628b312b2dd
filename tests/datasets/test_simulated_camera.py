"""The stations of the simulated camera, each against the law it follows."""

import dataclasses

import numpy as np
import pytest

from sklearn_blades.datasets.simulator import camera
from sklearn_blades.datasets.simulator.bodies import SOURCES
from sklearn_blades.datasets.simulator.scene import illuminant, look, sample_scene


@pytest.fixture(scope="module")
def taken():
    """A scene in which everything can be measured, its view and plain settings for it."""
    scene = dataclasses.replace(sample_scene(np.random.default_rng(1)), motion=60.0, kelvin=3000)
    body = SOURCES["first"][2]
    settings = camera.Settings(body, 50, 4.0, 250, 100, 0.0, camera.NORMAL, 0, camera.PATTERN,
                               False, 0x10, camera.STANDARD)  # fmt: skip
    return scene, look(scene, 160, 50, 0.45), settings


def roughness(picture, axis):
    return np.abs(np.diff(picture, axis=axis)).mean()


def test_exposure_meets_the_metered_light():
    """f-number, time and ISO give the metered EV to a third of a stop where no dial ends."""
    rng = np.random.default_rng(0)
    body = SOURCES["first"][2]
    misses = []
    for _ in range(200):
        scene = sample_scene(rng)
        choice = camera.choose(scene, body, rng) | {"flash": 0x10}
        if choice["program"] == camera.MANUAL:
            continue
        settings = camera.expose(scene, body, choice, metered=0.3, rng=rng)
        right = scene.ev + np.log2(0.3 / 0.18) - choice["bias"]
        misses.append(abs(settings.exposure_value - right))
    assert np.quantile(misses, 0.95) < 0.34


def test_manual_exposure_is_a_guess():
    rng = np.random.default_rng(0)
    body = SOURCES["first"][2]
    scene = dataclasses.replace(sample_scene(rng), ev=11.0)
    choice = camera.choose(scene, body, rng) | {"flash": 0x10, "program": camera.MANUAL}
    values = [camera.expose(scene, body, choice, 0.3, rng).exposure_value for _ in range(200)]
    assert 0.6 < np.std(values) < 1.0


def test_spot_metering_sees_the_face_alone(taken):
    dark = np.full((160, 160), 0.05)
    dark[55:105, 55:105] = 0.5
    spot, centre, pattern = (
        camera.meter(dark, mode) for mode in (camera.SPOT, camera.CENTER_WEIGHTED, camera.PATTERN)
    )
    assert spot > centre > pattern


@pytest.mark.parametrize("iso", [100, 1600, 12800])
def test_noise_is_shot_noise_and_read_noise(taken, iso):
    """The variance at the green pixels of a flat field, against the Poisson-Gauss model."""
    settings = dataclasses.replace(taken[2], iso=iso)
    flat = np.full((3, 160, 160), 0.4, np.float32)
    seen = camera.sensor(flat, settings, np.random.default_rng(0))[1]
    green = np.concatenate([seen[0::2, 1::2].ravel(), seen[1::2, 0::2].ravel()])
    electrons = settings.body.electrons * 100 / iso
    expected = 0.4 / electrons + (settings.body.read_noise / electrons) ** 2
    assert green.var() == pytest.approx(expected, rel=0.05)
    assert green.mean() == pytest.approx(0.4, rel=0.01)


def test_demosaicing_keeps_a_ramp():
    """Bilinear interpolation is exact on linear functions away from the border."""
    row, column = np.mgrid[:20, :20].astype(np.float32)
    np.testing.assert_allclose(
        camera.demosaic(row + 2 * column)[:, 2:-2, 2:-2],
        np.broadcast_to((row + 2 * column)[2:-2, 2:-2], (3, 16, 16)),
        rtol=1e-5,
    )


def through_the_lens(taken, alpha, **changes):
    """What the optics make of white noise before (``alpha`` = 1) or behind (0) the focal plane."""
    scene, view, settings = taken
    noise = np.random.default_rng(0).random((3, 160, 160), dtype=np.float32)
    view = dataclasses.replace(view, alpha=np.full((160, 160), alpha, np.float32))
    return camera.optics(view, noise, noise, scene, dataclasses.replace(settings, **changes))


def test_aperture_blurs_what_is_behind_and_not_the_face(taken):
    ratio = [
        roughness(through_the_lens(taken, alpha, f_number=16.0), 2)
        / roughness(through_the_lens(taken, alpha, f_number=2.8), 2)
        for alpha in (0, 1)
    ]
    assert ratio[0] > 2
    assert 0.5 < ratio[1] < 1.5


def test_a_long_exposure_smears_sideways(taken):
    fast, slow = (through_the_lens(taken, 1, speed=speed) for speed in (1000, 15))
    assert roughness(slow, 2) < 0.6 * roughness(fast, 2)
    assert roughness(slow, 1) > 0.6 * roughness(slow, 2)


def test_a_wide_angle_and_an_open_aperture_darken_corners(taken):
    wide, long = (through_the_lens(taken, 1, focal_length=focal) for focal in (24, 135))
    assert wide[:, :20, :20].mean() < 0.8 * long[:, :20, :20].mean()
    stopped_down = through_the_lens(taken, 1, focal_length=135, f_number=11.0)
    assert long[:, :20, :20].mean() < 0.97 * stopped_down[:, :20, :20].mean()
    assert wide[:, 70:90, 70:90].mean() == pytest.approx(long[:, 70:90, 70:90].mean(), rel=0.05)


def test_focal_length_changes_perspective_and_field_of_view(taken):
    near, far = (look(taken[0], 160, focal, 0.45) for focal in (24, 135))
    assert far.distance == pytest.approx(near.distance * 135 / 24)
    assert roughness(near.backdrop, 2) > roughness(far.backdrop, 2)
    assert np.abs(near.albedo - far.albedo).mean() > 0.01


def test_white_balance(taken):
    """Under light of 3,000 K a daylight preset leaves it orange, the right preset makes it grey."""
    scene, _, settings = taken
    grey = 0.2 * np.broadcast_to(illuminant(scene.kelvin), (3, 32, 32)).astype(np.float32)
    plain = dataclasses.replace(
        settings, body=dataclasses.replace(settings.body, tint=(0, 0), matrix_tilt=0)
    )

    def warmth(kelvin):
        red, _, blue = camera.develop(grey, scene, plain, kelvin).mean(axis=(1, 2))
        return red - blue

    assert warmth(3000) == pytest.approx(0, abs=0.5)
    assert 3 < warmth(0) < warmth(5500)


def test_flash_lights_from_the_front(taken):
    scene, view, _ = taken

    def lopsided(picture):
        face = picture[:, 50:110, 50:110]
        left, right = face[..., :30].mean(), face[..., 30:].mean()
        return abs(np.log(left / right))

    ambient, _ = view.ambient_light(scene)
    flash, behind = view.flash_light()
    assert lopsided(flash) < 0.3 * lopsided(ambient)
    assert behind.mean() < 0.5 * view.backdrop.mean()  # light falls off with distance


@pytest.mark.parametrize("kind", [camera.LANDSCAPE, camera.PORTRAIT, camera.NIGHT])
def test_scene_types_are_developed_differently(taken, kind):
    scene, view, settings = taken
    exposed = view.ambient_light(scene)[0]
    plain = camera.develop(exposed, scene, settings, 0)
    other = camera.develop(exposed, scene, dataclasses.replace(settings, capture_type=kind), 0)
    spread = np.ptp(other, axis=0).mean() / np.ptp(plain, axis=0).mean()
    assert spread > 1.1 if kind == camera.LANDSCAPE else spread < 0.97
