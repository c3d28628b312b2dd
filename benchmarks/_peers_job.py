"""One measurement of one library, in a process of its own: prints a line of JSON.

``python -m benchmarks._peers_job LIBRARY PART JOB.json``. Of the project it imports nothing that
the library's environment might lack, unless the library is ours.
"""

import json
import sys
import time
from importlib import import_module
from pathlib import Path

import numpy as np

PROMISED = 0.05


def pairs(folds):
    """Folds as scikit-learn's searches want them; only photographs teach.

    Parameters
    ----------
    folds : list of dict
        ``train`` and ``test``, paths of photographs, and ``generated``, paths of others.

    Returns
    -------
    X : ndarray of str, all paths once
    y : ndarray, 1 = photograph, -1 = generated
    splits : list of (train, test), indices into them
    """
    generated = sorted({path for fold in folds for path in fold["generated"]})
    photographs = sorted({path for fold in folds for path in fold["train"] + fold["test"]})
    X = np.array(photographs + generated)
    y = np.repeat([1, -1], [len(photographs), len(generated)])
    place = {path: number for number, path in enumerate(X)}
    splits = [
        ([place[p] for p in fold["train"]], [place[p] for p in fold["test"] + fold["generated"]])
        for fold in folds
    ]
    return X, y, splits


def timed(way):
    """What ``way()`` returns, and what it took: seconds of the wall and of all cores, peak MB."""
    from ._measure import peak_mb  # torch, which every library here imports sooner or later

    wall, cpu = time.perf_counter(), time.process_time()
    found = way()
    taken = {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mb": peak_mb(),
    }
    return found, taken


def fit(peer, job):
    """Fit and score, timed; then the other seeds, for the false alarms alone."""
    job["keeps"] = True  # no photograph is asked for twice while the clock runs
    first, *others = job["fits"]
    fresh = job["fresh"]
    detector, fitting = timed(lambda: peer.fitted(job, first, 0))
    scored, scoring = timed(lambda: peer.scores(detector, fresh))
    alarms = [_rates(peer.flagged(detector, fresh, scored))]
    for seed, photographs in enumerate(others, 1):
        asked = fresh[: job["again"].get(job["library"])]
        detector = peer.fitted(job, photographs, seed)
        alarms.append(_rates(peer.flagged(detector, asked, peer.scores(detector, asked))))
    rates = {name: [row[name] for row in alarms] for name in alarms[0]}
    return {"fit": fitting, "scores": scoring, "false_alarms": rates}


def only_fit(peer, job):
    """Fit, timed, and nothing else."""
    return {"fit": timed(lambda: peer.fitted(job, job["fits"][0], 0))[1]}


def _rates(flags):
    return {name: float(np.mean(flag)) for name, flag in flags.items()}


def search(peer, job):
    """The search over three settings and five folds, timed; the mean AUC of every setting."""
    job["keeps"] = False
    areas, taken = timed(lambda: peer.search(job))
    return {"search": taken, "areas": [float(area) for area in areas]}


def main(library, part, path):
    job = json.loads(Path(path).read_text()) | {"library": library}
    start = time.perf_counter()
    peer = import_module(f"benchmarks._peers_{library}")
    importing = time.perf_counter() - start
    found = {"fit": fit, "only_fit": only_fit, "search": search}[part](peer, job)
    print(json.dumps({"import_seconds": importing, **found}))


if __name__ == "__main__":
    main(*sys.argv[1:])
