"""A bar on the terminal, and silence everywhere else."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def on_a_terminal() -> bool:
    """Whether somebody watches stderr."""
    return sys.stderr is not None and sys.stderr.isatty()


@contextmanager
def progress_bar(total: int, done: int, *, shown: bool = True) -> Iterator[Callable[[int], None]]:
    """Yield what is told of every step: a number of files.

    Parameters
    ----------
    total, done : int
        Files of all, and those that need no work any more.
    shown : bool
        False, or a stderr that is no terminal: nothing is shown.
    """
    if not (shown and on_a_terminal()):
        yield lambda files: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("scan", total=total, completed=done, rate="")

        def advance(files):
            progress.advance(task, files)
            speed = progress.tasks[0].speed
            progress.update(task, rate="" if speed is None else f"{speed:.0f} files/s")

        yield advance
