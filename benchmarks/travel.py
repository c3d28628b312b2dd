"""What carries over to photographs of a source that neither encoder nor head has seen.

    python -m benchmarks.pack_faces DATA faces.zip
    python -m benchmarks.travel faces.zip --seed 0 --seconds 300 --jobs 16 | tee seed_0.jsonl
    python -m benchmarks.travel --table seed_0.jsonl seed_1.jsonl seed_2.jsonl

`blades-lite` with ImageNet's weights, frozen and trained on all photographs of the pack but those
of head, test and the unseen source, as the arms of `benchmarks._arms` say. Every arm is judged
under a one-class head, a binary head that has seen the other generators' faces, the two added up,
the same with the frozen tower's features beside the trained ones, and a one-class head with the
contrast that `BladesDetector` takes; generated faces against photographs of the unseen source
first, then in balanced pairs, then against all test photographs. An arm is a line of JSON as soon
as it is known. One for which the time that is left would not do, going by the arms before it, is
said and left out; several seeds are several processes.
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

from examples.real_photos import binary_without, column, deal, read_manifest, split_photographs
from sklearn_blades import (
    BladesBinary,
    BladesEncoder,
    BladesHybrid,
    BladesOneClass,
    make_contrast,
)
from sklearn_blades.errors import SmallSampleWarning
from sklearn_blades.estimators.contrast import MOST

from ._arms import ARMS, SourcesAlike, training_of, with_source
from .pack_faces import training_rows, unpack
from .real_results import CROPS, pairs, table

LITE = {"architecture": "blades-lite", "pretrained": "imagenet", "features": "pooled"}
UNSEEN = "pif-website"


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
        self.frozen = None  # features of the tower as it came, when an arm has made them


def fitted(change, faces, base, seed):
    """The encoder of an arm, and how many photographs it learned from."""
    change, rows = training_of(change, faces.training, seed)
    encoder = BladesEncoder(**{**base, "random_state": seed, **change})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # enlarged faces; tags of few photographs
        told = any(isinstance(task, SourcesAlike) for task in encoder.tasks or ())
        X = [with_source(row) for row in rows] if told else column(rows, "path")
        encoder.fit(X, groups=column(rows, "group"))
    return encoder, len(rows) if encoder.n_iter_ else 0


def one_class_of(faces, features, seed):
    """The head that has seen photographs alone."""
    head = BladesOneClass(target_fpr=0.05, random_state=seed)
    head.fit(features(faces.density), groups=column(faces.density, "group"))
    return head.recalibrate(features(faces.calibration), groups=column(faces.calibration, "group"))


def contrasted(encoder, faces, features, seed):
    """One-class and contrast under one promise, as `BladesDetector` has them."""
    rest, taught = deal(faces.density, min(0.5, MOST / len(faces.density)), seed)
    rows = [*rest, *faces.calibration]
    contrast = make_contrast(encoder, column(taught, "path"), random_state=seed)
    head = BladesHybrid(contrast=contrast, target_fpr=0.05, random_state=seed)
    return head.fit(features(rows), groups=column(rows, "group"))


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
        ways["one-class + binary"] = added(list(ways.values()), faces.calibration)
        heads[generator] = ways
    return heads, head


def added(ways, photographs):
    """Scores in units of their spread over photographs that calibrate, added up."""
    places = [(scores.mean(), scores.std()) for scores in (way(photographs) for way in ways)]

    def added(rows):
        return sum((w(rows) - m) / s for w, (m, s) in zip(ways, places, strict=True))

    return added


def hybrids(faces, features, seed):
    """`BladesHybrid` by left-out generator, as it is shipped, with weights and promise of its own.

    Returns
    -------
    heads : dict as `judged` takes it
    fitted : list of BladesHybrid
    """
    photographs = [*faces.density, *faces.calibration]
    heads, fitted = {}, []
    for generator in sorted(set(column(faces.generated, "generator"))):
        fakes = [row for row in faces.generated if row["generator"] != generator]
        rows = [*photographs, *fakes]
        head = BladesHybrid(target_fpr=0.05, random_state=seed)
        head.fit(
            features(rows),
            np.repeat([1, -1], [len(photographs), len(fakes)]),
            groups=column(rows, "group"),
            generator=[row["generator"] or None for row in rows],
        )
        heads[generator] = {"hybrid": lambda rows, head=head: head.score_samples(features(rows))}
        fitted.append(head)
    return heads, fitted


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


def against_all(heads, faces):
    """`judged` against photographs of the unseen source, in balanced pairs, and against all."""
    return {
        "unseen": judged(heads, faces.foreign, faces.generated),
        "pairs": judged(heads, *faces.paired),
        "all": judged(heads, faces.test, faces.generated),
    }


def alarms_of(heads, faces, features):
    """Share of photographs that heads flag, in percent: the average over generators left out."""
    return {
        f"false_alarms_{key}": round(
            100 * float(mean((head.predict(features(rows)) == -1).mean() for head in heads)), 1
        )
        for key, rows in (("test", faces.test), ("unseen", faces.foreign))
    }


def embedded(encoder, faces):
    """Features of all judged faces by their path."""
    paths = column(faces.judged, "path")
    return dict(zip(paths, encoder.transform(paths), strict=True))


def looked_up(made, *, beside=None):
    """A function of rows: their features, and those of another tower beside them."""

    def features(rows):
        parts = [np.stack([part[row["path"]] for row in rows]) for part in (made, beside) if part]
        return np.hstack(parts) / len(parts) ** 0.5

    return features


def row_of(name, faces, base, seed, with_hybrid):
    """One arm, fitted and judged: a row."""
    start = time.perf_counter()
    encoder, n_training = fitted(ARMS[name], faces, base, seed)
    learned = time.perf_counter() - start
    made = embedded(encoder, faces)
    features = looked_up(made)
    heads, head = scorers(faces, features, seed)
    with_contrast = contrasted(encoder, faces, features, seed)
    for ways in heads.values():
        ways["with contrast"] = lambda rows: with_contrast.score_samples(features(rows))
    row = {
        "arm": name, "seed": seed, "n_training": n_training, "n_unseen": len(faces.foreign),
        **against_all(heads, faces), **alarms_of([head], faces, features),
        "with contrast": alarms_of([with_contrast], faces, features),
    }  # fmt: skip
    first = next(iter(heads.values()))
    row["known_against_unseen"] = judged(
        {"": {"one-class": first["one-class"]}},
        faces.test, [{**row, "generator": ""} for row in faces.foreign],
    )["one-class"]["average"]  # fmt: skip
    if with_hybrid:
        shipped, fitted_hybrids = hybrids(faces, features, seed)
        for key, found in against_all(shipped, faces).items():
            row[key] |= found
        row["hybrid"] = alarms_of(fitted_hybrids, faces, features)
    if encoder.n_iter_:
        tasks = encoder.score_tasks(column(faces.test, "path"))
        row["task_aucs"] = {n: round(100 * t["auc"], 1) for n, t in tasks.items() if "auc" in t}
        row["task_weights"] = {n: round(w, 3) for n, w in encoder.task_weights_.items()}
    if encoder.n_iter_ and faces.frozen:
        features = looked_up(made, beside=faces.frozen)
        row["beside_frozen"] = against_all(scorers(faces, features, seed)[0], faces)
    elif name == "frozen":
        faces.frozen = made
    encoder.clear_cache()
    return {**row, "fit_seconds": round(learned), "seconds": round(time.perf_counter() - start)}


def attempt(name, *args):
    """The arm's row, or why there is none: the arms after it go on."""
    try:
        return row_of(name, *args)
    except Exception as error:
        traceback.print_exc()
        return {"arm": name, "seed": args[2], "error": repr(error)}


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
        left, trained = end - time.perf_counter(), ARMS[name].get("max_epochs") != 0
        if left < longest[trained]:
            row = {"arm": name, "seed": options.seed, "left_out": f"{left:.0f} s are left"}
        else:
            row = attempt(name, faces, base, options.seed, name in options.hybrids)
            longest[trained] = max(longest[trained], row.get("seconds", 0))
        print(json.dumps(row), flush=True)


def summary(files):
    """The rows of several seeds as a markdown table: means, and in brackets each seed."""
    lines = (line for file in files for line in file.read_text().splitlines())
    rows = [json.loads(line) for line in lines if line.startswith('{"arm"')]
    rows = sorted((row for row in rows if "unseen" in row), key=lambda row: row["seed"])
    heads = list(dict.fromkeys(head for row in rows for head in row["unseen"]))
    rows += [{"arm": f"{row['arm']}, beside frozen", **row["beside_frozen"]}
             for row in rows if "beside_frozen" in row]  # fmt: skip
    lines = []
    for arm in dict.fromkeys(row["arm"] for row in rows):
        own = [row for row in rows if row["arm"] == arm]
        for head in heads:
            if found := [row for row in own if head in row["unseen"]]:
                cells = [_cell([row[key][head]["average"] for row in found])
                         for key in ("unseen", "pairs", "all")]  # fmt: skip
                lines.append([arm, head, *cells, *_alarms(found, head)])
    names = ["encoder", "head", "unseen source", "balanced pairs", "all"]
    return table([*names, "false alarms, unseen", "false alarms, test"], lines)


def _alarms(rows, head):
    """Cells of false alarms, which heads without a promise have none of."""
    told = rows if head == "one-class" else [row.get(head, {}) for row in rows]
    keys = ("false_alarms_unseen", "false_alarms_test")
    return [_cell([row[key] for row in told if key in row]) for key in keys]


def _cell(values):
    if not values:
        return ""
    return f"{mean(values):.1f} ({' / '.join(f'{value:.0f}' for value in values)})"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", nargs="?", help="of benchmarks.pack_faces, or its folder")
    parser.add_argument("--arms", nargs="*", choices=ARMS, metavar="ARM", help=", ".join(ARMS))
    parser.add_argument("--hybrids", nargs="*", default=(), help="arms under BladesHybrid, too")
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
