"""Publishing: each step does what it says, at a strength of its own, and none goes too far."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from sklearn_blades.photos import publishing
from sklearn_blades.photos.publishing import STEPS, published
from tests.photos.test_manipulations import fine_energy, picture


def done(step, seed=0, pixels=None):
    pixels = picture() if pixels is None else pixels
    return step(pixels, np.random.default_rng(seed))


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_a_step_is_pure_of_one_shape_and_random_in_strength(step):
    pixels = picture()
    pixels.flags.writeable = False
    first = done(step, 1, pixels)
    assert first.dtype == np.uint8
    assert first.shape == pixels.shape
    np.testing.assert_array_equal(pixels, picture())
    np.testing.assert_array_equal(first, done(step, 1))
    changes = [np.abs(done(step, seed).astype(int) - pixels).mean() for seed in range(12)]
    assert len(set(changes)) > 6
    assert 0 < max(changes) < 40  # gray levels: a photograph still


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (33, 64)])
def test_any_shape(step, shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for seed in range(4):
        assert done(step, seed, pixels).shape == pixels.shape


def test_jpeg_has_both_chroma_samplings_and_the_whole_range_of_qualities(monkeypatch):
    saved = []
    save = Image.Image.save

    def recorded(image, file, form, **how):
        saved.append((form, how["quality"], how.get("subsampling")))
        save(image, file, form, **how)

    monkeypatch.setattr(Image.Image, "save", recorded)
    rng = np.random.default_rng(0)
    small = picture(16)
    for _ in range(400):
        publishing.jpeg(small, rng)
    forms, qualities, samplings = zip(*saved, strict=True)
    assert set(forms) == {"JPEG"}
    assert (min(qualities), max(qualities)) == (50, 98)
    assert 0.4 < np.mean(np.array(samplings) == 0) < 0.6
    assert set(samplings) == {0, 2}


def test_halved_chroma_is_what_pillow_calls_2():
    red = np.zeros((32, 32, 3), np.uint8)
    red[:, ::2, 0] = 255
    kept = {}
    for number in (0, 2):
        file = io.BytesIO()
        Image.fromarray(red).save(file, "JPEG", quality=98, subsampling=number)
        kept[number] = np.ptp(np.array(Image.open(file).convert("YCbCr"))[..., 2].astype(int))
    assert kept[0] > 3 * kept[2]


def test_webp_is_webp(monkeypatch):
    asked = []
    monkeypatch.setattr(publishing, "recompressed", lambda pixels, **how: asked.append(how))
    for seed in range(200):
        done(publishing.webp, seed, picture(16))
    assert {how["form"] for how in asked} == {"WEBP"}
    assert min(how["quality"] for how in asked) < 55
    assert max(how["quality"] for how in asked) > 93


def test_every_kernel_scales_both_ways(monkeypatch):
    kernels, sizes = [], []
    resize = Image.Image.resize

    def recorded(image, size, kernel, **how):
        kernels.append(kernel)
        sizes.append(size[0])
        return resize(image, size, kernel, **how)

    monkeypatch.setattr(Image.Image, "resize", recorded)
    for seed in range(120):
        done(publishing.rescaled, seed)
    assert set(kernels[::2]) == set(kernels[1::2]) == set(publishing._KERNELS)
    assert min(sizes) < 52
    assert max(sizes) > 135


def test_sharpening_adds_detail_and_blur_takes_it():
    plain = fine_energy(picture())
    assert min(fine_energy(done(publishing.sharpened, seed)) for seed in range(10)) > plain
    assert max(fine_energy(done(publishing.softened, seed)) for seed in range(10)) < plain


def test_a_tone_curve_keeps_the_order_of_gray_levels():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    for seed in range(40):
        curve = done(publishing.toned, seed, ramp)[0, :, 0].astype(int)
        assert (np.diff(curve) >= 0).all()
        assert (curve[0], curve[-1]) == (0, 255)
        assert np.abs(curve - np.arange(256)).max() < 70


def test_a_cast_moves_channels_apart():
    grey = np.full((8, 8, 3), 128, np.uint8)
    casts = np.array([done(publishing.cast, seed, grey)[0, 0] for seed in range(40)]).astype(int)
    assert np.ptp(casts, axis=1).max() > 15
    assert casts.min() > 100
    assert casts.max() < 160


def test_a_trim_moves_a_dot_by_a_twentieth_at_most():
    dot = np.zeros((96, 96, 3), np.uint8)
    dot[46:50, 46:50] = 255
    rows, cols = np.mgrid[:96, :96]
    places = []
    for seed in range(20):
        shown = gaussian_filter(done(publishing.trimmed, seed, dot)[:, :, 0].astype(float), 1)
        places.append([(rows * shown).sum(), (cols * shown).sum()] / shown.sum())
    far = np.hypot(*(np.array(places) - 47.5).T)
    assert far.max() < 0.06 * 96
    assert far.max() > 1


def test_steps_come_in_any_order_and_number():
    taken = []
    steps = [lambda pixels, rng, n=n: taken.append(n) or pixels for n in range(len(STEPS))]
    orders = set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publishing, "STEPS", steps)
        for seed in range(600):
            taken.clear()
            published(picture(16), np.random.default_rng(seed))
            orders.add(tuple(taken))
    assert {len(order) for order in orders} >= set(range(6))
    assert (0, 5) in orders
    assert (5, 0) in orders
    assert {n for order in orders for n in order} == set(range(len(STEPS)))


def test_a_fifth_or_so_stays_as_it_is():
    pixels = picture(32)
    same = [(published(pixels, np.random.default_rng(seed)) == pixels).all() for seed in range(300)]
    assert 0.15 < np.mean(same) < 0.32
