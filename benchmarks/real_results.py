"""The results page on real photographs: traps first, then promises, then detection.

    python -m benchmarks.real_results DEV MORE [--epochs 20] [--seed 0] > results.md

DEV is laid out as examples/real_photos.py says, with `balanced_pairs.csv` (photo_file,
generated_file) beside the manifest; MORE holds photographs of further sources and the like
manifest. No generated face is seen by any encoder or one-class head; no person by two of encoder,
head and test; no source of MORE by an encoder.
"""

import argparse
import csv
import warnings
from pathlib import Path

import numpy as np
from scipy.stats import binomtest
from sklearn.model_selection import GroupShuffleSplit, LeaveOneGroupOut

from examples.real_photos import MARGIN, column, read_manifest, split_photographs
from sklearn_blades import BladesEncoder, BladesOneClass, make_detector
from sklearn_blades.errors import SmallSampleWarning
from sklearn_blades.evaluation import (
    RadialPowerSpectrum,
    audit_confounds,
    evaluate_by_generator,
    recalibrate,
    source_shift,
)
from sklearn_blades.pretext import Manipulated, ManipulatedRegions, default_tasks

CROPS = {"face_locator": "whole", "face_margin": MARGIN}
FACE = [Manipulated(), ManipulatedRegions()]
EXIF = [task for task in default_tasks() if not task.name.startswith("manipulated")]
SCRATCH = {
    **CROPS,
    "image_size": 64,
    "batch_size": 24,
    "freeze_text": True,
    "outer_interval": 20,
    "weight_lr": 0.005,
    "lr": 1.5e-3,
}
VARIANTS = {
    "random init": {"max_epochs": 0},
    "manipulation only": {
        "tasks": [Manipulated(), ManipulatedRegions()],
        "task_weighting": "equal",
    },
    "EXIF only": {"tasks": EXIF, "primary_task": "ISOSpeedRatings", "task_weighting": "equal"},
    "equal": {"task_weighting": "equal"},
    "bi-level": {},
}
FEWEST = 40  # photographs of a source that is left out on its own


def encoders(rows, epochs, seed):
    """Every row of the table's encoder, fitted."""
    fitted = {"power spectrum": RadialPowerSpectrum(**CROPS).fit(column(rows, "path"))}
    for name, change in VARIANTS.items():
        params = {**SCRATCH, "max_epochs": epochs, "random_state": seed, **change}
        encoder = BladesEncoder(**params)
        fitted[name] = encoder.fit(column(rows, "path"), groups=column(rows, "group"))
    return fitted


def one_class(encoder, rows, seed):
    head = BladesOneClass(target_fpr=0.05, calibration_fraction=0.4, random_state=seed)
    detector = make_detector(encoder, head)
    return detector.fit(column(rows, "path"), head__groups=column(rows, "group"))


def by_generator(detector, photographs, generated, seed):
    rows = [*photographs, *generated]
    y = np.repeat([1, -1], [len(photographs), len(generated)])
    return evaluate_by_generator(
        detector,
        column(rows, "path"),
        y,
        [row.get("generator") or None for row in rows],
        groups=column(rows, "group"),
        random_state=seed,
    )


def pairs(root, photographs, generated):
    """Both sides of the balanced pairs whose photograph no encoder or head has seen."""
    of_path = {row["path"]: row for row in (*photographs, *generated)}
    chosen = []
    with (root / "balanced_pairs.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            both = [of_path.get(str(root / row[key])) for key in ("photo_file", "generated_file")]
            if all(both):
                chosen.append(both)
    return [list({row["path"]: row for row in side}.values()) for side in zip(*chosen, strict=True)]


def detection(detectors, photographs, generated, seed):
    """A markdown table: a row an encoder, a column a generator, AUC in percent."""
    lines = []
    for name, detector in detectors.items():
        report = by_generator(detector, photographs, generated, seed)
        cells = [cell(row.auc) for row in (*report.rows, report.average)]
        cells.append(cell(report.average.fpr))
        lines.append([name, *cells])
    heads = [f"{row.generator} ({row.n_generated})" for row in report.rows]
    return table(["encoder", *heads, "average", "false alarms"], lines)


def leave_one_source_out(encoder, rows, seed):
    """A markdown table: false alarms on each source that neither encoder nor head has seen."""
    sources = column(rows, "source")
    sizes = {source: int((sources == source).sum()) for source in set(sources)}
    sources = np.array([s if sizes[s] >= FEWEST else "the smaller ones" for s in sources])
    lines = []
    for train, test in LeaveOneGroupOut().split(rows, groups=sources):
        known, left = ([rows[i] for i in side] for side in (train, test))
        detector = one_class(encoder, known, seed)
        split = GroupShuffleSplit(1, test_size=0.5, random_state=seed)
        ours, theirs = next(split.split(left, groups=column(left, "group")))
        fresh, spare = ([left[i] for i in side] for side in (theirs, ours))
        again = recalibrate(detector, column(spare, "path"))
        lines.append([sources[test[0]], str(len(fresh))])
        for judge in (detector, again):
            flagged = judge.predict(column(fresh, "path")) == -1
            exact = binomtest(int(flagged.sum()), len(fresh)).proportion_ci(method="exact")
            lines[-1].append(cell((flagged.mean(), *exact)))
        lines[-1].append(str(len(spare)))
    heads = ["source left out", "n", "false alarms (%)", "after recalibration (%)", "on n others"]
    return table(heads, sorted(lines))


def table(heads, lines):
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def cell(estimate):
    value, low, high = (100 * figure for figure in estimate)
    return f"{value:.1f} [{low:.0f}, {high:.0f}]"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dev", type=Path)
    parser.add_argument("more", type=Path)
    parser.add_argument("--unseen", default="pif-website")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    root, seed = options.dev, options.seed
    warnings.simplefilter("ignore", SmallSampleWarning)  # n is in the tables
    training, head, test, foreign = split_photographs(root, options.unseen, seed)
    generated = [r for r in read_manifest(root / "manifest.csv") if r["label"] == "generated"]
    more = read_manifest(options.more / "manifest.csv")

    rows = [*test, *generated]
    y = np.repeat([1, 0], [len(test), len(generated)])
    audit = audit_confounds(
        column(rows, "path"), y, groups=column(rows, "group"), random_state=seed
    )
    print(f"## Confounds\n\n{audit.to_markdown()}\n", flush=True)

    fitted = encoders(training, options.epochs, seed)
    print(f"## Sources left out\n\n{leave_one_source_out(fitted['bi-level'], more, seed)}\n")
    detectors = {name: one_class(encoder, head, seed) for name, encoder in fitted.items()}
    shift = source_shift(
        detectors["bi-level"], column(test, "path"), column(foreign, "path"),
        groups=column(test, "group"), other_groups=column(foreign, "group"),
    )  # fmt: skip
    print(f"{shift.to_markdown()}\n", flush=True)
    print(f"## Detection, all\n\n{len(test)} photographs.\n")
    print(detection(detectors, test, generated, seed), flush=True)
    photographs, fakes = pairs(root, [*test, *foreign], generated)
    print(f"\n## Detection, balanced pairs\n\n{len(photographs)} photographs.\n")
    print(detection(detectors, photographs, fakes, seed))


if __name__ == "__main__":
    main()
