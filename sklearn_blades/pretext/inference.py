"""Pixels become features, each photograph once."""

import warnings

import numpy as np
import torch

from .._cache import ArrayCache, key_of
from .._device import autocast
from ..errors import PhotoError
from ..photos.crops import photo_key

BATCH = 64
"""Photographs decoded and embedded together."""


def embed(embedding, crops, *, digest, device, precision, on_error="raise", n_jobs=None):
    """Features of photographs.

    Parameters
    ----------
    embedding : JointEmbedding
        On ``device``.
    crops : Crops
    digest : str
        ``embedding.digest()``; with precision and crop it names a feature in ``crops.cache``.
    on_error : {"raise", "nan"}
    n_jobs : int, optional
        Decoding threads.

    Returns
    -------
    ndarray of float32, shape (n_photos, n_features)
        Rows of unit length; NaN rows where a photograph cannot be used and ``on_error="nan"``.
    """
    features = np.full((len(crops), embedding.n_features), np.nan, dtype=np.float32)
    named, unnamed, failed = _rows_by_key(crops, digest, precision)
    _raise_first(failed, on_error)
    rows = named | unnamed

    def make(keys):
        firsts = [rows[key][0] for key in keys]
        loaded = dict(zip(keys, crops.load(firsts, n_jobs=n_jobs), strict=True))
        bad = {key: crop for key, crop in loaded.items() if isinstance(crop, PhotoError)}
        failed.update({row: error for key, error in bad.items() for row in rows[key]})
        _raise_first(failed, on_error)
        ready = [key for key in keys if key not in bad]
        if not ready:
            return {}
        pixels = np.stack([loaded[key].pixels for key in ready])
        made = _forward(embedding, pixels, device, precision)
        return {key: row.copy() for key, row in zip(ready, made, strict=True)}

    found = crops.cache.fill(list(named), make, batch=BATCH)
    found |= ArrayCache(max_bytes=0).fill(list(unnamed), make, batch=BATCH)
    for key, feature in found.items():
        features[rows[key]] = feature
    if failed:
        warnings.warn(
            f"{len(failed)} of {len(crops)} photographs cannot be used; their rows are NaN. "
            f"First: {failed[min(failed)]}",
            stacklevel=3,
        )
    return features


def _rows_by_key(crops, digest, precision):
    """Rows of each photograph by its feature's key; of those not to be cached; errors by row."""
    named, unnamed, failed = {}, {}, {}
    for row, photo in enumerate(crops.photos):
        try:
            name = photo_key(photo, crops.settings)
        except PhotoError as error:
            failed[row] = error
            continue
        if name is None:
            unnamed[f"row {row}"] = [row]
        else:
            named.setdefault(key_of(digest, precision, name), []).append(row)
    return named, unnamed, failed


def _raise_first(failed, on_error):
    if failed and on_error == "raise":
        raise failed[min(failed)]


def _forward(embedding, pixels, device, precision):
    with torch.inference_mode(), autocast(device, precision):
        return embedding.encode_image(torch.from_numpy(pixels).to(device)).float().cpu().numpy()
