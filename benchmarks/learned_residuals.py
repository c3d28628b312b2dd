"""Does a tower that learns EXIF from residuals of stored pixels find what untrained ones do not?

    python -m benchmarks.learned_residuals DATA [--seeds 0 1 2] [--epochs 20] | tee rows.jsonl

DATA holds `exif_any` and `exif_faces`, photographs with camera EXIF of which those cuts are taken
that nobody scaled, and `native`, cuts of faces as their publishers stored them. Patches of 64 px
become three residuals (`sklearn_blades.residuals.statistics`: horizontal, vertical, product), which
`blades-tiny` sees as the channels of a picture. It learns the EXIF tasks of the method from them,
with equal weights; a fifth of the sources is kept to see whether it learned. A face's features are
the mean over its patches. Then as in `benchmarks.residuals`: every source of photographs of
`native` is left out in turn, a one-class head is fitted on the others and judged against all
generated faces; the fair pair is the one source that published both. The tower before training
goes the same way. No head and no tower sees a generated face. A row a seed and tower is printed.
"""

import argparse
import csv
import json
import tempfile
import warnings
from pathlib import Path
from statistics import mean

import numpy as np
from PIL import Image
from sklearn.model_selection import GroupShuffleSplit

from examples.real_photos import column, read_manifest
from sklearn_blades import BladesEncoder
from sklearn_blades.errors import SmallSampleWarning
from sklearn_blades.photos import PhotoRecord, open_photo, read_exif
from sklearn_blades.residuals.statistics import CLIP, residuals

from .real_results import EXIF
from .residuals import FAIR, FEWEST, area, by_person, one_class

SIDE, PATCHES = 64, 4  # px of a patch, and patches of a picture
LUMA = (0.299, 0.587, 0.114)
CHANNELS = [0, 1, 4]  # of `residuals`


def patches(path, seed):
    """Patches of a picture's residuals as pictures, at random places."""
    grey = np.asarray(open_photo(path), dtype=np.float32) @ np.array(LUMA, dtype=np.float32)
    found = residuals(grey)[CHANNELS]
    shown = np.rint((found + CLIP) * (255 / (2 * CLIP))).astype(np.uint8).transpose(1, 2, 0)
    rng = np.random.default_rng(seed)
    for _ in range(PATCHES):
        top, left = (rng.integers(0, length - SIDE + 1) for length in shown.shape[:2])
        yield shown[top : top + SIDE, left : left + SIDE]


def stored(data):
    """Photographs with EXIF that nobody scaled: their path, photograph and source."""
    with (data / "exif_any" / "manifest.csv").open(newline="") as file:
        rows = [("exif_any", row) for row in csv.DictReader(file) if row["kind"] == "native"]
    with (data / "exif_faces" / "manifest.csv").open(newline="") as file:
        rows += [
            ("exif_faces", row)
            for row in csv.DictReader(file)
            if row["native_crop"] == row["saved_side"]
        ]
    return [
        {"path": data / folder / row["file"], "group": row["photo_id"], "source": row["source"]}
        for folder, row in rows
    ]


def records(rows, folder):
    """A record a patch, with the EXIF of its photograph, and the photograph of each."""
    made, groups = [], []
    for number, row in enumerate(rows):
        exif = read_exif(row["path"])
        for place, patch in enumerate(patches(row["path"], number)):
            path = folder / f"{number:05}_{place}.png"
            Image.fromarray(patch).save(path)
            made.append(PhotoRecord(str(path), exif))
            groups.append(row["group"])
    return made, groups


def fitted(rows, epochs, seed, folder):
    """A tower, and what it knows of sources that it has not seen."""
    split = GroupShuffleSplit(n_splits=1, test_size=0.2, random_state=seed)
    learn, kept = next(split.split(rows, groups=column(rows, "source")))
    X, groups = records([rows[i] for i in learn], folder)
    encoder = BladesEncoder(
        face_locator="whole", image_size=SIDE, tasks=EXIF, primary_task="ISOSpeedRatings",
        task_weighting="equal", freeze_text=True, batch_size=48, lr=1.5e-3, max_epochs=epochs,
        min_face_size=0, random_state=seed,
    ).fit(X, groups=groups)  # fmt: skip
    if not encoder.n_iter_:
        return encoder, {}
    held, _ = records([rows[i] for i in kept], Path(tempfile.mkdtemp(dir=folder)))
    scores = encoder.score_tasks(held)
    return encoder, {
        name: [round(float(task[key]), 3) for key in ("loss", "chance")]
        for name, task in scores.items()
    }


def features_of(encoder, rows):
    """A function of rows: their features, means over patches, of length 1."""
    made = [patch for number, row in enumerate(rows) for patch in patches(row["path"], number)]
    means = encoder.transform(made).reshape(len(rows), PATCHES, -1).mean(axis=1)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    of_path = {row["path"]: mean for row, mean in zip(rows, means, strict=True)}
    return lambda some: np.stack([of_path[row["path"]] for row in some])


def judged(rows, features, seed):
    """Area against generated faces by source left out, false alarms there, and the fair pair."""
    photographs = [row for row in rows if row["label"] != "generated"]
    generated = [row for row in rows if row["label"] == "generated"]
    names, sizes = np.unique(column(photographs, "source"), return_counts=True)
    areas, alarms, fair = {}, [], None
    for name in names[sizes >= FEWEST]:
        known, left = ([r for r in photographs if (r["source"] == name) == own] for own in (0, 1))
        head = one_class(seed).fit(features(known), groups=column(known, "group"))

        def score(some, head=head):
            return head.score_samples(features(some))

        areas[str(name)] = round(area(score(left), score(generated)), 1)
        alarms.append(100 * float((head.predict(features(left)) == -1).mean()))
        if name == FAIR:
            fair = by_person(score, left, [row for row in generated if row["source"] == name])
    return {
        "source left out": round(mean(areas.values()), 1),
        "fair pair": fair,
        "false alarms": round(mean(alarms), 1),
        "areas": areas,
    }


def study(data, seeds, epochs):
    """Print a row a seed and tower."""
    faces = [
        r for r in read_manifest(data / "native" / "manifest.csv") if Path(r["path"]).is_file()
    ]
    rows = stored(data)
    for seed in seeds:
        for n_epochs in (0, epochs):
            with tempfile.TemporaryDirectory() as folder:
                encoder, learned = fitted(rows, n_epochs, seed, Path(folder))
            found = judged(faces, features_of(encoder, faces), seed)
            row = {"seed": seed, "epochs": n_epochs, "n_photographs": len(rows), **found}
            print(json.dumps({**row, "loss, chance": learned}), flush=True)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore", SmallSampleWarning)  # n is in the rows
    study(options.data, options.seeds, options.epochs)


if __name__ == "__main__":
    main()
