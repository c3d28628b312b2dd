"""What ranks say to each other; tests/pretext/test_ranks.py has them talk."""

import pickle

import pytest
import torch

from sklearn_blades.errors import NoFaceError
from sklearn_blades.ground.launch import launched
from sklearn_blades.ground.ranks import ALONE, _sendable, in_short


class Odd(Exception):
    def __reduce__(self):  # dask, once imported, sends errors that are only built oddly
        raise TypeError("it holds a lock")


def test_an_error_arrives_as_it_is_or_at_least_in_its_words():
    there = pickle.loads(pickle.dumps(_sendable(NoFaceError("a.jpg", "no face"))))
    assert (type(there), there.path) == (NoFaceError, "a.jpg")
    for error in (Odd("this and that"), type("Local", (Exception,), {})("this and that")):
        there = pickle.loads(pickle.dumps(_sendable(error)))
        assert type(there) is RuntimeError
        assert str(there) == f"{type(error).__name__}: this and that"


@pytest.mark.parametrize(
    ("words", "short"),
    [
        (
            "[../gloo/tcp/pair.cc:547] Connection closed by peer [::1]:8",
            "Connection closed by peer [::1]:8",
        ),
        (
            "[a.cc:1] Read error: Connection reset. This is typically\nso",
            "Read error: Connection reset",
        ),
        ("NCCL error", "NCCL error"),
        ("", ""),
    ],
)
def test_a_library_is_quoted_without_the_place_in_its_source(words, short):
    assert in_short(RuntimeError(words)) == short


def test_one_alone_says_and_hears_what_it_has():
    tensors = {"a": torch.ones(2)}
    targets, whole = ALONE.meet(tensors)
    assert targets is ALONE.mean(tensors) is tensors
    assert whole(tensors["a"]) is tensors["a"]
    assert [*range(5)][ALONE.share] == [*range(5)]
    assert ALONE.all("x") == ["x"]
    ALONE.agree({"x": "1"}, "")
    with pytest.raises(KeyError):
        ALONE.once(lambda: {}["x"])


def test_what_started_this_process_is_read_from_its_environment(monkeypatch):
    names = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    for name in names:
        monkeypatch.setenv(name, "1")
    assert launched()
    for name in names:
        with monkeypatch.context() as patch:
            patch.delenv(name)
            assert not launched()
