"""Robustness: both classes degraded alike, figures with intervals, whatever the detector."""

import json

import numpy as np
import pytest
from PIL import Image
from sklearn.base import BaseEstimator, OutlierMixin

from sklearn_blades.datasets import make_photos
from sklearn_blades.errors import NoFaceError, PhotoError, SmallSampleWarning
from sklearn_blades.evaluation import default_degradations, robustness_curve
from sklearn_blades.evaluation.robustness.display import RobustnessDisplay
from sklearn_blades.photos.degradations import blurred, cropped, noisy, recompressed, scaled

FEW = {
    "blur": [(3.0, lambda p, rng: blurred(p, sigma=3.0))],
    "noise": [(30, lambda p, rng: noisy(p, rng, sigma=30))],
}


class Sharpness(OutlierMixin, BaseEstimator):
    """Takes what is sharp for a photograph: blur must flag everything, noise nothing."""

    def __init__(self, target_fpr=0.05, smallest=0):
        self.target_fpr, self.smallest = target_fpr, smallest

    def fit(self, X, y=None):
        self.offset_ = np.quantile(self.score_samples(X), self.target_fpr)
        return self

    def score_samples(self, X):
        for pixels in X:
            if min(pixels.shape[:2]) < self.smallest:
                raise NoFaceError("<array>", "has no face.")
        return np.array([np.abs(np.diff(p.astype(float).mean(axis=2), n=2)).mean() for p in X])

    def predict(self, X):
        return np.where(self.score_samples(X) < self.offset_, -1, 1)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("robust")
    return make_photos(20, folder, random_state=5) + make_photos(
        20, folder, generated="oversmooth", random_state=6
    )


Y = np.repeat([1, 0], 20)


@pytest.fixture(scope="module")
def detector(paths):
    return Sharpness().fit([np.asarray(Image.open(path).convert("RGB")) for path in paths[:20]])


@pytest.fixture(scope="module")
def report(detector, paths):
    return robustness_curve(detector, paths, Y, degradations=FEW)


def test_both_classes_are_degraded_alike(report):
    clean, blur, noise = report.rows
    assert (clean.degradation, clean.change.value) == ("none", 0)
    assert blur.false_alarms.value == blur.detected.value == 1  # not the fakes alone
    assert noise.false_alarms.value == noise.detected.value == 0
    assert clean.false_alarms.value == 0.05
    assert report.target_fpr == 0.05
    for row in report.rows:
        for name in ("auc", "false_alarms", "detected", "change"):
            estimate = getattr(row, name)
            assert estimate.low <= estimate.value <= estimate.high
        assert row.lost_photographs == row.lost_generated == 0
    assert blur.change.value == pytest.approx(blur.auc.value - clean.auc.value)


def test_figures_do_not_depend_on_batches_or_threads(report, detector, paths):
    again = robustness_curve(detector, paths, Y, degradations=FEW, batch_size=7, n_jobs=2)
    assert again.to_dict() == report.to_dict()
    other = robustness_curve(detector, paths, Y, degradations=FEW, random_state=1)
    assert not np.array_equal(other.scores["noise", 30], report.scores["noise", 30])


def test_images_and_labels_of_other_kinds(report, detector, paths):
    images = [Image.open(path).convert("RGB") for path in paths]
    again = robustness_curve(detector, images, 1 - Y, photographic_label=0, degradations=FEW)
    assert again.to_dict() == report.to_dict()


def test_groups_widen_the_intervals(report, detector, paths):
    twice, labels, groups = [*paths, *paths], np.tile(Y, 2), np.tile(np.arange(40), 2)
    once = report.rows[0]
    same = robustness_curve(detector, twice, labels, degradations={}, groups=groups).rows[0]
    for name in ("auc", "false_alarms", "detected"):
        assert getattr(same, name).value == getattr(once, name).value
        assert getattr(same, name).low == pytest.approx(getattr(once, name).low, abs=0.06)


def test_lost_faces_are_counted_by_class(detector, paths):
    picky = Sharpness(smallest=100)
    picky.offset_ = detector.offset_
    half = {"half": [(0.5, lambda p, rng: scaled(p, factor=0.5))], "some": [(1, _every_third)]}
    report = robustness_curve(picky, paths, Y, degradations=half, batch_size=16)
    _, everything, some = report.rows
    assert (everything.lost_photographs, everything.lost_generated) == (20, 20)
    assert np.isnan(everything.auc.value)
    assert 0 < some.lost_photographs + some.lost_generated < 40
    assert np.isfinite(some.auc.value)
    assert json.loads(json.dumps(report.to_dict()))["rows"][1]["auc"] is None


def _every_third(pixels, rng):
    return scaled(pixels, factor=0.5) if pixels.sum() % 3 == 0 else pixels


def test_errors_say_what_is_needed(detector, paths):
    with pytest.raises(ValueError, match="There is no AI-generated face in y"):
        robustness_curve(detector, paths[:20], Y[:20])
    with pytest.raises(ValueError, match="y has 3 rows"):
        robustness_curve(detector, paths, Y[:3])
    with pytest.raises(ValueError, match="y has missing entries"):  # not: AI-generated
        robustness_curve(detector, paths, [None, *Y[1:]])
    with pytest.raises(ValueError, match="groups has 1 rows"):
        robustness_curve(detector, paths, Y, groups=[1])
    with pytest.raises(ValueError, match="batch_size=0"):
        robustness_curve(detector, paths, Y, batch_size=0)
    for wrong in ("jpeg", {"jpeg": [95]}, {"none": [(1, np.copy)]}, {"jpeg": [(1, "f")]}):
        with pytest.raises(ValueError, match="callable"):
            robustness_curve(detector, paths, Y, degradations=wrong)
    with pytest.raises(ValueError, match="uint8"):
        robustness_curve(detector, paths, Y, degradations={"a": [(1, lambda p, rng: p / 2)]})
    with pytest.raises(PhotoError, match="no such file"):
        robustness_curve(detector, [*paths[:-1], "nowhere.jpg"], Y, degradations={})


def test_report_as_table_and_json(report):
    frame = report.to_frame()
    assert frame.index.tolist() == [("none", 0), ("blur", 3.0), ("noise", 30)]
    assert {"auc", "auc_low", "false_alarms_high", "detected", "lost_generated"} <= set(frame)
    assert report.to_markdown().count("\n") == 4
    assert "promised false alarms 0.05" in str(report)
    assert "scores" not in repr(report)


def test_display(report):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    display = report.plot("detected")
    assert isinstance(display, RobustnessDisplay)
    assert len(display.lines_) == 2
    assert display.plot("auc", ax=display.ax_).ax_ is display.ax_
    labels = [text.get_text() for text in report.plot("false_alarms").ax_.get_legend().get_texts()]
    assert labels == ["undegraded", "promised", "blur", "noise"]
    with pytest.raises(ValueError, match="use one of auc"):
        report.plot("accuracy")
    plt.close("all")


@pytest.mark.parametrize(
    ("name", "severity", "function"),
    [(name, *step) for name, steps in default_degradations().items() for step in steps],
)
def test_degradations_are_pure(name, severity, function, paths):
    pixels = np.asarray(Image.open(paths[0]).convert("RGB"))[:64, :80]
    before = pixels.copy()
    made = function(pixels, np.random.default_rng(0))
    assert made.dtype == np.uint8
    assert not np.shares_memory(made, pixels)
    assert np.array_equal(pixels, before)
    assert np.array_equal(made, function(pixels, np.random.default_rng(0)))
    if name in ("downscale", "upscale", "crop"):
        assert made.shape == (round(64 * severity), round(80 * severity), 3)
    else:
        assert made.shape == pixels.shape
        assert not np.array_equal(made, pixels)


def test_severe_is_further_than_mild(paths):
    pixels = np.asarray(Image.open(paths[0]).convert("RGB"))
    for name in ("jpeg", "webp", "blur", "noise"):
        steps = default_degradations()[name]
        rngs = [np.random.default_rng(0) for _ in steps]
        made = [f(pixels, rng).astype(float) for (_, f), rng in zip(steps, rngs, strict=True)]
        distances = [np.abs(image - pixels).mean() for image in made]
        assert distances == sorted(distances), name
    assert np.array_equal(cropped(pixels, fraction=1.0), pixels)
    assert recompressed(pixels, quality=50, form="WEBP").shape == pixels.shape


def test_with_a_whole_detector(paths):
    from sklearn_blades import BladesBinary, BladesEncoder, make_detector

    encoder = BladesEncoder(
        face_locator="whole", face_margin=1.6, image_size=32, max_epochs=0, random_state=0
    ).fit(paths[:20])
    head = BladesBinary(max_epochs=5, random_state=0)
    detector = make_detector(encoder, head).fit(paths, Y)
    with pytest.warns(SmallSampleWarning, match=r"20 groups of photographs \(10\), gen") as caught:
        report = robustness_curve(detector, paths, Y, degradations=FEW, groups=np.arange(40) // 2)
    assert caught[0].filename == __file__
    assert report.target_fpr is None
    flagged = detector.predict([np.asarray(Image.open(p).convert("RGB")) for p in paths]) == 0
    assert report.rows[0].detected.value == flagged[20:].mean()
    assert report.rows[0].false_alarms.value == flagged[:20].mean()
