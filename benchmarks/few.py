"""How many photographs a detector takes, and what the density has to do with it.

    python -m benchmarks.contrast faces.zip --features features.npz --taught
    python -m benchmarks.few faces.zip features.npz | tee few.jsonl
    python -m benchmarks.few --table few.jsonl

A frozen tower, `blades-lite` with ImageNet's weights, whose features `benchmarks.contrast` has
kept. So many photographs of known sources are dealt as `BladesDetector` deals them when it is told
who is in them: a fifth of the persons, or the 19 that the promise takes, calibrate, with one
photograph each, and the others make a density: a mixture of diagonal covariances, or kernels.
*With contrast* half of all, 250 at most, teach a contrast before that. No generated face is in
training, and nobody is in two of the parts, or in one and judged. Each head is judged against
generated faces in the three ways of `benchmarks.travel`; what it flags is of 5 % promised. Means
and standard deviations over deals of people (seeds) and draws of photographs.
"""

import argparse
import json
import tempfile
import warnings
from itertools import product
from pathlib import Path

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NearestCentroid

from examples.real_photos import column
from sklearn_blades import BladesHybrid, BladesOneClass
from sklearn_blades.errors import SmallSampleWarning
from sklearn_blades.estimators.contrast import MOST
from sklearn_blades.estimators.dealing import MOST_TO_CALIBRATE
from sklearn_blades.heads.conformal import fewest_calibration_scores

from .contrast import ARMS, SHIPPED, UNTOUCHED, Features, as_kind, edited
from .pack_faces import unpack
from .real_results import table
from .travel import Faces, against_all

SIZES = (60, 100, 200, 400, 500)
DENSITIES = {"mixture": "diag", "kernels": "kernel"}
DRAWS = 3


def drawn(faces, features, n, contrasted, seed):
    """So many photographs for a contrast (none without), and for a head: two lists of rows."""
    rng = np.random.default_rng(seed)
    teachers = edited(faces, features)
    n_taught = min(MOST, n // 2) if contrasted else 0
    taught = [teachers[place] for place in rng.permutation(len(teachers))[:n_taught]]
    persons = {row["group"] for row in taught}
    others = [row for row in (*faces.density, *faces.calibration) if row["group"] not in persons]
    return taught, [others[place] for place in rng.permutation(len(others))[: n - len(taught)]]


def contrast_of(photographs, features):
    """The direction that `make_contrast` takes, of features that were kept."""
    fakes = [features(as_kind(photographs, kind)) for kind in ARMS[SHIPPED]]
    parts = [features(as_kind(photographs, UNTOUCHED)), *fakes]
    y = np.repeat([1, *[-1] * len(fakes)], [len(part) for part in parts])
    return FrozenEstimator(NearestCentroid(priors="uniform").fit(np.concatenate(parts), y))


def head_of(density, taught, rows, features, seed):
    """As `BladesDetector` fits its head."""
    groups = column(rows, "group")
    fraction = fewest_calibration_scores(0.05) / len(set(groups))
    fraction = min(max(0.2, fraction), MOST_TO_CALIBRATE)
    how = {"target_fpr": 0.05, "calibration_fraction": fraction, "random_state": seed}
    one_class = BladesOneClass(covariance_type=DENSITIES[density], **how)
    if not taught:
        return one_class.fit(features(rows), groups=groups)
    head = BladesHybrid(one_class, contrast=contrast_of(taught, features), **how)
    return head.fit(features(rows), groups=groups)


def row_of(n, density, contrasted, faces, features, seed):
    """One head, fitted and judged: a row."""
    taught, rows = drawn(faces, features, n, contrasted, seed)
    head = head_of(density, taught, rows, features, seed)
    way = {"head": lambda some: head.score_samples(features(some))}
    generators = sorted(set(column(faces.generated, "generator")))
    found = against_all(dict.fromkeys(generators, way), faces)
    sides = {"unseen": faces.foreign, "test": faces.test, "found": faces.generated}
    flagged = {
        side: round(100 * float((head.predict(features(some)) == -1).mean()), 1)
        for side, some in sides.items()
    }
    areas = {key: value["head"]["average"] for key, value in found.items()}
    return {"n": n, "density": density, "contrast": contrasted, **areas, "flagged": flagged}


def study(root, features, seeds, sizes, draws):
    """Print a row a head."""
    for seed in seeds:
        faces = Faces(root, seed)
        for n, density, contrasted in product(sizes, DENSITIES, (False, True)):
            for draw in range(draws):
                row = row_of(n, density, contrasted, faces, features, 100 * seed + draw)
                print(json.dumps({"seed": seed, **row}), flush=True)


def summary(rows):
    """The rows as a markdown table."""
    keys = list(dict.fromkeys((row["n"], row["contrast"], row["density"]) for row in rows))
    lines = []
    for n, contrasted, density in sorted(keys):
        own = [r for r in rows if (r["n"], r["contrast"], r["density"]) == (n, contrasted, density)]
        areas = [_cell([row[key] for row in own]) for key in ("unseen", "pairs", "all")]
        rates = [_cell([row["flagged"][key] for row in own]) for key in ("unseen", "test", "found")]
        name = f"{density}, with contrast" if contrasted else density
        lines.append([str(n), name, *areas, *rates])
    heads = ["photographs", "head", "unseen source", "balanced pairs", "all"]
    return table([*heads, "false alarms, unseen", "false alarms, test", "found"], lines)


def _cell(values):
    return f"{np.mean(values):.1f} ± {np.std(values):.1f}"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", nargs="?", help="of benchmarks.pack_faces, or its folder")
    parser.add_argument("features", nargs="?", type=Path, help="kept by benchmarks.contrast")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES, help="of photographs")
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--table", type=Path, help="rows that were printed")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore", SmallSampleWarning)  # n is in the rows
    warnings.filterwarnings("ignore", "self.within_class_std_dev_")  # features that are always 0
    if options.table:
        print(summary([json.loads(line) for line in options.table.read_text().splitlines()]))
    elif options.features is None:
        parser.error("name the pack and the features, or --table and a file of rows.")
    else:
        with tempfile.TemporaryDirectory() as folder:
            root, features = unpack(options.pack, folder), Features.load(options.features)
            study(root, features, options.seeds, options.sizes, options.draws)


if __name__ == "__main__":
    main()
