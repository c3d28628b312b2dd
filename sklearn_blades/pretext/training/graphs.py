"""A step's arithmetic on a card as CUDA graphs: one launch in the place of thousands.

A card computes the small kernels of a step faster than Python can ask for them. A graph is what was
asked for once, with the addresses of all that took part: launched again, it does the same
arithmetic on what stands there by then.
"""

import gc
import threading
from contextlib import suppress
from itertools import chain

import torch

from ...ground.device import random_state

# A recording begins by waiting for all that the card does, and no recording can be waited for.
_ONE_AT_A_TIME = threading.Lock()
_MODE = "thread_local"  # meanwhile a loader's thread pins memory for the next batch


class Recorded:
    """Calls of a computation on a card, recorded for each shape of its inputs, then replayed.

    The first call of a shape is made as ever, for what is done once, and to see whether torch's
    generators are drawn from: a recording would draw alike each time, so then there is none. Nor is
    there one where the module does what cannot be recorded or the card has no room. For a new shape
    what was recorded is given up, so that the card never needs room for both, and recorded again;
    so it is where something moved to another address.

    Parameters
    ----------
    module : nn.Module
        On a CUDA device.

    Attributes
    ----------
    possible : bool
        False once a recording turned out not to be.
    recordings : dict
        By shape.
    """

    def __init__(self, module):
        self._module, self._met, self._addresses = module, set(), None
        self.possible = True
        self._forget()

    def __call__(self, compute, *inputs):
        """What ``compute(*inputs)`` returns.

        Parameters
        ----------
        compute : callable
            The same each time: from tensors and floats, in tuples and dictionaries, to a tuple of
            tensors. It gives the parameters of the module their gradients, may change its buffers
            in place, and does nothing else.
        """
        kind = tuple((x.shape, x.dtype) for x in _leaves(inputs) if isinstance(x, torch.Tensor))
        if kind not in self._met:
            self._met.add(kind)
            return self._watched(compute, inputs)
        if self.possible:
            self._forget_what_moved()
            if kind not in self.recordings:
                self._record(kind, compute, inputs)
        return self.recordings.get(kind, compute)(*inputs)

    def _watched(self, compute, inputs):
        device = next(self._module.parameters()).device
        before = random_state(device)
        self._forget()
        outputs = compute(*inputs)
        self.possible &= all(map(torch.equal, before, random_state(device)))
        return outputs

    def _forget_what_moved(self):
        state = chain(self._module.parameters(), self._module.buffers())
        addresses = [(x.data_ptr(), x.requires_grad) for x in state]
        if addresses != self._addresses:
            self._addresses = addresses
            self._forget()

    def _forget(self):
        self.recordings, self._room = {}, None

    def _record(self, kind, compute, inputs):
        parameters = list(self._module.parameters())
        device = parameters[0].device
        # Graphs reuse each other's room where they have pool and stream in common.
        self._room = self._room or (torch.cuda.graph_pool_handle(), torch.cuda.Stream(device))
        with _ONE_AT_A_TIME:
            try:
                self.recordings[kind] = _Recording(compute, inputs, parameters, *self._room)
            except RuntimeError:  # of any kind that torch has: no room, a number asked for
                self._module.zero_grad()
                _end_recording(device, self._room[0])
                self.possible = False
                self._forget()


class _Recording:
    """One graph, with inputs, outputs and gradients at addresses of its own.

    What it leaves is to be taken before another graph of the same room runs.
    """

    def __init__(self, compute, inputs, parameters, pool, stream):
        like = parameters[0]
        self._inputs = _mapped(
            lambda x: x.clone() if isinstance(x, torch.Tensor) else like.new_tensor(x), inputs
        )
        self._graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize(like.device)
        gc.collect()
        torch.cuda.empty_cache()  # the room of steps that were not recorded
        # Not `torch.cuda.graph`, which leaves its stream current where a recording breaks off.
        with torch.cuda.stream(stream):
            self._graph.capture_begin(pool, capture_error_mode=_MODE)
            try:
                self._outputs = compute(*self._inputs)
            finally:
                self._graph.capture_end()
        self._gradients = [(parameter, parameter.grad) for parameter in parameters]

    def __call__(self, *inputs):
        for kept, new in zip(_leaves(self._inputs), _leaves(inputs), strict=True):
            if isinstance(new, torch.Tensor):
                kept.copy_(new)
            else:
                kept.fill_(new)
        self._graph.replay()
        for parameter, gradient in self._gradients:
            parameter.grad = gradient
        return tuple(output.clone() for output in self._outputs)


def _end_recording(device, pool):
    """Where a recording broke off, torch's allocator and generator may take it to go on.

    The one would keep all that is freed from then on, the other would draw nothing any more.
    """
    with suppress(AttributeError, RuntimeError):  # of another torch; or it did end
        torch._C._cuda_endAllocateToPool(device.index, pool)
        torch._C._cuda_releasePool(device.index, pool)
    empty = torch.cuda.graph(torch.cuda.CUDAGraph(), capture_error_mode=_MODE)
    with torch.cuda.device(device), empty:
        torch.zeros(1, device=device)


def _leaves(tree):
    """The tensors and floats in tuples and dictionaries; what else there is stays as it was."""
    if isinstance(tree, dict):
        tree = tuple(tree.values())
    if isinstance(tree, tuple):
        for part in tree:
            yield from _leaves(part)
    elif isinstance(tree, torch.Tensor | float):
        yield tree


def _mapped(function, tree):
    if isinstance(tree, dict):
        return {name: _mapped(function, part) for name, part in tree.items()}
    if isinstance(tree, tuple):
        return tuple(_mapped(function, part) for part in tree)
    return function(tree) if isinstance(tree, torch.Tensor | float) else tree
