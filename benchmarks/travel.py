"""What carries over to photographs of a source that neither encoder nor head has seen.

    python -m benchmarks.pack_faces DATA faces.zip
    python -m benchmarks.travel faces.zip --seed 0 --seconds 300 --jobs 16 | tee seed_0.jsonl
    python -m benchmarks.travel --table seed_0.jsonl seed_1.jsonl seed_2.jsonl

`blades-lite` with ImageNet's weights, frozen and trained on all photographs of the pack but those
of head, test and the unseen source: on the face tasks alone, by bi-level weights with EXIF, then
the arms of `RECIPES`. Every arm is judged under a one-class head, a binary head that has seen the
other generators' faces, both added up, and `BladesHybrid` where there is one; generated faces
against photographs of the unseen source first, then in balanced pairs, then against all test
photographs. An arm is a line of JSON as soon as it is known. One for which the time that is left
would not do, going by the arms before it, is said and left out; several seeds are several
processes.
"""

import argparse
import json
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from statistics import mean

import numpy as np
from sklearn.metrics import roc_auc_score

import sklearn_blades
from examples.real_photos import binary_without, column, deal, read_manifest, split_photographs
from sklearn_blades import BladesBinary, BladesEncoder, BladesOneClass
from sklearn_blades.errors import SmallSampleWarning

from .pack_faces import training_rows, unpack
from .real_results import CROPS, FACE, pairs, table

LITE = {"architecture": "blades-lite", "pretrained": "imagenet", "features": "pooled"}
FACE_ALONE = {"tasks": FACE, "task_weighting": "equal"}
MAIN = {
    "frozen": {"max_epochs": 0},
    "face tasks": FACE_ALONE,
    "bi-level": {},
}
RECIPES = {
    "face tasks, augmented": {**FACE_ALONE, "augment": True},
    "face tasks, 3 sources": {**FACE_ALONE, "n_sources": 3},
    "face tasks, 10 sources": {**FACE_ALONE, "n_sources": 10},
    "face tasks, 40 sources": {**FACE_ALONE, "n_sources": 40},
    "equal": {"task_weighting": "equal"},
    "bi-level, augmented": {"augment": True},
}
ARMS = MAIN | RECIPES
OF_SOURCES = 1500  # photographs in the arms with so many sources
UNSEEN = "pif-website"


def of_sources(rows, n_sources, total, seed):
    """So many photographs of the so many largest sources, as even as their sizes allow."""
    rng = np.random.default_rng(seed)
    sources, sizes = np.unique(column(rows, "source"), return_counts=True)
    largest = np.argsort(-sizes, kind="stable")[:n_sources]
    sizes = sizes[largest]
    quota = next(q for q in range(1, total + 1) if np.minimum(sizes, q).sum() >= min(
        total, sizes.sum()
    ))  # fmt: skip
    chosen = []
    for source in sources[largest]:
        own = [row for row in rows if row["source"] == source]
        chosen += [own[i] for i in rng.permutation(len(own))[:quota]]
    return [chosen[i] for i in np.sort(rng.permutation(len(chosen))[:total])]


class Faces:
    """Who is seen by whom, for one seed.

    Attributes
    ----------
    training : photographs for the encoder, of all sources but the unseen one
    density : photographs of the development set for the heads: the encoder's, half of the head's
    calibration : the other half, which nothing was fitted to
    test, foreign : photographs to judge, the second of the unseen source
    generated : faces that no encoder and no one-class head sees
    """

    def __init__(self, root, seed):
        encoder, head, self.test, self.foreign = split_photographs(root / "dev", UNSEEN, seed)
        rest, self.calibration = deal(head, 0.5, seed)
        self.training = encoder + training_rows(root)
        self.density = [row for row in encoder if "_small/" not in row["file"]] + rest
        rows = read_manifest(root / "dev" / "manifest.csv")
        self.generated = [row for row in rows if row["label"] == "generated"]
        self.paired = pairs(root / "dev", [*self.test, *self.foreign], self.generated)
        self.judged = [*self.density, *self.calibration, *self.test, *self.foreign, *self.generated]


def fitted(change, faces, base, seed):
    """The encoder of an arm, and how many photographs it learned from."""
    change, rows = dict(change), faces.training
    if n_sources := change.pop("n_sources", None):
        rows = of_sources(rows, n_sources, OF_SOURCES, seed)
    encoder = BladesEncoder(**{**base, "random_state": seed, **change})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # enlarged faces; tags of few photographs
        encoder.fit(column(rows, "path"), groups=column(rows, "group"))
    return encoder, len(rows) if encoder.n_iter_ else 0


def one_class_of(faces, features, seed):
    """The head that has seen photographs alone."""
    head = BladesOneClass(target_fpr=0.05, random_state=seed)
    head.fit(features(faces.density), groups=column(faces.density, "group"))
    return head.recalibrate(features(faces.calibration), groups=column(faces.calibration, "group"))


def scorers(faces, features, seed):
    """How photographic rows are, by head and left-out generator; and the one-class head."""
    head = one_class_of(faces, features, seed)
    known = {"head": faces.density, "generated": faces.generated}
    heads = {}
    for generator in sorted(set(column(faces.generated, "generator"))):
        binary = binary_without(generator, known, features, BladesBinary(), seed)
        ways = {
            "one-class": lambda rows: head.score_samples(features(rows)),
            "binary": lambda rows, binary=binary: binary.decision_function(features(rows)),
        }
        ways["added"] = _added([*ways.values()], faces.calibration)
        if hasattr(sklearn_blades, "BladesHybrid"):
            ways["hybrid"] = _hybrid(faces, generator, features, seed)
        heads[generator] = ways
    return heads, head


def _added(ways, photographs):
    """Scores in units of their spread over photographs that calibrate, added up."""
    places = [(scores.mean(), scores.std()) for scores in (way(photographs) for way in ways)]

    def added(rows):
        return sum((w(rows) - m) / s for w, (m, s) in zip(ways, places, strict=True))

    return added


def _hybrid(faces, generator, features, seed):
    photographs = [*faces.density, *faces.calibration]
    fakes = [row for row in faces.generated if row["generator"] != generator]
    rows = [*photographs, *fakes]
    head = sklearn_blades.BladesHybrid(random_state=seed)
    head.fit(
        features(rows),
        np.repeat([1, -1], [len(photographs), len(fakes)]),
        groups=column(rows, "group"),
        generator=[row["generator"] or None for row in rows],
    )
    return lambda rows: head.score_samples(features(rows))


def judged(heads, photographs, fakes):
    """AUC in percent by head: the average over generators, and each."""
    found = {}
    for generator, ways in heads.items():
        own = [row for row in fakes if row["generator"] == generator]
        y = np.repeat([1, 0], [len(photographs), len(own)])
        for name, way in ways.items() if own else ():
            area = roc_auc_score(y, np.concatenate([way(photographs), way(own)]))
            found.setdefault(name, {})[generator] = round(100 * area, 1)
    return {name: {"average": round(mean(f.values()), 1), **f} for name, f in found.items()}


def row_of(name, faces, base, seed):
    """One arm, fitted and judged: a row."""
    start = time.perf_counter()
    encoder, n_training = fitted(ARMS[name], faces, base, seed)
    learned = time.perf_counter() - start
    made = encoder.transform(column(faces.judged, "path"))
    of_path = dict(zip(column(faces.judged, "path"), made, strict=True))

    def features(rows):
        return np.stack([of_path[row["path"]] for row in rows])

    heads, head = scorers(faces, features, seed)
    row = {
        "arm": name, "seed": seed, "n_training": n_training, "n_unseen": len(faces.foreign),
        "unseen": judged(heads, faces.foreign, faces.generated),
        "pairs": judged(heads, *faces.paired),
        "all": judged(heads, faces.test, faces.generated),
    }  # fmt: skip
    for key, rows in (("test", faces.test), ("unseen", faces.foreign)):
        alarms = (head.predict(features(rows)) == -1).mean()
        row[f"false_alarms_{key}"] = round(100 * float(alarms), 1)
    row["known_against_unseen"] = judged(
        {"": {"one-class": heads[faces.generated[0]["generator"]]["one-class"]}},
        faces.test, [{**row, "generator": ""} for row in faces.foreign],
    )["one-class"]["average"]  # fmt: skip
    if encoder.n_iter_:
        tasks = encoder.score_tasks(column(faces.test, "path"))
        row["manipulation_auc"] = round(100 * tasks["manipulated"]["auc"], 1)
        row["task_weights"] = {n: round(w, 3) for n, w in encoder.task_weights_.items()}
    encoder.clear_cache()
    return {**row, "fit_seconds": round(learned), "seconds": round(time.perf_counter() - start)}


def attempt(name, faces, base, seed):
    """The arm's row, or why there is none: the arms after it go on."""
    try:
        return row_of(name, faces, base, seed)
    except Exception as error:
        traceback.print_exc()
        return {"arm": name, "seed": seed, "error": repr(error)}


def study(root, options):
    """Print a row an arm, as long as there is time."""
    end, longest = time.perf_counter() + options.seconds, {False: 0.0, True: 0.0}
    base = {
        **CROPS, "max_epochs": options.epochs, "batch_size": 48, "outer_interval": 4,
        "cache_size": 3000, "n_jobs": options.jobs,
        **(LITE if options.architecture == "blades-lite" else
           {"architecture": options.architecture, "image_size": 32}),
    }  # fmt: skip
    faces = Faces(root, options.seed)
    for name in options.arms or ARMS:
        left, trained = end - time.perf_counter(), name != "frozen"
        if left < longest[trained]:
            row = {"arm": name, "seed": options.seed, "left_out": f"{left:.0f} s are left"}
        else:
            row = attempt(name, faces, base, options.seed)
            longest[trained] = max(longest[trained], row.get("seconds", 0))
        print(json.dumps(row), flush=True)


def summary(files):
    """The rows of several seeds as a markdown table: means, and in brackets each seed."""
    lines = (line for file in files for line in file.read_text().splitlines())
    rows = [json.loads(line) for line in lines if line.startswith('{"arm"')]
    rows = sorted((row for row in rows if "unseen" in row), key=lambda row: row["seed"])
    heads = list(dict.fromkeys(head for row in rows for head in row["unseen"]))
    lines = []
    for arm in dict.fromkeys(row["arm"] for row in rows):
        own = [row for row in rows if row["arm"] == arm]
        for head in heads:
            cells = [_cell([r[key][head]["average"] for r in own if head in r[key]])
                     for key in ("unseen", "pairs", "all")]  # fmt: skip
            alarms = [[r[f"false_alarms_{key}"] for r in own if f"false_alarms_{key}" in r]
                      for key in ("unseen", "test")]  # fmt: skip
            lines.append([arm, head, *cells, *map(_cell, alarms * (head == "one-class"))])
            lines[-1] += [""] * (7 - len(lines[-1]))
    names = ["encoder", "head", "unseen source", "balanced pairs", "all"]
    return table([*names, "false alarms, unseen", "false alarms, test"], lines)


def _cell(values):
    if not values:
        return ""
    return f"{mean(values):.1f} ({' / '.join(f'{value:.0f}' for value in values)})"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", nargs="?", help="of benchmarks.pack_faces, or its folder")
    parser.add_argument("--arms", nargs="*", choices=ARMS, metavar="ARM", help=", ".join(ARMS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--architecture", default="blades-lite", help="another one is a rehearsal")
    parser.add_argument("--table", nargs="*", type=Path, default=(), help="rows that were printed")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore", SmallSampleWarning)  # n is in the rows
    if options.table:
        print(summary(options.table))
    elif options.pack is None:
        parser.error("name the pack, or --table and files of rows.")
    else:
        with tempfile.TemporaryDirectory() as folder:
            study(unpack(options.pack, folder), options)


if __name__ == "__main__":
    main()
