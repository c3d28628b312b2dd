"""A bar on the terminal while something long goes on, and silence everywhere else."""

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

AFTER = 1.0
"""Seconds that go by before a bar is shown: what is done sooner needs none."""

EVERY = 0.1
"""Seconds between two drawings of a bar, at least."""

_DUMB = ("dumb", "unknown")  # terminals that cannot draw a line anew


def on_a_terminal() -> bool:
    """Whether stderr is a terminal that this process and thread may draw on.

    Workers of joblib and of data loaders inherit the terminal; several bars at once would only
    overwrite each other.
    """
    return (
        sys.stderr is not None
        and sys.stderr.isatty()
        and os.environ.get("TERM", "").lower() not in _DUMB
        and multiprocessing.parent_process() is None
        and threading.current_thread() is threading.main_thread()
    )


class Bar:
    """What is told of a piece of work: its name, how much there is and how much is done.

    It draws when it is told something, in whichever thread: it has none of its own that a fork
    could catch with a lock in its hands.

    Parameters
    ----------
    what : str
    total : int or None
        None: told later.
    done : int
        What needs no work any more.
    unit : str
        Of what is counted, for a rate; "" for none.
    watched : bool
        False: nothing is ever shown.
    """

    def __init__(self, what: str, total: int | None, done: int, unit: str, watched: bool):
        self.what, self.total, self.done, self.unit = what, total, done, unit
        self.note, self.watched = "", watched
        self._begun, self._drawn = time.monotonic(), 0.0
        self._lock = threading.Lock()
        self._progress: Any = None
        self._streams = sys.stdout, sys.stderr

    def advance(self, more: int = 1) -> None:
        """So much more is done."""
        if self.watched:
            with self._lock:
                self.done += more
                self._draw()

    def tell(
        self,
        what: str | None = None,
        *,
        total: int | None = None,
        done: int | None = None,
        note: str | None = None,
    ) -> None:
        """What is done now, of how much, and a note that stands behind it."""
        if self.watched:
            with self._lock:
                self.what = self.what if what is None else what
                self.total = self.total if total is None else total
                self.done = self.done if done is None else done
                self.note = self.note if note is None else note
                self._draw()

    def _draw(self):
        now = time.monotonic()
        if now - self._begun < AFTER or (now - self._drawn < EVERY and self.done != self.total):
            return
        if self._progress is None:
            self._progress = _drawing(self.what, self.total, self.done, self._begun)
        self._update()
        self._drawn = now

    def _update(self):
        progress = self._progress
        speed = progress.tasks[0].speed
        rate = f"{speed:.0f} {self.unit}/s" if self.unit and speed and speed >= 1 else ""
        how = {"total": self.total, "completed": self.done, "rate": rate, "note": self.note}
        progress.update(progress.tasks[0].id, description=self.what, refresh=True, **how)

    def close(self) -> None:
        """Leave the bar as it stands, and the terminal as it was."""
        if self._progress is not None:
            try:
                self._update()
            finally:
                self._progress.stop()
                self._progress = None

    def left_to_the_parent(self) -> None:
        """In a forked copy: what it says goes to the terminal itself, and nothing is drawn."""
        self.watched = False
        if self._progress is not None:
            self._progress = None
            sys.stdout, sys.stderr = self._streams


_enclosing: Bar | None = None  # of the main thread


@contextmanager
def progress_bar(
    what: str, total: int | None = None, done: int = 0, *, shown: bool = True, unit: str = ""
) -> Iterator[Bar]:
    """Within the block a `Bar`, on stderr where that is a terminal.

    Of blocks within each other the outermost decides whether there is a bar, and draws its own.

    Parameters
    ----------
    what, total, done, unit : as in `Bar`
    shown : bool
        False, or a stderr that is no terminal: nothing is shown.
    """
    global _enclosing
    if threading.current_thread() is not threading.main_thread() or _enclosing is not None:
        yield Bar(what, total, done, unit, watched=False)
        return
    bar = _enclosing = Bar(what, total, done, unit, watched=shown and on_a_terminal())
    try:
        yield bar
    finally:  # after Ctrl-C as well: the cursor comes back, and stderr is what it was
        _enclosing = None
        bar.close()


def _drawing(what, total, done, begun):
    """The bar of rich, begun; what is printed meanwhile appears above it."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column

    # Where the terminal is narrow, the bar alone gives way.
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(elapsed_when_finished=True, table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[note]}", markup=False),
        console=Console(stderr=True),
        auto_refresh=False,
        speed_estimate_period=300,
        # A pipe must get what is printed to it; rich would send it to stderr.
        redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
        get_time=time.monotonic,
    )
    progress.add_task(what, total=total, completed=done, rate="", note="")
    progress.tasks[0].start_time = begun
    progress.start()
    return progress


def _forget():
    global _enclosing
    if _enclosing is not None:
        _enclosing.left_to_the_parent()
        _enclosing = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
