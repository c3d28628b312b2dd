"""A bar where somebody watches, silence elsewhere, and a terminal that is left whole."""

import multiprocessing
import re
import subprocess
import sys
import threading

import pytest

from sklearn_blades.ground import progress
from sklearn_blades.ground.progress import on_a_terminal, progress_bar

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


def lines(sent):
    """What was drawn, drawing by drawing, without colours."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", sent)
    return [line.strip() for line in re.split(r"[\r\n]+", plain) if line.strip()]


def test_a_bar_says_what_is_done_and_how_much_there_is(terminal):
    with terminal, progress_bar("reading", 3, unit="files") as bar:
        for _ in range(3):
            bar.advance()
        bar.tell(note="all of them")
    shown = lines(terminal.sent)
    assert [re.search(r"\d/\d", line).group() for line in shown[1:4]] == ["1/3", "2/3", "3/3"]
    assert all(line.startswith("reading") for line in shown)
    assert shown[-1].endswith("all of them")


def test_phases_may_be_told_later(terminal):
    with terminal, progress_bar("training") as bar:
        bar.tell("epoch 1 of 2", total=8, done=4)
    assert lines(terminal.sent)[-1].split()[:4] == ["epoch", "1", "of", "2"]


def test_what_is_done_soon_needs_no_bar(terminal, monkeypatch):
    monkeypatch.setattr(progress, "AFTER", 60)
    with terminal, progress_bar("reading", 1) as bar:
        bar.advance()
    assert terminal.sent == ""


def test_nothing_goes_to_a_pipe(capsys):
    with progress_bar("reading", 1) as bar:
        bar.advance()
    assert capsys.readouterr() == ("", "")


def test_a_terminal_that_cannot_draw_gets_nothing(terminal, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    with terminal, progress_bar("reading", 1) as bar:
        bar.advance()
    assert terminal.sent == ""


@pytest.mark.parametrize("shown", [True, False])
def test_the_outermost_decides(terminal, shown):
    with terminal, progress_bar("outer", 2, shown=shown) as outer:
        outer.advance()
        with progress_bar("inner", 1) as inner:
            inner.advance()
        outer.advance()
    assert ("outer" in terminal.sent) is shown
    assert "inner" not in terminal.sent


def test_threads_draw_none_of_their_own_but_may_advance_one(terminal):
    seen = []

    def work(bar):
        seen.append(on_a_terminal())
        bar.advance()
        with progress_bar("inner", 1) as inner:
            inner.advance()

    with terminal, progress_bar("outer", 2) as bar:
        thread = threading.Thread(target=work, args=[bar])
        thread.start()
        thread.join()
    assert seen == [False]
    assert "1/2" in terminal.sent
    assert "inner" not in terminal.sent


def _in_a_worker(bar, answers):
    bar.advance()
    print("a worker says", file=sys.stderr, flush=True)
    answers.put((on_a_terminal(), type(sys.stderr).__name__))


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no forks on this system"
)
def test_workers_draw_nothing_and_can_speak(terminal):
    fork = multiprocessing.get_context("fork")
    answers = fork.Queue()
    with terminal, progress_bar("outer", 9) as bar:
        bar.advance()
        worker = fork.Process(target=_in_a_worker, args=[bar, answers])
        worker.start()
        assert answers.get(timeout=30) == (False, "TextIOWrapper")
        worker.join()
    assert "a worker says" in terminal.sent
    assert "2/9" not in terminal.sent


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_the_terminal_is_left_whole(terminal, error):
    def stopped():
        with progress_bar("reading", 3) as bar:
            bar.advance()
            raise error

    with terminal, pytest.raises(error):
        stopped()
    sent = terminal.sent
    assert sent.rindex(SHOW) > sent.rindex(HIDE)
    assert sent.endswith(("\n", SHOW))


def test_warnings_stand_above_the_bar_and_prints_reach_the_pipe(terminal, capsys):
    with terminal, progress_bar("reading", 2) as bar:
        bar.advance()
        print("a result")
        print("a doubt", file=sys.stderr)
        bar.advance()
    assert capsys.readouterr().out == "a result\n"
    shown = lines(terminal.sent)
    assert "a doubt" in shown
    assert "2/2" in shown[-1]


def test_rich_is_imported_when_a_bar_is_drawn():
    code = "from sklearn_blades.ground.progress import progress_bar\n"
    code += "with progress_bar('reading', 1) as bar: bar.advance()\n"
    code += "import sys; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
