"""Pixels become features, each photograph once."""

import warnings

import numpy as np
import torch

from .._cache import key_of
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
    keys, failed, cache = {}, {}, crops.cache
    for start in range(0, len(crops), BATCH):
        missing = []
        for row in range(start, min(start + BATCH, len(crops))):
            try:
                name = photo_key(crops.photos[row], crops.settings)
            except PhotoError as error:
                failed[row] = error
                continue
            keys[row] = None if name is None else key_of(digest, precision, name)
            known = None if name is None else cache.get(keys[row])
            if known is None:
                missing.append(row)
            else:
                features[row] = known
        loaded = dict(zip(missing, crops.load(missing, n_jobs=n_jobs), strict=True))
        failed |= {row: crop for row, crop in loaded.items() if isinstance(crop, PhotoError)}
        if failed and on_error == "raise":
            raise failed[min(failed)]
        ready = [row for row in missing if row not in failed]
        if not ready:
            continue
        pixels = np.stack([loaded[row].pixels for row in ready])
        features[ready] = _forward(embedding, pixels, device, precision)
        for row in ready:
            if keys[row] is not None:
                cache.put(keys[row], features[row].copy())
    if failed:
        warnings.warn(
            f"{len(failed)} of {len(crops)} photographs cannot be used; their rows are NaN. "
            f"First: {failed[min(failed)]}",
            stacklevel=3,
        )
    return features


def _forward(embedding, pixels, device, precision):
    with torch.inference_mode(), autocast(device, precision):
        return embedding.encode_image(torch.from_numpy(pixels).to(device)).float().cpu().numpy()
