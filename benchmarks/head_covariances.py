"""When full covariances pay, on the features of an encoder that was trained.

    python -m benchmarks.head_covariances [MANIFEST ...]

Trains the quickstart's encoder for 6 epochs on simulated photographs, fits ten components of both
kinds on others, and prints a markdown table: by rows per component and dimension, how much likelier
fresh photographs are under full covariances than under diagonal ones, and how well either ranks
them above the stand-ins for generators and a second source. MANIFESTs (columns as in
examples/real_photos.py) add real photographs, embedded by the same encoder and split by person.
Real generated faces are not looked at: a setting that they choose is tuned to them.
"""

import argparse
import tempfile
from itertools import product
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupShuffleSplit

from examples.real_photos import MARGIN, column, read_manifest
from sklearn_blades import BladesEncoder, BladesOneClass
from sklearn_blades.datasets import make_photos

GENERATORS = ("upsampling", "oversmooth", "spectral", "noiseless")
POOL = [f"pool{i}" for i in range(4)]  # four sets, so that they are made side by side
SETS = {
    "encoder": {"n": 1_500, "random_state": 1},
    **{name: {"n": 850, "random_state": 20 + i} for i, name in enumerate(POOL)},
    "second": {"n": 500, "random_state": 40, "source": "second"},
    **{
        name: {"n": 500, "random_state": 50 + i, "generated": name}
        for i, name in enumerate(GENERATORS)
    },
}
QUICK = {
    "face_locator": "whole",
    "face_margin": MARGIN,
    "image_size": 64,
    "batch_size": 24,
    "freeze_text": True,
    "outer_interval": 20,
    "lr": 1.5e-3,
    "weight_lr": 0.005,
    "max_epochs": 6,
}
N_HEAD, DIMENSIONS, SEEDS, N_COMPONENTS = (500, 1_000, 2_000, 3_000), (64, 32, 16), range(5), 10
HEADS = """\
| rows per component and dimension | photographs | dimensions | nats gained by full \
| AUC stand-ins, full | diag | AUC second source, full | diag | flagged, full | diag |
|---:|---:|---:|---|---:|---:|---:|---:|---:|---:|"""


def compare(X, groups, others, n, dimensions, seed):
    """Log-likelihood, two AUCs and false alarms of fresh photographs: (4, 2), full before diag."""
    split = GroupShuffleSplit(1, test_size=0.25, random_state=seed)
    pool, fresh = next(split.split(X, groups=groups))
    rows = np.random.default_rng(seed).choice(pool, min(n, len(pool)), replace=False)
    found = []
    for covariance_type in ("full", "diag"):
        head = BladesOneClass(
            N_COMPONENTS,
            covariance_type=covariance_type,
            pca_components=dimensions,
            random_state=seed,
        ).fit(X[rows], groups=groups[rows])
        scores = head.score_samples(X[fresh])
        areas = {name: area(scores, head.score_samples(Z)) for name, Z in others.items()}
        stand_ins = np.mean([areas.get(name, np.nan) for name in GENERATORS])
        alarms = np.mean(scores < head.offset_)
        found.append((scores.mean(), stand_ins, areas.get("second", np.nan), alarms))
    return np.transpose(found)


def area(photographs, others):
    truth = np.repeat([1, 0], [len(photographs), len(others)])
    return roc_auc_score(truth, np.concatenate([photographs, others]))


def study(X, groups, others):
    """Print the table: means over the seeds, for the gain the lowest and the highest too."""
    print(HEADS)
    for dimensions, n in product(DIMENSIONS, N_HEAD):
        runs = np.array([compare(X, groups, others, n, dimensions, seed) for seed in SEEDS])
        gain = runs[:, 0, 0] - runs[:, 0, 1]
        cells = [f"{0.8 * min(n, 0.75 * len(X)) / N_COMPONENTS / dimensions:.1f}"]
        cells += [f"{n:,}", f"{dimensions}"]
        cells += [f"{gain.mean():+.1f} [{gain.min():+.1f}, {gain.max():+.1f}]"]
        *areas, alarms = runs.mean(axis=0)[1:]
        cells += [f"{value:.3f}" for pair in areas for value in pair]
        cells += [f"{value:.1%}" for value in alarms]
        print(f"| {' | '.join(cells)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifests", nargs="*", type=Path, help="of real photographs")
    manifests = parser.parse_args().manifests
    with tempfile.TemporaryDirectory() as folder:
        paths = Parallel(n_jobs=2)(
            delayed(make_photos)(folder=Path(folder) / name, **options)
            for name, options in SETS.items()
        )
        paths = dict(zip(SETS, paths, strict=True))
        encoder = BladesEncoder(**QUICK, random_state=0).fit(paths.pop("encoder"))
        others = {name: encoder.transform(files) for name, files in paths.items()}
    X = np.concatenate([others.pop(name) for name in POOL])
    study(X, np.arange(len(X)), others)
    if manifests:
        rows = [row for manifest in manifests for row in read_manifest(manifest)]
        rows = [row for row in rows if row.get("label") != "generated"]
        study(encoder.transform(column(rows, "path")), column(rows, "group"), {})


if __name__ == "__main__":
    main()
