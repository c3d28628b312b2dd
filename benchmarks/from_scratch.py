"""How `blades-tiny` starts from scratch: the coarse task's AUC on people never seen, by setting.

``python -m benchmarks.from_scratch`` trains each setting for some minutes on simulated photographs
and writes ``benchmarks/results/from_scratch.json``; name settings to run only those. One seed
each by default: differences of a few hundredths are noise.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from joblib import Parallel, delayed

from sklearn_blades import BladesEncoder
from sklearn_blades.datasets import make_photos
from sklearn_blades.pretext import Manipulated

RESULTS = Path(__file__).parent / "results"
BASE = {
    "face_locator": "whole",
    "face_margin": 1.6,
    "image_size": 64,
    "batch_size": 24,
    "freeze_text": True,
    "outer_interval": 20,
    "weight_lr": 0.005,
    "lr": 1.5e-3,
    "max_epochs": 15,
}
SETTINGS = {
    "quickstart": {},
    "lr 0.001": {"lr": 1e-3},
    "equal start": {"primary_share": 1 / 11},
    "four fifths": {"primary_share": 0.8},
    "text tower trained": {"freeze_text": False},
    "views not paired": {"paired_views": False},
    "96 px": {"image_size": 96},
    "coarse task alone": {"tasks": [Manipulated()], "task_weighting": "equal"},
    "weights every step": {"outer_interval": 1, "weight_lr": "auto"},
    "weights every 6th step": {"outer_interval": 6, "weight_lr": "auto"},
    "weights every 20th step": {"outer_interval": 20, "weight_lr": "auto"},
}


def measure(setting, train, test, seed):
    """Loss, chance and AUC of every task, and the seconds that the fit took."""
    params = {**BASE, **SETTINGS[setting], "random_state": seed}
    start = time.perf_counter()
    encoder = BladesEncoder(**params).fit(train)
    seconds = time.perf_counter() - start
    return {
        "setting": setting,
        "seed": seed,
        "seconds": seconds,
        "tasks": encoder.score_tasks(test),
        "weights": encoder.task_weights_,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("settings", nargs="*", default=list(SETTINGS), metavar="setting")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory() as folder:
        sets = (("train", 1500, 1), ("test", 200, 3))
        train, test = Parallel(n_jobs=2)(
            delayed(make_photos)(n, Path(folder) / name, random_state=seed)
            for name, n, seed in sets
        )
        for setting in options.settings:
            for seed in options.seeds:
                results.append(measure(setting, train, test, seed))
                coarse = results[-1]["tasks"]["manipulated"]
                print(f"{setting:22s} seed {seed}  AUC {coarse['auc']:.3f}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "from_scratch.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
