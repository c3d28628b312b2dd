"""Two parts in one score: what is left out, how they are weighed, what they are standardised by."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import ndtr
from sklearn.metrics import roc_auc_score

from sklearn_blades.heads.fusion import (
    FOLDS,
    WEIGHTS,
    added,
    cell_areas,
    centre_and_spread,
    choose_weight,
    deal_folds,
)


def draws(seed=0):
    return np.random.RandomState(seed)


class TestFolds:
    def test_units_and_generators_stay_whole_and_photographs_come_once(self):
        units, generators = np.arange(60) // 4, np.arange(40) % 3
        folds = deal_folds(units, generators, draws())
        assert len(folds) == FOLDS
        assert_array_equal(np.sort(np.concatenate([rows for rows, _ in folds])), np.arange(60))
        for photographs, generated in folds:
            assert not set(units[photographs]) & set(np.delete(units, photographs))
            assert not set(generators[generated]) & set(np.delete(generators, generated))
            assert len(set(generators[generated])) == 1
        assert {generators[generated][0] for _, generated in folds} == {0, 1, 2}

    def test_uneven_units_are_dealt_evenly(self):
        units = np.repeat(np.arange(12), [40, 30, 20, 10, 10, 10, 5, 5, 5, 5, 5, 5])
        sizes = [len(rows) for rows, _ in deal_folds(units, np.arange(9) % 2, draws())]
        assert max(sizes) == 40
        assert min(sizes) >= 25

    def test_two_units_make_two_folds(self):
        folds = deal_folds(np.arange(30) % 2, np.arange(9) % 4, draws())
        assert len(folds) == 2
        assert sorted(len(rows) for rows, _ in folds) == [15, 15]

    @pytest.mark.parametrize(("units", "generators"), [(np.zeros(30, int), np.zeros(9, int))])
    def test_one_of_a_kind_is_left_out_row_by_row(self, units, generators):
        folds = deal_folds(units, generators, draws())
        assert sorted(len(rows) for rows, _ in folds) == [6] * 5
        assert sorted(len(rows) for _, rows in folds) == [1, 2, 2, 2, 2]

    def test_too_little_leaves_nothing_out(self):
        assert deal_folds(np.arange(3), np.arange(9), draws()) == []
        assert deal_folds(np.arange(30), np.arange(1), draws()) == []


class TestStandardising:
    def test_one_photograph_that_a_density_finds_impossible_changes_little(self):
        scores = np.random.default_rng(0).normal(3, 2, size=(400, 2))
        centre, spread = centre_and_spread(scores)
        scores[0, 0] = -1e9
        again, wider = centre_and_spread(scores)
        assert_allclose(again, centre, atol=0.05)
        assert_allclose(wider, spread, rtol=0.02)
        assert_allclose(spread, 2, rtol=0.15)

    def test_equal_scores_have_a_spread_to_divide_by(self):
        centre, spread = centre_and_spread(np.array([[1.0, 7.0]] * 9 + [[4.0, 7.0]]))
        assert_allclose(centre, [1, 7])
        assert_allclose(spread, [0.9, 1])

    def test_the_sum_is_of_what_was_standardised(self):
        scores = np.array([[5.0, 1.0], [3.0, 9.0]])
        total = added(scores, np.array([3, 1]), np.array([2, 4]), np.array([0.25, 0.75]))
        assert_allclose(total, [0.25, 1.5])


class TestWeights:
    def test_areas_are_those_of_the_roc_curve(self):
        rng = np.random.default_rng(1)
        true, false = rng.normal(1, 1, (30, 2)), rng.normal(0, 1, (25, 2))
        names = np.arange(25) % 2 + 4
        areas = cell_areas(true, false, names)
        assert areas.shape == (2, len(WEIGHTS))
        for row, name in enumerate((4, 5)):
            y = np.r_[np.ones(30), np.zeros(np.sum(names == name))]
            for w, area in zip(WEIGHTS, areas[row], strict=True):
                scores = np.r_[true, false[names == name]] @ [w, 1 - w]
                assert_allclose(area, roc_auc_score(y, scores))

    def test_generators_count_alike_however_many_cells_they_have(self):
        first, second = np.linspace(0.5, 0.9, 21), np.linspace(0.99, 0.5, 21)
        cells = np.array([first, second, second, second])
        assert choose_weight(cells, np.array([0, 1, 1, 1]))[1] == pytest.approx(
            (first + second) / 2
        )

    @pytest.mark.parametrize(("n", "loss"), [(60, 0.02), (400, 0.006)])
    @pytest.mark.parametrize("distances", [(0, 1.7), (1.7, 0), (-0.4, 1.4), (1.2, 1.7), (1.5, 1.5)])
    def test_little_is_lost_against_the_best_weight(self, distances, n, loss):
        # Normal scores of unit variance: the area of every weight is known exactly.
        rng, lost = np.random.default_rng(3), []

        def truth(w):
            shift = w * distances[0] + (1 - w) * distances[1]
            return ndtr(shift / np.sqrt(2 * (w**2 + (1 - w) ** 2)))

        for _ in range(40):
            cells = [
                cell_areas(
                    rng.normal(size=(n // FOLDS, 2)),
                    rng.normal(size=(n // 6, 2)) - distances,
                    np.full(n // 6, fold % 3),
                )
                for fold in range(FOLDS)
            ]
            weight, _ = choose_weight(np.concatenate(cells), np.arange(FOLDS) % 3)
            lost.append(truth(WEIGHTS).max() - truth(weight))
        assert np.mean(lost) < loss
        better = max(truth(0), truth(1))
        assert truth(WEIGHTS).max() - np.mean(lost) > better - loss
