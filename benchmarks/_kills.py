"""Programs that are killed (SIGKILL) at random moments, and what the next one finds."""

import os
import signal
import time
import warnings
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from sklearn_blades import BladesEncoder, BladesOneClass
from sklearn_blades.datasets import make_photos
from sklearn_blades.persistence import load, save

from ._watched import digest

_FORK = get_context("fork")  # a cold start of Python and torch takes longer than what is killed
_SMALL = {"face_locator": "whole", "image_size": 32, "device": "cpu", "random_state": 0}


def kills(n, seed=0, programs=("fit", "save", "cache")):
    """Kill ``n`` programs: fits with checkpoints, saves and fillings of the cache, alike.

    Returns
    -------
    dict
        By program: kills, those after which the outcome was the one without a kill (``whole``),
        parts of files that were left by the kill, and after the next program.
    """
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    k = len(programs)
    counts = {name: n // k + (place < n % k) for place, name in enumerate(programs)}
    with TemporaryDirectory() as folder:
        photos = make_photos(24, Path(folder, "photographs"), random_state=0)
        return {
            name: _KINDS[name](counts[name], photos, Path(folder, name), rng) for name in programs
        }


def _kill_fits(n, photos, folder, rng):
    def fit(place):
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "(?s).*(checkpoint|written)")
            warnings.filterwarnings("ignore", "(?s)Training goes on without")
            encoder = BladesEncoder(
                **_SMALL, batch_size=8, max_epochs=5, checkpoint_dir=place / "run"
            ).fit(photos)
        answer = digest(encoder.transform(photos[:4])) + encoder.digest_
        (place / "answer").write_text(answer)

    def answer(place):
        return (place / "answer").read_text()

    return _killed_and_begun_again(n, fit, answer, folder, rng)


def _kill_caches(n, photos, folder, rng):
    # Some 40 ms a photograph: eight crops of each, by their margin, are eight files and features.
    def fill(place):
        made = [
            BladesEncoder(**_SMALL, max_epochs=0, face_margin=margin, memory=place / "memory")
            .fit(photos[:1])
            .transform(photos)
            for margin in np.linspace(1, 2, 8)
        ]
        (place / "answer").write_text(digest(np.array(made)))

    def answer(place):
        return (place / "answer").read_text()

    return _killed_and_begun_again(n, fill, answer, folder, rng)


def _killed_and_begun_again(n, program, answer, folder, rng):
    """Kill a program once or twice in each of ``n`` places; then let it run to its end."""
    reference = folder / "reference"
    reference.mkdir(parents=True)
    seconds = _run(program, reference)
    expected, counts = answer(reference), _counts()
    for number in range(n):
        place = folder / str(number)
        place.mkdir()
        for _ in range(1 + int(rng.integers(2))):
            _kill_after(rng.uniform(0, seconds), program, place)
        counts["parts_left"] += len(_parts(place))
        _run(program, place)
        counts["kills"] += 1
        counts["whole"] += answer(place) == expected
        counts["parts_left_in_the_end"] += len(_parts(place))
    return counts


def _kill_saves(n, photos, folder, rng):
    X = np.random.default_rng(0).normal(size=(200, 4))
    folder.mkdir()
    seeds = [{**_SMALL, "random_state": k} for k in (1, 2)]
    encoders = [BladesEncoder(**small, max_epochs=0).fit(photos[:1]) for small in seeds]
    heads = [BladesOneClass(k, random_state=k).fit(X) for k in (1, 2)]
    counts = _counts()
    for number in range(n):
        place = folder / str(number)
        place.mkdir()
        # Of 18 MB, so that most of the time is spent writing; and heads of a few kB.
        models = heads if number % 3 else encoders

        def program(place, models=models):
            while True:
                for model in models:
                    save(model, place / "model.blades", training=models is not heads)

        save(models[0], place / "model.blades", training=models is not heads)
        _kill_after(rng.uniform(0, 0.5), program, place)
        counts["kills"] += 1
        counts["parts_left"] += len(_parts(place))
        again = load(place / "model.blades")
        known = [_spoken(model, X, photos) for model in models]
        counts["whole"] += _spoken(again, X, photos) in known
        save(again, place / "model.blades")
        counts["parts_left_in_the_end"] += len(list(place.iterdir())) - 1
    return counts


_KINDS = {"fit": _kill_fits, "save": _kill_saves, "cache": _kill_caches}


def _spoken(model, X, photos):
    if isinstance(model, BladesEncoder):
        return digest(model.transform(photos[:2]))
    return digest(model.score_samples(X))


def _counts():
    return {"kills": 0, "whole": 0, "parts_left": 0, "parts_left_in_the_end": 0}


def _parts(place):
    return [path for path in place.rglob("*") if path.name.endswith(".part")]


def _run(program, place):
    begun = time.perf_counter()
    process = _FORK.Process(target=program, args=(place,))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{program.__qualname__} failed after a kill: exit {process.exitcode}.")
    return time.perf_counter() - begun


def _kill_after(seconds, program, place):
    process = _FORK.Process(target=program, args=(place,))
    process.start()
    process.join(seconds)
    if process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
    process.join()
