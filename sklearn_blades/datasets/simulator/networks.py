"""The networks of the learned generators: what turns random numbers into a picture.

A picture is made in two steps, as latent generators do it: a *plan*, a small map of 24 by 24
places with four numbers each, which `Denoiser` draws in many steps from noise (diffusion) or
`Dreamer` at once from a vector (variational autoencoder), and a `Painter` that makes 192 by 192
pixels of it. What only training needs is in the benchmarks.
"""

import math
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

PLAN = (4, 24, 24)
SIDE = 192
GRAINS = ((1, 48, 48), (1, 96, 96), (1, 192, 192))
N_SOURCES = 2


def unit(x):
    """Unit mean square over the channels, at each place: crops and whole pictures are alike."""
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-4)


def conv(inward, outward, stride=1):
    return nn.Conv2d(inward, outward, 3, stride=stride, padding=1)


class Residual(nn.Module):
    """Two convolutions beside the way through; a condition turns their channels up and down."""

    def __init__(self, width, n_condition=0):
        super().__init__()
        self.first, self.second = conv(width, width), conv(width, width)
        self.turn = nn.Linear(n_condition, 2 * width) if n_condition else None
        nn.init.zeros_(self.second.weight)

    def forward(self, x, condition=None):
        hidden = unit(self.first(F.silu(unit(x))))
        if self.turn is not None:
            gain, shift = self.turn(condition)[..., None, None].chunk(2, dim=1)
            hidden = hidden * (1 + gain) + shift
        return x + self.second(F.silu(hidden))


def _plain(width):
    return nn.Sequential(nn.SiLU(), conv(width, width))


class Upsampling(nn.Module):
    """Twice as many pixels by a transposed convolution, and grain where the picture wants it."""

    def __init__(self, inward, outward, body=Residual):
        super().__init__()
        self.up = nn.ConvTranspose2d(inward, outward, 4, stride=2, padding=1)
        self.grain = nn.Conv2d(outward, outward, 1)
        self.body = body(outward)

    def forward(self, x, noise=None):
        x = self.up(F.silu(x))
        if noise is not None:
            x = x + noise * self.grain(x)
        return self.body(x)


class Painter(nn.Module):
    """From a plan to a picture.

    Plans come in standardised; ``mean`` and ``deviation`` give them back the scale that the
    painter learned with. A plan of another size gives a picture eight times as wide.
    """

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(PLAN[0], 1, 1))
        self.register_buffer("deviation", torch.ones(PLAN[0], 1, 1))
        self.enter, self.body = conv(PLAN[0], 80), Residual(80)
        last = Upsampling(24, 12, body=_plain)  # most of the pixels, so most of the time
        self.stages = nn.ModuleList([Upsampling(80, 48), Upsampling(48, 24), last])
        self.leave = conv(12, 3)

    def forward(self, plan, grains):
        """Pictures of shape (n, 3, side, side), about [-1, 1], from plans and standard normals."""
        x = self.body(self.enter(plan * self.deviation + self.mean))
        for stage, grain in zip(self.stages, grains, strict=True):
            x = stage(x, grain)
        return self.leave(F.silu(x))


class Attention(nn.Module):
    """Every place of a map looks at every other."""

    def __init__(self, width):
        super().__init__()
        self.look, self.take = nn.Conv2d(width, 3 * width, 1), nn.Conv2d(width, width, 1)
        nn.init.zeros_(self.take.weight)

    def forward(self, x):
        heads = self.look(unit(x)).flatten(2).transpose(1, 2).unflatten(2, (3, -1, 16))
        query, key, value = heads.permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(query, key, value)
        return x + self.take(seen.transpose(2, 3).flatten(1, 2).unflatten(2, x.shape[2:]))


class Denoiser(nn.Module):
    """The velocity of a noisy plan: a U-Net on 24, 12 and 6 places a side."""

    WIDTHS = (48, 64, 96)

    def __init__(self, n_condition=96):
        super().__init__()
        fine, middle, coarse = self.WIDTHS
        self.condition = nn.Sequential(
            nn.Linear(32 + N_SOURCES, n_condition), nn.SiLU(), nn.Linear(n_condition, n_condition)
        )
        self.enter, self.leave = conv(PLAN[0], fine), conv(fine, PLAN[0])
        self.down = nn.ModuleList([conv(fine, middle, 2), conv(middle, coarse, 2)])
        self.up = nn.ModuleList([conv(coarse, middle), conv(middle, fine)])
        widths = (fine, middle, coarse, middle, fine)
        self.bodies = nn.ModuleList([Residual(width, n_condition) for width in widths])
        self.attentions = nn.ModuleList([Attention(middle), Attention(coarse)])
        nn.init.zeros_(self.leave.weight)

    def forward(self, plan, time, source):
        """``time`` of shape (n,) in [0, 1]: 0 = the plan, 1 = nothing but noise."""
        angles = time[:, None] * torch.logspace(0, 2.5, 16, device=time.device)
        known = torch.cat([angles.sin(), angles.cos(), source], dim=1)
        condition = F.silu(self.condition(known))
        fine = self.bodies[0](self.enter(plan), condition)
        middle = self.attentions[0](self.bodies[1](self.down[0](fine), condition))
        coarse = self.attentions[1](self.bodies[2](self.down[1](middle), condition))
        middle = self.bodies[3](middle + self.up[0](_doubled(coarse)), condition)
        fine = self.bodies[4](fine + self.up[1](_doubled(middle)), condition)
        return self.leave(F.silu(unit(fine)))


def _doubled(x):
    return F.interpolate(x, scale_factor=2, mode="nearest")


def signal_and_noise(time):
    """Shares of plan and noise at a time, with squares that add up to 1."""
    return torch.cos(0.5 * math.pi * time), torch.sin(0.5 * math.pi * time)


def denoise(denoiser, noise, source, n_steps):
    """DDIM (Song et al. 2021, https://arxiv.org/abs/2010.02502): noise to standardised plans.

    The network tells the velocity ``v = signal * noise - noise_share * plan`` (Salimans and Ho
    2022, https://arxiv.org/abs/2202.00512), from which plan and noise follow at any time.
    """
    x, times = noise, torch.linspace(1, 0, n_steps + 1)
    for now, after in pairwise(times):
        velocity = denoiser(x, now.to(x.device).expand(len(x)), source)
        signal, share = signal_and_noise(now)
        plan, rest = signal * x - share * velocity, share * x + signal * velocity
        signal, share = signal_and_noise(after)
        x = signal * plan + share * rest
    return x


class Diffusion(nn.Module):
    """A map of normals -> plan, in ``N_STEPS`` -> picture."""

    START = PLAN
    N_STEPS = 25

    def __init__(self):
        super().__init__()
        self.denoiser, self.painter = Denoiser(), Painter()

    def forward(self, start, source, grains):
        return self.painter(denoise(self.denoiser, start, source, self.N_STEPS), grains)


class Dreamer(nn.Module):
    """From a vector and a source (one-hot) to a standardised plan."""

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
    """The decoder of a variational autoencoder: a vector of normals -> plan -> picture.

    Vectors are drawn as those of photographs are spread, a Gaussian for each source, and not as the
    prior has them: what lies between decodes to no face (Ghosh et al. 2020,
    https://arxiv.org/abs/1903.12436).
    """

    START = (Dreamer.N_LATENT,)

    def __init__(self):
        super().__init__()
        self.dreamer, self.painter = Dreamer(), Painter()
        n = Dreamer.N_LATENT
        self.register_buffer("mean", torch.zeros(N_SOURCES, n))
        self.register_buffer("spread", torch.eye(n).repeat(N_SOURCES, 1, 1))

    def forward(self, start, source, grains):
        spread = torch.einsum("ns,sij,nj->ni", source, self.spread, start)
        return self.painter(self.dreamer(source @ self.mean + spread, source), grains)


NETWORKS = {"diffusion": Diffusion, "vae": VAE}
