"""An epoch's means, against the slow way; what is unknown is NaN and not perfect."""

import types
import warnings

import pytest
import torch

from sklearn_blades.pretext.training.health import Records, check_epoch, epoch_means

NAN = float("nan")


def record(losses, counts, outer=NAN):
    losses = torch.tensor(losses)
    return losses.sum(), losses, torch.tensor(counts), torch.tensor(outer)


def test_losses_are_means_over_known_rows_of_the_epoch():
    records = Records(4)  # a resumed epoch may end early
    assert (len(records), records.table) == (0, None)
    records.append(record([0.3, 0.0], [3, 0], 0.5))
    records.append(record([0.1, 0.0], [1, 0]))
    saved, records = records.table, Records(4)
    records.extend(saved)
    records.append(record([0.0, 0.0], [0, 0]))
    assert len(records) == 3
    row = epoch_means(records, ["a", "b"], [1.0, 1.0])
    assert row["losses"]["a"] == pytest.approx((3 * 0.3 + 1 * 0.1) / 4)
    assert row["losses"]["b"] != row["losses"]["b"]  # NaN: nothing was known
    assert row["outer_loss"] == 0.5
    assert row["train_loss"] == pytest.approx((0.3 + 0.1 + 0.0) / 3)


def net(parameter=1.0, n_epochs=1):
    module = torch.nn.Linear(1, 1)
    torch.nn.init.constant_(module.bias, parameter)
    return types.SimpleNamespace(
        module_=module, history=[{}] * n_epochs, lr=0.1, weight_lr=0.2, run=None
    )


def row(loss=0.1, weight=1.0, task=0.2):
    return {"train_loss": loss, "weights": {"a": weight}, "losses": {"a": task}}


@pytest.mark.parametrize(
    ("found", "made", "words"),
    [
        (row(loss=NAN), net(), "diverged in epoch 1 .*lr=0.1; give a smaller lr, 0.01"),
        (row(), net(NAN), "diverged"),
        (row(weight=-4509.0), net(), "ran away in epoch 1 .a: -4509. with weight_lr=0.2"),
        (row(weight=NAN), net(), "diverged"),
    ],
)
def test_what_went_wrong_is_said(found, made, words):
    with pytest.raises(FloatingPointError, match=words):
        check_epoch(found, made)


def test_an_unknown_task_is_named_once():
    with pytest.warns(UserWarning, match="Nothing was known of a in any batch"):
        check_epoch(row(task=NAN), net())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_epoch(row(task=NAN), net(n_epochs=2))
