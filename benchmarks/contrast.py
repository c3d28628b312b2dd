"""Do pseudo-fakes make a head find generators that it has not seen?

    python -m benchmarks.pack_faces DATA faces.zip
    python -m benchmarks.contrast faces.zip --features features.npz --seeds 0 1 2 | tee rows.jsonl
    python -m benchmarks.contrast --table rows.jsonl

A frozen tower, `blades-lite` with ImageNet's weights. *Without generators*: binary heads that learn
photographs against pseudo-fakes of them, of each kind, of all, and of the method's four
manipulations; photographs are then the untouched partners, which passed the same small map. And the
same with nothing trained: the direction from the faulty faces' mean to the photographs', which
`sklearn_blades.make_contrast` takes, alone and added to the one-class head. *By default* are the
two heads that `BladesDetector` takes, with what they flag of 5 % promised, also after they were
recalibrated on half of the unseen source. No generated face is in training. *With known
generators*: binary and hybrid heads that have seen the other generators' faces, with and without
pseudo-fakes of all kinds added to them. Deals, figures and their order are those of
`benchmarks.travel`: generated faces against photographs of the unseen source first. Pictures are
embedded once for all seeds; ``--features`` keeps that.
"""

import argparse
import json
import tempfile
import time
import warnings
from copy import deepcopy
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NearestCentroid

from examples.real_photos import MARGIN, binary_without, column, deal, read_manifest
from sklearn_blades import BladesBinary, BladesEncoder, BladesHybrid
from sklearn_blades.errors import SmallSampleWarning
from sklearn_blades.photos import pseudo_fakes
from sklearn_blades.photos.manipulations import MANIPULATIONS
from sklearn_blades.photos.pseudo_fakes import PSEUDO_FAKES

from .pack_faces import unpack
from .real_results import CROPS
from .travel import LITE, UNSEEN, Faces, added, judged, one_class_of, summary

KINDS = {how.name: (how.name,) for how in PSEUDO_FAKES}
EDITS = tuple(how.name for how in MANIPULATIONS)
ARMS = {
    **KINDS, "all kinds": tuple(KINDS), "the method's four": EDITS,
    "the four and oversmoothing": (*EDITS, "oversmoothing"),
}  # fmt: skip
ARMS["all ten"] = (*EDITS, *KINDS)
SHIPPED = "the four and oversmoothing"
ADDED = ("all kinds", SHIPPED)  # to the one-class head's scores
UNTOUCHED = "untouched"


def key_of(row):
    """What a picture is called among the features: its file, and what was done to it."""
    return f"{row.get('kind', '')} {row['file']}"


def as_kind(rows, kind):
    """The rows of what was made of photographs."""
    return [{**row, "kind": kind, "label": "generated", "generator": kind} for row in rows]


class Features:
    """Rows in, features out, each picture embedded once.

    Parameters
    ----------
    root : Path
        Of an unpacked pack.
    encoder : BladesEncoder
    n_photographs : int
        Of how many photographs of known sources pseudo-fakes are made; those are drawn once.

    Attributes
    ----------
    edited : set of str
        The files of those photographs.
    """

    def __init__(self, root, encoder, n_photographs):
        rows = read_manifest(root / "dev" / "manifest.csv")
        known = [r for r in rows if r["label"] == "photographic" and UNSEEN not in r["source"]]
        chosen = np.random.default_rng(0).permutation(len(known))[:n_photographs]
        photographs = [known[place] for place in np.sort(chosen)]
        self.edited = set(column(photographs, "file"))
        keys, parts = [key_of(row) for row in rows], [encoder.transform(column(rows, "path"))]
        cut = {"face_locator": "whole", "face_margin": MARGIN, "random_state": 0}
        cut["image_size"] = encoder.preprocessing_.image_size
        for kind in (*KINDS, *EDITS):
            # Equal seeds: one small map a photograph, whatever is done to it then.
            made = pseudo_fakes(column(photographs, "path"), kind, **cut)
            parts.append(encoder.transform(made.pictures))
            keys += [key_of(row) for row in as_kind(photographs, kind)]
        parts.append(encoder.transform(made.untouched))
        keys += [key_of(row) for row in as_kind(photographs, UNTOUCHED)]
        self.of_key = dict(zip(keys, np.concatenate(parts), strict=True))

    def __call__(self, rows):
        return np.stack([self.of_key[key_of(row)] for row in rows])

    def save(self, path):
        """Keep them in a file of numpy's."""
        keys, rows = zip(*self.of_key.items(), strict=True)
        np.savez(path, keys=keys, rows=rows, edited=sorted(self.edited))

    @classmethod
    def load(cls, path):
        """What `save` wrote."""
        self = cls.__new__(cls)
        with np.load(path) as kept:
            self.of_key = dict(zip(kept["keys"].tolist(), kept["rows"], strict=True))
            self.edited = set(kept["edited"].tolist())
        return self


def edited(faces, features):
    """The photographs that pseudo-fakes were made of, as far as they may teach."""
    return [row for row in faces.density if row["file"] in features.edited]


def without_generators(photographs, features, learner):
    """How photographic rows are, by what photographs were taught against, and the classifiers."""
    genuine = features(as_kind(photographs, UNTOUCHED))
    heads = {}
    for name, kinds in ARMS.items():
        fakes = np.concatenate([features(as_kind(photographs, kind)) for kind in kinds])
        X, y = np.concatenate([genuine, fakes]), np.repeat([1, 0], [len(genuine), len(fakes)])
        heads[name] = clone(learner).fit(X, y)
    ways = {
        name: lambda rows, head=head: head.decision_function(features(rows))
        for name, head in heads.items()
    }
    return ways, heads


def direction(photographs, features):
    """The contrast as it is shipped."""
    learner = NearestCentroid(priors="uniform")
    return without_generators(photographs, features, learner)[1][SHIPPED]


def shipped(faces, features, contrast, seed, generated=()):
    """`BladesHybrid` with a contrast, of people of whom no photograph taught it."""
    persons = {row["group"] for row in edited(faces, features)}
    rows = [row for row in faces.density if row["group"] not in persons] + faces.calibration
    y = np.repeat([1, -1], [len(rows), len(generated)])
    rows += generated
    head = BladesHybrid(contrast=FrozenEstimator(contrast), random_state=seed)
    return head.fit(
        features(rows), y, groups=column(rows, "group"), generator=column(rows, "generator")
    )


def with_generators(faces, generator, features, seed):
    """The same of heads that know the other generators' faces: alone, and pseudo-fakes added."""
    sources = edited(faces, features)
    partners = as_kind(sources, UNTOUCHED)
    pseudo = [row for kind in KINDS for row in as_kind(sources, kind)]
    others = [row for row in faces.generated if row["generator"] != generator]
    binary = BladesBinary(class_weight="balanced")
    sides = {"unseen": faces.foreign, "test": faces.test}
    ways, alarms = {}, {}
    for name, more, fakes in (("", [], []), (" + all kinds", partners, pseudo)):
        known = {"head": [*faces.density, *more], "generated": [*faces.generated, *fakes]}
        head = binary_without(generator, known, features, binary, seed)
        ways[f"binary{name}"] = lambda rows, head=head: head.decision_function(features(rows))
        photographs, fakes = [*faces.density, *faces.calibration, *more], [*others, *fakes]
        rows = [*photographs, *fakes]
        hybrid = BladesHybrid(random_state=seed).fit(
            features(rows),
            np.repeat([1, -1], [len(photographs), len(fakes)]),
            groups=column(rows, "group"),
            generator=[None] * len(photographs) + [row["generator"] for row in fakes],
        )
        ways[f"hybrid{name}"] = lambda rows, head=hybrid: head.score_samples(features(rows))
        alarms |= flagged(hybrid, f"hybrid{name}", features, **sides)
    three = shipped(faces, features, direction(sources, features), seed, others)
    ways["hybrid with contrast"] = lambda rows: three.score_samples(features(rows))
    return ways, alarms | flagged(three, "hybrid with contrast", features, **sides)


def unknowing(faces, features, seed):
    """Heads that know no generated face, for each generator the same; and false alarms."""
    photographs = edited(faces, features)
    binary = BladesBinary(class_weight="balanced", random_state=seed)
    trained, _ = without_generators(photographs, features, binary)
    means, _ = without_generators(photographs, features, NearestCentroid(priors="uniform"))
    head = one_class_of(faces, features, seed)

    def one_class(rows):
        return head.score_samples(features(rows))

    ways = {"one-class": one_class, **trained}
    for name in ADDED:
        ways[f"{name} + one-class"] = added([one_class, trained[name]], faces.calibration)
    for name, way in means.items():
        ways[f"direction of {name}"] = way
        ways[f"direction of {name} + one-class"] = added([one_class, way], faces.calibration)
    generators = sorted(set(column(faces.generated, "generator")))
    return dict.fromkeys(generators, ways), {}


def by_default(faces, features, seed):
    """The two heads that `BladesDetector` takes where no generated face is known."""
    contrast = direction(edited(faces, features), features)
    heads = {
        "one-class": one_class_of(faces, features, seed),
        "hybrid with contrast": shipped(faces, features, contrast, seed),
    }
    half, rest = deal(faces.foreign, 0.5, seed)
    ways, alarms = {}, {}
    for name, head in heads.items():
        ways[name] = lambda rows, head=head: head.score_samples(features(rows))
        sides = {"test": faces.test, "found": faces.generated}
        alarms |= flagged(head, name, features, unseen=faces.foreign, **sides)
        again = deepcopy(head).recalibrate(features(half), groups=column(half, "group"))
        alarms |= flagged(again, f"{name}, recalibrated", features, unseen=rest, **sides)
    generators = sorted(set(column(faces.generated, "generator")))
    return dict.fromkeys(generators, ways), alarms


def flagged(head, name, features, **sides):
    """Percent of the rows of each side that a head flags."""
    return {
        f"{name}, {side}": round(100 * float((head.predict(features(rows)) == -1).mean()), 1)
        for side, rows in sides.items()
    }


def knowing(faces, features, seed):
    """Heads that know the other generators' faces, by generator, and hybrids' false alarms."""
    heads, alarms = {}, {}
    for generator in sorted(set(column(faces.generated, "generator"))):
        heads[generator], alarms[generator] = with_generators(faces, generator, features, seed)
    return heads, alarms


TAUGHT = {
    "by default": by_default,
    "pseudo-fakes alone": unknowing,
    "the other generators": knowing,
}


def row_of(taught, root, features, seed):
    """The heads of one seed that were taught so, fitted and judged: a row."""
    start, faces = time.perf_counter(), Faces(root, seed)
    heads, alarms = TAUGHT[taught](faces, features, seed)
    return {
        "arm": taught,
        "seed": seed,
        "n_pseudo": sum(row["file"] in features.edited for row in faces.density),
        "unseen": judged(heads, faces.foreign, faces.generated),
        "pairs": judged(heads, *faces.paired),
        "all": judged(heads, faces.test, faces.generated),
        "false_alarms": alarms,
        "seconds": round(time.perf_counter() - start),
    }


def study(root, options):
    """Print a row a seed, the quick ones first."""
    if options.features and options.features.is_file():
        features = Features.load(options.features)
    else:
        own = {} if options.architecture == "blades-lite" else {
            "architecture": options.architecture, "image_size": 32, "pretrained": None,
            "features": "auto",
        }  # fmt: skip
        encoder = BladesEncoder(**{**CROPS, **LITE, **own}, max_epochs=0, random_state=0)
        features = Features(root, encoder.fit(["never opened.jpg"]), options.photographs)
        if options.features:
            features.save(options.features)
    for taught in options.taught:
        for seed in options.seeds:
            print(json.dumps(row_of(taught, root, features, seed)), flush=True)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", nargs="?", help="of benchmarks.pack_faces, or its folder")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--taught", nargs="*", choices=TAUGHT, default=[*TAUGHT])
    parser.add_argument("--photographs", type=int, default=400, help="to make pseudo-fakes of")
    parser.add_argument("--features", type=Path, help="where to keep features, an .npz")
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
