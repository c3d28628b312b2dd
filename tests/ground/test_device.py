"""Devices: what is kept of one for the other."""

import torch

from sklearn_blades.ground.device import random_state, set_random_state


def test_a_run_of_the_cpu_goes_on_where_a_gpu_draws():
    before = random_state("cpu")
    expected = torch.rand(3)
    set_random_state(before, "cuda")  # a checkpoint without a state of the GPU's generator
    assert torch.equal(torch.rand(3), expected)
