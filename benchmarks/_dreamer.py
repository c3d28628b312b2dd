"""A variational autoencoder of the simulated world, whose pictures are no faces yet."""

import torch
from torch import nn
from torch.nn import functional as F

from sklearn_blades.datasets.simulator.networks import (
    N_SOURCES,
    PLAN,
    Painter,
    Residual,
    Upsampling,
    conv,
    unit,
)


class Dreamer(nn.Module):
    """From a standard normal vector and a source (one-hot) to a standardised plan."""

    N_LATENT = 96

    def __init__(self):
        super().__init__()
        self.enter = nn.Linear(self.N_LATENT + N_SOURCES, 64 * 6 * 6)
        self.body = Residual(64)
        self.stages = nn.ModuleList([Upsampling(64, 64), Upsampling(64, 48)])
        self.leave = conv(48, PLAN[0])

    def forward(self, latent, source):
        x = self.body(self.enter(torch.cat([latent, source], dim=1)).unflatten(1, (64, 6, 6)))
        for stage in self.stages:
            x = stage(x)
        return self.leave(F.silu(unit(x)))


class VAE(nn.Module):
    """A vector of normals -> plan -> picture."""

    START = (Dreamer.N_LATENT,)

    def __init__(self):
        super().__init__()
        self.dreamer, self.painter = Dreamer(), Painter()

    def forward(self, start, source, grains):
        return self.painter(self.dreamer(start, source), grains)
