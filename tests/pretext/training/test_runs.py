"""Checkpoints: whole or not at all, one folder a run, and what is damaged is not believed."""

import warnings

import pytest
import torch

from sklearn_blades.pretext.training import runs
from sklearn_blades.pretext.training.runs import LAST, PREVIOUS, Run


def content(number):
    return {"seed": number, "states": {"w": torch.full((50,), float(number))}}


@pytest.fixture
def run(tmp_path):
    run = Run(tmp_path, "f" * 64)
    for number in (1, 2):
        run.save(content(number))
    return run


def test_the_last_and_the_one_before_are_kept(run):
    assert {path.name for path in run.folder.iterdir()} == {LAST, PREVIOUS}
    assert run.load()["seed"] == 2
    (run.folder / LAST).unlink()
    assert run.load()["seed"] == 1


@pytest.mark.parametrize("place", [0, 40, 100, 500, -1])
def test_a_flipped_bit_is_found(run, place):
    raw = bytearray((run.folder / LAST).read_bytes())
    raw[place] ^= 4
    (run.folder / LAST).write_bytes(raw)
    with pytest.warns(UserWarning, match=r"no whole checkpoint .*; the one before is taken"):
        assert run.load()["seed"] == 1


@pytest.mark.parametrize("raw", [b"", b"not a checkpoint", b"PK\x03\x04" + bytes(100)])
def test_foreign_files_are_named_and_training_starts_anew(run, raw):
    for name in (LAST, PREVIOUS):
        (run.folder / name).write_bytes(raw)
    with pytest.warns(UserWarning) as caught:  # noqa: PT030
        assert run.load() is None
    assert "training starts anew" in str(caught[-1].message)


def test_a_checkpoint_runs_nothing(run, tmp_path):
    class Evil:
        def __reduce__(self):
            return open, (str(tmp_path / "made"), "w")

    run.save({"seed": Evil()})
    with pytest.warns(UserWarning, match="the one before is taken"):
        assert run.load()["seed"] == 2
    assert not (tmp_path / "made").exists()


def test_a_disk_that_refuses_is_one_warning(tmp_path):
    (tmp_path / "occupied").write_text("a file where a folder should be")
    run = Run(tmp_path / "occupied", "f" * 64)
    with pytest.warns(UserWarning, match="No checkpoint could be written .* goes on without"):
        run.save(content(1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run.save(content(2))


def test_runs_of_another_name_do_not_meet(run, tmp_path):
    assert Run(tmp_path, "e" * 64).load() is None


def test_two_that_save_at_once_do_not_crash_each_other(run, monkeypatch):
    other, write = Run(run.folder.parent, "f" * 64), runs.Path.replace

    def between(path, target):
        if path.name.endswith(".part") and not other_saved:
            other_saved.append(1)
            other.save(content(3))
        return write(path, target)

    other_saved = []
    monkeypatch.setattr(runs.Path, "replace", between)
    run.save(content(4))
    assert run.load()["seed"] == 4
    assert not list(run.folder.glob("*.part"))
