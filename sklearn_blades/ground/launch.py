"""Which processes are ranks of a run (``torchrun``), and the group in which they learn together."""

import itertools
import os
import threading
from contextlib import contextmanager, nullcontext
from functools import cache
from multiprocessing import parent_process

import torch
import torch.distributed as dist

from .ranks import ALONE, TIMEOUT, Group, in_short

_NAMES = {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
_fits = itertools.count()
_inherited = False  # a group that was there before this process was forked off


def launched():
    """Whether torchrun, or what speaks its language, started this process or one above it."""
    return os.environ.keys() >= _NAMES


def own_card():
    """The number, on this machine, of the card that is this rank's; None where nobody dealt any."""
    return int(os.environ["LOCAL_RANK"]) if launched() and "LOCAL_RANK" in os.environ else None


@contextmanager
def joined(device):
    """Yield the `Ranks` that learn with this process: `ALONE`, unless it is a rank.

    It is one where torchrun started it, or where it made a process group of torch. A group that is
    begun here ends here.

    Parameters
    ----------
    device : torch.device
        Where this rank computes.

    Raises
    ------
    ValueError
        If several ranks cannot compute on such a device.
    ConnectionError
        If the others do not come.
    """
    if not _is_rank():
        yield ALONE
        return
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"device={str(device)!r}: several ranks compute on 'cpu' or on 'cuda'.")
    begun_here, ranks = not dist.is_initialized(), None
    with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
        try:
            ranks = _met(device)
            yield ranks
        finally:
            if ranks is not None:
                ranks.part()
            if begun_here and dist.is_initialized():
                dist.destroy_process_group()


def _is_rank():
    """Threads beside the main one and workers of joblib have a rank's environment, but are none.

    A worker of multiprocessing is a rank where it made a group itself.
    """
    main = threading.current_thread() is threading.main_thread()
    if _inherited or not main or not dist.is_available():
        return False
    if dist.is_initialized():
        return dist.get_world_size() > 1
    return parent_process() is None and launched() and int(os.environ["WORLD_SIZE"]) > 1


def _met(device):
    try:
        if not dist.is_initialized():
            store, rank, size = _meeting_point()
            # Each fit has a part of the store to itself: the last one's addresses still lie there.
            store = dist.PrefixStore(f"sklearn_blades fit {next(_fits)}", store)
            how = {"store": store, "rank": rank, "world_size": size, "timeout": TIMEOUT}
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo", **how)
        return Group()
    except RuntimeError as error:
        raise ConnectionError(
            f"Not all ranks of this run came ({in_short(error)}). Every rank must call fit; where "
            "one failed before, it says why itself."
        ) from None


@cache
def _meeting_point():
    """Store, rank and number of ranks; made once a process, since rank 0 may serve the store."""
    return next(dist.rendezvous("env://", timeout=TIMEOUT))


def _forked():
    global _inherited
    _inherited = dist.is_available() and dist.is_initialized()
    _meeting_point.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
