"""What each photograph takes of memory in `fit`, in `transform` and as a record, in bytes.

Traced by ``tracemalloc`` for 11,000 photographs and for 1,000, and divided: no cache, tower or
library is in it that does not grow with them. Counted where ``fit`` is about to take its first
step: what it needs for a moment before is bounded, or gone. Paths are yours before we are called,
and do not count. What the system keeps of free memory comes on top. Nothing in this is random:
there is one round.
"""

import gc
import os
import tracemalloc
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from sklearn_blades import BladesEncoder
from sklearn_blades.datasets import make_photos
from sklearn_blades.photos import read_photos
from sklearn_blades.pretext.training.loop import BilevelNet
from sklearn_blades.storage import cache

from ._measure import Ratio

FEW, MANY = 1000, 11_000
DIFFERENT = 100  # the others are links to them: a file of its own is what has another name


class _FirstStepError(Exception):
    """A fit has come to it."""


def measure(n_rounds):
    """Bytes a photograph."""
    with TemporaryDirectory() as folder:
        paths = _links(Path(folder))
        ways = {"fit, until its first step": _fitted, "transform": _embedded, "a record": _read}
        values = {what: _slope(way, paths) for what, way in ways.items()}
    wanted = {"fit, until its first step": "<= 400"}
    ratios = [
        Ratio(f"bytes a photograph: {what}", value, value, value, wanted.get(what, ""))
        for what, value in values.items()
    ]
    return ratios, {"image_size": 32, "cache_size": 1, "few": FEW, "many": MANY, "rounds": 1}


def _links(folder):
    made = make_photos(DIFFERENT, str(folder / "made"), random_state=0)
    paths = [folder / f"{number:06d}.jpg" for number in range(MANY)]
    for number, path in enumerate(paths):
        os.link(made[number % DIFFERENT], path)
    return [str(path) for path in paths]


def _slope(way, paths):
    way(paths[:FEW])  # what is made once is made here
    held = [_held(way, paths[:n]) for n in (FEW, MANY)]
    return (held[1] - held[0]) / (MANY - FEW)


def _held(way, paths):
    """Bytes that there are when a way says so, beside what was there before."""
    tracemalloc.start()
    try:
        return way(paths)
    finally:
        tracemalloc.stop()


def _counted():
    cache._real_path.cache_clear()  # of the last 65,536, which is no matter of millions
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def _encoder(**params):
    return BladesEncoder(
        image_size=32, face_locator="whole", face_margin=1.6, cache_size=1, n_jobs=1, device="cpu",
        random_state=0, **params,
    )  # fmt: skip


def _fitted(paths):
    counted = []

    def at_first_step(net, views):
        counted.append(_counted())
        raise _FirstStepError

    with mock.patch.object(BilevelNet, "fit", at_first_step), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*are copies of others")  # links, as we made them
        try:
            _encoder(max_epochs=1).fit(paths)
        except _FirstStepError:
            return counted[0]


def _embedded(paths):
    encoder = _encoder(max_epochs=0).fit(paths[:1])
    features = encoder.transform(paths)
    return _counted() - features.nbytes


def _read(paths):
    records = read_photos(paths)
    counted = _counted()
    del records  # not before they are counted
    return counted
