"""How the learned generators are taught: photographs on a device, and steps while time lasts."""

import copy
import math
import time

import numpy as np
import torch
from torch.nn import functional as F

from sklearn_blades.datasets.simulator.networks import GRAINS, N_SOURCES, SIDE

CROP = SIDE // 2
BATCH = {"cuda": 64, "cpu": 4}  # whole pictures; of crops four times as many, of plans eight


class Course:
    """The steps of one stage, until its seconds are over: ``for done in Course(...)``.

    ``done`` runs from 0 to 1 with the time. `step` follows a loss with a rate that rises at first
    and then falls to nothing along a cosine, and keeps averages of the trained networks over the
    last tenth of the steps.
    """

    def __init__(self, seconds, networks, lr=1e-3):
        self.seconds, self.networks, self.lr = seconds, networks, lr
        self.averages = copy.deepcopy(networks).requires_grad_(False)
        fused = next(networks.parameters()).is_cuda
        self.optimizer = torch.optim.Adam(
            networks.parameters(), lr=lr, betas=(0.5, 0.99), fused=fused
        )
        self.done, self.n_steps = 0.0, 0

    def __iter__(self):
        start = time.perf_counter()
        while self.done < 1:
            yield self.done
            self.n_steps += 1
            self.done = (time.perf_counter() - start) / self.seconds

    def step(self, loss, **shown):
        rate = min(1, (self.n_steps + 1) / 50) * 0.5 * (1 + math.cos(math.pi * min(self.done, 1)))
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * rate
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        share = 1 / (1 + 0.1 * self.n_steps)
        with torch.no_grad():
            for mean, value in zip(
                self.averages.parameters(), self.networks.parameters(), strict=True
            ):
                mean.lerp_(value, share)
        if self.n_steps % 200 == 0 and shown:
            values = " ".join(
                f"{name} {float(value.detach()):.4f}" for name, value in shown.items()
            )
            print(f"  {self.done:5.0%} step {self.n_steps:6d}  {values}", flush=True)


class Studio:
    """Photographs, and draws from them, on one device."""

    def __init__(self, pictures, sources, device):
        self.pictures = torch.from_numpy(np.array(pictures)).to(device)
        self.sources = F.one_hot(torch.from_numpy(sources), N_SOURCES).float().to(device)
        self.device, self.batch = device, BATCH[device]

    def some(self, n):
        return torch.randint(len(self.pictures), (n,), device=self.device)

    def photographs(self, rows):
        return self.pictures[rows].float() / 127.5 - 1

    def crops(self, n):
        top, left = (8 * int(torch.randint(CROP // 8 + 1, ())) for _ in range(2))
        cut = self.pictures[:, :, top : top + CROP, left : left + CROP]
        return cut[self.some(n)].float() / 127.5 - 1

    def grains(self, n, part=1):
        return [torch.randn(n, 1, h // part, w // part, device=self.device) for _, h, w in GRAINS]

    def half(self):
        """Fast arithmetic, where the device has it."""
        return torch.autocast(self.device, torch.bfloat16, enabled=self.device == "cuda")
