"""The second epoch of `fit` against the first, on 12-megapixel photographs.

The first is all that happens until its end: building the towers, finding, decoding and cutting
the faces, reading EXIF, and training. The second finds the crops of the first.
"""

import time

from sklearn_blades import BladesEncoder

from ._made import n_cores, photographs
from ._measure import ratio

N = 160  # made; Haar's cascade finds a face in about half
SIZES = {"crops in memory": 100, "crops on disk": 0}  # MB


def measure(n_rounds):
    """The ratio, for a cache that has room in memory and for one that has none."""
    ratios, details = [], {"n_cores": n_cores(), "seed": 0}
    with photographs(N, large=True) as paths:
        _epochs(paths, 0)  # to warm up
        for name, cache_size in SIZES.items():
            table = [_epochs(paths, cache_size) for _ in range(n_rounds)]
            what = f"second epoch / first, 12 megapixels ({name})"
            ratios.append(ratio(what, table, "second", "first", "<= 0.5"))
            details[name] = {"n_photographs": len(paths), "seconds": table}
    return ratios, details


def _epochs(paths, cache_size):
    """Seconds of both epochs of one fit; nothing is remembered from another."""
    encoder = BladesEncoder(
        max_epochs=2, cache_size=cache_size, n_jobs=n_cores(), device="cpu", random_state=0
    )
    encoder.clear_cache()
    start = time.perf_counter()
    encoder.fit(paths)
    both = time.perf_counter() - start
    second = encoder.history_[1]["dur"]
    return {"first": both - second, "second": second}
