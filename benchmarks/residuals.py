"""What stored pixels tell of generated faces, and what they add to a frozen face tower.

    python -m benchmarks.residuals DATA [--memory FOLDER] [--seeds 0 1 2]

DATA/native holds cuts of stored pixels, DATA/dev face crops that were all rescaled and compressed
alike, each with a `manifest.csv`; dev also `balanced_pairs.csv`. No head sees a generated face.
On native every source of photographs is left out in turn and judged against all generated faces;
the fair pair is the one source that published both. On dev the photographs are dealt by person.
Sources count as known to a density of their own from `FEWEST` photographs on.
"""

import argparse
import json
import time
import warnings
from pathlib import Path
from statistics import mean

import numpy as np
from sklearn.metrics import roc_auc_score

from examples.real_photos import column, read_manifest, split_photographs
from sklearn_blades import BladesBranches, BladesEncoder, BladesOneClass
from sklearn_blades.errors import SmallSampleWarning
from sklearn_blades.evaluation.statistics.intervals import auc_estimate
from sklearn_blades.heads.fusion import log_p_values
from sklearn_blades.photos.regions import face_region
from sklearn_blades.residuals import NativeResiduals
from sklearn_blades.residuals.statistics import face_statistics

from ._measure import RESULTS, conditions
from .real_results import CROPS, pairs, table

FAIR, UNSEEN = "s005", "pif-website"
FEWEST = 15
TARGET = 0.05
KINDS = ("residuals", "tower")
DRAWS = 2000
TIMED = 50  # faces


class Features:
    """Features of both kinds by path, side by side: those of the tower first."""

    def __init__(self, paths, memory, architecture):
        encoder = BladesEncoder(**CROPS, **architecture, max_epochs=0, memory=memory,
                                random_state=0)  # fmt: skip
        encoder.fit(paths[:6])
        of_pixels = NativeResiduals("whole", memory=memory).transform(paths)
        of_tower = encoder.transform(paths)
        self.n_columns = {"tower": of_tower.shape[1], "residuals": of_pixels.shape[1]}
        self._row = {path: row for row, path in enumerate(paths)}
        self._made = np.hstack([of_tower, of_pixels])

    def __call__(self, rows, kind=None):
        made = self._made[[self._row[row["path"]] for row in rows]]
        tower = self.n_columns["tower"]
        return {None: made, "tower": made[:, :tower], "residuals": made[:, tower:]}[kind]


def milliseconds_a_face(rows):
    """CPU time of the statistics alone, of faces that are decoded, and their mean side."""
    faces = [face_region(row["path"], face_locator="whole") for row in rows]
    face_statistics(faces[0])
    start = time.process_time()
    for face in faces:
        face_statistics(face)
    spent = 1000 * (time.process_time() - start) / len(faces)
    return {"milliseconds": round(spent, 1), "side": round(mean(face.shape[0] for face in faces))}


def one_class(seed):
    return BladesOneClass(target_fpr=TARGET, calibration_fraction=0.3, random_state=seed)


def heads_of(known, features, seed):
    """Scores of rows, by head, each learned from the photographs that are known."""
    groups, scorers = column(known, "group"), {}
    for kind in KINDS:
        head = one_class(seed).fit(features(known, kind), groups=groups)
        scorers[kind] = _scorer(head, features, kind)
    branches = [(kind, one_class(seed), n) for kind, n in features.n_columns.items()]
    both = BladesBranches(branches, target_fpr=TARGET, random_state=seed)
    scorers["both"] = _scorer(both.fit(features(known), groups=groups), features, None)

    apart = {kind: densities(known, features, kind, seed) for kind in KINDS}
    for kind in KINDS:
        scorers[f"{kind}, a density a source"] = largest(apart, features, [kind])
    scorers["both, a density a source"] = largest(apart, features, KINDS)
    return scorers


def _scorer(head, features, kind):
    def score(rows):
        return head.score_samples(features(rows, kind))

    score.alarms = lambda rows: float((head.predict(features(rows, kind)) == -1).mean())
    return score


def densities(known, features, kind, seed):
    """A head for every source with enough photographs."""
    sources, sizes = np.unique(column(known, "source"), return_counts=True)
    found = []
    for source in sources[sizes >= FEWEST]:
        own = [row for row in known if row["source"] == source]
        head = one_class(seed).set_params(calibration_fraction=0.4)
        found.append(head.fit(features(own, kind), groups=column(own, "group")))
    return found


def largest(apart, features, kinds):
    """The largest log p-value over the sources, added up over kinds."""

    def score(rows):
        return sum(
            np.max([_log_p(head, features(rows, kind)) for head in apart[kind]], axis=0)
            for kind in kinds
        )

    return score


def _log_p(head, X):
    return log_p_values(head.score_samples(X), [head.calibration_scores_])


def area(true, false):
    y = np.repeat([1, 0], [len(true), len(false)])
    return 100 * roc_auc_score(y, np.concatenate([true, false]))


def by_person(score, true, false):
    """Area and its 95 % interval over persons, in percent."""
    scores = np.concatenate([score(true), score(false)])
    positive = np.arange(len(scores)) < len(true)
    found = auc_estimate(scores, positive, groups=column([*true, *false], "group"))
    return [round(100 * float(number), 1) for number in (found.value, found.low, found.high)]


def native(rows, features, seed):
    """By head: area and false alarms on each source left out, and the fair pair."""
    photographs = [row for row in rows if row["label"] != "generated"]
    generated = [row for row in rows if row["label"] == "generated"]
    names, sizes = np.unique(column(photographs, "source"), return_counts=True)
    found = {}
    for name in names[sizes >= FEWEST]:
        known, left = ([r for r in photographs if (r["source"] == name) == own] for own in (0, 1))
        fair = [row for row in generated if row["source"] == name]
        for head, score in heads_of(known, features, seed).items():
            own = found.setdefault(head, {"areas": {}, "alarms": {}})
            own["areas"][str(name)] = area(score(left), score(generated))
            if hasattr(score, "alarms"):
                own["alarms"][str(name)] = 100 * score.alarms(left)
            if name == FAIR:
                own["fair"] = by_person(score, left, fair)
    return found


def dev(root, features, seed):
    """By head: areas against the unseen source and in balanced pairs, averaged over generators."""
    encoder, head, test, foreign = split_photographs(root, UNSEEN, seed)
    known = [row for row in (*encoder, *head) if "_small" not in row["file"].split("/")[0]]
    generated = [r for r in read_manifest(root / "manifest.csv") if r["label"] == "generated"]
    paired, found = pairs(root, [*test, *foreign], generated), {}
    for name, score in heads_of(known, features, seed).items():
        found[name] = {
            "unseen": _over_generators(score, foreign, generated),
            "unseen, all generators": by_person(score, foreign, generated),
            "pairs": _over_generators(score, *paired),
            "pairs, all generators": by_person(score, *paired),
            "n": [len(known), len(foreign), len(generated), *map(len, paired)],
        }
        if hasattr(score, "alarms"):
            found[name]["alarms, unseen"] = 100 * score.alarms(foreign)
    return found


def _over_generators(score, photographs, generated):
    true = score(photographs)
    names = sorted({row["generator"] for row in generated})
    false = ([row for row in generated if row["generator"] == name] for name in names)
    return mean(area(true, score(rows)) for rows in false)


def over_sources(of_seeds):
    """Mean area over sources and seeds, and its 95 % interval over redrawn sources."""
    areas = np.array([[*one["areas"].values()] for one in of_seeds]).mean(axis=0)
    rng = np.random.default_rng(0)
    draws = areas[rng.integers(0, len(areas), (DRAWS, len(areas)))].mean(axis=1)
    return areas.mean(), *np.percentile(draws, [2.5, 97.5])


def summary(result):
    """The outcome as a markdown table."""
    lines, seeds = [], range(len(result["seeds"]))
    for head in result["native"][0]:
        ours = [result["native"][seed][head] for seed in seeds]
        theirs = [result["dev"][seed][head] for seed in seeds]
        centre, low, high = over_sources(ours)
        fair = [one["fair"] for one in ours]
        alarms = [mean(one["alarms"].values()) for one in ours if one["alarms"]]
        lines.append(
            [
                head,
                f"{centre:.0f} [{low:.0f}, {high:.0f}]",
                f"{_seeds([one[0] for one in fair])} [{fair[0][1]:.0f}, {fair[0][2]:.0f}]",
                _seeds(alarms),
                _seeds([one["unseen"] for one in theirs]),
                _seeds([one["pairs"] for one in theirs]),
            ]
        )
    heads = ["one-class head on", "native, source left out", "fair pair", "false alarms"]
    return table([*heads, "dev, unseen source", "dev, balanced pairs"], lines)


def _seeds(values):
    if not values:
        return ""
    return f"{mean(values):.0f} ({' / '.join(f'{value:.0f}' for value in values)})"


def study(root, seeds, memory, architecture):
    """Everything, as plain data."""
    rows = {name: read_manifest(root / name / "manifest.csv") for name in ("native", "dev")}
    rows = {name: [r for r in of if Path(r["path"]).is_file()] for name, of in rows.items()}
    paths = [row["path"] for of in rows.values() for row in of]
    features = Features(paths, memory, architecture)
    return {
        "seeds": list(seeds),
        "native": [native(rows["native"], features, seed) for seed in seeds],
        "dev": [dev(root / "dev", features, seed) for seed in seeds],
        "a_face": milliseconds_a_face(rows["native"][:TIMED]),
    }


LITE = {"architecture": "blades-lite", "pretrained": "imagenet", "features": "pooled"}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--memory", help="folder in which features are kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore", SmallSampleWarning)  # n is in the table
    result = study(options.data, options.seeds, options.memory, LITE)
    RESULTS.mkdir(exist_ok=True)
    content = json.dumps({**result, **conditions()}, indent=1)
    (RESULTS / "residuals.json").write_text(content + "\n")
    print(summary(result))


if __name__ == "__main__":
    main()
