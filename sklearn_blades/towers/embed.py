"""Pixels become features, each photograph once, and the next ones are decoded meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch

from ..errors import PhotoError
from ..ground.device import autocast, full_precision
from ..ground.jobs import local_jobs
from ..ground.warn import warn
from ..photos.doubts import full_pictures, lost_rows
from ..storage.cache import ArrayCache, key_of

BATCH = 256
"""Photographs embedded together, at most."""

BATCH_BYTES = {"cpu": 8 << 20, "cuda": 256 << 20}
"""Float32 pixels of a batch, at most. (A CPU gains nothing from more; a GPU starves with less.)"""

PART = 20_000
"""Photographs whose names, errors and features are kept track of together: some 50 MB."""

LOOKED_AT = 8
"""New crops in which YuNet looks for full pictures, each for some 9 ms, at every call."""

AHEAD = 2
"""Batches that are decoded, or being decoded, while one is embedded."""


def in_parts(crops, n_features, embedded, *, batch, on_error, workers=1):
    """Features of photographs, of which so many are in hand at a time that memory stays bounded.

    Parameters
    ----------
    crops : Crops
    n_features : int
    embedded : callable
        Takes crops and gives what `embed` gives.
    batch : int
        Parts are whole batches, so that rows are the same as in one part.
    on_error : {"raise", "nan"}
    workers : int
        Parts are so many times as long: at the end of each, some wait for the others.

    Returns
    -------
    ndarray of float32, shape (n_photos, n_features)
        Rows of unit length; NaN rows where a photograph cannot be used and ``on_error="nan"``.

    Warns
    -----
    UserWarning
        For rows of NaN, and for full pictures that ``face_locator="whole"`` takes for face crops.
    """
    length = max(1, workers * PART // batch) * batch
    if len(crops) > length and on_error == "raise":
        for row in range(len(crops)):
            crops.check(row)  # a file that is not there is told before an hour's work, not after
    features = np.full((len(crops), n_features), np.nan, dtype=np.float32)
    failed, doubts = {}, []
    for start in range(0, len(crops), length):
        rows = range(start, min(start + length, len(crops)))
        features[start : rows.stop], lost, doubtful = embedded(crops.part(rows))
        failed |= {start + row: error for row, error in lost.items()}
        doubts = doubts or doubtful
    for doubt in [*doubts, *lost_rows(failed, len(crops))]:
        warn(doubt, UserWarning)
    return features


def embed(embedding, crops, *, digest, device, precision, on_error, n_jobs=None, tell=None):
    """Features of photographs, and what is to be said of them.

    Threads decode the next batches while the towers run on the current one; pixels of no more
    than ``AHEAD + 1`` batches are in memory.

    Parameters
    ----------
    embedding : JointEmbedding or PooledTower
        On ``device``.
    crops : Crops
    digest : str
        ``embedding.digest()``; with precision and crop it names a feature in ``crops.cache``.
    on_error : {"raise", "nan"}
    n_jobs : int, optional
        Decoding threads.
    tell : callable, optional
        Told how many more photographs are done.

    Returns
    -------
    features : ndarray of float32, shape (n_photos, n_features)
    failed : dict of int to PhotoError
        The rows of NaN.
    doubts : list of str
        Sentences about the photographs that can be used.
    """
    features = np.full((len(crops), embedding.n_features), np.nan, dtype=np.float32)
    named, unnamed, failed = rows_by_key(crops, digest, precision)
    raise_first(failed, on_error)
    rows = named | unnamed
    batch = batch_size(crops.settings.image_size, device)
    seen = []  # the first crops that are not known from the cache

    def make(started):
        pixels = {}
        for key, crop_of in started.items():
            crop = crop_of()
            if isinstance(crop, PhotoError):
                failed.update(dict.fromkeys(rows[key], crop))
                raise_first(failed, on_error)
            else:
                pixels[key] = crop.pixels
                if len(seen) < LOOKED_AT:
                    seen.append(crop)
        if not pixels:
            return {}
        made = _embedded(embedding, np.stack([*pixels.values()]), device, precision)
        return {key: row.copy() for key, row in zip(pixels, made, strict=True)}

    with _decoder(crops, local_jobs(n_jobs), alone=len(rows) <= batch) as begin:
        plan = {
            "start": lambda keys: {key: begin(rows[key][0]) for key in keys},
            "ahead": AHEAD,
            "batch": batch,
            "tell": None if tell is None else lambda keys: tell(sum(len(rows[k]) for k in keys)),
        }
        found = crops.cache.fill(list(named), make, **plan)
        found |= ArrayCache(max_bytes=0, max_disk_bytes=0).fill(list(unnamed), make, **plan)
    for key, feature in found.items():
        features[rows[key]] = feature
    whole = crops.settings.face_locator == "whole"
    doubts = full_pictures(seen, crops.settings.face_margin) if whole else []
    return features, failed, doubts


def embed_pixels(embedding, pixels, *, device, precision):
    """Features of crops that are cut already; nothing of them is kept.

    Parameters
    ----------
    embedding : JointEmbedding or PooledTower
        On ``device``.
    pixels : ndarray of uint8, shape (n, image_size, image_size, 3)

    Returns
    -------
    ndarray of float32, shape (n, n_features)
    """
    batch = batch_size(pixels.shape[1], device)
    parts = [pixels[start : start + batch] for start in range(0, len(pixels), batch)]
    return np.concatenate([_embedded(embedding, part, device, precision) for part in parts])


def batch_size(image_size, device):
    """Photographs to embed together: fewer of the large ones, more on a GPU."""
    bound = BATCH_BYTES["cpu" if torch.device(device).type == "cpu" else "cuda"]
    return max(1, min(BATCH, bound // (image_size**2 * 3 * 4)))


@contextmanager
def _decoder(crops, n_threads, *, alone):
    """Yield what begins to decode a photograph and returns a callable that waits for the crop.

    One batch alone on one thread has nothing to overlap with: it is decoded where it is asked for.
    """
    if alone and n_threads == 1:
        yield lambda row: partial(crops.attempt, row)
        return
    pool = ThreadPoolExecutor(n_threads)
    try:
        yield lambda row: pool.submit(crops.attempt, row).result
    finally:
        # After an error or Ctrl-C what has begun ends, and the rest never begins.
        pool.shutdown(cancel_futures=True)


def rows_by_key(crops, digest, precision):
    """Rows of each photograph by its feature's key; of those not to be cached; errors by row."""
    named, unnamed, failed = {}, {}, {}
    for row in range(len(crops)):
        try:
            name = crops.key(row)
        except PhotoError as error:
            failed[row] = error
            continue
        if name is None:
            unnamed[f"row {row}"] = [row]
        else:
            named.setdefault(key_of(digest, precision, torch.__version__, name), []).append(row)
    return named, unnamed, failed


def raise_first(failed, on_error):
    """Raise the error of the first row that failed, unless ``on_error`` is "nan"."""
    if failed and on_error == "raise":
        raise failed[min(failed)]


def _embedded(embedding, pixels, device, precision):
    """Features of a batch; where a GPU has no room for it, of its halves."""
    try:
        return _forward(embedding, pixels, device, precision)
    except torch.cuda.OutOfMemoryError:
        if len(pixels) == 1:
            raise
    # Outside of the handler: the error holds on to the tensors that were in the way.
    torch.cuda.empty_cache()
    halves = np.array_split(pixels, 2)
    return np.concatenate([_embedded(embedding, half, device, precision) for half in halves])


def _forward(embedding, pixels, device, precision):
    # TF32, a GPU's own idea of float32, moved scores by up to 0.34 nats: what is calibrated on one
    # machine would not hold on another.
    with torch.inference_mode(), full_precision(device), autocast(device, precision):
        return embedding.encode_image(torch.from_numpy(pixels).to(device)).float().cpu().numpy()
