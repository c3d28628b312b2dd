"""The pictures show the numbers they are given, and no label covers another."""

import builtins
import itertools
import math
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer

from sklearn_blades import BladesDetector, BladesEncoder, BladesOneClass, make_detector
from sklearn_blades.datasets import make_photos
from sklearn_blades.errors import PhotoError
from sklearn_blades.evaluation import (
    EmbeddingDisplay,
    RocByGeneratorDisplay,
    ScoreDisplay,
    TaskReadingsDisplay,
    TaskWeightsDisplay,
    report_by_generator,
)
from sklearn_blades.evaluation.displays.drawing import spread
from sklearn_blades.evaluation.robustness.report import Measured, RobustnessReport
from sklearn_blades.evaluation.statistics import Estimate
from sklearn_blades.persistence import load, save
from sklearn_blades.pretext import Manipulated, OrdinalTag

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

RNG = np.random.default_rng(0)
Y = np.repeat([1, 0, 0], [60, 20, 20])
GENERATORS = np.repeat(["whatever", "stylegan", "ldm"], [60, 20, 20])
SCORES = np.concatenate([RNG.normal(m, size=n) for m, n in ((2, 60), (-2, 20), (1, 20))])
NAMES = [f"task {index}" for index in range(11)]


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def texts(figure):
    """All that is written in a figure: the texts that are drawn, once it has its layout."""
    figure.draw_without_rendering()
    drawn, draw = [], matplotlib.text.Text.draw
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            matplotlib.text.Text,
            "draw",
            lambda text, renderer: (drawn.append(text), draw(text, renderer)),
        )
        figure.draw_without_rendering()
    return [text for text in drawn if text.get_visible() and text.get_text()]


def boxes_of(written):
    """Where texts stand, without the leaders of annotations."""
    return [matplotlib.text.Text.get_window_extent(text) for text in written]


def some_displays():
    """A way to draw each display from predictions, by name."""
    history = [{"weights": {"a": 1.2, "b": 0.8}}, {"weights": {"a": 1.5, "b": 0.5}}]
    readings = {"ISO": {"level": np.array([2.5])}, "Make": {"x": np.array([1.0])}}
    features = RNG.normal(size=(12, 5))
    return {
        "scores": lambda ax: ScoreDisplay.from_predictions(SCORES, Y, threshold=0.5, ax=ax),
        "roc": lambda ax: RocByGeneratorDisplay.from_predictions(SCORES, Y, ax=ax),
        "weights": lambda ax: TaskWeightsDisplay.from_history(history, ax=ax),
        "readings": lambda ax: TaskReadingsDisplay.from_readings(readings, ax=ax),
        "embedding": lambda ax: EmbeddingDisplay.from_features(features, Y[54:66], ax=ax),
    }


@pytest.mark.parametrize("name", some_displays())
class TestEveryDisplay:
    def test_draws_on_the_axes_given_and_on_no_other(self, name):
        _, ax = plt.subplots()
        display = some_displays()[name](ax)
        assert display.ax_ is ax
        assert display.figure_ is ax.figure
        assert plt.get_fignums() == [1]

    def test_draws_again_in_a_new_figure(self, name):
        display = some_displays()[name](None)
        first = display.figure_
        assert display.plot() is display
        assert display.figure_ is not first
        assert len(plt.get_fignums()) == 2

    def test_no_text_is_cut_or_covers_another(self, name):
        figure = some_displays()[name](None).figure_
        boxes = boxes_of(texts(figure))
        assert len(boxes) > 2
        for box in boxes:
            assert box.x0 >= 0
            assert box.y0 >= 0
            assert box.x1 <= figure.bbox.x1
            assert box.y1 <= figure.bbox.y1
        for one, other in itertools.combinations(boxes, 2):
            assert not one.padded(-1).overlaps(other.padded(-1))

    def test_says_which_extra_brings_matplotlib(self, name, monkeypatch):
        def without(module, *args, real=builtins.__import__):
            if module.startswith("matplotlib"):
                raise ImportError(module)
            return real(module, *args)

        monkeypatch.setattr(builtins, "__import__", without)
        with pytest.raises(ImportError, match=r"pip install 'sklearn-blades\[plots\]'"):
            some_displays()[name](None)


HARD_NAMES = ["stable-diffusion-xl-base-1.0-with-refiner", "_private", "$x^2$ & 50%"]


def displays_of_reports():
    """A way to draw each display that has a legend or rows by name, with names that are hard."""
    generator = np.repeat([None, *HARD_NAMES], [60, 20, 20, 20])
    y, scores = np.repeat([1, 0], 60), RNG.normal(size=120)
    report = report_by_generator(scores, scores < 0, y, generator, n_bootstrap=40)
    estimate = Estimate(0.5, 0.4, 0.6)
    row = [estimate] * 4 + [0, 0]
    measured = tuple(Measured(name, level, *row) for name in HARD_NAMES for level in (1, 2))
    outside = Measured("resampled", 1, *[Estimate(0.5, 0.5 + 1e-16, 0.45)] * 4, 0, 0)
    levels = (Measured("none", 0, *row), *measured, outside)
    robustness = RobustnessReport(levels, 60, 60, 0.05, {})
    by_name = {"generator": generator, "threshold": 0.0}
    labels = [name or "photographs" for name in generator]
    return {
        "scores": lambda: ScoreDisplay.from_predictions(scores, y, **by_name),
        "roc": lambda: RocByGeneratorDisplay.from_predictions(scores, y, **by_name),
        "generators": lambda: report.plot(),
        "robustness": lambda: robustness.plot(),
        "embedding": lambda: EmbeddingDisplay.from_features(
            RNG.normal(size=(120, 4)), labels, method="pca"
        ),
    }


@pytest.mark.parametrize("name", displays_of_reports())
def test_hard_names_are_written_as_they_are_and_nothing_is_cut(name, tmp_path):
    display = displays_of_reports()[name]()
    figure, written = display.figure_, texts(display.figure_)
    shown = " ".join(text.get_text() for text in written).replace("\\$", "$")
    for hard in HARD_NAMES:
        assert hard in shown
    assert not any(
        text.get_parse_math() and "$" in text.get_text().replace("\\$", "") for text in written
    )
    for box in boxes_of(written):
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1
    assert display.ax_.get_window_extent().width > 0.4 * figure.bbox.width / 2
    figure.savefig(tmp_path / "picture.png")  # warns where the layout could not be made


def test_importing_the_displays_does_not_import_matplotlib():
    code = "import sys, sklearn_blades.evaluation.displays; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestSpread:
    def test_labels_far_apart_stay(self):
        np.testing.assert_allclose(spread([3, 1, 2], 0.5, 0, 4), [3, 1, 2])

    def test_close_ones_move_alike_and_keep_their_order(self):
        np.testing.assert_allclose(spread([1.0, 1.0], 0.5, 0, 4), [0.75, 1.25])

    def test_any_are_at_least_a_gap_apart_and_inside(self):
        for seed in range(20):
            heights = np.random.default_rng(seed).uniform(0, 1, 11) ** 4
            moved = spread(heights, 0.06, 0, 1)
            assert np.diff(np.sort(moved)).min() >= 0.06 - 1e-12
            assert moved.min() >= 0
            assert moved.max() <= 1
            np.testing.assert_array_equal(np.argsort(moved), np.argsort(heights))

    def test_the_gap_narrows_where_there_is_no_room(self):
        np.testing.assert_allclose(spread([0, 0, 0], 1, 0, 1), [0, 0.5, 1])


class TestTaskWeights:
    def history(self, n_epochs, scale=0.1):
        rng = np.random.default_rng(1)
        weights = np.exp(rng.normal(scale=scale, size=(n_epochs, len(NAMES))))
        return [{"weights": dict(zip(NAMES, row, strict=True))} for row in weights]

    def test_lines_are_the_weights(self):
        history = self.history(5)
        display = TaskWeightsDisplay.from_history(history)
        assert list(display.lines_) == NAMES
        for name, line in display.lines_.items():
            assert line.get_xdata().tolist() == [1, 2, 3, 4, 5]
            assert line.get_ydata().tolist() == [row["weights"][name] for row in history]

    @pytest.mark.parametrize("scale", [1e-3, 0.1, 2.0])
    def test_eleven_labels_stand_at_the_line_ends_without_overlap(self, scale):
        display = TaskWeightsDisplay.from_history(self.history(4, scale))
        display.figure_.draw_without_rendering()
        assert [label.get_text() for label in display.labels_] == NAMES
        boxes = boxes_of(display.labels_)
        for one, other in itertools.combinations(boxes, 2):
            assert not one.padded(-1).overlaps(other.padded(-1))
        assert all(box.x0 > display.ax_.bbox.x1 for box in boxes)
        ends = [line.get_ydata()[-1] for line in display.lines_.values()]
        assert np.argsort(ends).tolist() == np.argsort([box.y0 for box in boxes]).tolist()
        assert [label.xy for label in display.labels_] == [(4, end) for end in ends]

    def test_no_two_lines_look_alike(self):
        lines = TaskWeightsDisplay.from_history(self.history(2)).lines_.values()
        assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == len(NAMES)

    @pytest.mark.parametrize(("first", "scale"), [(7.0, "log"), (1.3, "linear"), (-7.0, "linear")])
    def test_axis_is_logarithmic_where_one_weight_dwarfs_the_rest(self, first, scale):
        ax = TaskWeightsDisplay.from_history([{"weights": {"a": first, "b": 0.9}}]).ax_
        assert ax.get_yscale() == scale
        assert ax.get_ylim()[0] < first < ax.get_ylim()[1]

    def test_finds_the_encoder(self):
        encoder = Normalizer().fit([[1.0]])
        encoder.history_ = self.history(3)
        for holder in (
            encoder,
            FrozenEstimator(encoder),
            make_pipeline(encoder, LogisticRegression()),
            make_pipeline(FrozenEstimator(encoder), LogisticRegression()),
        ):
            display = TaskWeightsDisplay.from_estimator(holder)
            assert display.weights["task 3"] == [
                row["weights"]["task 3"] for row in encoder.history_
            ]

    def test_says_what_is_missing(self):
        with pytest.raises(TypeError, match="PCA has no history_"):
            TaskWeightsDisplay.from_estimator(PCA())
        with pytest.raises(ValueError, match="max_epochs=0"):
            TaskWeightsDisplay.from_history([])


class TestScores:
    def draw(self, **kwargs):
        kwargs = {"generator": GENERATORS, "threshold": 0.5, "target_fpr": 0.05} | kwargs
        return ScoreDisplay.from_predictions(SCORES, Y, **kwargs)

    def test_bars_are_the_shares_of_each_kind(self):
        display = self.draw(bins=10, limits=(-4.5, 5.5))
        assert list(display.bars_) == ["photographs", "stylegan", "ldm"]
        groups = [SCORES[Y == 1], SCORES[GENERATORS == "stylegan"], SCORES[GENERATORS == "ldm"]]
        for row, (bars, scores) in enumerate(zip(display.bars_.values(), groups, strict=True)):
            counts = []
            for bar in bars:
                left, right = bar.get_x(), bar.get_x() + bar.get_width()
                counts.append(sum(left <= score < right for score in scores))
                assert bar.get_y() == -row
            heights = np.array([bar.get_height() for bar in bars])
            np.testing.assert_allclose(heights / heights.sum(), np.array(counts) / len(scores))

    def test_the_colour_changes_at_the_threshold(self):
        for threshold in (0.5, -1.234, 2 / 3):
            display = self.draw(threshold=threshold)
            assert list(display.line_.get_xdata()) == [threshold, threshold]
            for bars in display.bars_.values():
                orange = bars[0].get_facecolor()
                for bar in bars:
                    is_flagged = bar.get_x() + bar.get_width() / 2 < threshold
                    assert (bar.get_facecolor() == orange) == is_flagged

    def test_shares_flagged_are_written(self):
        display = self.draw()
        for name, scores in (("photographs", SCORES[:60]), ("ldm", SCORES[80:])):
            share = sum(score < 0.5 for score in scores) / len(scores)
            assert display.flagged_[name][0] == share
            assert display.flagged_[name][1] < share < display.flagged_[name][2]
        written = " ".join(text.get_text() for text in texts(display.figure_))
        assert f"{display.flagged_['photographs'][0]:.1%} false alarms" in written
        assert f"{display.flagged_['ldm'][0]:.1%} flagged" in written
        assert "promised 5%" in written
        assert "photographs\n(n = 60)" in written

    def test_interval_is_clopper_and_pearsons(self):
        y, scores = [1] * 20, [-1.0] * 20
        _, low, high = ScoreDisplay.from_predictions(scores, y, threshold=0).flagged_["photographs"]
        assert low == pytest.approx(0.025 ** (1 / 20))
        assert high == 1

    def test_scores_far_out_are_counted_in_the_last_bin_and_said_so(self):
        scores = np.where(GENERATORS == "ldm", -1e4, SCORES)
        display = ScoreDisplay.from_predictions(scores, Y, generator=GENERATORS, threshold=0)
        assert display.ax_.get_xlim()[0] > -20
        assert [bar.get_height() > 0 for bar in display.bars_["ldm"]].count(True) == 1
        assert display.bars_["ldm"][0].get_height() > 0
        assert any("20 further" in text.get_text() for text in texts(display.figure_))

    def test_without_threshold_nothing_is_said_of_flags(self):
        display = self.draw(threshold=None)
        assert display.line_ is None
        assert display.flagged_ == {}
        assert not any("flagged" in text.get_text() for text in texts(display.figure_))

    def test_photographs_alone_and_all_scores_equal(self):
        display = ScoreDisplay.from_predictions([2.0, 2.0, 2.0], [1, 1, 1], threshold=0)
        assert list(display.bars_) == ["photographs"]

    def test_says_what_is_wrong(self):
        broken = np.where(np.arange(100) == 7, np.nan, SCORES)
        with pytest.raises(ValueError, match=r"1 of 100 scores .* row 7"):
            ScoreDisplay.from_predictions(broken, Y)
        with pytest.raises(ValueError, match=r"100 scores are infinite .* row 0"):
            ScoreDisplay.from_predictions(np.full(100, np.inf), Y)


class Outliers(OutlierMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.n_rows_ = len(X)
        return self

    def decision_function(self, X):
        return np.asarray(X)[:, 0]

    def predict(self, X):
        return np.where(self.decision_function(X) < 0, -1, 1)


class TestHeads:
    """The picture's threshold is the head's own: it flags what ``predict`` flags."""

    X = np.c_[SCORES, RNG.normal(size=(100, 2))]

    def check(self, detector, y, answers, **kwargs):
        display = ScoreDisplay.from_estimator(detector, self.X, y, **kwargs)
        photographs = np.asarray(Y) == 1
        assert display.flagged_["photographs"][0] == pytest.approx(answers[photographs].mean())
        assert display.flagged_["generated"][0] == pytest.approx(answers[~photographs].mean())
        return display

    def test_one_class(self):
        head = BladesOneClass(1, target_fpr=0.2, random_state=0)
        detector = make_detector(FunctionTransformer(), head).fit(self.X[Y == 1])
        display = self.check(detector, Y, detector.predict(self.X) == -1)
        assert display.target_fpr == 0.2
        assert display.threshold == 0
        assert "nats" in display.ax_.get_xlabel()

    @pytest.mark.parametrize("names", [("generated", "photo"), ("real", "synthetic")])
    def test_binary_with_words_in_either_order(self, names):
        generated, photo = names if names[1] == "photo" else names[::-1]
        y = np.where(Y == 1, photo, generated)
        detector = LogisticRegression().fit(self.X, y)
        display = self.check(
            detector, y, detector.predict(self.X) == generated, photographic_label=photo
        )
        assert display.photographs.mean() > display.generated["generated"].mean()
        assert "log-odds" in display.ax_.get_xlabel()

    @pytest.mark.parametrize("photographic_label", [0, 1])
    @pytest.mark.parametrize(
        "make",
        [
            lambda: CalibratedClassifierCV(LogisticRegression(), cv=2),
            lambda: TunedThresholdClassifierCV(LogisticRegression(), cv=2, random_state=0),
            lambda: FixedThresholdClassifier(LogisticRegression(), threshold=0.3),
        ],
    )
    def test_scikit_learns_own_wrappers(self, make, photographic_label):
        y = Y if photographic_label == 1 else 1 - Y
        detector = make_pipeline(Normalizer(), make()).fit(self.X, y)
        self.check(
            detector,
            y,
            detector.predict(self.X) != photographic_label,
            photographic_label=photographic_label,
        )

    def test_any_outlier_detector(self):
        self.check(Outliers().fit(self.X), Y, self.X[:, 0] < 0)

    def test_label_of_photographs_must_be_known(self):
        detector = LogisticRegression().fit(self.X, np.where(Y == 1, "photo", "fake"))
        with pytest.raises(ValueError, match="photographic_label=1 is none of the labels"):
            ScoreDisplay.from_estimator(detector, self.X, Y)

    def test_roc_marks_the_same_point(self):
        display = RocByGeneratorDisplay.from_estimator(
            Outliers().fit(self.X), self.X, Y, generator=GENERATORS
        )
        alarms = (SCORES[Y == 1] < 0).mean()
        caught = (SCORES[GENERATORS == "ldm"] < 0).mean()
        assert display.operating_points["ldm"] == (alarms, caught)
        (x,), (y,) = display.points_["ldm"].get_data()
        assert (x, y) == (alarms, caught)


class TestRoc:
    def test_curves_and_areas_are_those_of_pairs(self):
        display = RocByGeneratorDisplay.from_predictions(SCORES, Y, generator=GENERATORS)
        assert list(display.lines_) == ["stylegan", "ldm"]
        photographs = SCORES[Y == 1]
        for name, line in display.lines_.items():
            fakes = SCORES[name == GENERATORS]
            pairs = [p > f for p in photographs for f in fakes]
            assert display.roc_auc[name] == pytest.approx(np.mean(pairs))
            assert line.get_label() == f"{name} (AUC = {np.mean(pairs):.2f})"
            curve = set(zip(*line.get_data(), strict=True))
            every = {
                (np.mean(photographs <= cut), np.mean(fakes <= cut)) for cut in [-math.inf, *SCORES]
            }
            assert curve <= every
            assert {(0, 0), (1, 1)} <= curve

    def test_without_threshold_there_is_no_point(self):
        assert RocByGeneratorDisplay.from_predictions(SCORES, Y).points_ == {}

    def test_photographs_alone_have_no_curve(self):
        with pytest.raises(ValueError, match="no AI-generated face in y"):
            RocByGeneratorDisplay.from_predictions([0.1, 0.2], [1, 1])


class TestEmbedding:
    features = RNG.normal(size=(30, 6)) + np.repeat([[0], [5], [10]], 10, axis=0)
    labels = np.repeat(["b", "a", "c"], 10)

    @pytest.mark.parametrize("method", ["tsne", "pca"])
    def test_one_cloud_for_each_label_in_the_order_given(self, method):
        display = EmbeddingDisplay.from_features(self.features, self.labels, method=method)
        assert list(display.scatters_) == ["b", "a", "c"]
        for label, scatter in display.scatters_.items():
            rows = self.labels == label
            np.testing.assert_array_equal(scatter.get_offsets(), display.points[rows])
        again = EmbeddingDisplay.from_features(self.features, self.labels, method=method)
        np.testing.assert_array_equal(again.points, display.points)

    def test_pca_names_its_share_of_the_variance(self):
        display = EmbeddingDisplay.from_features(self.features, self.labels, method="pca")
        centred = self.features - self.features.mean(0)
        values = np.linalg.svd(centred, compute_uv=False) ** 2
        assert f"({values[0] / values.sum():.0%} of variance)" in display.ax_.get_xlabel()

    def test_a_detector_is_asked_for_its_features(self):
        X = np.abs(self.features) + 1
        head = LogisticRegression().fit(X, self.labels == "a")
        for estimator in (make_pipeline(Normalizer(), head), Normalizer()):
            display = EmbeddingDisplay.from_estimator(estimator, X, self.labels, method="pca")
            expected = PCA(2).fit_transform(Normalizer().transform(X))
            np.testing.assert_allclose(np.abs(display.points), np.abs(expected))

    def test_few_rows_and_what_is_wrong(self):
        EmbeddingDisplay.from_features(self.features[:4], [1, 1, 0, 0])
        with pytest.raises(ValueError, match="'tsne' or 'pca'"):
            EmbeddingDisplay.from_features(self.features, self.labels, method="umap")
        with pytest.raises(ValueError, match="NaN"):
            EmbeddingDisplay.from_features(np.full((5, 2), np.nan), self.labels[:5])


class Seen:
    """A task of somebody's own, which nobody can read."""

    name = "seen"
    prompts = ("a photo seen",)

    def target(self, view):
        return 0.0

    def loss(self, logits, target):
        return logits.mean() * 0


@pytest.fixture(scope="module")
def encoder(photos):
    small = {"face_locator": "whole", "image_size": 32, "max_epochs": 1, "batch_size": 16}
    return BladesEncoder(**small, device="cpu", random_state=0).fit(photos)


class TestReadings:
    def test_answers_are_those_of_the_losses(self, encoder, photos):
        readings = encoder.read_tasks(photos[:6])
        assert list(readings) == list(encoder.task_weights_)
        embedding, features = encoder.embedding_, encoder.transform(photos[:6])
        scale = float(embedding.towers.logit_scale.exp().clamp(max=100).detach())
        bias = embedding.towers.logit_bias
        prompts = embedding.encode_prompts().detach().numpy()
        logits = scale * features @ prompts.T + (0 if bias is None else float(bias.detach()))
        for task in encoder.tasks_:
            part = np.exp(logits[:, encoder.tasks_.slices[task.name]].astype(float))
            q = part / part.sum(1, keepdims=True)
            if isinstance(task, OrdinalTag):
                expected = {"level": q @ [1, 2, 3]}
            elif task.name == "manipulated_regions":
                expected = dict(zip(task.regions, (part / (1 + part)).T, strict=True))
            else:
                words = getattr(task, "classes", ("untouched", "manipulated"))
                expected = dict(zip(words, q.T, strict=True))
            assert list(readings[task.name]) == list(expected)
            for answer, values in readings[task.name].items():
                np.testing.assert_allclose(values, expected[answer], rtol=1e-4)

    def test_rows_are_photographs_whatever_their_company(self, encoder, photos):
        many, one = encoder.read_tasks(photos[:6]), encoder.read_tasks(photos[4:5])
        for task, answers in many.items():
            for answer, values in answers.items():
                np.testing.assert_allclose(values[4:5], one[task][answer], rtol=1e-5)

    def test_a_loaded_detector_without_text_tower_reads_the_same(self, encoder, photos, tmp_path):
        save(encoder, tmp_path / "model.blades")
        again = load(tmp_path / "model.blades")
        assert not again.embedding_.has_text
        before, after = encoder.read_tasks(photos[:3]), again.read_tasks(photos[:3])
        for task, answers in before.items():
            for answer, values in answers.items():
                np.testing.assert_allclose(after[task][answer], values, rtol=1e-6)

    def test_unusable_photographs_are_treated_as_by_transform(self, encoder, photos, tmp_path):
        broken = tmp_path / "broken.jpg"
        broken.write_bytes(b"no picture")
        with pytest.raises(PhotoError, match=r"broken\.jpg"):
            encoder.read_tasks([photos[0], broken])
        encoder.set_params(on_error="nan")
        with pytest.warns(UserWarning, match="1 of 2 photographs cannot be used"):
            readings = encoder.read_tasks([photos[0], broken])
        encoder.set_params(on_error="raise")
        for answers in readings.values():
            for values in answers.values():
                assert np.isnan(values).tolist() == [False, True]
        with pytest.raises(ValueError, match="readings of row 1 are NaN"):
            TaskReadingsDisplay.from_readings(readings, row=1)

    def test_tasks_that_cannot_be_read_are_left_out(self, photos):
        settings = {"face_locator": "whole", "image_size": 32, "max_epochs": 0, "device": "cpu"}
        encoder = BladesEncoder(**settings, tasks=[Seen(), Manipulated()]).fit(photos[:2])
        assert list(encoder.read_tasks(photos[:2])) == ["manipulated"]
        encoder = BladesEncoder(**settings, tasks=[Seen()]).fit(photos[:2])
        assert encoder.read_tasks(photos[:2]) == {}
        with pytest.raises(ValueError, match="no readings"):
            TaskReadingsDisplay.from_estimator(encoder, photos[0])
        with pytest.raises(NotFittedError):
            BladesEncoder().read_tasks(photos)

    def test_the_picture_shows_them(self, encoder, photos):
        detector = make_pipeline(FrozenEstimator(encoder), LogisticRegression())
        display = TaskReadingsDisplay.from_estimator(detector, photos[3], max_answers=2)
        readings = encoder.read_tasks([photos[3]])
        levels = [a["level"][0] for a in readings.values() if "level" in a]
        np.testing.assert_allclose(display.line_.get_xdata(), (np.array(levels) - 1) / 2)
        shown = [
            sorted((float(v[0]) for v in answers.values()), reverse=True)[:2]
            for answers in readings.values()
            if "level" not in answers
        ]
        widths = [bar.get_width() for bar in display.bars_]
        np.testing.assert_allclose(widths, list(itertools.chain(*shown)))
        labels = [label.get_text() for label in display.ax_.get_yticklabels()]
        assert labels[:4] == ["ISOSpeedRatings", "FNumber", "ExposureTime", "FocalLength"]
        assert len(labels) == len(widths) + len(levels)
        assert display.ax_.yaxis_inverted()

    @pytest.mark.parametrize("readings", [{"a": {"level": 1.5}}, {"a": {"x": 0.5, "y": 0.5}}])
    def test_levels_or_probabilities_alone(self, readings):
        TaskReadingsDisplay(readings=readings).plot()


@pytest.mark.filterwarnings("ignore")  # that these photographs are few
def test_the_example_draws_every_picture(tmp_path, monkeypatch, capsys):
    examples = Path(__file__).parents[2] / "examples"
    monkeypatch.syspath_prepend(examples)
    main = runpy.run_path(str(examples / "pictures.py"))["main"]
    main(["--out", str(tmp_path), "--epochs", "1", "--scale", "0.05"])
    drawn = {path.stem for path in tmp_path.glob("*.png")}
    assert drawn == {
        "auc_by_generator",
        "confounds",
        "embedding",
        "reliability_binary",
        "robustness",
        "roc_binary",
        "roc_one_class",
        "scores_binary",
        "scores_one_class",
        "task_readings",
        "task_weights",
    }
    assert plt.get_fignums() == []
    assert str(tmp_path) in capsys.readouterr().out


def test_a_detector_of_one_line_is_drawn_like_its_encoder(tmp_path):
    paths = make_photos(60, tmp_path, random_state=0)
    encoder = BladesEncoder(face_locator="whole", max_epochs=0, random_state=0)
    detector = BladesDetector(encoder, target_fpr=0.1, random_state=0).fit(paths)
    drawn = EmbeddingDisplay.from_estimator(detector, paths[:8], [1] * 8, method="pca")
    same = EmbeddingDisplay.from_estimator(detector.encoder_, paths[:8], [1] * 8, method="pca")
    np.testing.assert_array_equal(drawn.points, same.points)
    readings = TaskReadingsDisplay.from_estimator(detector, paths[0]).readings
    assert readings == TaskReadingsDisplay.from_estimator(detector.encoder_, paths[0]).readings
    with pytest.raises(ValueError, match="was not trained"):
        TaskWeightsDisplay.from_estimator(detector)
