import re
import warnings

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from sklearn_blades import BladesDetector, BladesEncoder, BladesOneClass, make_detector
from sklearn_blades.app import detector_page
from sklearn_blades.app.pages.detector import smallest, tasks
from sklearn_blades.estimators.answers import taken_apart
from sklearn_blades.evaluation import (
    default_degradations,
    report_by_generator,
    robustness_curve,
    source_shift,
)

FEW = {"jpeg": default_degradations()["jpeg"][-1:]}


@pytest.fixture(scope="module")
def detector(photos):
    encoder = BladesEncoder(face_locator="whole", max_epochs=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few photographs teach little, which is said
        return BladesDetector(encoder, target_fpr=0.2, random_state=0).fit(photos)


@pytest.fixture(scope="module")
def page(detector):
    return detector.report()


class TestDetectorPage:
    def test_says_what_it_promises_and_on_what_that_rests(self, detector, page):
        n = len(detector.head_.calibration_scores_)
        assert f"Of photographs like the {n} that calibrated the detector, at most 20" in page
        assert f"<dt>Photographs</dt><dd>{n}</dd>" in page

    def test_says_what_taught_it(self, detector, page):
        assert f"<dd>{len(detector.encoder_rows_)}</dd>" in page
        assert f"<dd>{len(detector.head_rows_)}</dd>" in page
        assert detector.encoder_.digest_ in page
        assert "blades-tiny, from random weights, 2 epochs" in page
        assert f"a kernel on each of {detector.head_.n_components_} photographs" in page

    def test_shows_every_task_with_its_weight_over_the_epochs(self, detector, page):
        shown = tasks(detector.encoder_)
        assert {row["name"]: row["weight"] for row in shown} == pytest.approx(
            detector.encoder_.task_weights_
        )
        lines = re.findall(r'<polyline points="([^"]*)"', page)
        assert len(lines) == len(shown)
        assert all(len(line.split()) == 2 for line in lines)
        heights = [float(row["points"].split(",")[-1]) for row in shown]
        assert heights == sorted(heights)  # the heaviest on top, whatever its line's own range

    def test_a_pipeline_is_a_detector_too(self, detector, photos):
        head = BladesOneClass(2, target_fpr=0.2, calibration_fraction=0.4, random_state=0)
        pipeline = make_detector(detector.encoder_, head).fit(photos)
        assert taken_apart(pipeline)[0] is detector.encoder_
        page = detector_page(pipeline, title="<b>Ours</b>")
        assert "&lt;b&gt;Ours&lt;/b&gt;" in page
        assert "a Gaussian mixture of 2 components (diag)" in page
        assert "Photographs that taught the encoder" not in page  # a pipeline does not know

    def test_reports_become_tables(self, detector, photos):
        scores = np.random.default_rng(0).normal(size=40)
        generator = np.repeat(["", "a <gan>"], 20)
        y = np.repeat([1, 0], 20)
        by_generator = report_by_generator(scores, scores < -1, y, generator)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # 16 photographs are few
            shift = source_shift(detector, photos[:16], photos[16:])
            curve = robustness_curve(detector, photos, [1, 0] * 16, degradations=FEW)
        page = detector.report(evaluation=by_generator, sources={"x": shift}, robustness=curve)
        assert '<th scope="row">a &lt;gan&gt;</th>' in page
        assert shift.verdict[:20] in page
        assert '<th scope="row">jpeg 50</th>' in page
        assert "lost" not in page  # none was
        assert page.count("<table") == 4

    def test_other_things_are_refused(self, detector):
        with pytest.raises(TypeError, match=r"evaluation= takes a report .* not list"):
            detector.report(evaluation=[1])
        with pytest.raises(TypeError, match="BladesEncoder is no detector"):
            detector_page(detector.encoder_)
        with pytest.raises(NotFittedError):
            BladesDetector().report()

    def test_a_head_without_a_promise(self, detector, photos):
        y = np.array([1, -1] * 16)
        page = detector_page(make_detector(detector.encoder_, LogisticRegression()).fit(photos, y))
        assert "The detector promises no rate of false alarms." in page
        assert "Calibration" not in page

    def test_too_few_photographs_are_said_once(self, detector, photos):
        few = make_detector(detector.encoder_, BladesOneClass(target_fpr=0.001, random_state=0))
        with pytest.warns(UserWarning, match="cannot promise"):
            few.fit(photos)
        assert "Nothing can be flagged" in detector_page(few)  # and no warning


def test_the_smallest_p_value():
    known = {"scores": np.arange(99.0), "sources": {}, "confidence": None}
    assert smallest(known).startswith("No p-value can be lower than 0.01. At a false")
    assert "a single file can be flagged among 10;" in smallest(known)
    assert "nothing can be flagged" in smallest({**known, "scores": np.arange(9.0)})
    assert "than 0.1" in smallest({**known, "sources": {"a": np.arange(9.0), "b": np.arange(99.0)}})
