"""How near the best weight to stay when two heads are added up: the tolerance of the hybrid.

    python -m benchmarks.fusion

Scores of both parts are normal with unit variance, generators shifted by distances of their own, so
that the area of every weight is known. Loss: the best weight's area minus that of the chosen one,
in hundredths, a mean over draws.
"""

import numpy as np
from scipy.special import ndtr

from sklearn_blades.heads.fusion import FOLDS, WEIGHTS, cell_areas, choose_weight

TOLERANCES = (0, 0.25, 0.5, 1)
SETTINGS = {
    "one part at chance, 60": (60, 30, 2, (0, 1.7)),
    "one part at chance, 200": (200, 100, 3, (0, 1.7)),
    "both weak and alike, 200": (200, 100, 3, (0.3, 0.3)),
    "both good, 60": (60, 30, 2, (1.2, 1.7)),
}
DRAWS = 200


def area(weight, distances):
    """The true area of a weight, for generators at these mean distances."""
    shift = weight * distances[0] + (1 - weight) * distances[1]
    return ndtr(shift / np.sqrt(2 * (weight**2 + (1 - weight) ** 2)))


def cells(rng, n_photographs, n_generated, n_generators, distances):
    """Areas of every fold, and the generator of each."""
    known = np.array(distances, dtype=float)
    own = known + 0.4 * rng.normal(size=(n_generators, 2)) * (known != 0)
    names = np.arange(FOLDS) % n_generators
    n = n_generated // n_generators
    areas = [
        cell_areas(
            rng.normal(size=(n_photographs // FOLDS, 2)),
            rng.normal(size=(n, 2)) - own[name],
            np.full(n, name),
        )
        for name in names
    ]
    return np.concatenate(areas), names


def losses(setting, draws=DRAWS, seed=0):
    """Mean loss of every tolerance."""
    rng, lost = np.random.default_rng(seed), np.zeros(len(TOLERANCES))
    best = area(WEIGHTS, setting[-1]).max()
    for _ in range(draws):
        found, names = cells(rng, *setting)
        for column, tolerance in enumerate(TOLERANCES):
            weight, _ = choose_weight(found, names, tolerance=tolerance)
            lost[column] += best - area(weight, setting[-1])
    return lost / draws


if __name__ == "__main__":
    print("| photographs |", " | ".join(f"{tolerance} SE" for tolerance in TOLERANCES), "|")
    print("|---|" + "---:|" * len(TOLERANCES))
    for name, setting in SETTINGS.items():
        print(f"| {name} |", " | ".join(f"{100 * loss:.2f}" for loss in losses(setting)), "|")
