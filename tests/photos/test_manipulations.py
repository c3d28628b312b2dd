"""Manipulations: pure, in their region, and not to be recognised by how pixels were computed."""

import pickle

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.stats import mannwhitneyu

from sklearn_blades.photos.faces import Face, whole
from sklearn_blades.photos.manipulations import MANIPULATIONS, REGIONS, UNTOUCHED
from tests.drawn import portrait

BY_NAME = {manipulation.name: manipulation for manipulation in (UNTOUCHED, *MANIPULATIONS)}
FACE = whole(1.3)


def picture(size=96):
    """The drawn face filling its box in FACE, lit from the left, with noise."""
    image = portrait(size * 2, size * 2, FACE.box).resize((size, size), Image.Resampling.BOX)
    light = np.linspace(1.15, 0.85, size)[None, :, None]
    noise = np.random.default_rng(5).normal(0, 3, (size, size, 3))
    return np.clip(np.asarray(image) * light + noise, 0, 255).astype(np.uint8)


def view(name, pixels, seed=0, face=FACE, **options):
    return BY_NAME[name].apply(pixels, face, np.random.default_rng(seed), **options)


def test_names_and_regions_are_the_methods():
    assert REGIONS == ("eye", "mouth")
    assert [(m.name, m.regions) for m in MANIPULATIONS] == [
        ("eye_flip", ("eye",)),
        ("mouth_flip", ("mouth",)),
        ("mouth_upside_down", ("mouth",)),
        ("distortion", ("eye", "mouth")),
    ]
    assert UNTOUCHED.regions == ()


@pytest.mark.parametrize("name", ["eye_flip", "mouth_flip", "mouth_upside_down"])
@pytest.mark.parametrize("resampled", [True, False])
def test_flips_are_the_untouched_view_edited(name, resampled):
    rng = np.random.default_rng(3)
    untouched = UNTOUCHED.apply(picture(), FACE, rng, resampled=resampled)
    untouched.flags.writeable = False
    edited = BY_NAME[name].edit(untouched, FACE, rng)
    np.testing.assert_array_equal(edited, view(name, picture(), 3, resampled=resampled))


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("resampled", [True, False])
def test_pure_deterministic_and_of_one_shape(name, resampled):
    pixels = picture()
    pixels.flags.writeable = False
    before = pixels.copy()
    first = view(name, pixels, 3, resampled=resampled)
    assert first.dtype == np.uint8
    assert first.shape == pixels.shape
    assert first.flags.writeable
    assert not np.shares_memory(first, pixels)
    np.testing.assert_array_equal(pixels, before)
    np.testing.assert_array_equal(first, view(name, pixels, 3, resampled=resampled))
    again = pickle.loads(pickle.dumps(BY_NAME[name]))
    np.testing.assert_array_equal(
        first, again.apply(pixels, FACE, np.random.default_rng(3), resampled=resampled)
    )
    if resampled or name != "untouched":
        assert (first != view(name, pixels, 4, resampled=resampled)).any() or "mouth" in name


def test_the_raw_untouched_view_is_the_image():
    np.testing.assert_array_equal(view("untouched", picture(), resampled=False), picture())


def changed(name, seed):
    """Where a raw edit changed the picture: boolean (96, 96)."""
    pixels = picture()
    return (view(name, pixels, seed, resampled=False) != pixels).any(axis=2)


@pytest.mark.parametrize("name", ["eye_flip", "mouth_flip", "mouth_upside_down"])
def test_a_flip_changes_its_region_only(name):
    rows, cols = np.mgrid[:96, :96] / 96
    points = FACE.eyes if "eye" in name else (FACE.mouth,)
    hit = set()
    for seed in range(12):
        where = changed(name, seed)
        assert where.any()
        centre = cols[where].mean(), rows[where].mean()
        distance = [np.hypot(centre[0] - x, centre[1] - y) for x, y in points]
        hit.add(int(np.argmin(distance)))
        assert min(distance) < 0.05
        assert np.ptp(cols[where]) < 0.55
        assert np.ptp(rows[where]) < 0.32
    assert hit == set(range(len(points)))  # one eye at a time, and now and then the other


def test_flips_are_visible_where_the_face_is():
    pixels = picture().astype(float)
    for name in ("eye_flip", "mouth_upside_down"):
        where = changed(name, 1)
        edited = view(name, picture(), 1, resampled=False)
        assert np.abs(edited - pixels)[where].mean() > 6


def test_mirroring_twice_in_the_middle_restores_it():
    """In the middle of a region, where nothing is blended, a flip is an exact flip."""
    pixels = np.random.default_rng(0).integers(60, 200, (96, 96, 3), dtype=np.uint8)
    edited = view("mouth_flip", pixels, 1, resampled=False)
    rows, cols = np.nonzero((edited != pixels).any(axis=2))
    middle = (cols.min() + cols.max()) / 2
    row = round((rows.min() + rows.max()) / 2)
    for step in range(1, 8):
        left, right = int(np.ceil(middle - step)), int(np.floor(middle + step))
        assert np.abs(edited[row, left].astype(int) - pixels[row, right]).max() <= 1


def test_no_seam():
    """On a smooth ramp, a flip shows no edge that is steeper than blending makes it."""
    ramp = np.repeat(np.linspace(20, 235, 96)[None, :, None], 96, axis=0)
    pixels = np.repeat(ramp, 3, axis=2).astype(np.uint8)
    for name in ("eye_flip", "mouth_flip"):
        edited = view(name, pixels, 2, resampled=False).astype(int)
        step = np.abs(np.diff(edited, axis=1)).max(), np.abs(np.diff(edited, axis=0)).max()
        height = np.abs(edited - pixels).max()
        assert height > 20  # it did flip
        assert max(step) < 0.45 * height  # a hard cut steps by all of it


def test_distortion_moves_the_face_and_leaves_the_rim():
    pixels = picture(224)
    face = whole(1.6)
    for seed in range(5):
        edited = view("distortion", pixels, seed, face, resampled=False)
        difference = np.abs(edited.astype(int) - pixels).mean(axis=2)
        assert difference[70:160, 60:160].mean() > 3
        assert max(difference[0].max(), difference[:, -1].max()) < 4


def test_untouched_views_move_by_a_few_per_cent_at_most():
    dot = np.zeros((96, 96, 3), dtype=np.uint8)
    dot[20:23, 70:73] = 255
    for seed in range(20):
        moved = view("untouched", dot, seed)[:, :, 0].astype(float)
        rows, cols = np.mgrid[:96, :96]
        centre = (rows * moved).sum() / moved.sum(), (cols * moved).sum() / moved.sum()
        assert np.hypot(centre[0] - 21, centre[1] - 71) < 0.08 * 96


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (7, 4), (96, 64), (33, 224)])
def test_any_shape_and_any_face(name, shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    profile = Face((0.9, 0.9, 1.4, 1.3), ((1.1, 1.0), (1.1, 1.0)), (1.2, 1.2))
    outside = Face((-0.9, -0.9, -0.4, -0.3), ((-0.8, -0.8), (-0.6, -0.8)), (-0.7, -0.5))
    for face in (FACE, profile, outside):
        assert view(name, pixels, 1, face).shape == pixels.shape


def fine_energy(pixels):
    """Mean energy of the finest detail: the mixed difference of neighbouring pixels."""
    return float((np.diff(np.diff(pixels.astype(float), axis=0), axis=1) ** 2).mean())


def separation(name, resampled, n=60):
    """AUC of the fine energy between untouched and edited views of fresh noise photographs."""
    rng = np.random.default_rng(11)

    def energies(which):
        for _ in range(n):
            base = gaussian_filter(rng.normal(0, 900, (96, 96, 3)), (12, 12, 0))  # sd 21
            noisy = np.clip(128 + base + rng.normal(0, 12, base.shape), 0, 255).astype(np.uint8)
            yield fine_energy(BY_NAME[which].apply(noisy, FACE, rng, resampled=resampled))

    edited, untouched = list(energies(name)), list(energies("untouched"))
    return mannwhitneyu(edited, untouched).statistic / n**2


@pytest.mark.parametrize("name", [m.name for m in MANIPULATIONS])
def test_a_resampling_detector_sees_nothing(name):
    assert abs(separation(name, resampled=True) - 0.5) < 0.15


def test_the_same_detector_sees_raw_distortion():
    assert separation("distortion", resampled=False) < 0.02


def test_a_patch_keeps_its_noise_along_the_seam():
    """Plain feathering averages two noises: half the variance where they weigh the same."""
    rng = np.random.default_rng(0)
    total, calm = 0.0, 0.0
    for seed in range(20):
        pixels = np.clip(rng.normal(128, 20, (96, 96, 3)), 0, 255).astype(np.uint8)
        edited = view("mouth_flip", pixels, seed, resampled=False)
        where = (edited != pixels).any(axis=2)
        high = edited - gaussian_filter(edited.astype(float), (1.5, 1.5, 0))
        total += high[where].var()
        calm += high[~where].var()
    assert total / calm == pytest.approx(1, abs=0.06)
