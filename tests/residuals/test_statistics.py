"""Every statistic against its definition, pixel by pixel, and where pixels have nothing to say."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_blades.residuals import statistics
from sklearn_blades.residuals.statistics import (
    NAMES,
    colour_statistics,
    face_statistics,
    halved,
    log_covariance,
    log_kurtosis,
    mean_magnitudes,
    residuals,
    self_description,
)

KERNELS = {
    "horizontal": [[0, 0, 0], [1, -2, 1], [0, 0, 0]],
    "vertical": [[0, 1, 0], [0, -2, 0], [0, 1, 0]],
    "diagonal": [[1, 0, 0], [0, -2, 0], [0, 0, 1]],
    "antidiagonal": [[0, 0, 1], [0, -2, 0], [1, 0, 0]],
    "product": [[1, -2, 1], [-2, 4, -2], [1, -2, 1]],
}
LUMA = np.array([0.299, 0.587, 0.114])


def noisy(shape=(70, 90, 3), spread=6, seed=0):
    """A smooth picture with noise: some residuals are clipped, most are not."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    smooth = 120 + 60 * np.sin(x / 9) * np.cos(y / 7)
    values = smooth.reshape(*shape[:2], *[1] * (len(shape) - 2)) + rng.normal(0, spread, shape)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def slow_residuals(grey):
    height, width = grey.shape
    found = np.empty((len(KERNELS), height - 2, width - 2))
    for number, kernel in enumerate(KERNELS.values()):
        for y in range(height - 2):
            for x in range(width - 2):
                found[number, y, x] = np.sum(kernel * grey[y : y + 3, x : x + 3])
    return np.clip(found, -20, 20)


def slow_self_description(found):
    """A least-squares fit to one row a window, with the ridge as 24 further rows."""
    rows, wanted = [], []
    centred = found - found.mean()
    for y in range(2, found.shape[0] - 2):
        for x in range(2, found.shape[1] - 2):
            window = centred[y - 2 : y + 3, x - 2 : x + 3].ravel()
            rows.append(np.delete(window, 12))
            wanted.append(window[12])
    rows, wanted = np.array(rows), np.array(wanted)
    ridge = 1e-3 * (rows**2).mean() * len(rows)
    padded = np.r_[rows, np.sqrt(ridge) * np.eye(24)]
    coefficients = np.linalg.lstsq(padded, np.r_[wanted, np.zeros(24)])[0]
    left = np.mean((wanted - rows @ coefficients) ** 2)
    return coefficients, np.log((left + 1 / 12) / (np.mean(wanted**2) + 1 / 12))


def slow_logarithm(matrix):
    """From its series, by halving: log A = 2^k log A^(1/2^k), and log(1 + D) = D - D^2 / 2 ..."""
    for _ in range(30):
        values, vectors = np.linalg.eig(matrix)
        matrix = (vectors * np.sqrt(values)) @ np.linalg.inv(vectors)
    step = matrix - np.eye(len(matrix))
    return 2**30 * (step - step @ step / 2)


def test_residuals_are_sums_of_nine_pixels():
    grey = noisy((12, 15), spread=12).astype(float)
    expected = slow_residuals(grey)
    assert (np.abs(expected) == 20).any()
    assert_array_equal(residuals(grey), expected)
    assert tuple(KERNELS) == statistics.RESIDUALS


def test_log_covariance():
    found = slow_residuals(noisy((40, 30)).astype(float))
    matrix = np.cov(found.reshape(5, -1), bias=True) + np.eye(5) / 12
    expected = slow_logarithm(matrix)[np.triu_indices(5)]
    assert_allclose(log_covariance(found), expected, atol=1e-4)


def test_mean_magnitudes_and_kurtosis():
    found = slow_residuals(noisy((40, 30)).astype(float))
    logs = [np.mean([np.log(1 + abs(r)) for r in one.ravel()]) for one in found]
    assert_allclose(mean_magnitudes(found), logs, rtol=1e-6)
    for one, kurtosis in zip(found, log_kurtosis(found), strict=True):
        central = one.ravel() - one.mean()
        second, fourth = np.mean(central**2), np.mean(central**4)
        # The moments of a sum of independent variables, the second of them normal.
        expected = fourth + 6 * second / 12 + 3 / 144
        assert kurtosis == pytest.approx(np.log(expected / 3 / (second + 1 / 12) ** 2))


def test_kurtosis_tells_tails():
    rng = np.random.default_rng(0)
    normal, heavy = rng.normal(0, 4, (1, 300, 300)), rng.laplace(0, 3, (1, 300, 300))
    flat = rng.uniform(-8, 8, (1, 300, 300))
    assert log_kurtosis(normal)[0] == pytest.approx(0, abs=0.02)
    assert log_kurtosis(heavy)[0] == pytest.approx(np.log(2), abs=0.1)
    assert log_kurtosis(flat)[0] == pytest.approx(np.log(1.8 / 3), abs=0.02)


@pytest.mark.parametrize("at_once", [1, 300, 1 << 14])  # windows: a line, some lines, all
def test_self_description_is_a_least_squares_fit(monkeypatch, at_once):
    monkeypatch.setattr(statistics, "_AT_ONCE", at_once)
    found = slow_residuals(noisy((30, 40)).astype(float))[-1]
    expected, share = slow_self_description(found)
    coefficients, left = self_description(found)
    assert_allclose(coefficients, expected, atol=1e-8)
    assert left == pytest.approx(share, abs=1e-8)


def test_self_description_finds_what_made_the_noise():
    rng = np.random.default_rng(0)
    field = rng.normal(0, 3, (200, 200))
    field[1:] += 0.6 * field[:-1]  # every line follows from the one above, a little
    below, above = NAMES.index("full_neighbour_down+1_right+0"), 25
    coefficients, left = self_description(field)
    assert NAMES[above + 7] == "full_neighbour_down-1_right+0"
    assert sorted(np.argsort(-np.abs(coefficients))[:2]) == [7, below - above]
    assert left < -0.2
    assert self_description(rng.normal(0, 3, (200, 200)))[1] == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("shape", [(6, 8), (7, 9)])
def test_half_scale_is_means_of_four(shape):
    grey = np.arange(np.prod(shape), dtype=float).reshape(shape) ** 2
    expected = [
        [grey[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].mean() for x in range(shape[1] // 2)]
        for y in range(shape[0] // 2)
    ]
    assert_allclose(halved(grey), expected)


def test_colours():
    pixels = noisy((40, 30, 3))
    rgb = pixels.astype(float)
    luma = rgb @ LUMA
    channels = [*np.moveaxis(rgb, 2, 0), (rgb[..., 2] - luma) / 1.772, (rgb[..., 0] - luma) / 1.402]
    found = np.array([slow_residuals(channel)[-1].ravel() for channel in channels])
    variance = found.var(axis=1) + 1 / 12
    expected = [*np.log(variance[3:])]
    for one, other in ((0, 1), (1, 2), (0, 2)):
        covariance = np.cov(found[one], found[other], bias=True)[0, 1]
        expected.append(covariance / np.sqrt(variance[one] * variance[other]))
    assert_allclose(colour_statistics(pixels), expected, atol=1e-4)


def test_all_numbers_stand_where_their_names_say():
    pixels = noisy()
    numbers = dict(zip(NAMES, face_statistics(pixels), strict=True))
    assert len(numbers) == len(NAMES) == 153
    grey = pixels @ LUMA
    for scale in ("full", "half", "quarter"):
        found = slow_residuals(grey)
        covariance = log_covariance(found)
        assert numbers[f"{scale}_log_covariance_horizontal_vertical"] == pytest.approx(
            covariance[1], abs=1e-4
        )
        assert numbers[f"{scale}_log_covariance_product_product"] == pytest.approx(
            covariance[-1], abs=1e-4
        )
        assert numbers[f"{scale}_mean_magnitude_vertical"] == pytest.approx(
            mean_magnitudes(found)[1], abs=1e-4
        )
        assert numbers[f"{scale}_log_kurtosis_product"] == pytest.approx(
            log_kurtosis(found)[-1], abs=1e-4
        )
        coefficients, left = slow_self_description(found[-1])
        assert numbers[f"{scale}_neighbour_down-2_right-2"] == pytest.approx(
            coefficients[0], abs=1e-4
        )
        assert numbers[f"{scale}_neighbour_down+0_right+1"] == pytest.approx(
            coefficients[12], abs=1e-4
        )
        if scale == "full":
            assert numbers["full_variance_left"] == pytest.approx(left, abs=1e-4)
        grey = halved(grey)
    assert numbers["correlation_red_blue"] == pytest.approx(colour_statistics(pixels)[-1], abs=1e-5)


def test_a_plain_picture_has_finite_numbers():
    plain = face_statistics(np.full((64, 64, 3), 200, dtype=np.uint8))
    assert np.isfinite(plain).all()
    numbers = dict(zip(NAMES, plain, strict=True))
    assert numbers["full_log_covariance_product_product"] == pytest.approx(np.log(1 / 12))
    assert numbers["log_variance_cb"] == pytest.approx(np.log(1 / 12))
    rest = [value for name, value in numbers.items() if "log_covariance" not in name]
    assert_allclose(np.delete(rest, [-5, -4]), 0, atol=1e-6)


def test_a_grey_picture_has_no_colour_and_channels_that_agree():
    grey = np.repeat(noisy((64, 64))[..., None], 3, axis=2)
    cb, cr, *correlations = colour_statistics(grey)
    assert_allclose([cb, cr], np.log(1 / 12), atol=1e-3)
    assert min(correlations) > 0.99
    assert max(map(abs, colour_statistics(noisy((64, 64, 3)))[2:])) < 0.4


def test_scaling_shows():
    """A picture scaled up, as a generator's last layers do, follows from its neighbours."""
    small = noisy((64, 64, 3))
    enlarged = np.repeat(np.repeat(small, 2, axis=0), 2, axis=1)
    left = NAMES.index("full_variance_left")
    assert face_statistics(enlarged)[left] < face_statistics(noisy((128, 128, 3)))[left] - 0.5


@pytest.mark.parametrize("shape", [(63, 100, 3), (100, 63, 3)])
def test_too_small_a_region_is_refused(shape):
    with pytest.raises(ValueError, match="at least 64"):
        face_statistics(np.zeros(shape, dtype=np.uint8))
