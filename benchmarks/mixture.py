"""What a fit of the one-class head costs: the automatic shape against the paper's, and by rows.

Features are simulated, as in `head_defaults`. The paper's shape is measured once and on 5,000
photographs, since 25,000 take it minutes.
"""

import os
import time
import tracemalloc
import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from sklearn_blades import BladesOneClass

from ._measure import ratio, rounds
from .head_defaults import Camera

FEW, MANY, WIDTH = 20_000, 200_000, 128
PAPER = {"n_components": 10, "covariance_type": "full", "pca_components": None}


def measure(n_rounds):
    """Ratios of seconds, and what they were measured on."""
    rng = np.random.default_rng(0)
    wide = features(5_000, 768, rng)
    many = features(MANY, WIDTH, rng)
    few = many[:FEW]
    ways = {"paper": lambda: fit(wide, **PAPER), "auto": lambda: fit(wide)}
    shapes = rounds(ways, 1, warm_up=False)
    head = fit(few)
    by_rows = rounds(
        {
            "fit few": lambda: per_row(fit_two_steps, few),
            "fit many": lambda: per_row(fit_two_steps, many),
            "score few": lambda: per_row(head.score_samples, few),
            "score many": lambda: per_row(head.score_samples, many),
        },
        n_rounds,
    )
    ratios = [
        ratio("fit of 5,000 x 768: the paper's shape / ours", shapes, "paper", "auto"),
        ratio("fit of two EM steps, a row: 200,000 / 20,000 rows", by_rows, "fit many", "fit few"),
        ratio("score, a row: 200,000 / 20,000 rows", by_rows, "score many", "score few"),
        *on_cuda(many, n_rounds),
    ]
    return ratios, {
        "seconds": {"shapes": shapes, "a row": by_rows},
        "peak_over_input": peak_over_input(many),
        "width": WIDTH,
    }


def features(n, width, rng):
    """Simulated features of n photographs: (n, width), float32, as an encoder gives them."""
    camera = Camera(width, "own", rng)
    return np.concatenate([camera.rows(1_000, rng).astype(np.float32) for _ in range(n // 1_000)])


def fit(X, **params):
    return BladesOneClass(**params, random_state=0).fit(X)


def fit_two_steps(X):
    """Two steps of EM whatever the rows: how many a fit takes is chance."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit(X, max_iter=2)


def per_row(way, X):
    start = time.perf_counter()
    way(X)
    return (time.perf_counter() - start) / len(X)


def on_cuda(X, n_rounds):
    """The same fit in numpy and on a GPU, where one is and ``SCIPY_ARRAY_API=1`` is set."""
    if not torch.cuda.is_available() or os.environ.get("SCIPY_ARRAY_API") != "1":
        return []
    ways = {"numpy": lambda: fit(X), "cuda": lambda: fit(X, device="cuda")}
    table = rounds(ways, n_rounds)
    return [ratio("fit of 200,000 x 128: numpy / CUDA", table, "numpy", "cuda")]


def peak_over_input(X):
    """Most bytes that a fit of X allocates, over the bytes of X."""
    tracemalloc.start()
    try:
        fit_two_steps(X)
        return tracemalloc.get_traced_memory()[1] / X.nbytes
    finally:
        tracemalloc.stop()
