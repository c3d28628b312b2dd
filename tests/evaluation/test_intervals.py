"""Intervals cover what they say, with few rows and few groups too; too few give no ends."""

import numpy as np
import pytest
from scipy.stats import norm

from sklearn_blades.evaluation.statistics.intervals import (
    auc_estimate,
    auc_influence,
    change_estimate,
    rate_estimate,
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
