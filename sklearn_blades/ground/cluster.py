"""Work for the workers of a joblib backend, on this machine or on others: in pieces, in order."""

import hashlib
import os
import pickle
import socket
import sys
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
from joblib import Parallel, delayed, parallel_config
from joblib.parallel import (
    MultiprocessingBackend,
    SequentialBackend,
    ThreadingBackend,
    get_active_backend,
)

from .jobs import own_share
from .warn import warn

CHUNK = 1000
"""Photographs that a worker is given at once, at most."""

TURNS = 4
"""Pieces for each worker, at least: who is fast takes more of them, and all end together."""

KEPT = 2
"""Objects that were sent, which a worker keeps for the pieces to come."""

# Forked copies of a process in which torch has run may wait for its threads for ever.
_NOT_FOR_THIS = SequentialBackend, ThreadingBackend, MultiprocessingBackend


def cluster_workers() -> int:
    """How many pieces of work the surrounding ``joblib.parallel_config`` does at once elsewhere.

    Returns
    -------
    int
        0 where all work stays in this process: no backend was named, or one of threads, or one
        whose only worker joblib would not use either; or this is a worker already.
    """
    backend, said = get_active_backend(prefer="threads")  # which a backend that was named overrides
    if type(backend) in _NOT_FOR_THIS or backend.nesting_level or _in_a_dask_task():
        return 0
    n = backend.effective_n_jobs(said)
    return n if n > 1 else 0


def _in_a_dask_task():
    worker = sys.modules.get("distributed.worker")
    return worker is not None and hasattr(worker.thread_state, "execution_state")


def chunk_length(n: int, workers: int, step: int, most: int = CHUNK) -> int:
    """Rows of a piece: a multiple of ``step``, at most ``most`` of them where that is no less.

    >>> chunk_length(100_000, 2, 13), chunk_length(400, 2, 13), chunk_length(5, 2, 13)
    (988, 52, 13)
    """
    wanted = -(-n // (TURNS * workers))
    return max(step, min(-(-wanted // step), most // step) * step)


def spread(
    work: Callable[[Any, Sequence], Any], sent: bytes, chunks: Iterable[Sequence]
) -> Generator[tuple[Any, list[Warning]], None, None]:
    """Let workers do ``work(what was sent, chunk)``, and give their answers in order.

    What is sent reaches a worker once a call, whatever the number of chunks: Dask scatters it,
    loky's processes map one file.

    Parameters
    ----------
    work : function at the top of a module
    sent : bytes
        A pickle; see `sklearn_blades.towers.packing`.
    chunks : iterable of sequences
        Taken as workers become free.

    Yields
    ------
    answer : object
    said : list of Warning
        What was warned of meanwhile: the caller says it, once.
    """
    payload = np.frombuffer(sent, dtype=np.uint8)  # the one kind of thing that all backends share
    name = hashlib.sha256(sent).hexdigest()
    tasks = (delayed(_piece)(payload, name, work, chunk) for chunk in chunks)
    backend, _ = get_active_backend()
    if not getattr(backend, "supports_return_generator", False):  # Ray gives all or nothing
        turn = TURNS * cluster_workers()
        with Parallel() as workers:  # which stay from one turn to the next
            while wave := [*islice(tasks, turn)]:
                yield from workers(wave)
        return
    with _on_every_worker(backend, payload):
        parallel = Parallel(return_as="generator")
    answers = parallel(tasks)
    try:
        # `yield from` would close it before `finally`.
        for answer in answers:  # noqa: UP028
            yield answer
    finally:
        with warnings.catch_warnings():
            # Where an error or Ctrl-C ends the work, joblib advises to have asked for less.
            warnings.simplefilter("ignore")
            answers.close()


@contextmanager
def _on_every_worker(backend, payload):
    """Dask makes one copy, and others when they are asked for; it cannot make up for a lost one.

    With a copy on each, a worker that is killed costs the pieces that it was at, and no more.
    """
    if type(backend).__name__ != "DaskDistributedBackend":
        yield
        return
    kept = {"client": backend.client, **backend.submit_kwargs}
    with parallel_config("dask", scatter=[payload], **kept):
        yield


_sent: OrderedDict[str, Any] = OrderedDict()
_unpacking = threading.Lock()


def _piece(payload, name, work, chunk):
    """In a worker: one chunk, on this worker's own share of its machine."""
    share = _share()
    with _unpacking, own_share(share):
        if name not in _sent:
            _sent[name] = pickle.loads(payload)  # by our own caller, over the backend's own channel
        _sent.move_to_end(name)
        while len(_sent) > KEPT:
            _sent.popitem(last=False)
        what = _sent[name]
    with heard() as said, parallel_config("threading", n_jobs=share), own_share(share):
        answer = work(what, chunk)
    return answer, said


def _share():
    """Cores that are meant for one piece: loky, Dask's nannies and Ray say it to OpenMP."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, int(said)) if said.isdecimal() else 1


def check_sight(files: Sequence[str], home: str) -> None:
    """In a worker: raise where it does not see the files that its caller, in ``home``, sees.

    Raises
    ------
    FileNotFoundError
    """
    here = socket.gethostname()
    relative = next((file for file in files if not os.path.isabs(file)), None)  # noqa: PTH117
    if relative is not None and not _same_folder(home):
        raise FileNotFoundError(
            f"{relative} is meant from {home}, and a worker on {here} works in {os.getcwd()}: "  # noqa: PTH109
            "name files by absolute paths (os.path.abspath)."
        )
    if files and not any(map(os.path.lexists, files)):
        raise FileNotFoundError(
            f"a worker on {here} sees none of the {len(files)} files that it was given, such as "
            f"{files[0]}: every machine of the cluster must have the photographs at the same place."
        )


def _same_folder(home):
    try:
        return os.path.samefile(home, os.curdir)  # noqa: PTH121
    except OSError:
        return False


class _Listener(threading.local):
    said: list[Warning] | None = None


_listener, _guard = _Listener(), threading.Lock()
_listening: list[Any] = []  # the same one for each thread that listens


@contextmanager
def heard() -> Iterator[list[Warning]]:
    """Collect the warnings of this thread, while other threads collect theirs.

    (``warnings.catch_warnings`` belongs to the process, and a worker of Dask has many threads.)

    Examples
    --------
    >>> with heard() as said:
    ...     warnings.warn("unusual")
    >>> said
    [UserWarning('unusual')]
    """
    with _guard:
        if not _listening:
            catch: Any = warnings.catch_warnings()
            catch.__enter__()
            warnings.simplefilter("always")
            warnings.showwarning = _heard(warnings.showwarning)
        _listening.append(_listening[0] if _listening else catch)
    before, _listener.said = _listener.said, []
    try:
        yield _listener.said
    finally:
        _listener.said = before
        with _guard:
            catch = _listening.pop()
            if not _listening:
                catch.__exit__(None, None, None)


def _heard(elsewhere):
    def showwarning(message, category, *where, **how):
        if _listener.said is None:
            elsewhere(message, category, *where, **how)
        else:
            _listener.said.append(message)

    return showwarning


def say_again(said: Iterable[Warning], known: set) -> None:
    """Warn of what workers were warned of, each sentence once; ``known`` are those of before."""
    for warning in said:
        sentence = type(warning), str(warning)
        if sentence not in known:
            known.add(sentence)
            warn(warning)
