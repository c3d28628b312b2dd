"""What a fit shows of itself: phases and losses on a terminal, lines on request, else nothing."""

import numpy as np
import pytest

from sklearn_blades import BladesDetector, BladesEncoder
from sklearn_blades.pretext import Manipulated
from sklearn_blades.storage.cache import ArrayCache, key_of
from tests.ground.test_progress import HIDE, SHOW, lines


def encoder(**params):
    tiny = {"face_locator": "whole", "face_margin": 1.6, "image_size": 32, "batch_size": 16}
    tiny |= {"tasks": [Manipulated()], "max_epochs": 2, "device": "cpu", "random_state": 0}
    return BladesEncoder(**{**tiny, **params})


@pytest.fixture(scope="module")
def silent(photos):
    return detector().fit(photos)


def detector(**params):
    return BladesDetector(encoder(**params), target_fpr=0.2, random_state=0)


@pytest.mark.filterwarnings("ignore::sklearn_blades.errors.SmallSampleWarning")
def test_a_terminal_is_shown_phases_and_losses_and_results_are_the_same(
    photos, terminal, silent, capsys
):
    encoder().clear_cache()  # or nothing is left to embed
    with terminal:
        watched = detector().fit(photos)
        scores = watched.score_samples(photos)
    shown = lines(terminal.sent)
    taught, judged = len(watched.encoder_rows_), len(watched.head_rows_)
    phases = [
        f"finding faces {taught}/{taught}",
        "epoch 1 of 2",
        "epoch 2 of 2",
        f"embedding {judged}/{judged}",
        "embedding 32/32",
    ]
    text = iter([" ".join(line.replace("━", "").split()) for line in shown])
    for phase in phases:  # in this order
        assert any(line.startswith(phase) for line in text), phase
    last = watched.encoder_.history_[0]
    note = f"inner {last['train_loss']:.3g}, outer {last['outer_loss']:.3g}, top manipulated"
    assert any(note in line for line in shown)
    assert capsys.readouterr() == ("", "")  # no line an epoch beside it
    assert watched.encoder_.digest_ == silent.encoder_.digest_
    np.testing.assert_array_equal(scores, silent.score_samples(photos))


@pytest.mark.parametrize("verbose", [0, False])
def test_a_terminal_is_shown_nothing_where_nothing_is_wanted(photos, terminal, capsys, verbose):
    with terminal:
        encoder(verbose=verbose, max_epochs=1).fit(photos[:8]).transform(photos[:8])
    assert terminal.sent == ""
    assert capsys.readouterr().out == ""


def test_a_pipe_is_told_nothing(photos, capsys):
    encoder(max_epochs=1).fit(photos[:8]).transform(photos[:8])
    assert capsys.readouterr() == ("", "")


def test_lines_on_request(photos, terminal, capsys):
    with terminal:
        encoder(verbose=1).fit(photos[:8])
    printed = capsys.readouterr().out.splitlines()
    assert [" ".join(line.split()[:2]) for line in printed] == ["epoch 1/2", "epoch 2/2"]
    assert all("outer loss" in line and "manipulated" in line for line in printed)
    assert terminal.sent == ""


def test_ctrl_c_leaves_the_terminal_whole(photos, terminal, monkeypatch):
    from sklearn_blades.pretext.training.loop import BilevelNet

    step = BilevelNet.train_step

    def interrupted(net, batch, **params):
        if net.schedule_.last_epoch == 1:
            raise KeyboardInterrupt
        return step(net, batch, **params)

    monkeypatch.setattr(BilevelNet, "train_step", interrupted)
    with terminal, pytest.raises(KeyboardInterrupt):
        encoder().fit(photos)
    sent = terminal.sent
    assert "epoch 1 of 2" in sent
    assert sent.rindex(SHOW) > sent.rindex(HIDE)


def test_a_cache_tells_of_all_keys_once(tmp_path):
    keys = [key_of(number) for number in range(5)]
    cache, told = ArrayCache(folder=tmp_path), []

    def make(asked):
        return {key: np.ones(2) for key in asked if key != keys[3]}

    cache.fill(keys[:2], make, batch=2)
    cache.fill(keys, make, batch=2, tell=told.extend)
    assert sorted(told) == sorted(keys)
