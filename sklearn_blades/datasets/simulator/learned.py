"""Learned generators: a diffusion model and a variational autoencoder of the simulated world.

`benchmarks/train_generators.py` trained them on the simulator's photographs of both sources; the
weights lie beside this file. They draw whole pictures, people and all, from random numbers.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np

LEARNED = ("diffusion", "vae")
_SOURCES = ("first", "second")  # in the order of the training
_TOGETHER = 8


def draw(name, source, generators):
    """Draw a picture with each of some random generators.

    Parameters
    ----------
    name : {"diffusion", "vae"}
    source : {"first", "second"}
        Whose look.
    generators : list of numpy Generator
        One for each picture.

    Yields
    ------
    ndarray of shape (192, 192, 3), uint8
        In order. A picture depends on its own generator alone.
    """
    for first in range(0, len(generators), _TOGETHER):
        yield from _draw_together(name, source, generators[first : first + _TOGETHER])


def _draw_together(name, source, generators):
    import torch

    from .networks import GRAINS

    network = _network(name)
    shapes = (network.START, *GRAINS)
    drawn = [[rng.standard_normal(shape, np.float32) for shape in shapes] for rng in generators]
    # Always as many pictures at a time: the last bits of a convolution depend on their number.
    drawn += drawn[-1:] * (_TOGETHER - len(drawn))
    start, *grains = (torch.from_numpy(np.stack(parts)) for parts in zip(*drawn, strict=True))
    whose = torch.zeros(_TOGETHER, len(_SOURCES))
    whose[:, _SOURCES.index(source)] = 1
    with torch.inference_mode():
        pictures = network(start, whose, grains)[: len(generators)]
    pixels = (127.5 * (pictures + 1)).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous().numpy()


@lru_cache
def _network(name):
    import torch
    from safetensors.torch import load_file

    from .networks import NETWORKS

    with torch.random.fork_rng(devices=[]):  # the weights that it begins with are drawn
        network = NETWORKS[name]()
    weights = load_file(Path(__file__).parent / "weights" / f"{name}.safetensors")
    network.load_state_dict(weights)  # from half precision to single
    return network.eval().requires_grad_(False)
