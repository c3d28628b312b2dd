"""BladesBranches: p-values added up, calibrated once more, on columns that each branch owns."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from sklearn_blades import BladesBinary, BladesBranches, BladesHybrid, BladesOneClass
from sklearn_blades.errors import SmallSampleWarning
from sklearn_blades.heads.conformal import conformal_p_values
from sklearn_blades.heads.fusion import log_p_values


def two(seed=0):
    face, pixels = BladesOneClass(2, random_state=seed), BladesOneClass(1, random_state=seed)
    return [("face", face, 8), ("pixels", pixels, None)]


def drawn(n, seed=0, loc=(0.0, 0.0)):
    """8 columns of one kind and 4 of another, a hundred times as large."""
    rng = np.random.default_rng(seed)
    face = rng.normal(loc[0], 1, (n, 8)) + rng.normal(0, 0.5, (n, 1))
    return np.hstack([face, 100 * rng.normal(loc[1], 1, (n, 4))])


class TestLogPValues:
    def test_they_lie_between_the_steps_of_the_conformal_ones(self):
        rng = np.random.default_rng(0)
        known, scores = np.sort(rng.normal(size=40)), np.sort(rng.normal(0, 1.5, 300))
        scores = scores[scores >= known[0]]
        smooth = np.exp(log_p_values(scores, [known]))
        steps = conformal_p_values(scores, known)
        assert (smooth <= steps + 1e-12).all()
        assert (smooth >= steps - 1 / 41 - 1e-12).all()
        assert (np.diff(smooth) >= 0).all()

    def test_rounding_decides_nothing(self):
        known = np.sort(np.random.default_rng(0).normal(size=40))
        for side in (-1e-12, 1e-12):
            assert_allclose(log_p_values(known + side, [known]), log_p_values(known, [known]),
                            atol=1e-8)  # fmt: skip

    def test_below_all_scores_they_fall_as_an_exponential_tail_does(self):
        known = np.log(np.arange(1, 200) / 200)  # quantiles of one of length 1: log p is the score
        scores = np.array([-4.0, -7.0, -10.0, -20.0])
        assert_allclose(log_p_values(scores, [known]), scores, rtol=0.05)
        assert log_p_values(np.array([-9.0]), [np.zeros(5)])[0] == np.log(5 / 6)  # no tail

    def test_equal_scores_and_several_sources(self):
        known = np.array([0.0, 1.0, 1.0, 1.0, 2.0])
        assert_allclose(np.exp(log_p_values(np.array([1.0]), [known])), 4 / 6)
        both = np.exp(log_p_values(np.array([1.0, 4.0]), [known, known + 3]))
        assert_allclose(both, [4 / 6, 5 / 6])


class TestSum:
    def test_it_is_the_branches_log_p_values_added(self):
        head = BladesBranches(two(), random_state=0).fit(drawn(600))
        X = drawn(50, seed=1)
        parts = {"face": X[:, :8], "pixels": X[:, 8:]}
        assert head.n_columns_ == {"face": 8, "pixels": 4}
        expected = sum(
            log_p_values(own.score_samples(parts[name]), [own.calibration_scores_])
            for name, own in head.heads_.items()
        )
        assert_allclose(head.score_samples(X), expected)

    def test_a_branch_alone_ranks_as_its_head(self):
        X, fresh = drawn(600), drawn(200, seed=1)
        head = BladesBranches([("all", BladesOneClass(random_state=0), None)], random_state=0)
        scores = head.fit(X).score_samples(fresh)
        own = head.heads_["all"].score_samples(fresh)
        assert (np.diff(scores[np.argsort(own)]) >= 0).all()

    def test_nobody_who_calibrates_the_sum_has_taught_a_branch(self, monkeypatch):
        seen = []
        fit = BladesOneClass.fit
        monkeypatch.setattr(
            BladesOneClass, "fit", lambda self, X, *a, **k: seen.append(X) or fit(self, X, *a, **k)
        )
        X = drawn(300)
        head = BladesBranches(two(), random_state=0).fit(X)
        taught = {row.tobytes() for row in seen[0]}
        held = np.array([row.tobytes() not in taught for row in X[:, :8]])
        assert held.sum() == len(head.calibration_scores_) == 60
        assert_allclose(np.sort(head.score_samples(X[held])), head.calibration_scores_)
        assert_array_equal(np.isin(seen[1], X[~held, 8:]), True)

    def test_groups_stay_together(self):
        X, groups = np.repeat(drawn(120), 5, axis=0), np.repeat(np.arange(120), 5)
        head = BladesBranches(two(), random_state=0).fit(X, groups=groups)
        assert len(head.calibration_scores_) == 24  # one of each person
        assert len(head.heads_["face"].calibration_scores_) == 20


class TestPromise:
    def test_it_is_kept_where_branches_depend_on_each_other(self):
        rates = []
        for seed in range(12):
            X = drawn(500, seed=seed)
            X[:, 8:] = 100 * X[:, :4] + drawn(500, seed=seed + 50)[:, 8:] / 10  # almost a copy
            fresh = drawn(2000, seed=seed + 100)
            fresh[:, 8:] = 100 * fresh[:, :4] + drawn(2000, seed=seed + 200)[:, 8:] / 10
            rates.append(
                (BladesBranches(two(), random_state=seed).fit(X).predict(fresh) < 0).mean()
            )
        assert np.mean(rates) == pytest.approx(0.05, abs=0.015)

    @pytest.mark.parametrize("loc", [(2.5, 0), (0, 2)])
    def test_either_branch_finds_what_the_other_does_not_see(self, loc):
        X, fakes = drawn(800), drawn(300, seed=1, loc=loc)
        head = BladesBranches(two(), random_state=0).fit(X)
        assert (head.predict(fakes) < 0).mean() > 0.7

    def test_it_can_change_after_fit(self):
        head = BladesBranches(two(), random_state=0).fit(drawn(600))
        fresh = drawn(500, seed=1)
        p = head.p_values(fresh)
        for rate in (0.02, 0.2):
            head.set_params(target_fpr=rate)
            assert_array_equal(head.predict(fresh) < 0, p <= rate)
        other = head.recalibrate(drawn(100, seed=2))
        assert len(other.calibration_scores_) == 100

    def test_sources_calibrate_for_themselves(self):
        X, sources = drawn(600), np.repeat(["web", "own"], 300)
        X[300:] += 3
        head = BladesBranches(two(), random_state=0).fit(X, sources=sources)
        assert sorted(head.calibration_sources_) == ["own", "web"]
        assert len(head.heads_["face"].calibration_sources_) == 2
        assert (head.predict(drawn(300, seed=1)) < 0).mean() < 0.08


class TestWithGeneratedFaces:
    def test_heads_that_learn_from_them_get_them(self):
        X = np.vstack([drawn(400), drawn(100, seed=1, loc=(2.5, 0))])
        y, generator = np.repeat([1, -1], [400, 100]), np.tile(["gan", "other"], 250)
        face = BladesHybrid(binary=LogisticRegression())
        pixels = BladesBinary(target_fpr=0.05, lr=0.01, max_epochs=3, random_state=0)
        head = BladesBranches([("face", face, 8), ("pixels", pixels, 4)], random_state=0)
        head.fit(X, y, generator=generator, groups=np.arange(500))
        assert head.heads_["face"].binary_ is not None
        assert head.heads_["face"].left_out_auc_  # new persons and new generators were left out
        assert (head.predict(drawn(100, seed=2, loc=(2.5, 0))) < 0).mean() > 0.9

    def test_the_label_is_that_of_the_whole(self):
        X = np.vstack([drawn(400), drawn(60, seed=1, loc=(4, 4))])
        y = np.repeat([0, 1], [400, 60])
        head = BladesBranches(two(), photographic_label=0, random_state=0).fit(X, y)
        alone = BladesBranches(two(), random_state=0).fit(X[:400])
        assert_array_equal(head.calibration_scores_, alone.calibration_scores_)


class TestErrors:
    @pytest.mark.parametrize(
        ("branches", "message"),
        [
            ([("a", BladesOneClass(), 5), ("b", BladesOneClass(), 5)], "X has 12 columns"),
            ([("a", BladesOneClass(), 12), ("b", BladesOneClass(), None)], "X has 12 columns"),
            ([("a", BladesOneClass(), None), ("b", BladesOneClass(), None)], "X has 12 columns"),
            ([("a", BladesOneClass(), 6), ("a", BladesOneClass(), 6)], "a name of its own"),
            ([], "X has 12 columns"),
        ],
    )
    def test_columns_and_names(self, branches, message):
        with pytest.raises(ValueError, match=message):
            BladesBranches(branches).fit(drawn(200))

    @pytest.mark.parametrize(
        ("branch", "message"),
        [
            (("a", BladesBinary(), None), r"BladesBinary\(target_fpr=0.05\)"),
            (("a", BladesOneClass, None), "has no p-values"),
            (("a", BladesOneClass()), "a branch is"),
        ],
    )
    def test_what_is_no_branch(self, branch, message):
        with pytest.raises(TypeError, match=message):
            BladesBranches([branch]).fit(drawn(200))

    def test_a_failed_fit_leaves_the_head_as_it_was(self):
        head = BladesBranches(two(), random_state=0).fit(drawn(300))
        before = pickle.dumps(head)
        with pytest.raises(ValueError, match="NaN"):
            head.fit(np.full((300, 12), np.nan))
        assert pickle.dumps(head) == before

    def test_too_few_photographs_are_said(self):
        with pytest.warns(SmallSampleWarning, match="cannot promise"):
            BladesBranches(two(), random_state=0).fit(drawn(60))


def test_clone_pickle_and_seeds():
    X, fresh = drawn(300), drawn(40, seed=1)
    head = BladesBranches([("a", BladesOneClass(), 8), ("b", BladesOneClass(), 4)], random_state=3)
    scores = head.fit(X).score_samples(fresh)
    assert_array_equal(clone(head).fit(X).score_samples(fresh), scores)
    assert_array_equal(pickle.loads(pickle.dumps(head)).score_samples(fresh), scores)
    assert not hasattr(head.branches[0][1], "mixture_")
