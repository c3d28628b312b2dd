"""The hybrid head: never worse than its better part, one promise, and what it says it lacks."""

import math
import pickle
import warnings
from copy import copy

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import betabinom
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_blades import BladesBinary, BladesHybrid, BladesOneClass, make_detector
from sklearn_blades.errors import SmallSampleWarning
from sklearn_blades.evaluation import evaluate_by_generator, recalibrate, source_shift
from sklearn_blades.ground.groups import holdout
from sklearn_blades.persistence import load, save


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    with threadpool_limits(1):
        yield


GENERATORS = np.array(["gan", "diffusion", "flow"])
LOGISTIC = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced"))


def world(rng, n_photographs, n_generated, *, density=0.0, contrast=0.0, width=12):
    """Features, labels and generators, of a world in which each part finds so much.

    What all generators share shifts one column by ``contrast`` spreads, and makes the others so
    much narrower that faces are as far from the middle as photographs: a classifier learns it
    from any generator, a density cannot tell. Each has a direction of its own besides,
    ``density`` long: a density sees it, and who knows the other generators does not.
    """
    X = rng.normal(size=(n_photographs + n_generated, width))
    y = np.repeat([1, -1], [n_photographs, n_generated])
    generator = np.r_[np.repeat("", n_photographs), GENERATORS[rng.integers(3, size=n_generated)]]
    X[y == -1, 1:] *= math.sqrt(1 - contrast**2 / (width - 1))
    X[y == -1, 0] += contrast
    for column, name in enumerate(GENERATORS, start=2):
        X[generator == name, column] += density
    return X, y, generator


def hybrid(**params):
    defaults = {"one_class": BladesOneClass(1), "binary": LOGISTIC, "random_state": 0}
    return BladesHybrid(**{**defaults, **params})


def aucs(head, X, y):
    parts = {
        "hybrid": head.score_samples(X),
        "one_class": head.one_class_.score_samples(X),
        "binary": head.binary_.decision_function(X),
    }
    return {name: roc_auc_score(y, scores) for name, scores in parts.items()}


class TestNeverWorseThanTheBetterPart:
    @pytest.mark.parametrize(
        ("kind", "chance"),
        [
            ({"contrast": 1.8}, "one_class"),
            ({"density": 4.5}, "binary"),
            ({"contrast": 1.8, "density": 3.0}, None),
        ],
    )
    def test_on_a_generator_that_neither_has_seen(self, kind, chance):
        rng, found = np.random.default_rng(5), []
        for seed in range(4):
            X, y, generator = world(rng, 400, 150, **kind)
            seen = generator != "flow"
            groups = np.arange(len(X))
            head = hybrid(random_state=seed).fit(
                X[seen], y[seen], generator=generator[seen], groups=groups[seen]
            )
            fresh, labels, names = world(rng, 400, 600, **kind)
            judged = (labels == 1) | (names == "flow")
            found.append(aucs(head, fresh[judged], labels[judged]))
        mean = {name: np.mean([one[name] for one in found]) for name in found[0]}
        error = np.std([one["hybrid"] - max(one.values()) for one in found]) / math.sqrt(4)
        better = max(mean["one_class"], mean["binary"])
        assert better > 0.75
        assert mean["hybrid"] > better - 0.01 - 2 * error
        if chance:
            assert 0.4 < mean[chance] < 0.6
        else:
            assert mean["hybrid"] > better + 0.02

    def test_a_part_at_chance_counts_for_little(self):
        rng = np.random.default_rng(0)
        heads = {}
        for name, kind in {"binary": {"contrast": 2.5}, "one_class": {"density": 5.0}}.items():
            X, y, generator = world(rng, 400, 150, **kind)
            heads[name] = hybrid().fit(X, y, generator=generator, groups=np.arange(550))
        for name, head in heads.items():
            assert head.weights_[name] > 0.7
            assert sum(head.weights_.values()) == pytest.approx(1)
            other = {"binary": "one_class", "one_class": "binary"}[name]
            assert head.left_out_auc_[name] > head.left_out_auc_[other] + 0.15
            assert head.left_out_auc_["both"] >= head.left_out_auc_[name] - 0.01

    def test_with_sources_a_density_of_the_known_ones_counts_for_nothing(self):
        # Every source has a place of its own, and generated faces lie between them: a density of
        # known sources finds them, and takes a new source for more foreign than they are.
        rng = np.random.default_rng(1)
        sources = np.repeat(np.arange(8), 60)
        places = 6 * rng.normal(size=(8, 12))
        places[:, 0] = 0
        photographs = places[sources] + rng.normal(size=(480, 12))
        fakes = rng.normal(size=(160, 12))
        fakes[:, 0] += 3
        X, y = np.r_[photographs, fakes], np.repeat([1, -1], [480, 160])
        names = np.r_[[f"s{source}" for source in sources], np.repeat("web", 160)]
        generator = np.r_[np.repeat("", 480), GENERATORS[np.arange(160) % 2]]
        by_source = hybrid(target_fpr=0.1, one_class=BladesOneClass(8)).fit(
            X, y, generator=generator, sources=names
        )
        singly = hybrid(target_fpr=0.1, one_class=BladesOneClass(8)).fit(
            X, y, generator=generator, groups=np.arange(640)
        )
        assert by_source.weights_["one_class"] < 0.1 < 0.4 < singly.weights_["one_class"]


class TestPromise:
    def test_realised_false_alarms_are_those_promised(self):
        rng, alpha, counts = np.random.default_rng(7), 0.1, []
        X, y, generator = world(rng, 300, 90, contrast=1.5, density=3.0)
        for seed in range(40):
            X[y == 1] = rng.normal(size=(300, 12))
            head = hybrid(random_state=seed, target_fpr=alpha)
            head.fit(X, y, generator=generator, groups=np.arange(390))
            counts.append(np.sum(head.predict(rng.normal(size=(200, 12))) == -1))
        assert len(head.calibration_scores_) == 60
        law = betabinom(200, 6, 55)  # the 6th smallest of 60
        assert abs(np.mean(counts) - law.mean()) < 3 * law.std() / math.sqrt(40)

    def test_calibration_photographs_and_their_persons_taught_nothing(self):
        rng = np.random.default_rng(0)
        X, y, generator = world(rng, 300, 90, contrast=2)
        persons = np.r_[np.arange(300) // 3, np.arange(90)]  # some were generated, too
        head = hybrid(target_fpr=0.1).fit(X, y, generator=generator, groups=persons)
        scores = head.score_samples(X)
        held = np.isin(scores, head.calibration_scores_) & (y == 1)
        assert held.sum() == len(head.calibration_scores_) == len(np.unique(persons[held])) == 20
        # Their persons' other faces may be anything: nobody looks.
        changed = np.where((np.isin(persons, persons[held]) & ~held)[:, None], 99, X)
        again = hybrid(target_fpr=0.1).fit(changed, y, generator=generator, groups=persons)
        assert_array_equal(again.calibration_scores_, head.calibration_scores_)
        assert again.weights_ == head.weights_

    def test_decisions_p_values_and_offset_agree(self, fitted):
        head, X, _ = fitted
        assert_allclose(head.decision_function(X), head.score_samples(X) - head.offset_)
        assert_array_equal(head.predict(X), np.where(head.decision_function(X) < 0, -1, 1))
        assert_array_equal(head.predict(X) == -1, head.p_values(X) <= head.target_fpr)
        stricter = copy(head).set_params(target_fpr=0.05)
        assert stricter.offset_ < head.offset_
        assert copy(head).set_params(confidence=0.6).offset_ < head.offset_

    def test_recalibrated_the_parts_stay(self, fitted):
        head, X, y = fitted
        again = copy(head).recalibrate(X + 0.5, y, sources=np.arange(len(X)) % 2)
        assert again.one_class_ is head.one_class_
        assert set(again.calibration_sources_) == {"0", "1"}
        assert len(again.calibration_scores_) == np.sum(y == 1)

    def test_the_density_is_a_head_of_its_own(self, fitted):
        head, X, _ = fitted
        assert set(head.one_class_.predict(X)) == {1, -1}
        assert len(head.one_class_.calibration_scores_) == len(head.calibration_scores_)


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(2)
    X, y, generator = world(rng, 300, 90, contrast=2, density=2)
    head = hybrid(target_fpr=0.1)
    return head.fit(X, y, generator=generator, groups=np.arange(390)), X, y


class TestWhatItSays:
    @pytest.fixture
    def data(self):
        return world(np.random.default_rng(0), 120, 40, contrast=2)

    def fit(self, X, y, **columns):
        return BladesHybrid(binary=LOGISTIC, target_fpr=0.1, random_state=0).fit(X, y, **columns)

    @pytest.mark.parametrize("y", [np.ones(120), np.ones(120, dtype=bool)])
    def test_no_generated_faces(self, data, y):
        with pytest.raises(ValueError, match=r"no generated face.*use BladesOneClass"):
            self.fit(data[0][:120], y)

    def test_no_labels(self, data):
        with pytest.warns(SmallSampleWarning, match="density stands alone.*BladesOneClass"):
            head = self.fit(data[0][:120], None)
        assert head.weights_ == {"one_class": 1.0, "binary": 0.0}
        assert head.binary_ is None
        order = np.argsort(head.score_samples(data[0]))
        assert_array_equal(order, np.argsort(head.one_class_.score_samples(data[0])))

    def test_words_for_labels(self, data):
        X, y, _ = data
        with pytest.raises(ValueError, match="use BladesBinary"):
            self.fit(X, np.where(y == 1, "photograph", "generated"))

    @pytest.mark.parametrize(
        ("columns", "said"),
        [
            ({}, "generator= was not given.*; neither groups= nor sources= was given"),
            ({"groups": range(160)}, "generator= was not given"),
            ({"groups": range(160), "generator": ["gan"] * 160}, "there is one generator"),
            ({"generator": "names"}, "neither groups= nor sources= was given"),
            ({"generator": "names", "sources": ["own"] * 160}, "photographs are of one group"),
        ],
    )
    def test_what_could_not_be_left_out(self, data, columns, said):
        X, y, generator = data
        if columns.get("generator") == "names":
            columns = {**columns, "generator": generator}
        with pytest.warns(SmallSampleWarning, match=said) as caught:
            head = self.fit(X, y, **columns)
        assert caught[0].filename == __file__
        assert head.left_out_auc_["both"] > 0.8

    def test_all_that_is_needed_is_silent(self, data):
        X, y, generator = data
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.fit(X, y, generator=generator, groups=np.arange(160))

    def test_gaps_among_the_generators(self, data):
        X, y, generator = data
        generator = generator.astype(object)
        generator[:5] = None  # of photographs: nobody asks
        self.fit(X, y, generator=generator, groups=np.arange(160))
        generator[130] = np.nan
        with pytest.raises(ValueError, match=r"generator contains NaN.* \(rows 130\)"):
            self.fit(X, y, generator=generator)
        with pytest.raises(ValueError, match="generator has 7 rows, and X has 160"):
            self.fit(X, y, generator=["gan"] * 7)

    def test_a_fit_that_fails_leaves_the_head_as_it_was(self, data):
        X, y, generator = data
        head = self.fit(X, y, generator=generator, groups=np.arange(160))
        before = head.score_samples(X)
        with pytest.raises(ValueError, match="single group"):
            head.fit(X, y, generator=generator, groups=np.zeros(160))
        assert_array_equal(head.score_samples(X), before)

    def test_all_fakes_of_persons_held_out(self, data):
        X, y, generator = data
        head = hybrid(random_state=0, target_fpr=0.5)
        persons = np.arange(120) // 20
        _, held = holdout(120, 0.2, np.random.RandomState(0), groups=persons, n_groups=2)
        groups = np.r_[persons, np.full(40, persons[held[0]])]
        with pytest.raises(ValueError, match="All generated faces belong to groups"):
            head.fit(X, y, generator=generator, groups=groups)

    def test_an_inverted_code(self, data):
        X, y, generator = data
        with pytest.warns(UserWarning, match="inverted code"):
            self.fit(
                np.where(y[:, None] == 1, X * 3, X * 0.1),
                (y == 1).astype(int),
                generator=generator,
                groups=np.arange(160),
            )


class TestInScikitLearn:
    CV = StratifiedKFold(3, shuffle=True, random_state=0)

    @pytest.mark.filterwarnings("ignore::sklearn_blades.errors.SmallSampleWarning")
    def test_searches_score_and_set_what_is_nested(self, fitted):
        _, X, y = fitted
        grid = {"one_class__n_components": [1, 2], "binary__logisticregression__C": [0.1, 1.0]}
        search = GridSearchCV(hybrid(target_fpr=0.1), grid, scoring="roc_auc", cv=self.CV)
        assert search.fit(X, y).best_score_ > 0.9
        assert cross_val_score(hybrid(), X, y == 1, scoring="roc_auc", cv=self.CV).min() > 0.85

    def test_columns_are_routed(self, fitted):
        _, X, y = fitted
        names = np.resize(GENERATORS, len(X))
        with sklearn.config_context(enable_metadata_routing=True):
            routed = hybrid(target_fpr=0.1).set_fit_request(groups=True, generator=True)
            detector = make_detector(StandardScaler().fit(X), routed)
            detector.fit(X, y, groups=np.arange(390), generator=names)
            scores = cross_val_score(
                routed, X, y, scoring="roc_auc", cv=self.CV,
                params={"groups": np.arange(390), "generator": names},
            )  # fmt: skip
            assert scores.min() > 0.85
            with pytest.raises(ValueError, match="single group"):
                detector.fit(X, y, groups=np.zeros(390), generator=names)

    def test_equal_seeds_are_equal_bits_and_parts_have_their_own(self, fitted):
        _, X, y = fitted
        columns = {"generator": np.resize(GENERATORS, len(X)), "groups": np.arange(390)}
        default = BladesHybrid(binary=BladesBinary(max_epochs=3), random_state=3, target_fpr=0.1)
        first, second = (clone(default).fit(X, y, **columns) for _ in range(2))
        assert_array_equal(first.score_samples(X), second.score_samples(X))
        other = clone(default).set_params(random_state=4).fit(X, y, **columns)
        assert (first.score_samples(X) != other.score_samples(X)).any()
        assert default.binary.random_state is None

    def test_a_promise_of_the_binary_part_alone_is_not_kept_beside(self, fitted):
        _, X, y = fitted
        part = BladesBinary(max_epochs=3, target_fpr=0.2, random_state=0)
        columns = {"generator": np.resize(GENERATORS, len(X)), "groups": np.arange(390)}
        head = BladesHybrid(binary=part, target_fpr=0.1, random_state=0).fit(X, y, **columns)
        assert head.binary_.target_fpr is None
        assert part.target_fpr == 0.2

    @pytest.mark.parametrize("binary", [LOGISTIC, BladesBinary(max_epochs=3)])
    def test_files(self, fitted, binary, tmp_path):
        _, X, y = fitted
        columns = {"generator": np.resize(GENERATORS, len(X)), "groups": np.arange(390)}
        head = BladesHybrid(binary=binary, target_fpr=0.1, random_state=0).fit(X, y, **columns)
        save(head, tmp_path / "head.blades")
        for again in (load(tmp_path / "head.blades"), pickle.loads(pickle.dumps(head))):
            assert_array_equal(again.score_samples(X), head.score_samples(X))
            assert_array_equal(again.p_values(X), head.p_values(X))
            assert again.weights_ == head.weights_
            assert again.left_out_auc_ == head.left_out_auc_

    @pytest.mark.parametrize(
        "wrong",
        [
            {"weights_": {"one_class": 0.9, "binary": 0.9}},
            {"weights_": {"one_class": float("nan"), "binary": 1.0}},
            {"weights_": {"binary": 0.5, "one_class": 0.5}},
            {"spread_": np.array([1.0, 0.0])},
            {"centre_": np.array([1.0, np.inf])},
            {"centre_": np.zeros(3)},
            {"binary_": StandardScaler()},
            {"calibration_scores_": None},
        ],
    )
    def test_files_that_would_answer_wrongly(self, fitted, wrong, tmp_path):
        head = copy(fitted[0])
        vars(head).update(wrong)
        with pytest.raises(ValueError, match=r"cannot be right|contradict"):
            save(head, tmp_path / "head.blades")

    def test_it_is_judged_like_the_others(self, fitted):
        head, X, y = fitted
        generator = np.where(y == 1, None, np.resize(GENERATORS, len(X)))
        report = evaluate_by_generator(head, X, y, generator)
        assert report.average.auc.value > 0.9
        fresh = np.random.default_rng(9).normal(size=(2, 200, 12))
        shift = source_shift(head, fresh[0], fresh[1] * 2)
        assert shift.target_fpr == 0.1
        assert "Broken" in shift.verdict
        renewed = recalibrate(head, fresh[1] * 2)
        assert renewed.offset_ < head.offset_
        assert renewed.binary_ is head.binary_
