"""My camera facts are in a table and not in the files: how do I use them?

    python examples/recipes/own_exif.py [--n 200] [--epochs 6] [--seed 0]

A CSV sidecar, as exiftool writes one, becomes a table; `read_photos` joins it with the files; its
records go wherever paths do. The tasks are a choice of those that the table can teach. n = people.
"""

import csv
from pathlib import Path

import numpy as np
from _simulated import FROM_SCRATCH, command_line, people
from PIL import Image
from sklearn.model_selection import StratifiedKFold, cross_val_score, train_test_split

from sklearn_blades import BladesEncoder, BladesOneClass, make_detector
from sklearn_blades.photos import read_exif, read_photos
from sklearn_blades.pretext import CategoricalTag, Manipulated, OrdinalTag

TASKS = [
    OrdinalTag("ISOSpeedRatings"),
    OrdinalTag("FNumber"),
    CategoricalTag("Make"),
    Manipulated(),
]


def exif_table(sidecar):
    """``{path: {tag: text}}`` from a CSV file with a column ``path``, relative to the file.

    The other columns carry EXIF's standard names; those that are unknown are ignored. Text such
    as 1/125, f/2.8, 50 mm and NIKON CORPORATION is understood; an empty cell is a missing tag.
    """
    with Path(sidecar).open(newline="", encoding="utf-8") as file:
        return {str(Path(sidecar).parent / row.pop("path")): row for row in csv.DictReader(file)}


def write_sidecar(paths, sidecar):
    """What an export does to photographs: the EXIF goes out of the files, into a table."""
    tags = ("ISOSpeedRatings", "FNumber", "ExposureTime", "Make")
    with sidecar.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["path", *tags], extrasaction="ignore")
        writer.writeheader()
        for path in paths:
            facts = read_exif(path)
            seconds = f"1/{1 / facts['ExposureTime']:.0f}"
            name = Path(path).relative_to(sidecar.parent)
            writer.writerow({**facts, "path": name, "ExposureTime": seconds})
            with Image.open(path) as image:
                image.save(path, quality="keep", exif=b"")


def main(folder, n=200, epochs=6, seed=0):
    paths, *_ = people(n, folder, seed)
    sidecar = Path(folder, "exif.csv")
    write_sidecar(paths, sidecar)

    # Tag by tag, what the table says goes before what the file says.
    records = read_photos(paths, exif=exif_table(sidecar))
    print(f"in the file: {read_exif(paths[0])}\nin the record: {dict(records[0].exif)}\n")

    # Records are rows: any splitter deals them. Each shows another person here; where they do not,
    # split by person, as nested_cross_validation.py does.
    for_encoder, others = train_test_split(records, test_size=0.4, random_state=seed)
    encoder = BladesEncoder(tasks=TASKS, **FROM_SCRATCH, max_epochs=epochs, random_state=seed)
    encoder.fit(for_encoder)
    print("task on people never seen     loss  chance  weight")
    for name, score in encoder.score_tasks(others).items():
        weight = encoder.task_weights_[name]
        print(f"{name:27s}{score['loss']:7.3f}{score['chance']:8.3f}{weight:8.2f}")

    # Scikit-learn slices them as well. Prediction looks at no EXIF: fakes need none.
    fakes, *_ = people(len(others), folder, seed + 1, kinds=("oversmooth",))
    X, y = [*others, *read_photos(fakes)], np.repeat([1, -1], len(others))
    head = BladesOneClass(target_fpr=0.1, calibration_fraction=0.5, random_state=seed)
    folds = StratifiedKFold(3, shuffle=True, random_state=seed)
    scores = cross_val_score(make_detector(encoder, head), X, y, cv=folds, scoring="roc_auc")
    print(f"\none-class AUC, cross-validated over records: {scores.mean():.3f}")
    return encoder, records, scores


if __name__ == "__main__":
    command_line(main, __doc__)
