"""Intervals cover what they say, with few rows and few groups too; too few give no ends."""

import warnings

import numpy as np
import pytest
from scipy.stats import norm

from sklearn_blades.errors import SmallSampleWarning
from sklearn_blades.evaluation import report_by_generator
from sklearn_blades.evaluation.statistics.intervals import (
    auc_estimate,
    auc_influence,
    change_estimate,
    rate_estimate,
    redrawn_interval,
)

N_RUNS = 400
# What 400 runs of a true 95 % reach in 999 of 1000 cases.
LEAST = 0.95 - 3.1 * np.sqrt(0.05 * 0.95 / N_RUNS)


def covered(estimates, truth):
    return np.mean([low <= truth <= high for _, low, high in estimates])


@pytest.mark.parametrize("n", [5, 10, 40])
@pytest.mark.parametrize("shift", [0.0, 1.0, 2.0])
def test_areas_of_so_many_a_class(n, shift):
    rng, positive = np.random.default_rng(0), np.repeat([True, False], n)
    found = [
        auc_estimate(rng.normal(size=2 * n) + shift * positive, positive) for _ in range(N_RUNS)
    ]
    assert covered(found, norm.cdf(shift / np.sqrt(2))) > LEAST
    if n == 40:  # and not by being too wide
        assert covered(found, norm.cdf(shift / np.sqrt(2))) < 0.99


@pytest.mark.parametrize("sizes", [(2, 100), (5, 100)])
def test_areas_of_unequal_classes(sizes):
    rng, positive = np.random.default_rng(0), np.repeat([True, False], sizes)
    found = [auc_estimate(rng.normal(size=sum(sizes)), positive) for _ in range(N_RUNS)]
    assert covered(found, 0.5) > LEAST


@pytest.mark.parametrize("n_groups", [5, 10, 40])
def test_areas_and_rates_of_so_many_groups(n_groups):
    """Four rows a group share nine tenths of their variance."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(2 * n_groups), 4)
    positive = groups < n_groups
    areas, rates = [], []
    for _ in range(N_RUNS):
        noise = np.sqrt(0.9) * rng.normal(size=2 * n_groups)[groups]
        noise += np.sqrt(0.1) * rng.normal(size=len(groups))
        areas.append(auc_estimate(noise, positive, groups=groups))
        rates.append(rate_estimate(noise[positive] < -1, groups=groups[positive]))
    assert covered(areas, 0.5) > LEAST
    assert covered(rates, norm.cdf(-1)) > LEAST


def test_one_of_a_side_has_no_interval():
    scores, positive = np.arange(10.0), np.arange(10) == 4
    area = auc_estimate(scores, positive)
    assert area.value == pytest.approx(4 / 9)
    assert np.isnan(area[1:]).all()
    one = np.zeros(10, dtype=int)
    assert np.isnan(auc_estimate(scores, scores > 4, groups=one)[1:]).all()
    assert np.isnan(rate_estimate(scores > 4, groups=one)[1:]).all()
    both = auc_influence(scores, scores > 4)
    assert np.isnan(change_estimate(both, both, groups=one)[1:]).all()


@pytest.mark.parametrize("n", [5, 40])
def test_precisions_and_averages_of_so_many_a_class(n):
    """Percentiles of the draws held the average precision in 78 of 100 at five a class."""
    rng, shift = np.random.default_rng(0), 1.0
    y, generator = np.repeat([1, 0], [n, 2 * n]), np.repeat([None, "a", "b"], n)
    many = rng.normal(size=200_000) + shift * (np.arange(200_000) < 100_000)
    order = np.argsort(many)  # generated faces, which score low, are what is looked for
    generated = order >= 100_000
    precision = np.cumsum(generated) / np.arange(1, len(order) + 1)
    found, averages = [], []
    for seed in range(150):
        scores = rng.normal(size=3 * n) + shift * (y == 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SmallSampleWarning)
            report = report_by_generator(
                scores, scores < 0, y, generator, n_bootstrap=150, random_state=seed
            )
        found.append(report["a"].ap_generated)
        averages.append(report.average.auc)
    least = 0.95 - 3.1 * np.sqrt(0.05 * 0.95 / 150)
    assert covered(found, precision[generated].mean()) > least
    assert covered(averages, norm.cdf(shift / np.sqrt(2))) > least


def test_a_share_that_no_draw_leaves_gets_the_exact_bound():
    assert redrawn_interval(1.0, np.ones(50), 10) == pytest.approx((0.025**0.1, 1))
    assert redrawn_interval(0.0, np.zeros(50), 10) == pytest.approx((0, 1 - 0.025**0.1))
    assert np.isnan(redrawn_interval(0.5, np.full(50, 0.5), 1)).all()
    assert np.isnan(redrawn_interval(0.5, np.full(50, np.nan), 9)).all()
