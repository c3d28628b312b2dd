"""What a search over heads takes, beside embedding its photographs once and searching the matrix.

``python -m benchmarks.grid_search`` prints the ratio, which is to be 1.2 at most, and writes it to
``benchmarks/results/grid_search.json``. The photographs are simulated and the encoder is untrained:
neither changes the time.
"""

import json
import os
import platform
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import sklearn
import torch
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from sklearn_blades import BladesEncoder, BladesOneClass, make_detector
from sklearn_blades.datasets import make_photos

RESULTS = Path(__file__).parent / "results"
N_COMPONENTS = [1, 2, 4]


def measure(n_photos=200, n_runs=3):
    """Time both ways, in pairs.

    Parameters
    ----------
    n_photos : int
        A quarter of them are stand-ins for generated faces.
    n_runs : int
        Pairs, of which the median ratio counts.

    Returns
    -------
    dict
        ``ratio``, the seconds of every run, and what they depend on.
    """
    n_fakes = n_photos // 4
    with tempfile.TemporaryDirectory() as folder:
        X = make_photos(n_photos - n_fakes, folder, random_state=0)
        X += make_photos(n_fakes, folder, generated="upsampling", random_state=0)
        y = np.repeat([1, -1], [n_photos - n_fakes, n_fakes])
        encoder = BladesEncoder(face_locator="whole", face_margin=1.6, max_epochs=0, random_state=0)
        encoder.fit(X)
        search_photos(encoder, X, y)  # files and libraries are in memory from here on
        runs = [
            {way.__name__: seconds(way, encoder, X, y) for way in (search_matrix, search_photos)}
            for _ in range(n_runs)
        ]
    return {
        "ratio": median(run["search_photos"] / run["search_matrix"] for run in runs),
        "seconds": runs,
        "n_photos": n_photos,
        "n_fits": 5 * len(N_COMPONENTS) + 1,
        "n_cpus": os.cpu_count(),
        "n_threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "versions": {"sklearn": sklearn.__version__, "torch": torch.__version__},
    }


def search_matrix(encoder, X, y):
    """Embed once, and search on the features."""
    return search(BladesOneClass(random_state=0), "n_components", encoder.transform(X), y)


def search_photos(encoder, X, y):
    """Search on the photographs."""
    detector = make_detector(encoder, BladesOneClass(random_state=0))
    return search(detector, "head__n_components", X, y)


def search(estimator, name, X, y):
    cv = StratifiedKFold(5, shuffle=True, random_state=0)
    grid = {name: N_COMPONENTS}
    return GridSearchCV(estimator, grid, scoring="roc_auc", cv=cv, error_score="raise").fit(X, y)


def seconds(way, encoder, X, y):
    """Time one way from an empty cache."""
    encoder.clear_cache()
    start = time.perf_counter()
    way(encoder, X, y)
    return time.perf_counter() - start


if __name__ == "__main__":
    result = measure()
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "grid_search.json").write_text(json.dumps(result, indent=2) + "\n")
    print(f"ratio {result['ratio']:.3f}, at most 1.2 wanted")
    for run in result["seconds"]:
        print(", ".join(f"{way} {taken:.2f} s" for way, taken in run.items()))
