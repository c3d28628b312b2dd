"""Pictures of an encoder and of its detectors, drawn on simulated photographs in minutes.

    python examples/pictures.py [--out pictures] [--scale 0.3] [--epochs 8]

They show how each display is called, and how to read it. The faces are drawn, the camera is
simulated and the generators are stand-ins: what is seen here says nothing about real ones.
"""

import argparse
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from quickstart import GENERATORS, simulate
from sklearn.calibration import CalibrationDisplay

from sklearn_blades import BladesBinary, BladesEncoder, BladesOneClass, make_detector
from sklearn_blades.evaluation import (
    EmbeddingDisplay,
    RocByGeneratorDisplay,
    ScoreDisplay,
    TaskReadingsDisplay,
    TaskWeightsDisplay,
    audit_confounds,
    default_degradations,
    evaluate_by_generator,
    robustness_curve,
)

NOTE = "simulated pictures: this proves the machinery, not detection"


def with_generators(photos):
    """New photographs and all generated faces: paths, labels (1 = photograph), generators."""
    kinds = ("same source", *GENERATORS)
    X = np.concatenate([photos[kind] for kind in kinds])
    generator = np.repeat(kinds, [len(photos[kind]) for kind in kinds])
    return X, (generator == "same source").astype(int), generator


def fit_detectors(photos, epochs, seed=0):
    """A one-class detector, and a binary one that is shown half of each generator's faces."""
    encoder = BladesEncoder(
        face_locator="whole",
        face_margin=1.6,
        image_size=64,
        batch_size=24,
        freeze_text=True,
        outer_interval=10,
        lr=1.5e-3,
        # Equal shares at first, and fast, so that there is something to see in minutes.
        primary_share=1 / 11,
        weight_lr=0.03,
        max_epochs=epochs,
        random_state=seed,
    ).fit(photos["encoder"])
    one_class = make_detector(encoder, BladesOneClass(target_fpr=0.1, random_state=seed))
    binary = make_detector(encoder, BladesBinary(max_epochs=20, random_state=seed))
    X, y, _ = with_generators(photos)
    shown = np.r_[photos["head"], X[y == 0][::2]]
    return one_class.fit(photos["head"]), binary.fit(
        shown, np.repeat([1, 0], [len(photos["head"]), len(shown) - len(photos["head"])])
    )


def draw(photos, one_class, binary):
    """Yield the name and the display of each picture."""
    X, y, generator = with_generators(photos)
    new = np.flatnonzero((y == 1) | (np.cumsum(y == 0) % 2 == 0))  # not shown to the binary head
    rows = X[new], y[new]

    yield "task_weights", TaskWeightsDisplay.from_estimator(one_class)
    yield "task_readings", TaskReadingsDisplay.from_estimator(one_class, photos["same source"][0])
    yield "embedding", EmbeddingDisplay.from_estimator(one_class, X, generator)
    for name, detector in (("one_class", one_class), ("binary", binary)):
        yield (
            f"scores_{name}",
            ScoreDisplay.from_estimator(detector, *rows, generator=generator[new]),
        )
        yield (
            f"roc_{name}",
            RocByGeneratorDisplay.from_estimator(detector, *rows, generator=generator[new]),
        )
    # scikit-learn's own: does a probability of 0.8 mean a photograph in 8 of 10 cases?
    _, ax = plt.subplots(layout="constrained")
    reliability = CalibrationDisplay.from_estimator(
        binary, *rows, strategy="quantile", name="binary head", ax=ax
    )
    yield "reliability_binary", reliability
    # No generator's faces were shown to the one-class head: all of them can be judged.
    table = evaluate_by_generator(one_class, X, y, generator, random_state=0)
    yield "auc_by_generator", table.plot()
    # Before any of these is believed: do the files tell the classes apart without a face?
    yield "confounds", audit_confounds(X, y, random_state=0).plot()
    # And after: what is left once pictures were saved again, scaled or cropped?
    few = {name: default_degradations()[name] for name in ("jpeg", "downscale", "crop")}
    yield "robustness", robustness_curve(binary, *rows, degradations=few).plot()


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", help="folder for the pictures; by default a new temporary one")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--scale", type=float, default=0.3, help="share of quickstart's pictures")
    options = parser.parse_args(arguments)
    plt.switch_backend("Agg")  # files, no windows
    out = Path(options.out or tempfile.mkdtemp(prefix="pictures-"))
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        photos = simulate(folder, options.scale)
        for name, display in draw(photos, *fit_detectors(photos, options.epochs)):
            display.figure_.supxlabel(NOTE, fontsize="x-small", color="0.4")
            display.figure_.savefig(out / f"{name}.png", dpi=120)
            plt.close(display.figure_)
    print(f"Drawn in {out}: {', '.join(sorted(path.name for path in out.glob('*.png')))}.")


if __name__ == "__main__":
    main()
