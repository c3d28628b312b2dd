"""What a calibration promises: by persons, with confidence, and over several sources."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binom

from sklearn_blades import BladesOneClass
from sklearn_blades.errors import SmallSampleWarning
from sklearn_blades.heads.calibration import (
    by_source,
    calibration_split,
    independent_rows,
)
from sklearn_blades.heads.conformal import (
    conformal_offset,
    conformal_p_values,
    fewest_calibration_scores,
    offset_of_all,
    p_values_of_all,
)

ALPHA = 0.05
N_SETS = 1500


# --- persons -----------------------------------------------------------------------------------


def false_alarms(n_persons, calibrate, rho=0.95, photographs=10):
    """Mean rate at which new persons are flagged, over sets of persons who look like themselves."""
    rng, rates = np.random.default_rng(n_persons), []
    fresh = np.sort(rng.normal(size=20_000))
    people = np.repeat(np.arange(n_persons), photographs)
    for seed in range(N_SETS):
        own, rest = rng.normal(size=n_persons), rng.normal(size=len(people))
        scores = math.sqrt(rho) * own[people] + math.sqrt(1 - rho) * rest
        known = np.sort(scores[calibrate(people, np.random.RandomState(seed))])
        rates.append(np.searchsorted(fresh, conformal_offset(known, ALPHA)) / len(fresh))
    return np.mean(rates), np.std(rates) / math.sqrt(N_SETS)


def all_photographs(people, random_state):
    """As it was: all photographs of a fifth of the persons."""
    n = people.max() + 1
    return np.isin(people, random_state.permutation(n)[: math.ceil(n / 5)])


def one_of_each(people, random_state):
    fewest = fewest_calibration_scores(ALPHA)
    return calibration_split(len(people), 0.2, random_state, groups=people, fewest=fewest)[1]


@pytest.mark.parametrize(("n_persons", "rate"), [(15, 0.180), (25, 0.133), (50, 0.076)])
def test_new_persons_are_flagged_as_promised(n_persons, rate):
    before, error = false_alarms(n_persons, all_photographs)
    assert abs(before - rate) < 0.02 + 3 * error  # all photographs of each broke the promise
    now, error = false_alarms(n_persons, one_of_each)
    assert now < ALPHA + 3 * error
    assert (now > 0.8 * ALPHA) == (n_persons > 15)  # 15 persons can promise nothing


@pytest.mark.parametrize(
    ("n_persons", "held"), [(15, 3), (23, 5), (24, 19), (25, 19), (50, 19), (100, 20), (200, 40)]
)
def test_the_share_of_persons_rises_if_the_promise_takes_it(n_persons, held):
    people = np.repeat(np.arange(n_persons), 4)
    train, calibrates = calibration_split(
        len(people), 0.2, np.random.RandomState(0), groups=people, fewest=19
    )
    assert len(calibrates) == len(set(people[calibrates])) == held
    assert not set(people[train]) & set(people[calibrates])
    assert len(set(people[train])) == n_persons - held  # the others' photographs all teach


def test_a_person_with_most_photographs_teaches():
    people = np.r_[np.zeros(900, dtype=int), np.repeat(np.arange(1, 51), 2)]
    for seed in range(20):
        train, held = calibration_split(
            1000, 0.2, np.random.RandomState(seed), groups=people, fewest=19
        )
        assert 0 not in people[held]
        assert len(held) >= 19
        assert len(train) >= 900


def test_a_head_warns_of_too_few_persons(recwarn):
    X, people = np.random.default_rng(0).normal(size=(150, 4)), np.arange(150) % 15
    with pytest.warns(SmallSampleWarning, match="3 calibration .* one of each person") as caught:
        head = BladesOneClass(random_state=0).fit(X, groups=people)
    assert caught[0].filename == __file__
    assert len(head.calibration_scores_) == 3


# --- confidence --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target_fpr", "confidence", "fewest"),
    [(0.05, 0.9, 45), (0.01, 0.9, 230), (0.05, 0.99, 90), (0.05, None, 19), (0.05, 0.3, 19)],
)
def test_how_many_a_promise_with_confidence_takes(target_fpr, confidence, fewest):
    assert fewest_calibration_scores(target_fpr, confidence) == fewest
    assert conformal_offset(np.arange(fewest), target_fpr, confidence) == 0
    assert conformal_offset(np.arange(fewest - 1), target_fpr, confidence) == -np.inf


@pytest.mark.parametrize("n", [45, 100, 500, 2000])
def test_nine_of_ten_calibrations_keep_the_rate(n):
    # The rate of a threshold on uniform scores is the threshold itself.
    sets = np.sort(np.random.default_rng(n).uniform(size=(4000, n)), axis=1)
    kept = np.mean([conformal_offset(scores, ALPHA, 0.9) <= ALPHA for scores in sets])
    assert kept > 0.9 - 3 * math.sqrt(0.09 / 4000)
    on_average = [conformal_offset(scores, ALPHA) for scores in sets]
    assert np.mean(np.array(on_average) <= ALPHA) < 0.8  # which is what it is for
    ranks = [np.searchsorted(sets[0], conformal_offset(sets[0], ALPHA, 0.9)) + 1]
    assert binom.sf(ranks[0], n, ALPHA) < 0.9  # one rank higher would be too much


@pytest.mark.parametrize("confidence", [None, 0.5, 0.9, 0.99])
def test_a_p_value_is_the_rate_at_which_a_row_is_flagged(confidence):
    rng = np.random.default_rng(0)
    known = np.sort(rng.normal(size=120))
    scores = np.r_[known, rng.normal(size=100), -9, 9]
    p_values = conformal_p_values(scores, known, confidence)
    assert ((p_values > 0) & (p_values <= 1)).all()
    assert (np.diff(p_values[np.argsort(scores)]) >= 0).all()
    assert (p_values >= conformal_p_values(scores, known)).all()
    for rate in (0.01, 0.03, 0.05, 0.1, 0.29, 0.5, 0.9):
        flagged = scores < conformal_offset(known, rate, confidence)
        assert_array_equal(flagged, p_values <= rate + 1e-9)
    for p in p_values[(p_values < 1)][:10]:  # at its own p-value a row just is flagged
        row = np.flatnonzero(p_values == p)
        assert (scores[row] < conformal_offset(known, p + 1e-7, confidence)).all()
        assert not (scores[row] < conformal_offset(known, p - 1e-7, confidence)).any()


def test_confidence_takes_effect_without_refitting_and_is_checked():
    X = np.random.default_rng(0).normal(size=(500, 4))
    head = BladesOneClass(random_state=0, confidence=0.9).fit(X)
    sure = head.offset_
    assert_array_equal(head.predict(X) == -1, head.p_values(X) <= 0.05)
    assert sure < head.set_params(confidence=None).offset_
    with pytest.raises(ValueError, match="'confidence' parameter"):
        head.set_params(confidence=1.0).fit(X)
    with pytest.raises(ValueError, match=r"confidence=90 must be between 0 and 1, e\.g\. 0\.9"):
        head.set_params(confidence=90).predict(X)
    with pytest.warns(SmallSampleWarning, match="40 .*5 with confidence 0.9: at least 45"):
        head.set_params(confidence=0.9).recalibrate(X[:40])


# --- sources -----------------------------------------------------------------------------------


SHIFTS = np.array([0.0, -0.5, -1.5])


def of_sources(rng, n):
    """Scores of three sources, one below the other: (n, 3)."""
    return rng.normal(size=(n, 3)) + SHIFTS


@pytest.mark.parametrize("confidence", [None, 0.9])
def test_the_promise_holds_for_any_mixture_of_the_sources(confidence):
    rng = np.random.default_rng(1)
    fresh = np.sort(of_sources(rng, 20_000), axis=0)
    worst, pooled = [], []
    for _ in range(600):
        known = np.sort(of_sources(rng, 60), axis=0).T
        for offset, rates in (
            (offset_of_all(known, ALPHA, confidence), worst),
            (conformal_offset(np.sort(known, axis=None), ALPHA, confidence), pooled),
        ):
            rates.append([np.searchsorted(column, offset) / len(column) for column in fresh.T])
    worst, pooled = np.array(worst), np.array(pooled)
    # A mixture's rate lies between those of its sources: the largest is what counts.
    if confidence is None:
        assert (worst.mean(axis=0) < ALPHA + 3 * worst.std(axis=0) / math.sqrt(600)).all()
        assert pooled.mean(axis=0)[2] > 2 * ALPHA
    else:
        assert np.mean(worst.max(axis=1) <= ALPHA) > 0.9 - 3 * math.sqrt(0.09 / 600)


def test_flagged_is_what_is_foreign_to_every_source():
    rng = np.random.default_rng(2)
    scores, known = rng.normal(size=500) - 1, [np.sort(column) for column in of_sources(rng, 99).T]
    p_values = p_values_of_all(scores, known)
    assert_array_equal(p_values, np.max([conformal_p_values(scores, one) for one in known], axis=0))
    for rate in (0.01, 0.05, 0.2):
        assert_array_equal(scores < offset_of_all(known, rate), p_values <= rate + 1e-9)


def features(rng, n, shift=0.0):
    return rng.normal(size=(n, 4)) + shift


def test_each_source_holds_out_its_own_share_and_needs_it():
    rng = np.random.default_rng(3)
    X = np.r_[features(rng, 300), features(rng, 60, 0.7)]
    names = ["web"] * 300 + ["own"] * 60
    head = BladesOneClass(random_state=0).fit(X, sources=names)
    sizes = {name: len(scores) for name, scores in head.calibration_sources_.items()}
    assert sizes == {"web": 60, "own": 19}  # a fifth of 60 could promise nothing
    assert len(head.calibration_scores_) == 79
    assert_array_equal(
        np.sort(np.concatenate(list(head.calibration_sources_.values()))), head.calibration_scores_
    )
    each = [conformal_offset(scores, ALPHA) for scores in head.calibration_sources_.values()]
    assert head.offset_ == min(each) < max(each)
    assert_array_equal(head.predict(X) == -1, head.p_values(X) <= ALPHA)
    assert BladesOneClass(random_state=0).fit(X).calibration_sources_ is None
    with pytest.warns(SmallSampleWarning, match="12 .* of source 'own' .* 19 are needed of every"):
        head.recalibrate(X[:312], sources=names[:312])
    assert head.recalibrate(X).calibration_sources_ is None


def test_photographs_choose_sources_and_persons_count_in_each():
    rng = np.random.default_rng(4)
    X, people = features(rng, 400), np.arange(400) % 100
    names, y = np.where(people < 50, "a", "b").astype(object), np.repeat([1, -1], [300, 100])
    names[350] = "of a fake"
    head = BladesOneClass(random_state=0).fit(X, y, groups=people, sources=names)
    assert {k: len(v) for k, v in head.calibration_sources_.items()} == {"a": 19, "b": 19}
    head.recalibrate(X, y, groups=people, sources=names)
    assert {k: len(v) for k, v in head.calibration_sources_.items()} == {"a": 50, "b": 50}


def test_a_person_held_out_of_one_source_teaches_in_none():
    people, sources = np.tile(np.arange(60), 2), np.repeat([0, 1], 60)
    train, held = calibration_split(
        120, 0.3, np.random.RandomState(0), groups=people, sources=sources, fewest=9
    )
    assert not set(people[train]) & set(people[held])
    assert np.bincount(sources[held]).tolist() == [18, 18]
    assert len(independent_rows(np.arange(120), people, sources, 0)) == 120
    assert len(independent_rows(np.arange(120), people, None, 0)) == 60


def test_a_source_of_one_photograph_promises_nothing():
    X = features(np.random.default_rng(5), 101)
    with pytest.warns(SmallSampleWarning, match="1 calibration photographs of source 'lone'"):
        BladesOneClass(random_state=0).fit(X, sources=["many"] * 100 + ["lone"])


@pytest.mark.parametrize("column", ["groups", "sources"])
@pytest.mark.parametrize("gap", [None, np.nan])
@pytest.mark.parametrize("call", ["fit", "recalibrate"])
def test_a_gap_is_refused_by_row(column, gap, call):
    X = features(np.random.default_rng(6), 200)
    names = np.array([f"{i % 100}" for i in range(200)], dtype=object)
    names[3] = gap
    head = BladesOneClass(random_state=0).fit(X)
    with pytest.raises(ValueError, match=rf"{column} contains NaN.* 1 of 200 rows \(rows 3\)"):
        getattr(head, call)(X, **{column: names})


def test_by_source():
    assert by_source(np.arange(3.0), None) is None
    found = by_source(np.array([3.0, 1.0, 2.0]), [1, 2, 1])
    assert list(found) == ["1", "2"]
    assert_allclose(found["1"], [2, 3])
