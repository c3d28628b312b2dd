"""Pretrain on real photographs and judge the detectors on generators and a source never seen.

    python examples/real_photos.py FOLDER [--epochs 30] [--seed 0]

FOLDER holds `manifest.csv` with the columns file, label ("photographic" or "generated"),
generator, source and person_or_group_id, and optionally `manifest_small.csv` (more photographs,
for pretraining only) and `originals/` (full pictures, to try the way from a file to a face).

Who sees what: one source of photographs is left out altogether. The persons of the others are
dealt to encoder, head and test. AI-generated faces are never seen by the encoder or by the
one-class head; the binary head learns from the *other* generators' faces.
"""

import argparse
import csv
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
from scipy.stats import binomtest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.model_selection import GroupShuffleSplit
from sklearn.utils import resample

from sklearn_blades import BladesBinary, BladesEncoder, BladesOneClass
from sklearn_blades.errors import NoFaceError
from sklearn_blades.photos.records import face_crop

TARGET_FPR = 0.05
MARGIN = 1.6  # the crops' side over the face box


def read_manifest(path):
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["path"] = str(path.parent / row["file"])
        row["group"] = row["person_or_group_id"] or row["file"]
    return rows


def column(rows, key):
    return np.array([row[key] for row in rows])


def deal(rows, fraction, seed):
    """Split by person; return the rows of (1 - fraction) and of fraction of the persons."""
    split = GroupShuffleSplit(n_splits=1, test_size=fraction, random_state=seed)
    kept, held = next(split.split(rows, groups=column(rows, "group")))
    return [rows[i] for i in kept], [rows[i] for i in held]


def split_photographs(root, unseen, seed):
    """Rows for encoder, head and test, and those of the unseen source."""
    photos = [r for r in read_manifest(root / "manifest.csv") if r["label"] == "photographic"]
    foreign = [row for row in photos if unseen in row["source"]]
    photos = [row for row in photos if unseen not in row["source"]]
    if not foreign or not photos:
        sources = ", ".join(sorted({row["source"] for row in photos + foreign}))
        raise SystemExit(f"--unseen {unseen!r}: part of the name of one of {sources}")
    training, test = deal(photos, 0.25, seed)
    encoder, head = deal(training, 0.35, seed)
    # The small pictures are for pretraining only: nobody of head, test or the unseen source.
    taken = {row["group"] for row in (*head, *test, *foreign)}
    small = [
        row
        for row in read_manifest(root / "manifest_small.csv")
        if row["group"] not in taken and unseen not in row["source"]
    ]
    return encoder + small, head, test, foreign


def interval(photographs, others, groups, seed, n_draws=500):
    """AUC of two sets of scores, and its 95 % interval over redrawn persons."""
    scores = np.concatenate([photographs, others])
    y = np.repeat([1, 0], [len(photographs), len(others)])
    rows_of = {group: np.flatnonzero(groups == group) for group in np.unique(groups)}
    names, draws = list(rows_of), []
    for draw in range(n_draws):
        chosen = resample(names, random_state=seed + draw)
        rows = np.concatenate([rows_of[name] for name in chosen])
        if len(set(y[rows])) == 2:
            draws.append(roc_auc_score(y[rows], scores[rows]))
    low, high = np.percentile(draws, [2.5, 97.5])
    return f"{roc_auc_score(y, scores):.3f} [{low:.2f}, {high:.2f}]"


def tpr_at(photographs, others, fpr):
    """Share of the others that is caught where at most ``fpr`` of the photographs is flagged."""
    y = np.repeat([0, 1], [len(photographs), len(others)])
    alarms, caught, _ = roc_curve(
        y, -np.concatenate([photographs, others]), drop_intermediate=False
    )
    return caught[alarms <= fpr].max()


def rate(flagged):
    low, high = binomtest(int(flagged.sum()), len(flagged)).proportion_ci(method="exact")
    return f"{flagged.mean():.1%} [{low:.1%}, {high:.1%}], n = {len(flagged)}"


def lost_by_haar(paths):
    """How many faces OpenCV's frontal Haar cascade misses."""
    lost = 0
    for path in paths:
        try:
            face_crop(path, face_locator="haar", face_margin=MARGIN, image_size=96)
        except NoFaceError:
            lost += 1
    return lost


def binary_without(generator, rows, features, head, seed):
    """A binary head that learned from the photographs of the head and the other generators."""
    others = [row for row in rows["generated"] if row["generator"] != generator]
    X = np.concatenate([features(rows["head"]), features(others)])
    y = np.repeat([1, 0], [len(rows["head"]), len(others)])
    return clone(head).set_params(random_state=seed).fit(X, y)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--unseen", default="pif-website", help="part of the left-out source's name"
    )
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    root, seed, start = options.folder, options.seed, time.perf_counter()

    encoder_rows, head_rows, test_rows, foreign_rows = split_photographs(root, options.unseen, seed)
    generated = [r for r in read_manifest(root / "manifest.csv") if r["label"] == "generated"]
    rows = {"head": head_rows, "generated": generated}
    print(
        f"photographs: {len(encoder_rows)} encoder, {len(head_rows)} head, {len(test_rows)} test, "
        f"{len(foreign_rows)} of the unseen source {foreign_rows[0]['source']}; seed {seed}"
    )

    encoder = BladesEncoder(
        face_locator="whole",
        face_margin=MARGIN,
        # From scratch on few photographs: see quickstart.py.
        batch_size=24,
        freeze_text=True,
        outer_interval=4,
        weight_lr=0.01,
        max_epochs=options.epochs,
        random_state=seed,
    ).fit(column(encoder_rows, "path"), groups=column(encoder_rows, "group"))
    untrained = clone(encoder).set_params(max_epochs=0).fit(column(encoder_rows, "path"))
    print(f"pretrained after {time.perf_counter() - start:.0f} s\n")

    print("pretext tasks on the test photographs (loss, chance, AUC; weight)")
    for name, score in encoder.score_tasks(column(test_rows, "path")).items():
        area = f"{score['auc']:.3f}" if "auc" in score else "-"
        weight = encoder.task_weights_[name]
        print(f"  {name:22s}{score['loss']:7.3f}{score['chance']:7.3f}{area:>7s}{weight:7.2f}")

    def features(some, by=encoder):
        return by.transform(column(some, "path"))

    one_class = {
        by: BladesOneClass(target_fpr=TARGET_FPR, calibration_fraction=0.4, random_state=seed).fit(
            features(head_rows, by), groups=column(head_rows, "group")
        )
        for by in (encoder, untrained)
    }
    scores = {by: head.score_samples(features(test_rows, by)) for by, head in one_class.items()}
    lost = {
        name: lost_by_haar([r["path"] for r in generated if r["generator"] == name])
        for name in dict.fromkeys(column(generated, "generator"))
    }

    print("\nAUC of the test photographs against each generator [95 % interval over persons]")
    print(
        f"  {'generator':28s}{'n':>5s}{'one-class':>20s}{'TPR@5%':>8s}{'random init':>20s}"
        f"{'binary, others':>20s}{'TPR@5%':>8s}{'lost by Haar':>14s}"
    )
    for name, n in Counter(column(generated, "generator")).items():
        fakes = [row for row in generated if row["generator"] == name]
        groups = np.concatenate([column(test_rows, "group"), column(fakes, "group")])
        cells = []
        for by in (encoder, untrained):
            of_fakes = one_class[by].score_samples(features(fakes, by))
            cells.append(interval(scores[by], of_fakes, groups, seed))
            cells.append(f"{tpr_at(scores[by], of_fakes, TARGET_FPR):.2f}")
        binary = binary_without(name, rows, features, BladesBinary(), seed)
        both = [binary.decision_function(features(some)) for some in (test_rows, fakes)]
        print(
            f"  {name:28s}{n:5d}{cells[0]:>20s}{cells[1]:>8s}{cells[2]:>20s}"
            f"{interval(*both, groups, seed):>20s}{tpr_at(*both, TARGET_FPR):8.2f}"
            f"{lost[name]:9d}/{n}"
        )
    groups = np.concatenate([column(test_rows, "group"), column(foreign_rows, "group")])
    foreign = one_class[encoder].score_samples(features(foreign_rows))
    print(
        f"\nAUC of the test photographs against photographs of the unseen source: "
        f"{interval(scores[encoder], foreign, groups, seed)}"
    )
    n_lost = lost_by_haar(column(test_rows, "path"))
    print(f"Haar misses {n_lost} of {len(test_rows)} test photographs")

    print(f"\nfalse alarms: promised {TARGET_FPR:.0%}; realised [exact 95 % interval]")
    for name, some in (("same sources", test_rows), ("unseen source", foreign_rows)):
        flagged = one_class[encoder].predict(features(some)) == -1
        print(f"  one-class, {name}: {rate(flagged)}")

    run_originals(encoder, one_class[encoder], root / "originals")
    print(f"\n{time.perf_counter() - start:.0f} s")


def run_originals(encoder, head, folder):
    """The way from a full picture to a verdict: orientation, Haar, crop, features, score."""
    paths = [row["path"] for row in read_manifest(folder / "manifest.csv")]
    paths = [str(folder / Path(path).name) for path in paths]
    if not paths:
        return
    # The same fitted towers; only where the face is comes from the locator now.
    encoder.set_params(face_locator="haar", on_error="nan")
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the number of lost faces is printed
        features = encoder.transform(paths)
    found = np.isfinite(features).all(axis=1)
    seconds = time.perf_counter() - start
    flagged = head.predict(features[found]) == -1
    print(
        f"\nfull pictures: Haar found a face in {found.sum()} of {len(paths)}; "
        f"{1000 * seconds / len(paths):.0f} ms a picture; flagged: {rate(flagged)}"
        "\n  (some of these persons were seen in pretraining, cropped by another locator)"
    )


if __name__ == "__main__":
    main()
