"""scikit-learn's callbacks on BladesEncoder.fit, where scikit-learn has them (1.9)."""

import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_blades import BladesEncoder
from sklearn_blades.pretext import Manipulated

callback = pytest.importorskip("sklearn.callback")

PARAMS = {
    "face_locator": "whole",
    "face_margin": 1.6,
    "image_size": 32,
    "tasks": [Manipulated()],
    "max_epochs": 3,
    "batch_size": 16,
    "device": "cpu",
    "random_state": 0,
}


class Recorder:
    """Keeps what it is told; stops the training after so many epochs."""

    def __init__(self, epochs=99):
        self.epochs, self.told = epochs, []

    def setup(self, estimator, context):
        self.told.append("setup")

    def on_fit_task_begin(self, estimator, context):
        self.told.append(f"{context.task_name} begins")

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        self.told.append(f"{context.task_name} ends")
        self.features = fitted_estimator.transform(X)
        self.labels = y
        return sum(line == "epoch ends" for line in self.told) == self.epochs

    def teardown(self, estimator, context):
        self.told.append("teardown")


def test_fit_and_its_epochs_are_told(photos):
    recorder = Recorder()
    encoder = BladesEncoder(**PARAMS).set_callbacks(recorder).fit(photos[:8])
    assert recorder.told == [
        "setup", "fit begins", *["epoch begins", "epoch ends"] * 3, "fit ends", "teardown",
    ]  # fmt: skip
    assert (recorder.features == encoder.transform(photos[:8])).all()
    assert (recorder.labels == 1).all()


def test_listening_changes_nothing(photos):
    alone = BladesEncoder(**PARAMS).fit(photos[:8])
    heard = BladesEncoder(**PARAMS).set_callbacks(Recorder()).fit(photos[:8])
    assert heard.digest_ == alone.digest_
    assert not heard.embedding_.training


def test_a_callback_can_stop_the_training(photos):
    encoder = BladesEncoder(**PARAMS).set_callbacks(Recorder(epochs=2)).fit(photos[:8])
    assert encoder.n_iter_ == 2


def test_weights_as_given_have_no_epochs(photos):
    recorder = Recorder()
    BladesEncoder(**{**PARAMS, "max_epochs": 0}).set_callbacks(recorder).fit(photos[:8])
    assert recorder.told == ["setup", "fit begins", "fit ends", "teardown"]


def test_scoring_monitor_follows_the_primary_task(photos):
    def coarse_auc(encoder, X, y):
        return encoder.score_tasks(X)["manipulated"]["auc"]

    monitor = callback.ScoringMonitor(scoring={"coarse_auc": coarse_auc})
    encoder = BladesEncoder(**PARAMS).set_callbacks(monitor).fit(photos[:8])
    rows = monitor.get_logs().data
    assert [row["task_name"] for row in rows] == ["fit", "epoch", "epoch", "epoch"]
    assert rows[0]["coarse_auc"] == rows[-1]["coarse_auc"] == coarse_auc(encoder, photos[:8], None)


def test_progress_bar_shows_epochs_through_a_pipeline(photos, capsys):
    pytest.importorskip("rich")
    pipeline = make_pipeline(BladesEncoder(**PARAMS), StandardScaler())
    pipeline.set_callbacks(callback.ProgressBar(max_propagation_depth=1)).fit(photos[:8])
    assert "BladesEncoder" in capsys.readouterr().out


def test_a_clone_keeps_its_callbacks(photos):
    recorder = Recorder()
    clone(BladesEncoder(**PARAMS).set_callbacks(recorder)).fit(photos[:8])
    assert recorder.told[-1] == "teardown"
