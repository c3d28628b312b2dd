"""Processes that learn one thing together (``torchrun``): which of them this is, what they share.

Each rank computes a share of every batch. Logits are gathered, so that every rank has the losses of
the whole batch and differentiates them by its own rows; the mean of the ranks' gradients is then
what one process with the whole batch has.
"""

import pickle
import warnings
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from functools import partial

import torch
import torch.distributed as dist

TIMEOUT = timedelta(minutes=30)
"""So long a rank waits for the others in a step; one that was killed is noticed at once."""

PATIENCE = timedelta(days=1)
"""So long the others wait for what rank 0 does alone, such as finding a million faces."""


class Ranks:
    """The ranks of a run as one of them sees them; this class is a process that is alone.

    Attributes
    ----------
    rank : int
        Rank 0 writes, prints and cuts crops.
    size : int
        How many there are.
    """

    rank, size = 0, 1

    @property
    def first(self):
        """Whether this is rank 0."""
        return self.rank == 0

    @property
    def share(self):
        """Which photographs of a batch are this rank's: every so many, so that kinds are spread."""
        return slice(self.rank, None, self.size)

    def once(self, work):
        """What ``work()`` returns on rank 0, on all ranks; an error there is raised on all."""
        return work()

    def all(self, value):
        """The ``value`` of every rank, in their order; anything that pickles."""
        return [value]

    def meet(self, targets):
        """The targets of all ranks' rows, and a function that brings logits together likewise.

        Parameters
        ----------
        targets : dict of str to Tensor
            Of this rank's rows, on the CPU.

        Returns
        -------
        targets : dict of str to Tensor
        whole : callable
            From logits of this rank's rows to those of all; where losses of them are differentiated
            on every rank, the mean of the ranks' gradients is the gradient.
        """
        return targets, _same

    def mean(self, tensors):
        """The means over the ranks, to the same bits on each.

        Parameters
        ----------
        tensors : dict of str to Tensor

        Returns
        -------
        dict of str to Tensor
        """
        return tensors

    def quiet(self):
        """A context in which rank 0 alone warns of what all of them see."""
        return nullcontext()

    def agree(self, facts, cure):
        """Raise a ValueError, on all ranks, where one of them has other facts than rank 0.

        Parameters
        ----------
        facts : dict of str to str
        cure : str
            What to do about it.
        """
        first, *others = self.all(facts)
        for rank, theirs in enumerate(others, 1):
            for what, fact in first.items():
                if theirs.get(what) != fact:
                    raise ValueError(
                        f"{what}: {theirs.get(what)} on rank {rank}, but {fact} on rank 0. {cure}"
                    )


ALONE = Ranks()


class Group(Ranks):
    """The ranks of a process group of torch."""

    def __init__(self):
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        # What is said from CPU to CPU waits for no accelerator.
        self._steps = dist.new_group(backend="gloo", timeout=TIMEOUT)
        self._patient = dist.new_group(backend="gloo", timeout=PATIENCE)

    def part(self):
        """Hang up, so that those who still wait for this rank hear of it; torch's group stays."""
        for group in (self._steps, self._patient):
            dist.destroy_process_group(group)
        # Connections last as long as anybody holds the groups, an error's traceback for one.
        self._steps = self._patient = None

    def once(self, work):
        done, failed = None, None
        if self.first:
            try:
                done = work()
            except Exception as error:
                failed = error
        told = [(done, _sendable(failed))]
        with self._heard():
            dist.broadcast_object_list(told, src=0, group=self._patient)
        if not self.first:
            done, failed = told[0]
        if failed is not None:
            raise failed
        return done

    def all(self, value):
        values = [None] * self.size
        with self._heard():
            dist.all_gather_object(values, value, group=self._steps)
        return values

    def meet(self, targets):
        parts = self.all(targets)
        sizes = [len(next(iter(part.values()))) for part in parts]
        whole = {name: torch.cat([part[name] for part in parts]) for name in targets}
        return whole, partial(_Whole.apply, self, sizes)

    def rows_of_all(self, rows, sizes):
        """``rows`` of this rank, and those of all others; ``sizes``: how many each has."""
        # Collectives want one shape: the shorter shares are filled up, and cut afterwards.
        sent = rows.new_zeros(max(sizes), *rows.shape[1:])
        sent[: len(rows)] = rows
        parts = [torch.empty_like(sent) for _ in sizes]
        with self._heard():
            dist.all_gather(parts, sent)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    def mean(self, tensors):
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors.values()])
        with self._heard():
            dist.all_reduce(flat)  # one sum, sent to all: the ranks do not add for themselves
        parts = (flat / self.size).split([tensor.numel() for tensor in tensors.values()])
        return {
            name: part.view(tensor.shape).to(tensor.dtype)
            for part, (name, tensor) in zip(parts, tensors.items(), strict=True)
        }

    @contextmanager
    def quiet(self):
        with warnings.catch_warnings():
            if not self.first:
                warnings.simplefilter("ignore")
            yield

    @contextmanager
    def _heard(self):
        try:
            yield
        except RuntimeError as error:  # gloo's and NCCL's
            raise ConnectionError(
                f"Rank {self.rank} of {self.size} lost another rank ({in_short(error)}). It "
                "ended, was killed, or is at something else; if it failed, it says why itself."
            ) from None


class _Whole(torch.autograd.Function):
    """Rows of all ranks, differentiable by those of this one."""

    @staticmethod
    def forward(ctx, ranks, sizes, rows):
        start = sum(sizes[: ranks.rank])
        ctx.own, ctx.size = slice(start, start + len(rows)), ranks.size
        return ranks.rows_of_all(rows, sizes)

    @staticmethod
    def backward(ctx, gradient):
        # The transpose of a gather is a sum over the ranks. They all differentiate the same losses,
        # so the sum is one rank's part times their number, and nothing need be sent.
        return None, None, gradient[ctx.own] * ctx.size


def _same(logits):
    return logits


def _sendable(error):
    """The error, or one with its words where it does not survive being sent."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def in_short(error):
    """What a library says first, without the place in its source."""
    words = str(error).strip().partition("\n")[0]
    words = words.partition("] ")[2] if words.startswith("[") else words
    return words.partition(". ")[0]
