"""Pseudo-fakes: pure, where the face is, subtle, and not to be told by resampling alone."""

import pickle

import numpy as np
import pytest

from sklearn_blades.datasets import make_photos
from sklearn_blades.photos import PhotoRecord, pseudo_fakes
from sklearn_blades.photos.faces import Face, whole
from sklearn_blades.photos.manipulations import MANIPULATIONS, UNTOUCHED, Manipulation
from sklearn_blades.photos.pseudo_edits import _convolved, _guided, _triangle
from sklearn_blades.photos.pseudo_fakes import PSEUDO_FAKES, manipulations_of
from tests.photos.test_manipulations import fine_energy, picture

FACE = whole(1.6)
BY_NAME = {how.name: how for how in PSEUDO_FAKES}
LOCAL = ("mismatched_eyes", "catch_lights")


def made(name, pixels, seed=0, face=FACE, **options):
    return BY_NAME[name].apply(pixels, face, np.random.default_rng(seed), **options)


def pair(name, seed, size=96):
    """An untouched view and its pseudo-fake, as integers."""
    pixels = picture(size)
    untouched = UNTOUCHED.apply(pixels, FACE, np.random.default_rng(seed))
    return untouched.astype(int), made(name, pixels, seed).astype(int)


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("resampled", [True, False])
def test_pure_deterministic_and_of_one_shape(name, resampled):
    pixels = picture()
    pixels.flags.writeable = False
    first = made(name, pixels, 3, resampled=resampled)
    assert first.dtype == np.uint8
    assert first.shape == pixels.shape
    assert first.flags.writeable
    np.testing.assert_array_equal(pixels, picture())
    again = pickle.loads(pickle.dumps(BY_NAME[name]))
    np.testing.assert_array_equal(
        first, again.apply(pixels, FACE, np.random.default_rng(3), resampled=resampled)
    )
    assert (first != made(name, pixels, 4, resampled=resampled)).any()


@pytest.mark.parametrize("name", [how.name for how in PSEUDO_FAKES if how.edit])
def test_the_edit_is_what_follows_the_map(name):
    rng = np.random.default_rng(5)
    untouched = UNTOUCHED.apply(picture(), FACE, rng)
    untouched.flags.writeable = False
    edited = BY_NAME[name].edit(untouched, FACE, rng)
    np.testing.assert_array_equal(edited, made(name, picture(), 5))


@pytest.mark.parametrize("name", BY_NAME)
def test_a_fake_is_its_photograph_but_for_the_face_and_only_a_little(name):
    for seed in range(8):
        untouched, fake = pair(name, seed)
        change = np.abs(fake - untouched).max(axis=2)
        assert change.any()
        rim = np.ones_like(change, bool)
        rim[8:-8, 8:-8] = False
        assert not change[rim].any()
        assert change.mean() < 8  # gray levels: subtle


@pytest.mark.parametrize("name", LOCAL)
def test_faults_of_the_eyes_stay_at_the_eyes(name):
    rows, cols = np.mgrid[:96, :96] / 96
    for seed in range(8):
        untouched, fake = pair(name, seed)
        where = (fake != untouched).any(axis=2)
        far = np.min([np.hypot(cols - x, rows - y) for x, y in FACE.eyes], axis=0)
        assert far[where].max() < 0.17


def test_catch_lights_lie_differently_in_both_eyes():
    untouched, fake = pair("catch_lights", 1)
    brighter = (fake - untouched).max(axis=2)
    half = np.arange(96) < 48
    offsets = []
    for (x, y), side in zip(FACE.eyes, (half, ~half), strict=True):
        part = np.where(side, brighter, 0)
        if part.max() > 40:
            row, col = np.unravel_index(part.argmax(), part.shape)
            offsets.append((col - x * 96, row - y * 96))
    assert offsets
    assert len(offsets) == 1 or np.hypot(*np.subtract(*offsets)) > 1


@pytest.mark.parametrize("name", ["self_blend", *LOCAL])
def test_what_moves_pixels_keeps_their_noise(name):
    """In the middle of the face, the finest detail has the energy that it had."""
    rng = np.random.default_rng(0)
    before, after = 0.0, 0.0
    for seed in range(20):
        pixels = np.clip(rng.normal(128, 12, (96, 96, 3)), 0, 255).astype(np.uint8)
        untouched = UNTOUCHED.apply(pixels, FACE, np.random.default_rng(seed))
        fake = made(name, pixels, seed)
        inner = np.s_[30:66, 30:66]
        before += fine_energy(untouched[inner])
        after += fine_energy(fake[inner])
    assert after / before == pytest.approx(1, abs=0.12 if name != "catch_lights" else 0.4)


def test_upsampling_knows_its_phases():
    """Bilinear weights leave a plain surface plain; a transposed convolution's need not."""
    plain = np.full((6, 5, 3), 100, np.float32)
    for factor in (2, 4):
        even = _convolved(plain, _triangle(factor))
        assert even.shape == (6 * factor, 5 * factor, 3)
        np.testing.assert_allclose(even, 100, rtol=1e-5)
        uneven = _convolved(plain, _triangle(factor) * (1 + 0.2 * (np.arange(2 * factor) == 1)))
        assert uneven.std() > 1
        np.testing.assert_allclose(uneven[factor], uneven[2 * factor], rtol=1e-5)
    ramp = np.repeat(np.arange(8, dtype=np.float32)[:, None, None], 3, axis=2)
    steps = np.diff(_convolved(ramp, _triangle(2))[2:-2, 0, 0])
    np.testing.assert_allclose(steps, 0.5, rtol=1e-5)


def test_smoothing_keeps_edges():
    rng = np.random.default_rng(0)
    edge = np.where(np.arange(60) < 30, 60.0, 180.0)[None, :, None] * np.ones((60, 1, 3))
    smooth = _guided((edge + rng.normal(0, 4, edge.shape)).astype(np.float32), 4, 15)
    assert smooth[:, 5:20].std() < 2
    assert smooth[:, 36:].mean() - smooth[:, :24].mean() == pytest.approx(120, abs=2)
    assert np.abs(smooth[:, 31] - smooth[:, 28]).mean() > 90


def test_oversmoothing_calms_the_skin_and_spares_the_eyes():
    calm, spared = [], []
    for seed in range(8):
        untouched, fake = pair("oversmoothing", seed, 192)
        change = np.abs(fake - untouched).mean(axis=2)
        x, y = (round(192 * c) for c in FACE.eyes[0])
        spared.append(change[y - 3 : y + 4, x - 3 : x + 4].mean())
        calm.append(change[80:110, 85:107].mean())
    assert np.mean(spared) == 0
    assert np.mean(calm) > 0.5


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (7, 4), (96, 64), (33, 224)])
def test_any_shape_and_any_face(name, shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    profile = Face((0.9, 0.9, 1.4, 1.3), ((1.1, 1.0), (1.1, 1.0)), (1.2, 1.2))
    outside = Face((-0.9, -0.9, -0.4, -0.3), ((-0.8, -0.8), (-0.6, -0.8)), (-0.7, -0.5))
    for face in (FACE, profile, outside):
        for seed in range(4):
            assert made(name, pixels, seed, face).shape == pixels.shape


def test_one_fake_a_photograph_and_its_partner(tmp_path):
    paths = make_photos(7, tmp_path, random_state=0)
    how = {"face_locator": "whole", "image_size": 64, "random_state": 0}
    fakes = pseudo_fakes(paths, **how)
    assert sorted(np.unique(fakes.kinds, return_counts=True)[1]) == [1, 1, 1, 1, 1, 2]
    assert set(fakes.kinds) == set(BY_NAME)
    for fake, untouched in zip(fakes.pictures, fakes.untouched, strict=True):
        assert fake.shape == untouched.shape == (64, 64, 3)
        assert (fake != untouched).any()
        np.testing.assert_array_equal(fake[0], untouched[0])  # one map for both
    again = pseudo_fakes([PhotoRecord(path, {}) for path in paths], **how, n_jobs=2)
    np.testing.assert_array_equal(fakes.pictures, again.pictures)
    other = pseudo_fakes(paths, **{**how, "random_state": 1})
    assert (np.array(fakes.pictures) != other.pictures).any()


def test_kinds_are_chosen_and_may_be_ones_own(tmp_path):
    def inverted(pixels, face, rng, *, resampled=True):
        return 255 - pixels

    paths = make_photos(4, tmp_path, random_state=0)
    own = Manipulation("inverted", ("eye",), inverted)
    fakes = pseudo_fakes(paths, (own, "catch_lights"), face_locator="whole", random_state=0)
    assert sorted(fakes.kinds) == ["catch_lights"] * 2 + ["inverted"] * 2
    assert pseudo_fakes([], random_state=0).pictures == []
    assert set(pseudo_fakes(paths, "self_blend", face_locator="whole").kinds) == {"self_blend"}


def test_manipulations_by_name():
    assert manipulations_of("default") == MANIPULATIONS
    assert manipulations_of("all") == (*MANIPULATIONS, *PSEUDO_FAKES)
    assert manipulations_of(["eye_flip", PSEUDO_FAKES[0]]) == (MANIPULATIONS[0], PSEUDO_FAKES[0])


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ("self_blend", r"one of 'default'.*\('self_blend',\)"),
        (("blend",), "'blend': no manipulation; known are eye_flip, .*self_blend"),
        ((), "at least one"),
        (("eye_flip", "eye_flip"), "none of them twice"),
        ((UNTOUCHED,), "none named 'untouched'"),
    ],
)
def test_mistakes_are_explained(chosen, message):
    with pytest.raises(ValueError, match=message):
        manipulations_of(chosen)
