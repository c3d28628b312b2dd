"""What the recipes share: people to photograph, an encoder's settings, and a command line."""

import argparse
import tempfile
from inspect import signature
from pathlib import Path

import numpy as np

from sklearn_blades.datasets import make_photos

SOURCES = ("first", "second")
GENERATORS = ("upsampling", "oversmooth", "spectral", "noiseless")
NOTE = "Simulated pictures: these figures prove the machinery, not detection."

# The pictures are face crops at 1.6 times the face box; the rest is for training from scratch in
# minutes, as in quickstart.py.
FROM_SCRATCH = {
    "face_locator": "whole",
    "face_margin": 1.6,
    "batch_size": 24,
    "freeze_text": True,
    "outer_interval": 4,
    "weight_lr": 0.01,
}


def people(n, folder, seed, kinds=("first",)):
    """Pictures of ``n`` people, one of each kind, sorted by kind as files in folders are.

    Parameters
    ----------
    n : int
        How many people.
    folder : str or Path
    seed : int
        Two calls with the same seed show the same people, two seeds show different ones.
    kinds : tuple of str
        Among `SOURCES` for photographs, and `GENERATORS` for stand-ins for generated faces.

    Returns
    -------
    X : ndarray of str
        Paths.
    y : ndarray of int
        1 = photograph, -1 = generated.
    groups : ndarray of str
        Who is in the picture.
    """
    paths = []
    for kind in kinds:
        made = {"source": kind} if kind in SOURCES else {"generated": kind}
        paths += make_photos(n, Path(folder, f"people-{seed}"), random_state=seed, **made)
    y = np.repeat([1 if kind in SOURCES else -1 for kind in kinds], n)
    groups = np.tile([f"{seed}-{person}" for person in range(n)], len(kinds))
    return np.array(paths), y, groups


def command_line(main, doc, arguments=None):
    """Call ``main(folder, ...)`` with options named after its arguments; return its result."""
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    _, *options = signature(main).parameters.values()
    for option in options:
        kind = str if option.default is None else type(option.default)
        parser.add_argument(f"--{option.name}", type=kind, default=option.default)
    parser.add_argument("--folder", help="where to keep the pictures; by default they go again")
    chosen = vars(parser.parse_args(arguments))
    with tempfile.TemporaryDirectory() as passing:
        result = main(chosen.pop("folder") or passing, **chosen)
    print(f"\n{NOTE}")
    return result
