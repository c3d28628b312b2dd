"""`scan` by the workers of loky and of Dask against one process with all cores; on the CPU.

All have this machine alone: one process with a thread a core for torch and another for decoding;
two workers with one thread each. Nothing is kept between rounds. Workers have been started, and
have imported torch, before anything is counted; what that takes is in the details. Needs the
extra ``dask``.
"""

import pickle
import time
from functools import partial

import joblib
import torch

from sklearn_blades import BladesDetector, BladesEncoder, scan
from sklearn_blades.app.finding import PIECE, Questions
from sklearn_blades.app.parts import asked, for_workers
from sklearn_blades.towers.packing import packed

from ._made import n_cores, photographs
from ._measure import ratio, rounds

CASES = (  # architecture, photographs, whether at 12 megapixels, files of a chunk
    ("blades-tiny", 450, False, 25),
    ("blades-tiny", 64, True, 4),
)


def measure(n_rounds):
    """Ratios of seconds, workers to one process; bytes that a worker is sent."""
    from dask.distributed import Client, LocalCluster

    ratios, details = [], {"n_cores": n_cores(), "seed": 0}
    start = time.perf_counter()
    how = {"n_workers": n_cores(), "threads_per_worker": 1, "dashboard_address": ":0"}
    with LocalCluster(**how) as cluster, Client(cluster) as client:
        details["seconds until Dask's workers are there"] = time.perf_counter() - start
        engines = {
            "loky": {"backend": "loky", "n_jobs": n_cores()},
            "dask": {"backend": "dask", "client": client},
        }
        for architecture, n, large, chunk in CASES:
            what = f"{architecture}, {'12 megapixels' if large else 'small photographs'}"
            with photographs(n, large=large) as paths:
                table, first, sent = _measured(architecture, paths, chunk, engines, n_rounds)
            details[what] = {
                "n_photographs": len(paths),
                "photographs a second, alone": len(paths) / min(row["alone"] for row in table),
                "seconds": table,
                "seconds of the first scan": first,
                "bytes": sent,
            }
            ratios += [ratio(f"{e} / alone ({what})", table, e, "alone") for e in engines]
    return ratios, details


def _measured(architecture, paths, chunk, engines, n_rounds):
    encoder = BladesEncoder(
        architecture,
        max_epochs=0,
        cache_size=0,
        disk_size=0,
        n_jobs=n_cores(),
        device="cpu",
        random_state=0,
    )
    detector = BladesDetector(encoder, target_fpr=0.2, random_state=0).fit(paths[:60])
    ways = {"alone": partial(_scan, detector, paths, chunk, {"backend": "threading"})}
    ways |= {name: partial(_scan, detector, paths, chunk, how) for name, how in engines.items()}
    first = {name: way() for name, way in ways.items()}
    return rounds(ways, n_rounds, warm_up=False), first, _bytes(detector, paths)


def _scan(detector, paths, chunk, engine):
    start = time.perf_counter()
    with joblib.parallel_config(**engine):
        found = scan(detector, paths, chunk_size=chunk, progress=False)
    assert not found.counts["unreadable"]
    return time.perf_counter() - start


def _bytes(detector, paths):
    """What a worker is sent once, what with a chunk of files; and plain pickles."""
    settings = {"reference": None, "reasons": [], "unsure": False}
    questions = Questions.of(for_workers(asked(detector)), settings)
    return {
        "to each worker, once": len(packed((questions, PIECE, ""))),
        f"with a chunk of {len(paths[:PIECE])} files": len(pickle.dumps(paths[:PIECE])),
        "pickle of the detector": len(pickle.dumps(detector)),
    }


if __name__ == "__main__":
    from ._measure import save, table

    torch.set_num_threads(n_cores())
    n_rounds = 3
    ratios, details = measure(n_rounds)
    save("cluster", ratios, n_rounds=n_rounds, **details)
    print(table(ratios))
