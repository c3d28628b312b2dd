"""Photographs become batches of faces for a graph, and the next ones are decoded meanwhile."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from ..errors import PhotoError
from ..ground.jobs import local_jobs
from ..ground.types import FloatArray
from ..photos.crops import Crops
from ..photos.doubts import full_pictures

BATCH = 256
"""Faces that are asked about together, at most."""

BATCH_BYTES = 8 << 20
"""Float32 pixels of a batch, at most; a CPU gains nothing from more."""

LOOKED_AT = 8
"""Crops in which YuNet looks for full pictures, each for some 9 ms."""

AHEAD = 2
"""Batches that are decoded, or being decoded, while one is asked about."""


class Answers(NamedTuple):
    """What a graph says of photographs.

    Attributes
    ----------
    values : ndarray of shape (n_photos, ...)
        NaN where a photograph cannot be used.
    failed : dict of int to PhotoError
        Why, by row.
    doubts : list of str
        What is to be said of the photographs as a whole.
    """

    values: FloatArray
    failed: dict[int, PhotoError]
    doubts: list[str]


def answers(
    crops: Crops,
    run: Callable[[np.ndarray], FloatArray],
    values: FloatArray,
    *,
    on_error: str,
    n_jobs: int | None,
) -> Answers:
    """Ask a graph about every photograph.

    Parameters
    ----------
    crops : Crops
    run : callable
        Pixels, uint8 of shape (n, image_size, image_size, 3), to n answers.
    values : ndarray of NaN, a row a photograph
        Filled.
    on_error : {"raise", "nan"}
    n_jobs : int, optional
        Decoding threads.

    Raises
    ------
    PhotoError
        For the first photograph that cannot be used, with ``on_error="raise"``.
    """
    failed: dict[int, PhotoError] = {}
    seen: list = []
    size = batch_size(crops.settings.image_size)
    starts = deque(range(0, len(crops), size))
    begun: deque = deque()
    pool = ThreadPoolExecutor(local_jobs(n_jobs))
    try:
        while starts or begun:
            while starts and len(begun) <= AHEAD:
                rows = range(starts[0], min(starts.popleft() + size, len(crops)))
                begun.append({row: pool.submit(crops.attempt, row) for row in rows})
            usable = {}
            for row, future in begun.popleft().items():
                crop = future.result()
                if not isinstance(crop, PhotoError):
                    usable[row] = crop
                elif on_error == "raise":
                    raise crop
                else:
                    failed[row] = crop
            seen += list(usable.values())[: LOOKED_AT - len(seen)]
            if usable:
                values[list(usable)] = run(np.stack([crop.pixels for crop in usable.values()]))
    finally:
        # After an error or Ctrl-C what has begun ends, and the rest never begins.
        pool.shutdown(cancel_futures=True)
    whole = crops.settings.face_locator == "whole"
    doubts = full_pictures(seen, crops.settings.face_margin) if whole else []
    return Answers(values, failed, doubts)


def batch_size(image_size: int) -> int:
    """Faces to ask about together: fewer of the large ones.

    Examples
    --------
    >>> batch_size(96), batch_size(224)
    (75, 13)
    """
    return max(1, min(BATCH, BATCH_BYTES // (image_size**2 * 3 * 4)))
