"""From a folder of photographs to a verdict, in three to five minutes on a laptop.

    python examples/quickstart.py

Everything here is simulated: drawn faces, a simulated camera, and stand-ins for generators. The
figures show that the machinery works, and how its promise about false alarms holds and breaks.
They say nothing about how well real generated faces are detected: run real_photos.py for that.
"""

import argparse
import tempfile
import time
from pathlib import Path

from joblib import Parallel, delayed
from scipy.stats import binomtest
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from sklearn_blades import BladesEncoder, BladesOneClass, make_detector
from sklearn_blades.datasets import make_photos

GENERATORS = ("upsampling", "oversmooth", "spectral", "noiseless")
TARGET_FPR = 0.05


def simulate(folder, scale):
    """Make all pictures, each set with people of its own; return {name: paths}."""
    sets = {
        "encoder": dict(n=1500, random_state=1),
        "head": dict(n=300, random_state=2),
        "photographs": dict(n=200, random_state=3),
        "photographs, second source": dict(n=200, random_state=4, source="second"),
    }
    for seed, name in enumerate(GENERATORS, start=5):
        sets[name] = dict(n=100, random_state=seed, generated=name)
    paths = Parallel(n_jobs=2)(
        delayed(make_photos)(
            folder=Path(folder) / name, **{**options, "n": max(4, int(options["n"] * scale))}
        )
        for name, options in sets.items()
    )
    return dict(zip(sets, paths, strict=True))


def false_alarms(detector, paths):
    """Realised false-alarm rate, with its exact 95 % interval, as text."""
    flagged = int((detector.predict(paths) == -1).sum())
    low, high = binomtest(flagged, len(paths)).proportion_ci(method="exact")
    return f"{flagged / len(paths):6.1%}  [{low:.1%}, {high:.1%}]  (n = {len(paths)})"


def auc(detector, photographs, others):
    """AUC of photographs against others; higher score = more photographic."""
    scores = [*detector.score_samples(photographs), *detector.score_samples(others)]
    return roc_auc_score([1] * len(photographs) + [0] * len(others), scores)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the pictures to make")
    options = parser.parse_args()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        photos = simulate(folder, options.scale)
        print(f"{sum(map(len, photos.values()))} simulated pictures made.\n")

        # The images are face crops at 1.6 times the face box, so no locator is needed.
        encoder = BladesEncoder(
            face_locator="whole",
            face_margin=1.6,
            # From scratch, in minutes: many small steps on small images, a text tower that stays as
            # it is (it would merge the prompts before the images differ), and a look ahead at
            # every twentieth step.
            image_size=64,
            batch_size=24,
            freeze_text=True,
            outer_interval=20,
            lr=1.5e-3,
            weight_lr=0.005,
            max_epochs=options.epochs,
            random_state=0,
        ).fit(photos["encoder"])

        # The promise needs photographs for the head that the encoder was not trained on.
        head = BladesOneClass(target_fpr=TARGET_FPR, random_state=0)
        detector = make_detector(encoder, head).fit(photos["head"])
        untrained = clone(encoder).set_params(max_epochs=0).fit(photos["encoder"])
        baseline = make_detector(untrained, clone(head)).fit(photos["head"])

        print("Pretext tasks on photographs of people never seen (lower loss = better)")
        print(f"{'task':22s}{'loss':>8s}{'chance':>8s}{'AUC':>8s}{'weight':>8s}")
        for name, score in encoder.score_tasks(photos["photographs"]).items():
            area = f"{score['auc']:8.3f}" if "auc" in score else " " * 8
            weight = encoder.task_weights_[name]
            print(f"{name:22s}{score['loss']:8.3f}{score['chance']:8.3f}{area}{weight:8.2f}")

        print("\nOne-class AUC of photographs against ...  (0.5 = chance)")
        print(f"{'':28s}{'BLADES':>9s}{'random init':>13s}")
        for name in (*GENERATORS, "photographs, second source"):
            values = [auc(d, photos["photographs"], photos[name]) for d in (detector, baseline)]
            print(f"{name:28s}{values[0]:9.3f}{values[1]:13.3f}")

        print(f"\nFalse alarms: promised {TARGET_FPR:.0%}, realised, with 95 % interval")
        for name in ("photographs", "photographs, second source"):
            print(f"{name:28s}{false_alarms(detector, photos[name])}")
        suspect = photos["noiseless"][:3]
        print(
            f"\ndetector.predict(three stand-ins for generated faces): {detector.predict(suspect)}"
        )
    print(
        "\nSimulated figures prove the machinery, not detection. The second source shows what no"
        "\nthreshold can promise: photographs from elsewhere look foreign too."
        f"\n{time.perf_counter() - start:.0f} s"
    )


if __name__ == "__main__":
    main()
