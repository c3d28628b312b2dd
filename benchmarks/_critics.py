"""What the learned generators need in training only: networks that look, and losses."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from sklearn_blades.datasets.simulator.networks import PLAN, Dreamer, Residual, conv


class Encoder(nn.Module):
    """From a picture in [-1, 1] to a plan: its mean and its log variance, place by place."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 24, 4, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(24, 48, 4, stride=2, padding=1),
            Residual(48),
            nn.SiLU(),
            nn.Conv2d(48, 96, 4, stride=2, padding=1),
            Residual(96),
            nn.SiLU(),
            conv(96, 2 * PLAN[0]),
        )

    def forward(self, pictures):
        return self.layers(pictures).chunk(2, dim=1)


class Recogniser(nn.Module):
    """From a standardised plan to the vector that may have been dreamt: mean and log variance."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            conv(PLAN[0], 64),
            Residual(64),
            nn.SiLU(),
            conv(64, 96, stride=2),
            Residual(96),
            nn.SiLU(),
            conv(96, 128, stride=2),
            Residual(128),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(128 * 36, 2 * Dreamer.N_LATENT),
        )

    def forward(self, plans):
        return self.layers(plans).chunk(2, dim=1)


class Critic(nn.Module):
    """Patches of a picture: photograph (high) or painted (low)."""

    def __init__(self):
        super().__init__()
        widths = (3, 32, 64, 96)
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(inward, outward, 4, stride=2, padding=1))
            for inward, outward in pairwise(widths)
        )
        self.verdict = spectral_norm(conv(widths[-1], 1))

    def forward(self, pictures):
        """The verdicts, and the features on the way to them."""
        x, features = pictures, []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.verdict(x), features


def critic_loss(on_photographs, on_painted):
    """Hinge: photographs above 1, painted pictures below -1."""
    return F.relu(1 - on_photographs).mean() + F.relu(1 + on_painted).mean()


def judged(critic, painted, photographs=None):
    """What a critic says of painted pictures: its mean verdict (higher = like a photograph), and
    how much its features differ from those of the photographs that were meant, 0 without any.
    """
    critic.requires_grad_(False)
    verdict, features = critic(painted)
    likeness = 0.0
    if photographs is not None:
        with torch.no_grad():
            wanted = critic(photographs)[1]
        pairs = zip(features, wanted, strict=True)
        likeness = sum((a - b).float().abs().mean() for a, b in pairs)
    critic.requires_grad_(True)
    return verdict.float().mean(), likeness


def as_loud(verdict, alike, painter, share=0.4):
    """The factor at which a verdict moves a painter's last layer ``share`` times as far as the
    loss of likeness does (Esser et al. 2021, https://arxiv.org/abs/2012.09841).
    """
    layer = painter.leave.weight
    loud, wanted = (
        torch.autograd.grad(loss, layer, retain_graph=True)[0].norm() for loss in (verdict, alike)
    )
    return share * wanted / (loud + 1e-6)


def picture_loss(painted, photographs):
    """Mean difference of pixels, and of their slopes at three scales: edges count."""
    loss = (painted - photographs).abs().mean()
    for _ in range(3):
        for axis in (2, 3):
            loss = loss + (painted.diff(dim=axis) - photographs.diff(dim=axis)).abs().mean()
        painted, photographs = F.avg_pool2d(painted, 2), F.avg_pool2d(photographs, 2)
    return loss


def normal_loss(mean, log_variance):
    """Kullback-Leibler divergence from the standard normal, in nats a number."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()


def sampled(mean, log_variance):
    """A draw that gradients pass through."""
    return mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
