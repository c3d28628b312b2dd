"""What the one-class head's "auto" gives against the shapes that one could choose instead.

``python -m benchmarks.head_defaults`` fits each shape on features of 200, 2,000 and 25,000
photographs and writes ``benchmarks/results/head_defaults.json``; ``--table`` prints the last run in
markdown and measures nothing. The features are simulated like an encoder's: unit rows around 12
centres with a low-rank, heavy-tailed spread, either the same for all centres or each its own, and a
little noise everywhere. Which of the two an encoder's features resemble is not known beforehand.

Left out, for time: full covariances of 768 features, with more than one component or 25,000 rows
(the paper's head); 5 components of 25,000 rows.
"""

import argparse
import json
import platform
import time
from itertools import product
from pathlib import Path

import numpy as np
import sklearn
from sklearn.metrics import roc_auc_score

from sklearn_blades import BladesOneClass

RESULTS = Path(__file__).parent / "results"
N_PHOTOGRAPHS, WIDTHS, N_FRESH = (200, 2_000, 25_000), (128, 768), 1_000
SPREADS = ("shared", "own")
SEEDS = {200: 4, 2_000: 2, 25_000: 1}
AUTO = ("auto", "auto", "auto")
SHAPES = [AUTO, ("auto", "kernel", 64), *product((1, 5, 10), ("full", "diag"), (None, 64))]
SHIFTS = ("offset", "between", "turned", "noisy")
N_CENTRES, RANK, NOISE = 12, 40, 0.02


class Camera:
    """Where the features of photographs lie, and those of four kinds of other pictures.

    ``offset``: all moved one way; ``between``: halfway to the next centre; ``turned``: the right
    centres, with each other's spread; ``noisy``: more of the noise.
    """

    def __init__(self, width, spread, rng):
        scale = 1 / np.sqrt(width)
        self.centres = scale * rng.normal(size=(N_CENTRES, width))
        spectrum = 0.6 * np.arange(1, RANK + 1) ** -0.75
        axes = rng.normal(size=(N_CENTRES if spread == "own" else 1, RANK, width))
        # A shared spread differs between centres in size alone.
        size = np.linspace(0.5, 1.5, N_CENTRES)[:, None, None] if spread == "shared" else 1
        self.loadings = size * spectrum[:, None] * scale * axes
        self.offset = 0.3 * scale * rng.normal(size=width)

    def rows(self, n, rng, shift=None):
        """Features of shape (n, width), of unit length."""
        centre = rng.integers(N_CENTRES, size=n)
        following = (centre + 1) % N_CENTRES
        X = self.centres[centre]
        if shift == "between":
            X = (X + self.centres[following]) / 2
        elif shift == "offset":
            X = X + self.offset
        spread = rng.normal(size=(n, RANK)) * np.sqrt(5 / rng.chisquare(5, size=(n, 1)))
        kinds = following if shift == "turned" else centre
        for kind in range(N_CENTRES):
            X[kinds == kind] += spread[kinds == kind] @ self.loadings[kind]
        X += (1.5 if shift == "noisy" else 1) * NOISE * rng.normal(size=X.shape)
        return X / np.linalg.norm(X, axis=1, keepdims=True)


def measure(shapes, n, width, spread, seed):
    """Fit every shape on the same rows: AUCs, realised false-alarm rate at 5 %, and seconds."""
    rng = np.random.default_rng([seed, n, width])
    camera = Camera(width, spread, rng)
    photographs, fresh = camera.rows(n, rng), camera.rows(N_FRESH, rng)
    shifted = {shift: camera.rows(N_FRESH, rng, shift) for shift in SHIFTS}
    return [measure_one(shape, photographs, fresh, shifted, seed) for shape in shapes]


def measure_one(shape, photographs, fresh, shifted, seed):
    n_components, covariance_type, pca_components = shape
    head = BladesOneClass(
        n_components,
        covariance_type=covariance_type,
        pca_components=pca_components,
        random_state=seed,
    )
    start = time.perf_counter()
    head.fit(photographs)
    seconds = time.perf_counter() - start
    own, truth = head.score_samples(fresh), np.repeat([1, 0], N_FRESH)
    return {
        "auc": {
            shift: roc_auc_score(truth, np.concatenate([own, head.score_samples(X)]))
            for shift, X in shifted.items()
        },
        "false_alarms": float(np.mean(own < head.offset_)),
        "seconds": seconds,
        "used": [head.n_components_, head.covariance_type_, head.pca_components_],
    }


def hopeless(shape, n, width):
    """Minutes for what other shapes do in seconds."""
    n_components, covariance_type, pca_components = shape
    if n == max(N_PHOTOGRAPHS) and n_components == 5:
        return True
    wide = covariance_type == "full" and pca_components is None and width == max(WIDTHS)
    return wide and (n == max(N_PHOTOGRAPHS) or n_components > 1)


def markdown(rows):
    """A table of the measurements: mean AUC over the shifts, and the lowest."""
    lines = [
        "| photographs | width | components | covariance | PCA | AUC, shared spread "
        "| AUC, own spread | flagged at 5 % | fit, s |",
        "|---:|---:|---|---|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        names = ["none" if name is None else str(name) for name in row["used"]]
        if row["auto"]:
            names[0] = f"**auto**: {names[0]}"
        aucs = [f"{row['auc'][spread]:.3f}" for spread in SPREADS]
        lines.append(
            f"| {row['n']:,} | {row['width']} | {' | '.join([*names, *aucs])} "
            f"| {row['false_alarms']:.1%} | {row['seconds']:.2g} |"
        )
    return "\n".join(lines)


def summary(shape, n, width, runs):
    """Means over seeds, and over the shifts; ``runs`` has a list for each spread."""
    by_shift = {spread: _mean_aucs(runs[spread]) for spread in SPREADS}
    every = [run for spread in SPREADS for run in runs[spread]]
    return {
        "n": n,
        "width": width,
        "auto": shape == AUTO,
        "used": every[0]["used"],
        "n_seeds": len(runs[SPREADS[0]]),
        "auc": {spread: float(np.mean(list(by_shift[spread].values()))) for spread in SPREADS},
        "auc_by_shift": by_shift,
        "false_alarms": float(np.mean([run["false_alarms"] for run in every])),
        "seconds": float(np.median([run["seconds"] for run in every])),
    }


def _mean_aucs(runs):
    return {shift: float(np.mean([run["auc"][shift] for run in runs])) for shift in SHIFTS}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", action="store_true", help="print the last run and stop")
    file = RESULTS / "head_defaults.json"
    if parser.parse_args().table:
        print(markdown(json.loads(file.read_text())["rows"]))
        return
    versions = {"sklearn": sklearn.__version__, "numpy": np.__version__}
    result = {"rows": [], "machine": platform.machine(), "versions": versions}
    RESULTS.mkdir(exist_ok=True)
    for n, width in product(N_PHOTOGRAPHS, WIDTHS):
        shapes = [shape for shape in SHAPES if not hopeless(shape, n, width)]
        runs = {
            spread: [measure(shapes, n, width, spread, seed) for seed in range(SEEDS[n])]
            for spread in SPREADS
        }
        for i, shape in enumerate(shapes):
            own = {spread: [run[i] for run in runs[spread]] for spread in SPREADS}
            result["rows"].append(summary(shape, n, width, own))
            print(markdown(result["rows"][-1:]).splitlines()[-1], flush=True)
        file.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
