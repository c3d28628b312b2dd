"""How many threads or processes of this machine do a piece of work."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from joblib import parallel_config
from joblib.parallel import (
    LokyBackend,
    MultiprocessingBackend,
    SequentialBackend,
    ThreadingBackend,
    effective_n_jobs,
    get_active_backend,
)

_HERE = LokyBackend, MultiprocessingBackend, ThreadingBackend

_SHARE: ContextVar[int | None] = ContextVar("share", default=None)


@contextmanager
def own_share(n_threads: int) -> Iterator[None]:
    """Inside, `local_jobs` is this number: a worker has its machine in common with others.

    >>> with own_share(2):
    ...     local_jobs(-1)
    2
    """
    token = _SHARE.set(n_threads)
    try:
        yield
    finally:
        _SHARE.reset(token)


def own_threads() -> int | None:
    """A worker's `own_share`; None in a process that has its machine to itself."""
    return _SHARE.get()


def local_jobs(n_jobs: int | None) -> int:
    """``n_jobs`` as a number of threads or processes of this machine.

    Parameters
    ----------
    n_jobs : int or None
        As in joblib: -1 means all cores, -2 all but one; None means what a surrounding
        ``joblib.parallel_config`` says of this machine, else 1.

    Returns
    -------
    int
        At least 1. A backend that sends work to other machines has no say: neither its number of
        cores nor the ``n_jobs`` that was said of them is meant for this one. Deep inside of other
        joblib loops, where joblib lets nothing run in parallel, it is 1; in a worker of a cluster
        its `own_share`.

    Examples
    --------
    >>> local_jobs(3), local_jobs(None)
    (3, 1)
    """
    if (share := _SHARE.get()) is not None:
        return share
    backend, said = get_active_backend()
    if isinstance(backend, SequentialBackend):
        return 1
    if n_jobs is None:
        n_jobs = said if type(backend) in _HERE else None  # a cluster's may be built on one
    with parallel_config("threading", n_jobs=1):  # else joblib answers for its own processes
        return effective_n_jobs(n_jobs)
