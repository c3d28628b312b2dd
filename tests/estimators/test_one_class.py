"""The one-class head: its promise, its threshold, whom it learns from, and how it refuses."""

import math
import pickle
import warnings
from collections import defaultdict
from copy import copy
from itertools import product

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import betabinom
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GroupKFold,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.neighbors import KernelDensity
from threadpoolctl import threadpool_limits

from benchmarks.head_defaults import Camera
from sklearn_blades import BladesOneClass
from sklearn_blades.errors import SmallSampleWarning
from sklearn_blades.ground import rows
from sklearn_blades.ground.groups import one_of_each
from sklearn_blades.heads import density
from sklearn_blades.heads.conformal import (
    benjamini_hochberg,
    conformal_offset,
    conformal_p_values,
    fewest_calibration_scores,
    positive,
)
from sklearn_blades.heads.density import choose_shape, least_likely, noise_variance
from sklearn_blades.persistence import load, save


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Matrices this small spend their time handing work between threads."""
    with threadpool_limits(1):
        yield


def unit_rows(n, rng, width=8, shift=0.0):
    """Unit-norm features in three clusters; ``shift`` moves all of them one way."""
    centres = np.random.default_rng(99).normal(size=(3, width))
    rows = centres[rng.integers(3, size=n)] + 0.2 * rng.normal(size=(n, width)) + shift
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# --- the promise -------------------------------------------------------------------------------


ALPHAS, SIZES, N_SPLITS, N_FRESH = (0.01, 0.05, 0.1), (50, 500, 5000), 200, 200


@pytest.fixture(scope="module")
def flagged(one_thread):
    """How many of 200 fresh photographs are flagged in each split: {(n_calibration, alpha): []}.

    10 components on 60 rows memorise them; None stands for their own quantile as the threshold.
    """
    rng, flagged = np.random.default_rng(7), defaultdict(list)
    memoriser = BladesOneClass(10, covariance_type="diag", target_fpr=0.1)
    for seed, n in product(range(N_SPLITS), SIZES):
        photos, fresh = unit_rows(n + 60, rng, width=16), unit_rows(N_FRESH, rng, width=16)
        head = clone(memoriser).set_params(calibration_fraction=n / (n + 60), random_state=seed)
        head.fit(photos)
        assert len(head.calibration_scores_) == n
        for alpha in ALPHAS:
            flagged[n, alpha].append(count_flagged(head.set_params(target_fpr=alpha), fresh))
            if n == 50 and seed < 20:
                naive = clone(head.mixture_).fit(photos[:60])
                threshold = np.quantile(naive.score_samples(photos[:60]), alpha)
                flagged[None, alpha].append(np.sum(naive.score_samples(fresh) < threshold))
    return flagged


def count_flagged(head, X):
    """How many rows ``predict`` flags; too few calibration rows are what some cases are about."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SmallSampleWarning)
        return np.sum(head.predict(X) == -1)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("alpha", ALPHAS)
def test_realised_false_alarms_are_those_promised(flagged, n, alpha):
    # Flagged = below the k-th smallest of n calibration scores. If scores are exchangeable and
    # have no ties, the true rate of one split is Beta(k, n + 1 - k), of mean k / (n + 1) <= alpha.
    # The fresh photographs of a split share its threshold, so that their count is beta-binomial;
    # its variance over N_SPLITS, whose splits share nothing, is the band of the mean.
    k = math.floor(round(alpha * (n + 1), 6))
    counts = np.array(flagged[n, alpha])
    if k == 0:  # 50 photographs cannot promise 1 %
        assert not counts.any()
        return
    law = betabinom(N_FRESH, k, n + 1 - k)
    band = 3 * law.std() / math.sqrt(N_SPLITS)
    assert law.mean() <= alpha * N_FRESH
    assert abs(counts.mean() - law.mean()) < band
    # Not the mean alone: one draw of calibration photographs varies as much as README says.
    low, high = law.interval(0.9)
    inside = law.cdf(high) - law.cdf(low - 1)
    share = np.mean((low <= counts) & (counts <= high))
    assert abs(share - inside) < 3 * math.sqrt(inside * (1 - inside) / N_SPLITS)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_a_threshold_on_training_scores_would_be_far_off(flagged, alpha):
    assert np.mean(flagged[None, alpha]) > 3 * alpha * N_FRESH


def test_p_values_of_photographs_are_super_uniform_and_fakes_are_low():
    rng, levels = np.random.default_rng(3), np.array([0.02, 0.1, 0.3, 0.5, 0.9])
    p = []
    for seed in range(60):
        head = BladesOneClass(random_state=seed, calibration_fraction=0.5)
        p.append(head.fit(unit_rows(100, rng)).p_values(unit_rows(50, rng)))
    below = np.mean(np.concatenate(p)[:, None] <= levels, axis=0)
    assert (below <= levels + 3 * np.sqrt(levels * (1 - levels) / 60 * (1 / 50 + 1 / 52))).all()
    assert below[-1] > 0.8  # ... and not by calling every photograph certain
    fakes = head.p_values(unit_rows(50, rng, shift=2.0))
    assert_allclose(fakes, 1 / 51)


# --- scans over a folder -----------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:These p-values are too coarse")
def test_few_of_those_flagged_in_a_scan_are_photographs():
    # The p-values of a scan share one calibration set; the bound is an average over such sets.
    rng, alpha, n_scans, fakes = np.random.default_rng(5), 0.2, 200, np.repeat([False, True], 50)
    head = BladesOneClass(random_state=0).fit(unit_rows(200, rng))
    wrong, found, by_rate = [], [], []
    for _ in range(n_scans):
        head.recalibrate(unit_rows(200, rng))
        p_values = head.p_values(np.r_[unit_rows(50, rng), unit_rows(50, rng, shift=0.25)])
        for flagged, shares in (
            (benjamini_hochberg(p_values, alpha=alpha), wrong),
            (p_values <= alpha, by_rate),
        ):
            shares.append(np.mean(~fakes[flagged]) if flagged.any() else 0.0)
        found.append(np.mean(benjamini_hochberg(p_values, alpha=alpha)[fakes]))
    error = np.std(wrong) / math.sqrt(n_scans)
    assert np.mean(wrong) < alpha / 2 + 3 * error  # half of the folder are photographs
    assert np.mean(found) > 0.3  # ... and it is kept by choosing, not by flagging nothing
    assert np.mean(by_rate) > alpha


@pytest.mark.parametrize(("n", "flagged"), [(998, 0), (999, 10)])
def test_a_scan_needs_p_values_fine_enough(n, flagged):
    p_values = np.r_[np.full(10, 1 / (n + 1)), np.ones(990)]
    if flagged:
        assert benjamini_hochberg(p_values, alpha=0.1).sum() == flagged
        return
    said = "until 11 of 1000 files share the lowest; 10 do. 999 .* for 10, 9999 for a single one"
    for given in (None, n):
        with pytest.warns(SmallSampleWarning, match=said) as caught:
            assert not benjamini_hochberg(p_values, alpha=0.1, n_calibration=given).any()
        assert caught[0].filename == __file__


@pytest.mark.parametrize("n_calibration", [None, 99])
def test_a_scan_of_photographs_is_no_sign_of_coarse_p_values(n_calibration):
    high = np.array([0.2, 0.37, 0.81, 1.0])  # hundredths, none of them the lowest there is
    assert not benjamini_hochberg(high, alpha=0.1, n_calibration=n_calibration).any()
    assert not benjamini_hochberg([0.123456, 0.7891011], alpha=0.1).any()  # of no grid


@pytest.mark.parametrize("alpha", [0.05, 0.3])
def test_benjamini_hochberg_steps_up(rng, alpha):
    p_values = np.round(rng.uniform(size=60) ** 3, 2)
    largest = max(i for i in range(61) if i == 0 or sorted(p_values)[i - 1] <= alpha * i / 60)
    found = benjamini_hochberg(list(p_values), alpha=alpha)
    assert found.dtype == bool
    assert found.sum() == largest
    assert benjamini_hochberg([], alpha=alpha).shape == (0,)


@pytest.mark.parametrize("wrong", [[0.5, np.nan], [-0.1], [1.1], [[0.5]], 0.5])
def test_p_values_that_are_none(wrong):
    with pytest.raises(ValueError, match="numbers from 0 to 1, as BladesOneClass"):
        benjamini_hochberg(wrong, alpha=0.1)
    with pytest.raises(ValueError, match="alpha=10 must be between 0 and 1"):
        benjamini_hochberg([0.5], alpha=10)


# --- recalibration -----------------------------------------------------------------------------


def test_recalibrated_the_promise_is_for_the_new_photographs():
    rng, alpha, k, n = np.random.default_rng(11), 0.1, 10, 100
    fitted = BladesOneClass(target_fpr=alpha, random_state=0).fit(unit_rows(200, rng))
    before, after = [], []
    for _ in range(150):
        fresh = unit_rows(100, rng, shift=0.15)
        before.append(np.sum(fitted.predict(fresh) == -1))
        head = copy(fitted).recalibrate(unit_rows(n, rng, shift=0.15))
        after.append(np.sum(head.predict(fresh) == -1))
        assert head.mixture_ is fitted.mixture_
    law = betabinom(100, k, n + 1 - k)
    assert np.mean(before) > 3 * alpha * 100
    assert abs(np.mean(after) - law.mean()) < 3 * law.std() / math.sqrt(150)


def test_recalibration_uses_photographs_only_and_changes_the_threshold_only(rng):
    head = BladesOneClass(random_state=0).fit(unit_rows(200, rng))
    X, others = unit_rows(60, rng, shift=0.1), unit_rows(5, rng)
    scores = head.score_samples(others)
    assert head.recalibrate(X) is head
    assert_array_equal(head.calibration_scores_, np.sort(head.score_samples(X)))
    mixed = copy(head).recalibrate(np.r_[X, X + 3], np.repeat([1, 0], 60))
    assert_array_equal(mixed.calibration_scores_, head.calibration_scores_)
    assert_array_equal(head.score_samples(others), scores)
    with pytest.raises(NotFittedError):
        BladesOneClass().recalibrate(X)
    with pytest.raises(ValueError, match="1 of 60 rows contain NaN"):
        head.recalibrate(np.where(np.arange(60)[:, None] == 3, np.nan, X))
    with pytest.raises(ValueError, match="features"):
        head.recalibrate(X[:, :3])


def test_recalibration_counts_persons_not_photographs(rng):
    head = BladesOneClass(random_state=0).fit(unit_rows(200, rng))
    X, people = unit_rows(200, rng), np.arange(200) % 18
    with pytest.warns(
        SmallSampleWarning, match="18 calibration photographs, one of each person,"
    ) as caught:
        head.recalibrate(X, groups=people)
    assert caught[0].filename == __file__
    scores = head.calibration_scores_
    owners = [people[np.flatnonzero(head.score_samples(X) == score)[0]] for score in scores]
    assert sorted(owners) == list(range(18))
    with pytest.warns(SmallSampleWarning):
        assert_array_equal(head.recalibrate(X, groups=people).calibration_scores_, scores)


def test_a_promise_from_few_persons_would_not_hold_by_photographs():
    # Twenty photographs of each of ten persons, nearly alike: 200 scores, ten of them of use.
    rng, alpha = np.random.default_rng(2), 0.05
    head = BladesOneClass(target_fpr=alpha, random_state=0).fit(unit_rows(300, rng))
    pooled, people = [], np.repeat(np.arange(10), 20)
    for _ in range(150):
        photos = unit_rows(10, rng)[people] + 1e-4 * rng.normal(size=(200, 8))
        pooled.append(np.mean(head.recalibrate(photos).predict(unit_rows(50, rng)) == -1))
    assert np.mean(pooled) > 1.5 * alpha  # about 1 / 11
    with pytest.warns(SmallSampleWarning):
        head.recalibrate(photos, groups=people)
    assert count_flagged(head, unit_rows(50, rng)) == 0


def test_one_of_each_group_is_drawn_evenly():
    groups, rng = ["a", "b", "a", "a"], np.random.RandomState(0)
    drawn = [one_of_each(groups, rng) for _ in range(300)]
    assert all(rows[0] in (0, 1) and 1 in rows and len(rows) == 2 for rows in drawn)
    of_a = np.bincount([next(row for row in rows if row != 1) for rows in drawn], minlength=4)
    assert of_a[[0, 2, 3]].min() > 70


# --- the conformal arithmetic ------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 18, 19, 98, 99, 100, 250])
@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.07, 0.29, 0.5, 0.99])
def test_offset_is_the_right_order_statistic(n, alpha):
    scores = np.sort(np.random.default_rng(n).normal(size=n))
    offset = conformal_offset(scores, alpha)
    k = round(alpha * 100) * (n + 1) // 100  # in whole numbers
    assert offset == (scores[k - 1] if k else -np.inf)
    assert (k == 0) == (n < fewest_calibration_scores(alpha))


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1, 0.29])
def test_flagged_means_a_p_value_of_at_most_alpha(alpha, rng):
    calibration = np.sort(rng.normal(size=99))
    scores = np.concatenate([calibration, rng.normal(size=200)])
    flagged = scores < conformal_offset(calibration, alpha)
    p_values = conformal_p_values(scores, calibration)
    naive = [(1 + sum(c <= s for c in calibration)) / 100 for s in scores]
    assert_allclose(p_values, naive)
    assert_array_equal(flagged, p_values <= alpha + 1e-9)


def test_positive_is_finite_positive_and_increasing():
    scores = np.array([-np.inf, -1e300, -1e9, -1.0, -1e-9, 0.0, 1e-9, 1.0, 1e9])
    mapped = positive(scores)
    assert np.isfinite(mapped).all()
    assert (np.diff(mapped[1:]) > 0).all()
    assert (mapped[1:] > 0).all()


# --- the threshold of a fitted head ------------------------------------------------------------


def test_decision_predict_and_offset_agree(rng):
    head = BladesOneClass(random_state=0).fit(unit_rows(300, rng))
    X = np.r_[unit_rows(200, rng), unit_rows(50, rng, shift=1.0)]
    assert_allclose(head.decision_function(X), head.score_samples(X) - head.offset_)
    assert_array_equal(head.predict(X), np.where(head.decision_function(X) < 0, -1, 1))
    assert_array_equal(head.predict(X) == -1, head.p_values(X) <= head.target_fpr)
    assert head.predict(X).dtype.kind == "i"
    assert set(head.predict(X)) == {-1, 1}


def test_target_fpr_takes_effect_without_refitting(rng):
    head = BladesOneClass(calibration_fraction=0.5, random_state=0).fit(unit_rows(2000, rng))
    X, offsets, flagged = unit_rows(1000, rng), [], []
    for target_fpr in (0.01, 0.05, 0.2):
        head.set_params(target_fpr=target_fpr)
        offsets.append(head.offset_)
        flagged.append(np.mean(head.predict(X) == -1))
    assert offsets == sorted(set(offsets))
    assert_allclose(flagged, [0.01, 0.05, 0.2], atol=0.05)
    with pytest.raises(ValueError, match=r"target_fpr=5 must be between 0 and 1, e\.g\. 0\.05"):
        head.set_params(target_fpr=5).predict(X)


@pytest.mark.parametrize(("target_fpr", "fewest"), [(0.05, 19), (0.01, 99)])
def test_too_few_calibration_photographs_flag_nothing_and_say_so(rng, target_fpr, fewest):
    head = BladesOneClass(target_fpr=target_fpr, calibration_fraction=0.5, random_state=0)
    assert np.isfinite(clone(head).fit(unit_rows(2 * fewest, rng)).offset_)
    needed = (
        f"at least {fewest} are needed.* Fit on {2 * fewest} or more, .*recalibrate on {fewest}"
    )
    with pytest.warns(SmallSampleWarning, match=needed) as caught:
        head.fit(unit_rows(2 * fewest - 2, rng))
    assert caught[0].filename == __file__
    far = np.r_[unit_rows(20, rng), unit_rows(20, rng, shift=3.0)]
    with pytest.warns(SmallSampleWarning):
        assert head.offset_ == -np.inf
    with pytest.warns(SmallSampleWarning):
        assert_array_equal(head.predict(far), 1)
    with pytest.warns(SmallSampleWarning):
        decision = head.decision_function(far)
    assert (decision > 0).all()
    assert np.isfinite(decision).all()
    assert_array_equal(np.argsort(decision), np.argsort(head.score_samples(far)))


def test_the_number_to_fit_on_follows_the_calibration_fraction(rng):
    with pytest.warns(SmallSampleWarning, match="Fit on 95 or more"):
        BladesOneClass(random_state=0).fit(unit_rows(40, rng))
    BladesOneClass(random_state=0).fit(unit_rows(95, rng))


@pytest.mark.filterwarnings("ignore::sklearn_blades.errors.SmallSampleWarning")
def test_roc_auc_works_where_nothing_can_be_flagged(rng):
    X, y = np.r_[unit_rows(60, rng), unit_rows(60, rng, shift=2.0)], np.repeat([1, 0], 60)
    head, cv = BladesOneClass(random_state=0), StratifiedKFold(3)
    assert cross_val_score(head, X, y, cv=cv, scoring="roc_auc", error_score="raise").min() > 0.9


# --- whom it learns from -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "coding"),
    [(1, [1, 0]), (1, [1, -1]), (True, [True, False]), (0, [0, 1]), (1, np.array([1, 0], object))],
)
def test_only_photographs_are_used(rng, label, coding):
    photos, fakes = unit_rows(200, rng), unit_rows(150, rng, shift=2.0)
    y = np.repeat(coding, [200, 150])
    order = rng.permutation(350)
    head = BladesOneClass(photographic_label=label, random_state=0)
    mixed = clone(head).fit(np.r_[photos, fakes][order], y[order])
    alone = clone(head).fit(np.r_[photos, fakes][order][order < 200])
    assert_array_equal(mixed.calibration_scores_, alone.calibration_scores_)
    assert roc_auc_score(order < 200, mixed.score_samples(np.r_[photos, fakes][order])) > 0.95


def test_scorers_work_over_both_classes(rng):
    X = np.r_[unit_rows(250, rng), unit_rows(250, rng, shift=2.0)]
    head, cv = BladesOneClass(random_state=0), StratifiedKFold(3)
    for y in (np.repeat([1, 0], 250), np.repeat([True, False], 250), np.repeat([1, -1], 250)):
        assert cross_val_score(head, X, y, cv=cv, scoring="roc_auc").min() > 0.95
    assert cross_val_score(head, X, y, cv=cv, scoring="balanced_accuracy").min() > 0.85


def test_a_person_is_on_one_side_of_the_calibration_split(rng):
    X, people = unit_rows(300, rng), rng.permutation([f"person {i % 30}" for i in range(300)])
    y = np.repeat([1, 0, 1], 100)

    def scored(head):
        held = np.isin(head.score_samples(X).round(9), head.calibration_scores_.round(9))
        return people[(y == 1) & held]

    head = BladesOneClass(random_state=0).fit(X, y, groups=people)
    assert len(scored(head)) == len(set(scored(head))) == 19  # a fifth of 30 could promise nothing
    few = BladesOneClass(target_fpr=0.2, random_state=0).fit(X, y, groups=people)
    assert len(set(scored(few))) == 6
    alone = scored(BladesOneClass(random_state=0).fit(X, y))
    assert len(set(alone)) < len(alone) == 40  # the split without groups is not by accident so


def test_groups_are_routed(rng):
    X, two = unit_rows(200, rng), np.repeat(["a", "b"], 100)
    y = np.tile([1, 1, 1, -1], 50)
    with sklearn.config_context(enable_metadata_routing=True):
        head = BladesOneClass(random_state=0, calibration_fraction=0.4).set_fit_request(groups=True)
        settings = {"cv": GroupKFold(2), "scoring": "roc_auc", "error_score": "raise"}
        many = np.arange(200) // 4
        cross_validate(head, X, y, params={"groups": many}, **settings)
        with pytest.raises(ValueError, match="groups holds a single group"):
            cross_validate(head, X, y, params={"groups": two}, **settings)


# --- what a label means ------------------------------------------------------------------------


@pytest.fixture
def untold(monkeypatch):
    """As in a process that was not told yet which label is taken for photographs."""
    monkeypatch.setattr(rows, "_said", False)


SAID = "1 is taken for photographs; say photographic_label=1 (or 0)"


@pytest.mark.parametrize("coding", [[1, 0], [True, False], np.array([1, 0], object)])
def test_it_says_once_a_process_which_label_it_takes(rng, untold, coding):
    X, y = unit_rows(200, rng), np.repeat(coding, [120, 80])
    settings = {"cv": ShuffleSplit(4, random_state=0), "scoring": "roc_auc"}
    with pytest.warns(UserWarning, match="1 is taken") as caught:
        cross_val_score(BladesOneClass(random_state=0), X, y.astype(int), **settings)
    assert [str(warning.message) for warning in caught] == [SAID]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        BladesOneClass(random_state=0).fit(X, y)


def test_the_warning_points_to_the_line_that_called_fit(rng, untold):
    with pytest.warns(UserWarning, match="1 is taken") as caught:
        BladesOneClass(random_state=0).fit(unit_rows(200, rng), np.repeat([1, 0], 100))
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("label", "coding"),
    [(None, [1, -1]), (None, [1.0, -1.0]), (None, [1, 1]), (1, [1, 0]), (0, [0, 1]), (1, [1, -1])],
)
def test_labels_that_are_said_are_silent_however_many_there_are(rng, untold, label, coding):
    for n in (100, 300):  # the photographs are the rarer class in the first
        X = np.r_[unit_rows(n, rng), unit_rows(200, rng, shift=2.0)]
        head = BladesOneClass(photographic_label=label, random_state=0)
        head.fit(X, np.repeat(coding, [n, 200])).offset_  # noqa: B018


def test_other_labels(rng, untold):
    X = unit_rows(200, rng)
    with pytest.warns(UserWarning, match=r"say photographic_label=1 \(or 0, 2\)"):
        BladesOneClass(target_fpr=0.2, random_state=0).fit(X, np.arange(200) % 20 // 9)
    with pytest.raises(ValueError, match=r"no row equals photographic_label=1; .* 2, 3\. Pass"):
        BladesOneClass().fit(X, np.repeat([2, 3], 100))


def test_an_inverted_code_is_suspected_where_the_rows_left_out_score_higher(rng):
    loose, dense = rng.normal(size=(200, 4)), 0.3 * rng.normal(size=(200, 4))
    X, head = np.r_[loose, dense], BladesOneClass(random_state=0)
    with pytest.warns(UserWarning, match=r"AUC below 0\.3.* inverted code") as caught:
        head.fit(X, np.repeat([1, 0], 200))
    assert caught[0].filename == __file__
    head.fit(X, np.repeat([0, 1], 200))
    head.fit(X[:202], np.repeat([1, 0], [200, 2]))  # two rows may be so by chance
    head.fit(X, np.repeat([1, -1], 200))  # here the code says itself what it is
    head.set_params(photographic_label=1).fit(X, np.repeat([1, 0], 200))  # and here it is said


# --- said once, and kept in a file -------------------------------------------------------------


def test_a_head_that_cannot_promise_says_so_once_a_calibration_not_once_a_call(rng, recwarn):
    X = unit_rows(60, rng)
    warnings.simplefilter("always")

    def said(call):
        call()
        messages = [str(recwarn.pop().message) for _ in range(len(recwarn))]
        return sum("cannot promise" in message for message in messages)

    head = BladesOneClass(random_state=0)
    assert said(lambda: head.fit(X)) == 1
    assert said(lambda: [head.predict(X[:3]) for _ in range(9)]) == 1
    assert said(lambda: [head.decision_function(X[:3]) for _ in range(9)]) == 1
    assert said(lambda: head.set_params(target_fpr=0.01).predict(X)) == 1
    assert said(lambda: [pickle.loads(pickle.dumps(head)).predict(X)]) == 1
    assert said(lambda: head.recalibrate(X[:5])) == 1
    assert said(lambda: [head.predict(X) for _ in range(9)]) == 1


def test_the_scores_of_sources_are_kept_in_a_file(rng, tmp_path):
    X = unit_rows(200, rng)
    head = BladesOneClass(random_state=0, confidence=0.5).fit(X, sources=np.arange(200) % 2)
    save(head, tmp_path / "head.blades")
    for again in (load(tmp_path / "head.blades"), pickle.loads(pickle.dumps(head))):
        assert again.offset_ == head.offset_
        assert_array_equal(again.p_values(X), head.p_values(X))


def test_a_fit_that_fails_leaves_the_head_as_it_was(rng):
    X = unit_rows(200, rng)
    head = BladesOneClass(random_state=0)
    with pytest.raises(ValueError, match="no photograph"):
        head.fit(X, np.zeros(200))
    assert not hasattr(head, "n_features_in_")
    answers = head.fit(X).decision_function(X)
    with pytest.raises(ValueError, match="pca_components=9"):
        head.set_params(pca_components=9).fit(X[:, :5])
    assert_array_equal(head.decision_function(X), answers)


# --- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["photo", "fake"] * 20, r"not numbers \(fake, photo\).* BladesBinary"),
        ([0, -1] * 20, r"no photograph: no row equals photographic_label=1; .*class.* -1, 0"),
        ([1, 0], "inconsistent numbers of samples"),
    ],
)
def test_labels_it_cannot_use(rng, y, message):
    with pytest.raises(ValueError, match=message):
        BladesOneClass().fit(unit_rows(40, rng), y)


def test_rows_that_are_not_finite_are_counted_and_the_advice_works(rng):
    X = unit_rows(200, rng)
    X[[3, 7, 9, 11], 2] = [np.nan, np.inf, np.nan, -np.inf]
    head = BladesOneClass(random_state=0)
    with pytest.raises(ValueError, match=r"4 of 200 rows .*\(rows 3, 7, 9, \.\.\.\)"):
        head.fit(X)
    keep = np.isfinite(X).all(axis=1)
    head.fit(X[keep])
    with pytest.raises(ValueError, match="keep = np"):
        head.predict(X)


def test_splits_that_leave_too_little(rng):
    X = unit_rows(10, rng)
    with pytest.raises(ValueError, match=r"calibration_fraction=0\.9 leaves 1 of 10 photographs"):
        BladesOneClass(calibration_fraction=0.9).fit(X)
    with pytest.raises(ValueError, match="n_samples = 2 photographs cannot be split"):
        BladesOneClass().fit(X[:4], [1, 0, 0, 1])
    with pytest.raises(ValueError, match="single group"):
        BladesOneClass().fit(X, groups=["one"] * 10)


@pytest.mark.parametrize(
    "wrong",
    [{"n_components": 0}, {"target_fpr": 0}, {"target_fpr": 1.0}, {"calibration_fraction": 1.5},
     {"covariance_type": "round"}, {"reg_covar": -1.0}, {"photographic_label": "photo"}],
)  # fmt: skip
def test_parameters_are_checked_in_fit(rng, wrong):
    head = BladesOneClass(**wrong)
    with pytest.raises(ValueError, match=f"The '{next(iter(wrong))}' parameter"):
        head.fit(unit_rows(100, rng))


# --- the mixture -------------------------------------------------------------------------------


def test_the_shape_follows_the_rows():
    assert choose_shape(20_000, 768) == (64, 10, "full")
    assert choose_shape(19_999, 768) == (64, 2000, "kernel")
    assert choose_shape(100, 768) == (50, 100, "kernel")
    assert choose_shape(3, 65) == (1, 3, "kernel")
    assert choose_shape(2000, 32) == (None, 10, "full")
    assert choose_shape(200, 64) == (None, 10, "diag")
    assert choose_shape(2000, 768, n_components=10) == (64, 10, "diag")
    assert choose_shape(2000, 768, 32, 3, "tied") == (32, 3, "tied")
    assert choose_shape(50_000, 8, covariance_type="kernel") == (None, 2000, "kernel")
    assert choose_shape(50_000, 8, None, 7, "kernel") == (None, 7, "kernel")
    assert choose_shape(2000, 768, None, 10, "full") == (None, 10, "full")


def test_more_is_asked_for_than_there_is(rng):
    with pytest.warns(SmallSampleWarning, match="n_components=100 .* using 80"):
        head = BladesOneClass(100, target_fpr=0.1, random_state=0).fit(unit_rows(100, rng))
    assert head.n_components_ == head.mixture_.n_components == 80
    head = BladesOneClass(1, pca_components=90, target_fpr=0.1, random_state=0)
    with pytest.warns(SmallSampleWarning, match="pca_components=90 .* using 79"):
        head.fit(unit_rows(100, rng, width=120))
    assert head.pca_components_ == head.pca_.n_components_ == 79
    with pytest.raises(ValueError, match=r"pca_components=9, but the features have 8 columns"):
        BladesOneClass(pca_components=9).fit(unit_rows(100, rng))


def test_scores_are_those_of_the_projected_mixture(rng):
    X = unit_rows(400, rng, width=100)
    head = BladesOneClass(10, random_state=0).fit(X)
    assert (head.pca_components_, head.n_components_, head.covariance_type_) == (64, 10, "diag")
    assert_allclose(head.score_samples(X), head.mixture_.score_samples(head.pca_.transform(X)))
    assert_allclose(head.score_samples(X.astype(np.float32)), head.score_samples(X), rtol=1e-3)
    paper = BladesOneClass(3, covariance_type="full", pca_components=None, random_state=0).fit(X)
    assert paper.pca_ is None
    assert paper.mixture_.covariances_.shape == (3, 100, 100)


@pytest.mark.parametrize("n_kernels", ["auto", 50])
def test_kernels_are_scikit_learns_with_a_tenth_of_the_nearest_squared_distance(rng, n_kernels):
    X, new = unit_rows(400, rng, width=100), unit_rows(30, rng, width=100)
    head = BladesOneClass(n_kernels, covariance_type="kernel", random_state=0).fit(X)
    points, n = head.mixture_.means_, 320 if n_kernels == "auto" else n_kernels
    assert (head.pca_components_, head.n_components_, head.covariance_type_) == (64, n, "kernel")
    assert len(points) == n
    projected = head.pca_.transform(X)
    assert all(np.isclose(projected, point).all(axis=1).any() for point in points)

    apart = np.linalg.norm(points[:, None] - points, axis=2) + np.diag(np.full(n, np.inf))
    bandwidth = np.sqrt(0.1 * np.mean(apart.min(axis=1) ** 2))
    reference = KernelDensity(bandwidth=bandwidth).fit(points)
    assert_allclose(head.score_samples(new), reference.score_samples(head.pca_.transform(new)))
    assert head.n_iter_ == 0


@pytest.mark.parametrize("n", [60, 300])
def test_kernels_tell_more_than_a_mixture_of_few_photographs(n):
    areas = defaultdict(list)
    for seed in range(6):
        rng = np.random.default_rng(seed)
        camera = Camera(128, "own", rng)
        photographs, truth = camera.rows(n, rng), np.repeat([1, 0], [400, 1200])
        others = [camera.rows(400, rng, shift) for shift in ("between", "turned", "noisy")]
        new = np.concatenate([camera.rows(400, rng), *others])
        for n_components in ("auto", min(10, n // 10)):
            head = BladesOneClass(n_components, target_fpr=0.3, random_state=seed).fit(photographs)
            areas[head.covariance_type_].append(roc_auc_score(truth, head.score_samples(new)))
    assert set(areas) == {"kernel", "diag"}
    assert np.mean(areas["kernel"]) > np.mean(areas["diag"]) + 0.01


@pytest.mark.parametrize(("what", "most"), [("ROWS_AT_ONCE", 50), ("DENSITIES_AT_ONCE", 400)])
def test_scores_are_the_same_in_blocks(rng, monkeypatch, what, most):
    X = unit_rows(211, rng)
    head = BladesOneClass(random_state=0).fit(X)
    scores = head.mixture_.score_samples(X)
    monkeypatch.setattr(density, what, most)
    assert_allclose(head.score_samples(X), scores, rtol=1e-10)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_variances_are_floored_at_the_noise_of_the_features(rng, scale):
    X = np.repeat(unit_rows(4, rng, width=80), 30, axis=0) * scale
    head = BladesOneClass(reg_covar=0.0, random_state=0).fit(X)
    assert_allclose(head.mixture_.reg_covar, (1e-5 * scale) ** 2 / 80, rtol=0.1)
    assert head.mixture_.covariances_.min() >= 0.99 * head.mixture_.reg_covar
    assert np.isfinite(head.score_samples(X)).all()
    assert_allclose(noise_variance(X), head.mixture_.reg_covar, rtol=0.1)
    assert BladesOneClass(reg_covar=1.0, random_state=0).fit(X).mixture_.reg_covar >= 1.0


def test_identical_photographs(rng):
    head = BladesOneClass(random_state=0).fit(np.ones((120, 100)))
    assert_array_equal(head.predict(np.ones((3, 100))), 1)
    assert_array_equal(head.predict(np.ones((3, 100)) + rng.normal(size=(3, 100))), -1)


def test_a_mixture_that_did_not_converge_says_max_iter_once(rng):
    X = unit_rows(300, rng)
    with pytest.warns(ConvergenceWarning, match="max_iter=1 iterations; try max_iter=3") as caught:
        BladesOneClass(6, max_iter=1, n_init=3, random_state=0).fit(X)
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_least_likely_rows(rng):
    X = np.r_[unit_rows(97, rng), 5 * np.eye(8)[:3]]
    assert set(least_likely(X, 0.03, np.random.RandomState(0))) == {97, 98, 99}
    assert len(least_likely(X, 0.021, np.random.RandomState(0))) == 3
    assert len(least_likely(X[:5], 0.99, np.random.RandomState(0))) == 4


def test_random_state_fixes_the_result_and_the_global_state_is_untouched(rng):
    X = unit_rows(300, rng)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (
        BladesOneClass(random_state=seed).fit(X).score_samples(X) for seed in (0, 0, 1)
    )
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert_array_equal(first, again)
    assert not np.array_equal(first, other)
