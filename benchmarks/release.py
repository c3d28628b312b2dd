"""The yardstick: one step of the published algorithm, as the release takes it.

The page docs/method.md describes it in its sections 5 and 7.

Written from the equations and that description, not from its code: five forwards and three
backwards of both towers, prompts at their full context length, float32, a second copy of the
towers for the virtual step, and a central difference that moves the weights in place.
"""

import copy

import torch

from sklearn_blades.ground.device import autocast
from sklearn_blades.towers.openclip import tokenize

STEP = 0.01  # of the central difference, over the length of the direction


def with_full_prompts(embedding):
    """A copy whose text tower reads every prompt at the full context length, padding and all."""
    embedding = copy.deepcopy(embedding).to(embedding.mean.device)  # copies are made on the CPU
    embedding.towers.visual.to(memory_format=torch.contiguous_format)
    embedding.tokens = tokenize(embedding.architecture, embedding.prompts)
    embedding.tokens = embedding.tokens.to(embedding.mean.device)
    embedding.towers.text.attn_mask = embedding._full_mask.to(embedding.mean.device)
    return embedding


class ReleaseStep:
    """Both levels of one training step.

    Parameters
    ----------
    embedding : JointEmbedding
        Copied twice, by `with_full_prompts`.
    tasks : TaskSet
    primary : str
    lr, weight_lr : float
    precision : {"float32", "bfloat16"}
        Of the towers' forwards. The release's is float32.
    """

    def __init__(self, embedding, tasks, primary, *, lr, weight_lr, precision="float32"):
        self.model, self.ahead = (with_full_prompts(embedding).train() for _ in range(2))
        self.tasks, self.primary, self.lr = tasks, tasks.names.index(primary), lr
        self.precision = precision
        self.weights = torch.ones(len(tasks), device=embedding.mean.device, requires_grad=True)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=lr, weight_decay=1e-3)
        self.weight_optimizer = torch.optim.Adam([self.weights], lr=weight_lr)

    def __call__(self, inner, outer):
        """Learn from an inner and an outer batch; returns the hypergradient, shape (K,)."""
        gradient = self._hypergradient(inner, outer)
        self.weight_optimizer.zero_grad()
        self.weights.grad = gradient
        self.weight_optimizer.step()
        self.optimizer.zero_grad()
        (self.weights.detach() @ self._losses(self.model, inner)).backward()
        self.optimizer.step()
        return gradient

    def _losses(self, model, batch):
        pixels, targets = batch
        with autocast(pixels.device, self.precision):
            logits = model(pixels)
        return self.tasks.losses(logits.float(), targets)

    def _hypergradient(self, inner, outer):
        params = list(self.model.parameters())
        loss = self.weights.detach() @ self._losses(self.model, inner)
        gradients = torch.autograd.grad(loss, params, materialize_grads=True)
        with torch.no_grad():
            for ahead, value, gradient in zip(
                self.ahead.parameters(), params, gradients, strict=True
            ):
                ahead.copy_(value - self.lr * gradient)
        outer_loss = self._losses(self.ahead, outer)[self.primary]
        direction = torch.autograd.grad(
            outer_loss, list(self.ahead.parameters()), materialize_grads=True
        )
        step = STEP / torch.cat([d.flatten() for d in direction]).norm()
        above = self._moved(params, direction, step, inner)
        below = self._moved(params, direction, -2 * step, inner)
        self._moved(params, direction, step)
        return -self.lr * (above - below) / (2 * step)

    @torch.no_grad()
    def _moved(self, params, direction, step, batch=None):
        for value, along in zip(params, direction, strict=True):
            value.add_(step * along)
        return None if batch is None else self._losses(self.model, batch)
