"""Scores of the tasks: chance by a formula is chance by search; many views cost no square."""

import math

import torch

from sklearn_blades.pretext import OrdinalTag, ranking_fidelity
from sklearn_blades.pretext.diagnostics import AT_ONCE, _score, chance_loss, mean_loss

ISO = OrdinalTag("ISOSpeedRatings")


def test_the_chance_of_a_ranking_is_that_of_equal_scores():
    values = torch.tensor([100.0, 100, 400, math.nan, 800, 400, 400])
    slow = ranking_fidelity(torch.zeros(7), values).item()
    assert math.isclose(chance_loss(ISO, values), slow, rel_tol=1e-5)


def test_many_views_are_scored_in_parts_to_the_same_figure():
    generator = torch.Generator().manual_seed(0)
    n = 2 * AT_ONCE
    values = torch.randint(1, 9, (n,), generator=generator).float()
    logits = torch.randn(n, 3, generator=generator) + values[:, None] * torch.tensor([0, 0, 0.2])
    whole, met = ISO.loss(logits, values), []

    class Watched(OrdinalTag):
        def loss(self, logits, target):
            met.append(len(target))
            return super().loss(logits, target)

    parts = mean_loss(Watched("ISOSpeedRatings"), logits, values)
    assert max(met) < AT_ONCE  # no square of all views
    assert abs(parts - whole) < 0.005


def test_a_task_of_which_nothing_is_known_has_no_score():
    score = _score(ISO, torch.zeros(5, 3), torch.full((5,), math.nan))
    assert math.isnan(score["loss"])
    assert math.isnan(score["chance"])
