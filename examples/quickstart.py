"""From photographs to verdicts, in under three minutes on two cores, without a network.

    python examples/quickstart.py

Everything here is simulated: drawn faces, a simulated camera, two small generators of that world (a
diffusion model and an autoencoder) and four hand-made stand-ins for generators. The figures show
how the machinery works, and how its promise about false alarms holds and breaks. They say nothing
about how well real generated faces are found: run real_photos.py for that. No setting was chosen on
these generators' pictures; that the ImageNet encoder is the default was decided on real generated
faces (docs/results.md).
"""

import argparse
import tempfile
import time
from pathlib import Path

from joblib import Parallel, delayed
from scipy.stats import binomtest
from sklearn.frozen import FrozenEstimator

from sklearn_blades import BladesDetector, BladesEncoder
from sklearn_blades.app import scan
from sklearn_blades.datasets import make_photos
from sklearn_blades.evaluation import evaluate_by_generator

# With the people that they show: random_state of `make_photos`.
GENERATORS = {
    "diffusion": 5,
    "vae": 10,
    "upsampling": 6,
    "oversmooth": 7,
    "spectral": 8,
    "noiseless": 9,
}
TARGET_FPR = 0.05


def simulate(folder, scale):
    """Make all pictures, each set with people of its own; return {name: paths}."""
    sets = {
        "encoder": dict(n=1000, random_state=1),
        "head": dict(n=300, random_state=2),
        "same source": dict(n=200, random_state=3),
        "second source": dict(n=200, random_state=4, source="second"),
    }
    for name, seed in GENERATORS.items():
        sets[name] = dict(n=60, random_state=seed, generated=name)
    paths = Parallel(n_jobs=2)(
        delayed(make_photos)(
            folder=Path(folder) / name, **{**options, "n": max(6, int(options["n"] * scale))}
        )
        for name, options in sets.items()
    )
    return dict(zip(sets, paths, strict=True))


def learn(photographs, epochs):
    """The paper's way at a small scale: learn from EXIF and from manipulated faces."""
    # The pictures are face crops at 1.6 times the face box, so nothing need look for a face. The
    # task weights look ahead at every twentieth step only: that saves half the time.
    return BladesEncoder.from_scratch(
        face_locator="whole",
        face_margin=1.6,
        outer_interval=20,
        weight_lr=0.005,
        max_epochs=epochs,
        random_state=0,
    ).fit(photographs)


def print_tasks(encoder, photographs):
    """What the encoder learned, on persons it has never seen."""
    print("\n1. What the encoder learned, on persons never seen (a lower loss is better)")
    print(f"{'task':22s}{'loss':>8s}{'chance':>8s}{'weight':>8s}{'AUC':>8s}")
    for name, task in encoder.score_tasks(photographs).items():
        area = f"{task['auc']:8.3f}" if "auc" in task else ""
        weight = encoder.task_weights_[name]
        print(f"{name:22s}{task['loss']:8.3f}{task['chance']:8.3f}{weight:8.2f}{area}")


def print_found(detectors, photos):
    """Photographs of the same source against every generator's pictures."""
    print(
        "\n2. What is found, and what is not: AUC (0.5 = chance) with 95 % interval, share flagged"
    )
    X, generator = list(photos["same source"]), ["photograph"] * len(photos["same source"])
    for name in GENERATORS:
        X += photos[name]
        generator += [name] * len(photos[name])
    y = [int(name == "photograph") for name in generator]
    print(f"{'':14s}" + "".join(f"{name:32s}" for name in detectors))
    reports = [evaluate_by_generator(d, X, y, generator) for d in detectors.values()]
    for name in GENERATORS:
        found = [next(r for r in report.rows if r.generator == name) for report in reports]
        cells = (f"{row.auc!s:22s}{row.tpr.value:5.0%}" for row in found)
        print(f"{name:14s}" + "".join(f"{cell:32s}" for cell in cells))


def print_promise(detectors, photos):
    """Real photographs that are flagged: false alarms."""
    print(f"\n3. The promise: at most {TARGET_FPR:.0%} of photographs flagged, if they are alike")
    for source in ("same source", "second source"):
        for name, detector in detectors.items():
            n, flagged = len(photos[source]), int((detector.predict(photos[source]) == -1).sum())
            low, high = binomtest(flagged, n).proportion_ci(method="exact")
            print(f"{source:14s} {name:20s}{flagged / n:6.1%}  [{low:.1%}, {high:.1%}]  n = {n}")


def print_suspects(detector, photos, page):
    """Three pictures, the first of their sets, and a page to look at."""
    suspects = {
        photos["same source"][0]: "a photograph",
        photos["diffusion"][0]: "a diffusion picture",
        photos["upsampling"][0]: "a stand-in",
    }
    found = scan(detector, suspects, progress=False)
    print("\n4. Three suspects, the first of their sets, asked of the ImageNet detector")
    for row in found:
        share = f"of 100 photographs, {100 * row.p_value:.0f} would score as low"
        print(f"{suspects[row.path]:20s} p = {row.p_value:.3f}: {share}; {row.verdict}")
    found.to_html(page)
    print(f"Their pictures, scores and threshold: open {page}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the pictures to make")
    parser.add_argument("--page", default="quickstart.html", help="where to save the page")
    options = parser.parse_args()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        photos = simulate(folder, options.scale)
        print(f"{sum(map(len, photos.values()))} simulated pictures made.", flush=True)
        encoder = learn(photos["encoder"], options.epochs)
        print_tasks(encoder, photos["same source"])

        # The promise needs photographs that the encoder was not trained on: those of "head".
        encoders = {
            "learned here": FrozenEstimator(encoder),
            "ImageNet (default)": BladesEncoder.from_imagenet(face_locator="whole"),
        }
        detectors = {
            name: BladesDetector(e, target_fpr=TARGET_FPR, random_state=0).fit(photos["head"])
            for name, e in encoders.items()
        }
        print_found(detectors, photos)
        print_promise(detectors, photos)
        print_suspects(detectors["ImageNet (default)"], photos, options.page)
    print(
        "\nSimulated figures prove the machinery, not detection. No threshold can promise anything"
        "\nfor photographs from elsewhere: they look foreign too. "
        f"({time.perf_counter() - start:.0f} s)"
    )


if __name__ == "__main__":
    main()
