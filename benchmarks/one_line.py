"""False alarms of the one-line pipeline, whose encoder has seen the calibration photographs.

``python -m benchmarks.one_line`` fits both recipes on the same simulated photographs, dealt anew
for every seed, and writes ``benchmarks/results/one_line.json``:

- one line: ``make_detector(encoder, head).fit(photographs)``;
- clean: ``encoder.fit(a)``, then ``make_detector(encoder, head).fit(b)``, each one half.

Both calibrate on as many photographs and are judged on the same fresh ones. A small encoder at 32
pixels, trained for long: what can be remembered is.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.stats import binomtest, t
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from sklearn_blades import BladesEncoder, BladesOneClass, make_detector
from sklearn_blades.datasets import make_photos

RESULTS = Path(__file__).parent / "results"
TARGET_FPR = 0.1
COMPARED = ("false_alarms", "auc_calibration_over_fresh")
ENCODER = {
    "face_locator": "whole",
    "face_margin": 1.6,
    "image_size": 32,
    "batch_size": 24,
    "freeze_text": True,
    "outer_interval": 20,
    "weight_lr": 0.005,
    "lr": 1.5e-3,
}


def one_line(encoder, head, photographs):
    head = clone(head).set_params(calibration_fraction=0.25)
    return make_detector(encoder, head).fit(photographs)


def clean(encoder, head, photographs):
    half = len(photographs) // 2
    head = clone(head).set_params(calibration_fraction=0.5)
    return make_detector(encoder.fit(photographs[:half]), head).fit(photographs[half:])


def measure(recipe, photographs, fresh, *, epochs, seed):
    """One fit: how many fresh photographs are flagged, and how far the scores are apart."""
    encoder = BladesEncoder(**ENCODER, max_epochs=epochs, random_state=seed)
    head = BladesOneClass(target_fpr=TARGET_FPR, random_state=seed)
    start = time.perf_counter()
    detector = recipe(encoder, head, photographs)
    seconds = time.perf_counter() - start
    scores, calibration = detector.score_samples(fresh), detector["head"].calibration_scores_
    flagged = int(np.sum(scores < detector["head"].offset_))
    ends = binomtest(flagged, len(fresh)).proportion_ci(method="exact")
    return {
        "recipe": recipe.__name__,
        "seed": seed,
        "epochs": epochs,
        "n_calibration": len(calibration),
        "n_fresh": len(fresh),
        "false_alarms": flagged / len(fresh),
        "interval": [float(ends.low), float(ends.high)],
        # 0.5 where calibration and fresh photographs score alike, as exchangeable ones do.
        "auc_calibration_over_fresh": roc_auc_score(
            np.repeat([1, 0], [len(calibration), len(fresh)]), np.r_[calibration, scores]
        ),
        "seconds": seconds,
    }


def over_seeds(runs, name):
    """Mean and its 95 % interval, from Student's t over the seeds."""
    values = np.array([run[name] for run in runs])
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return {"mean": values.mean(), "low": values.mean() - half, "high": values.mean() + half}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=300, help="photographs to fit on")
    parser.add_argument("--fresh", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seeds", type=int, default=4)
    options = parser.parse_args()
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        paths = np.array(make_photos(options.n + options.fresh, folder, random_state=0))
        for seed in range(options.seeds):
            dealt = np.random.default_rng(seed).permutation(paths)
            for recipe in (one_line, clean):
                parts = dealt[: options.n], dealt[options.n :]
                runs.append(measure(recipe, *parts, epochs=options.epochs, seed=seed))
                print({name: runs[-1][name] for name in ("recipe", "seed", *COMPARED)}, flush=True)
    summary = {
        recipe.__name__: {
            name: over_seeds([run for run in runs if run["recipe"] == recipe.__name__], name)
            for name in COMPARED
        }
        for recipe in (one_line, clean)
    }
    for recipe, found in summary.items():
        for name, value in found.items():
            interval = f"[{value['low']:.3f}, {value['high']:.3f}]"
            print(f"{recipe:10s}{name:28s}{value['mean']:.3f}  {interval}")
    result = {"target_fpr": TARGET_FPR, "summary": summary, "runs": runs, "encoder": ENCODER}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "one_line.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
