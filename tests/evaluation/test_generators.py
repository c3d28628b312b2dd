"""The tables by generator, against slow and obvious references."""

import json
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import Normalizer
from sklearn.svm import OneClassSVM

from sklearn_blades import BladesBinary, BladesOneClass, make_detector
from sklearn_blades.errors import SmallSampleWarning
from sklearn_blades.evaluation import (
    GeneratorDisplay,
    GeneratorReport,
    evaluate_by_generator,
    report_by_generator,
)
from sklearn_blades.evaluation.generators.figures import FIGURES, figures, redrawn
from sklearn_blades.evaluation.statistics.intervals import exact_interval


def judged(n_photographs=60, sizes=(40, 25), *, shift=1.0, seed=0, ties=True):
    """Scores, flags, labels and generators; photographs are not first."""
    rng = np.random.default_rng(seed)
    names = np.concatenate([np.full(n, f"g{i}") for i, n in enumerate(sizes)]).astype(object)
    y = np.repeat([0, 1], [len(names), n_photographs])
    generator = np.concatenate([names, np.full(n_photographs, None)])
    scores = rng.normal(size=len(y)) + shift * y
    if ties:
        scores = np.round(scores, 1)
    order = rng.permutation(len(y))
    return scores[order], scores[order] < 0.4, y[order], generator[order]


def by_definition(scores, flagged, photographic):
    """Every figure, pair by pair and threshold by threshold."""
    photos, others = scores[photographic], scores[~photographic]
    wins = [1.0 if p > g else 0.5 if p == g else 0.0 for p, g in product(photos, others)]

    def average_precision(found, score):
        """Sum of precision times the gain in recall, from the highest threshold down."""
        total, recall = 0.0, 0.0
        for threshold in sorted(set(score.tolist()), reverse=True):
            taken = score >= threshold
            gained = (found & taken).sum() / found.sum()
            total += (found & taken).sum() / taken.sum() * (gained - recall)
            recall = gained
        return total

    tp, fp = (flagged & ~photographic).sum(), (flagged & photographic).sum()
    tpr, fpr = tp / len(others), fp / len(photos)
    precision = tp / (tp + fp) if tp + fp else 0.0
    return {
        "auc": np.mean(wins),
        "ap_photographs": average_precision(photographic, scores),
        "ap_generated": average_precision(~photographic, -scores),
        "accuracy": (flagged != photographic).mean(),
        "balanced_accuracy": (tpr + 1 - fpr) / 2,
        "tnr": 1 - fpr,
        "fpr": fpr,
        "tpr": tpr,
        "fnr": 1 - tpr,
        "f_score": 2 * precision * tpr / (precision + tpr) if tp else 0.0,
    }


@pytest.mark.parametrize(("seed", "ties"), [(0, True), (1, True), (2, False)])
def test_figures_against_their_definitions(seed, ties):
    scores, flagged, y, generator = judged(30, (23, 21), seed=seed, ties=ties)
    report = report_by_generator(scores, flagged, y, generator, n_bootstrap=40, random_state=0)
    for row in report.rows:
        rows = (y == 1) | (generator == row.generator)
        expected = by_definition(scores[rows], flagged[rows], y[rows] == 1)
        for name, value in expected.items():
            assert getattr(row, name).value == pytest.approx(value), name
        assert row.n_photographs == 30
        assert row.n_generated == (generator == row.generator).sum()
    for name in FIGURES:
        mean = np.mean([getattr(row, name).value for row in report.rows])
        assert getattr(report.average, name).value == pytest.approx(mean)
    assert (report.average.n_photographs, report.average.n_generated) == (30, 44)


def test_weighted_figures_are_those_of_repeated_rows():
    scores, flagged, y, _ = judged(12, (9, 8))
    weights = np.random.default_rng(0).integers(0, 4, (5, len(y))).astype(float)
    found = figures(scores, flagged, y == 1, weights)
    for draw, times in enumerate(weights.astype(int)):
        rows = np.repeat(np.arange(len(y)), times)
        for name, value in by_definition(scores[rows], flagged[rows], y[rows] == 1).items():
            assert found[name][draw] == pytest.approx(value), name
        assert found["auc"][draw] == pytest.approx(roc_auc_score(y[rows], scores[rows]))
        average_precision = average_precision_score(1 - y[rows], -scores[rows])
        assert found["ap_generated"][draw] == pytest.approx(average_precision)


def test_a_draw_without_one_side_is_undefined():
    scores, flagged, y, _ = judged(5, (5,))
    found = figures(scores, flagged, y == 1, np.array([y, 1 - y], dtype=float))
    assert all(np.isnan(values).all() for values in found.values())


@pytest.mark.parametrize(("k", "n"), [(0, 7), (3, 7), (7, 7), (1, 400)])
def test_exact_intervals_are_scipys(k, n):
    expected = binomtest(k, n).proportion_ci(confidence_level=0.95, method="exact")
    assert exact_interval(k, n) == pytest.approx((expected.low, expected.high))


def test_rates_have_exact_intervals_without_groups():
    scores, flagged, y, generator = judged()
    row = report_by_generator(scores, flagged, y, generator, random_state=0)["g0"]
    caught = int(flagged[generator == "g0"].sum())
    alarms = int(flagged[y == 1].sum())
    assert row.tpr == pytest.approx((caught / 40, *exact_interval(caught, 40)))
    assert row.fpr == pytest.approx((alarms / 60, *exact_interval(alarms, 60)))
    assert row.tnr == pytest.approx([1 - bound for bound in np.array(row.fpr)[[0, 2, 1]]])
    right = caught + 60 - alarms
    assert row.accuracy == pytest.approx((right / 100, *exact_interval(right, 100)))


def test_false_alarms_are_photographs_that_are_flagged():
    """The published convention: TNR and FPR are of photographs, TPR and FNR of generated faces."""
    y = np.repeat([1, 0], [50, 40])
    generator = np.repeat(["", "g"], [50, 40])
    flagged = np.arange(90) % 50 < 10  # 10 of 50 photographs, 10 of 40 faces
    row = report_by_generator(~flagged, flagged, y, generator, random_state=0)["g"]
    values = row.fpr.value, row.tnr.value, row.tpr.value, row.fnr.value
    assert values == pytest.approx((0.2, 0.8, 0.25, 0.75))
    assert row.f_score.value == pytest.approx(2 * 10 / (2 * 10 + 10 + 30))


def test_higher_scores_are_more_photographic():
    y, generator = np.repeat([1, 0], 30), np.repeat([None, "g"], 30)
    perfect = report_by_generator(y * 1.0, y == 0, y, generator, random_state=0)["g"]
    assert {getattr(perfect, name).value for name in FIGURES} == {0.0, 1.0}
    assert perfect.auc.value == perfect.ap_photographs.value == perfect.ap_generated.value == 1
    turned = report_by_generator(-y * 1.0, y == 1, y, generator, random_state=0)["g"]
    assert turned.auc.value == turned.accuracy.value == turned.tpr.value == 0


def test_one_person_is_drawn_whole():
    groups = np.array([0, 0, 0, 1, 2, 2, 3, 4, 4])
    sets = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1])
    weights = np.concatenate(list(redrawn(sets, groups, 300, np.random.default_rng(0))))
    assert weights.shape == (300, 9)
    for group in range(5):
        rows = np.flatnonzero(groups == group)
        assert (weights[:, rows] == weights[:, rows[:1]]).all()
    # Groups of one set take the place of groups of that set.
    first = [np.flatnonzero(groups == group)[0] for group in range(5)]
    assert (weights[:, first[:3]].sum(axis=1) == 3).all()
    assert (weights[:, first[3:]].sum(axis=1) == 2).all()
    assert weights.mean() == pytest.approx(1, abs=0.1)


def test_draws_come_in_parts_of_bounded_size(monkeypatch):
    monkeypatch.setattr("sklearn_blades.evaluation.generators.figures._CELLS", 30)
    parts = list(redrawn(np.repeat([0, 1], 5), np.arange(10), 7, np.random.default_rng(0)))
    assert [len(part) for part in parts] == [3, 3, 1]


def test_groups_that_lie_in_several_sets_vary_together():
    groups = np.tile(np.arange(10), 2)
    sets = np.repeat([0, 1], 10)
    weights = np.concatenate(list(redrawn(sets, groups, 50, np.random.default_rng(0))))
    assert (weights[:, :10] == weights[:, 10:]).all()
    assert (weights.std(axis=0) > 0).all()


@pytest.mark.parametrize("grouped", [False, True])
def test_intervals_cover_the_truth(grouped):
    """Photographs N(1, 1) against N(0, 1); with groups, five rows share most of their noise."""
    truth, rng, covered, n_runs = 0.7602, np.random.default_rng(0), 0, 150
    y, generator = np.repeat([1, 0], 100), np.repeat([None, "g"], 100)
    persons = np.arange(200) // 5
    for run in range(n_runs):
        noise = rng.normal(size=200)
        if grouped:
            noise = np.sqrt(0.1) * noise + np.sqrt(0.9) * rng.normal(size=40)[persons]
        row = report_by_generator(
            noise + y,
            noise + y < 0.5,
            y,
            generator,
            groups=persons if grouped else None,
            n_bootstrap=300,
            random_state=run,
        )["g"]
        covered += row.auc.low <= truth <= row.auc.high
    assert covered / n_runs > 0.88  # 0.95, less what 20 persons and 150 runs lose


def test_groups_widen_the_intervals():
    scores, flagged, y, generator = judged(100, (100,), ties=False)
    order = np.argsort(y, kind="stable")
    scores, flagged, y, generator = (a[order] for a in (scores, flagged, y, generator))
    repeated = [np.repeat(a, 4) for a in (scores, flagged, y, generator)]
    alone = report_by_generator(*repeated, random_state=0)["g0"]
    grouped = report_by_generator(*repeated, groups=np.repeat(range(200), 4), random_state=0)["g0"]
    once = report_by_generator(scores, flagged, y, generator, random_state=0)["g0"]
    for name in ("auc", "tpr", "fpr", "accuracy", "f_score"):
        width, wide, honest = (
            getattr(row, name).high - getattr(row, name).low for row in (alone, grouped, once)
        )
        assert wide == pytest.approx(2 * width, rel=0.25)  # four copies say no more than one
        assert wide == pytest.approx(honest, rel=0.2)


def test_a_rate_of_nothing_has_an_interval_of_the_persons():
    y, generator = np.repeat([1, 0], [120, 30]), np.repeat([None, "g"], [120, 30])
    persons = np.concatenate([np.arange(120) // 4, 100 + np.arange(30)])
    never = np.zeros(150, dtype=bool)
    scores = np.random.default_rng(0).normal(size=150)
    report = report_by_generator(scores, never, y, generator, groups=persons, random_state=0)
    assert report["g"].fpr == report.average.fpr == pytest.approx((0, *exact_interval(0, 30)))
    assert report["g"].tpr == report.average.tpr == pytest.approx((0, *exact_interval(0, 30)))


@pytest.mark.parametrize("flagged", [False, True])
def test_verdicts_that_are_all_alike_do_not_pass_for_certainty(flagged):
    y, generator = np.repeat([1, 0], [80, 40]), np.repeat([None, "g"], [80, 40])
    scores = np.random.default_rng(0).normal(size=120)
    for groups in (None, np.arange(120) // 2):
        report = report_by_generator(
            scores, np.full(120, flagged), y, generator, groups=groups, random_state=0
        )
        row = report["g"]
        for name in FIGURES:
            estimate = getattr(row, name)
            assert estimate.low <= estimate.value <= estimate.high
            assert estimate.high - estimate.low > 0.02, name
            assert getattr(report.average, name) == pytest.approx(estimate)
        middle = (row.tnr.high + row.tpr.high) / 2
        assert row.balanced_accuracy.high == pytest.approx(middle)
        # The F-score where both rates are at their upper bounds, from the counts themselves.
        caught, alarms = 40 * row.tpr.high, 80 * (1 - row.tnr.high)
        expected = 2 * caught / (2 * caught + alarms + 40 - caught)
        assert row.f_score.high == pytest.approx(expected)


def test_the_average_varies_with_the_photographs_that_all_rows_share():
    rng = np.random.default_rng(0)
    y, generator = np.repeat([1, 0], [30, 4000]), np.repeat(["", "a", "b"], [30, 2000, 2000])
    scores = rng.normal(size=4030)
    report = report_by_generator(scores, scores < 0, y, generator, random_state=0)
    row, average = report["a"].auc, report.average.auc
    # Nearly all the noise is the photographs': another generator does not halve it.
    assert average.high - average.low == pytest.approx(row.high - row.low, rel=0.2)
    assert report.average.fpr == report["a"].fpr


def test_it_is_deterministic_and_leaves_the_global_state():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    one, same, other = (
        report_by_generator(*judged(), random_state=seed, n_bootstrap=100) for seed in (0, 0, 1)
    )
    assert one == same
    assert one != other
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def faces(n=60, seed=0):
    rng = np.random.default_rng(seed)
    X = np.r_[rng.normal(size=(n, 3)), rng.normal(loc=1.5, size=(n, 3))]
    return X, np.repeat([1, 0], n), np.repeat([None, "a", "b"], [n, n // 2, n - n // 2])


@pytest.mark.parametrize("labels", [(1, 0), (1, -1), (0, 1), (True, False), ("p", "z"), ("z", "p")])
@pytest.mark.parametrize(
    "head",
    [BladesBinary(lr=0.01, random_state=0), LogisticRegression(), KNeighborsClassifier(9)],
    ids=lambda head: type(head).__name__,
)
def test_any_coding_of_a_classifier(head, labels):
    X, y, generator = faces()
    y = np.where(y == 1, *labels)
    detector = make_detector(Doubled(), head).fit(X, y)
    report = evaluate_by_generator(
        detector, X, y, generator, photographic_label=labels[0], n_bootstrap=40, random_state=0
    )
    assert report.average.auc.value > 0.8
    predicted = detector.predict(X)
    assert report.average.fpr.value == np.mean(predicted[:60] != labels[0])
    assert report["b"].tpr.value == np.mean(predicted[90:] != labels[0])


class Doubled(TransformerMixin, BaseEstimator):
    """Counts how often it is asked."""

    calls = 0

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        type(self).calls += 1
        return 2 * np.asarray(X)


@pytest.mark.parametrize("coding", [(1, 0), (1, -1), (0, 1)])
@pytest.mark.parametrize(
    "head",
    [BladesOneClass(random_state=0), IsolationForest(random_state=0), OneClassSVM(gamma=0.1)],
    ids=lambda head: type(head).__name__,
)
def test_any_outlier_detector_whatever_y(head, coding):
    photographs = faces(150, seed=1)[0][:150]
    X, y, generator = faces()
    detector = make_detector(Doubled(), head).fit(photographs)
    report = evaluate_by_generator(
        detector,
        X,
        np.where(y == 1, *coding),
        generator,
        photographic_label=coding[0],
        n_bootstrap=40,
        random_state=0,
    )
    assert report.average.auc.value > 0.7
    assert report.average.fpr.value == np.mean(detector.predict(X[:60]) == -1)
    bare = evaluate_by_generator(detector[-1], 2 * X, y, generator, n_bootstrap=40, random_state=0)
    assert bare == report


@pytest.mark.parametrize("head", [LogisticRegression(), KNeighborsClassifier(9)])
def test_a_classifier_that_names_the_generators(head):
    X, y, generator = faces()
    named = np.where(y == 1, "photograph", generator.astype(str))
    report = evaluate_by_generator(
        head.fit(X, named), X, named, generator, photographic_label="photograph", random_state=0
    )
    assert report.average.auc.value > 0.8
    # Taken for another generator's is caught all the same.
    assert report["a"].tpr.value == np.mean(head.predict(X[60:90]) != "photograph")


def test_a_one_class_head_that_was_fitted_with_other_labels():
    X, y, generator = faces(150)
    head = BladesOneClass(random_state=0).fit(X, y)  # 1 and 0: its predict warns, rightly
    assert evaluate_by_generator(head, X, y, generator, random_state=0).average.auc.value > 0.8


def test_each_row_is_embedded_once():
    X, y, generator = faces()
    for head in (LogisticRegression(), IsolationForest(random_state=0)):
        search = GridSearchCV(make_detector(Doubled(), head), {}, cv=2, scoring="accuracy")
        search.fit(X, np.where(y == 1, 1, -1))
        Doubled.calls = 0
        coded = np.where(y == 1, 1, -1)
        evaluate_by_generator(search, X, coded, generator, n_bootstrap=40, random_state=0)
        assert Doubled.calls == 1


def test_a_detector_on_paths(photos):
    from sklearn_blades.evaluation import RadialPowerSpectrum

    head = BladesOneClass(n_components=1, target_fpr=0.4, random_state=0)
    detector = make_detector(RadialPowerSpectrum(face_locator="whole"), head).fit(photos)
    generator = np.repeat([None, "same pictures"], [32, 32])
    report = evaluate_by_generator(
        detector, photos + photos, np.repeat([1, 0], 32), generator, random_state=0
    )
    assert report.average.auc.value == 0.5
    assert report.average.tpr.value == report.average.fpr.value


def test_what_cannot_be_judged_is_refused():
    X, y, generator = faces()
    head = LogisticRegression().fit(X, y)
    names = np.where(y == 1, "a", generator.astype(str))
    for wrong, message in (
        ((X, y[:-1], generator), "y has 119 rows, and there are 120"),
        ((X, y, generator[:-1]), "generator has 119 rows"),
        ((X[:60], y[:60], generator[:60]), "no AI-generated face"),
        ((X[60:], y[60:], generator[60:]), "no photograph"),
        ((X, y, np.full(120, None)), "60 AI-generated rows .first: 60. have no generator"),
        ((X, y, names), "generator='a' is on photographs and on AI-generated rows"),
        ((X, np.where(np.arange(120) == 3, np.nan, y), generator), "y has missing entries"),
        ((X, y, np.where(y == 1, None, "average")), "cannot be called 'average'"),
    ):
        with pytest.raises(ValueError, match=message):
            evaluate_by_generator(head, *wrong)
    for nothing in (None, np.nan, pd.NA, ""):
        some = [*generator[:-1], nothing]
        with pytest.raises(ValueError, match=r"1 AI-generated rows \(first: 119\)"):
            evaluate_by_generator(head, X, y, some)
        with pytest.raises(ValueError, match="groups has missing entries"):
            evaluate_by_generator(head, X, y, generator, groups=some)
    with pytest.raises(ValueError, match="groups has 3 rows"):
        evaluate_by_generator(head, X, y, generator, groups=[1, 2, 3])
    with pytest.raises(ValueError, match="takes 40 draws"):
        evaluate_by_generator(head, X, y, generator, n_bootstrap=10)
    coded = np.where(y == 1, "photo", "fake")
    with pytest.raises(ValueError, match=r"photographic_label='photo' is none of the labels"):
        evaluate_by_generator(head, X, coded, generator, photographic_label="photo")
    with pytest.raises(TypeError, match=r"LinearRegression\.predict answers"):
        evaluate_by_generator(LinearRegression().fit(X, y), X, y, generator)
    with pytest.raises(TypeError, match=r"Normalizer has no verdicts"):
        evaluate_by_generator(Normalizer().fit(X), X, y, generator)
    with pytest.raises(TypeError, match=r"photo\.jpg: one photograph"):
        evaluate_by_generator(head, "photo.jpg", y, generator)


def test_scores_and_flags_are_checked():
    scores, flagged, y, generator = judged()
    with pytest.raises(TypeError, match="flagged holds int64"):
        report_by_generator(scores, np.where(flagged, -1, 1), y, generator)
    with pytest.raises(ValueError, match="1 of 125 scores are NaN"):
        report_by_generator(np.where(np.arange(125) == 4, np.nan, scores), flagged, y, generator)
    with pytest.raises(ValueError, match="125 scores and 124 flags"):
        report_by_generator(scores, flagged[1:], y, generator)


def test_any_container_gives_the_same_report():
    scores, flagged, y, generator = judged()
    report = report_by_generator(scores, flagged, y, generator, random_state=0)
    photographs_unnamed = np.where(y == 1, np.nan, generator)
    for columns in (
        (scores.tolist(), flagged.tolist(), y.tolist(), generator.tolist()),
        tuple(map(pd.Series, (scores, flagged, y, photographs_unnamed))),
        (scores, flagged, y.astype(object), pd.Series(generator).astype("category")),
    ):
        assert report_by_generator(*columns, random_state=0) == report


def test_few_rows_and_few_persons_are_warned_of():
    scores, flagged, y, generator = judged(60, (40, 19))
    with pytest.warns(SmallSampleWarning, match=r"Fewer than 20 rows of g1 \(19\)") as caught:
        report_by_generator(scores, flagged, y, generator, random_state=0)
    assert caught[0].filename == __file__
    groups = np.where(y == 1, np.arange(119) % 5, 100 + np.arange(119))
    with pytest.warns(SmallSampleWarning, match=r"20 groups of photographs \(5\), g1 \(19\)"):
        report_by_generator(scores, flagged, y, generator, groups=groups, random_state=0)


def test_tables():
    report = report_by_generator(*judged(), random_state=0)
    frame = report.to_frame()
    assert frame.index.tolist() == [*(row.generator for row in report.rows), "average"]
    assert frame.loc["g1", "auc_low"] == report["g1"].auc.low
    assert frame.loc["g1", "n_generated"] == 25
    assert isinstance(frame, pd.DataFrame)
    assert frame.shape == (3, 2 + 3 * len(FIGURES))
    assert GeneratorReport.from_json(report.to_json()) == report
    assert GeneratorReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    few = report.to_frame(columns=["tpr", "n_generated"])
    assert few.columns.tolist() == ["tpr", "tpr_low", "tpr_high", "n_generated"]
    assert few.equals(frame[few.columns])
    with pytest.raises(ValueError, match="no figure 'ap'; choose from generator, n_photographs"):
        report.to_frame(columns=["ap"])
    with pytest.raises(KeyError, match="'g9'; there are"):
        report["g9"]


def test_markdown():
    scores, flagged, y, generator = judged()
    generator = np.where(generator == "g0", "a|b", generator)
    report = report_by_generator(scores, flagged, y, generator, random_state=0)
    lines = report.to_markdown(["auc", "fpr"], intervals=False, legend=False).splitlines()
    assert lines[0] == "| generator | photographs | AI-generated | AUC (%) | FPR (%) |"
    assert len(lines) == 5
    assert any(line.startswith(r"| a\|b | 60 | 40 |") for line in lines)
    auc, fpr = report.average.auc, report.average.fpr
    assert lines[-1] == f"| average | 60 | 65 | {100 * auc.value:.1f} | {100 * fpr.value:.1f} |"
    text = str(report)
    assert f"{100 * auc.value:.1f} [{100 * auc.low:.1f}, {100 * auc.high:.1f}]" in text
    for name in ("60 photographs", "false alarms", "plain mean", "to_frame()"):
        assert name in text
    assert text.splitlines()[0] == "| generator | AI-generated | AUC (%) | TPR (%) | FPR (%) |"
    for name in ("AP of photographs", "AP of AI-generated", "false alarms", "plain mean"):
        assert name in report.to_markdown()
    with pytest.raises(ValueError, match="no figure 'ap'; choose from auc"):
        report.to_markdown(["ap"])


def test_display():
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("agg")
    scores, flagged, y, generator = judged()
    _, ax = plt.subplots()
    display = GeneratorDisplay.from_predictions(
        scores, flagged, y, generator, name="tpr", ax=ax, n_bootstrap=40, random_state=0
    )
    assert display.ax_ is ax
    assert "TPR" in ax.get_xlabel()
    report = display.report
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels[0] == "average (65)"
    expected = [row.tpr.value for row in (report.average, *report.rows[::-1])]
    np.testing.assert_allclose(display.dots_[0].get_xdata(orig=False), expected)
    X, y, generator = faces()
    head = LogisticRegression().fit(X, y)
    drawn = GeneratorDisplay.from_estimator(head, X, y, generator, random_state=0)
    assert drawn.report == evaluate_by_generator(head, X, y, generator, random_state=0)
    assert drawn.report.plot().figure_ is not drawn.figure_
    plt.close("all")
