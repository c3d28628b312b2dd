"""An encoder's photographs, embedded by the workers of a cluster as they would be here."""

import os
from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple

import numpy as np

from ..errors import PhotoError
from ..ground.cluster import check_sight, chunk_length, cluster_workers, say_again, spread
from ..ground.device import resolve_device
from ..photos.crop_keys import CropSettings
from ..photos.crops import Crops
from ..photos.files import Missing
from ..photos.rows import PhotoRecord
from ..storage.cache import cache_for
from ..towers.embed import batch_size, embed, raise_first, rows_by_key
from ..towers.embedding import JointEmbedding
from ..towers.packing import packed

_FILES = str, os.PathLike, PhotoRecord, Missing


class Errand(NamedTuple):
    """All that a worker needs to embed photographs, beside the photographs.

    Attributes
    ----------
    embedding : JointEmbedding
        On the CPU.
    settings : CropSettings
    memory : tuple
        For `cache_for`.
    features : {"embedding", "pooled"}
    digest : str
        Of that side of the towers.
    device : str
        As the encoder names it: each worker takes its own.
    precision : str
    on_error : {"raise", "nan"}
    home : str
        The folder from which relative paths are meant.
    """

    embedding: JointEmbedding
    settings: CropSettings
    memory: tuple
    features: str
    digest: str
    device: str
    precision: str
    on_error: str
    home: str


def errand_of(encoder, crops, features, digest):
    """What workers are told to do for a fitted encoder."""
    if encoder.memory is None:
        memory = None, encoder.cache_size, 0  # a single pass has no use for files of what it saw
    else:
        memory = os.path.abspath(encoder.memory), encoder.cache_size, encoder.disk_size  # noqa: PTH100
    return Errand(
        encoder.embedding_,
        crops.settings,
        memory,
        features,
        digest,
        encoder.device,
        encoder.precision_,
        encoder.on_error,
        os.getcwd(),  # noqa: PTH109
    )


def workers_for(crops, batch):
    """How many workers there are for these photographs: 0 where they are embedded here.

    One batch alone is not worth the way, and pictures in memory are here already.
    """
    if len(crops) <= batch or not all(isinstance(photo, _FILES) for photo in crops.photos):
        return 0
    return cluster_workers()


def embed_far(errand, crops, *, n_features, workers, said, tell):
    """`embed` by workers: the same batches, so the same bits; the same errors and sentences.

    Batches are dealt as they would be here, of what the cache of this process does not know; what
    comes back is kept in it.

    Parameters
    ----------
    errand : Errand
    crops : Crops
    n_features, workers : int
    said : set
        What workers warned of before; see `say_again`.
    tell : callable
        Told how many more photographs are done.

    Returns
    -------
    features, failed, doubts
        As `embed` gives them.
    """
    named, unnamed, failed = rows_by_key(crops, errand.digest, errand.precision)
    raise_first(failed, errand.on_error)
    rows, cache = named | unnamed, crops.cache
    found = {key: known for key in named if (known := cache.get(key)) is not None}
    tell(sum(len(rows[key]) for key in found))
    step = batch_size(errand.settings.image_size, resolve_device(errand.device))
    new = [key for key in named if key not in found]
    todo = _chunks(new, cache.batch_of(step), workers) + _chunks([*unnamed], step, workers)
    photos = ([crops.photos[rows[key][0]] for key in keys] for keys in todo)
    doubts = []
    with closing(spread(_embedded_there, packed(errand), photos)) as answers:
        for keys, (answer, warned) in zip(todo, answers, strict=True):
            say_again(warned, said)
            if isinstance(answer, PhotoError):
                raise answer
            made, lost, doubtful = answer
            if keys is todo[0]:  # alone, the first new photographs are looked at as well
                doubts = doubtful
            tell(sum(len(rows[key]) for key in keys))
            for place, key in enumerate(keys):
                if place in lost:
                    failed.update(dict.fromkeys(rows[key], lost[place]))
                else:
                    found[key] = made[place].copy()
                    if key in named:
                        cache.put(key, found[key])
    features = np.full((len(crops), n_features), np.nan, dtype=np.float32)
    for key, feature in found.items():
        features[rows[key]] = feature
    return features, failed, doubts


def _chunks(keys, step, workers):
    length = chunk_length(len(keys), workers, step)
    return [keys[start : start + length] for start in range(0, len(keys), length)]


def _embedded_there(errand: Errand, photos: Sequence):
    """In a worker: what `embed` gives, or the `PhotoError` that it raises."""
    files = [photo.path if isinstance(photo, PhotoRecord) else photo for photo in photos]
    check_sight([os.fspath(file) for file in files], errand.home)
    device = resolve_device(errand.device)
    side = _side(errand, device)
    try:
        return embed(
            side,
            Crops(photos, errand.settings, cache_for(*errand.memory)),
            digest=errand.digest,
            device=device,
            precision=errand.precision,
            on_error=errand.on_error,
        )
    except PhotoError as error:
        return error


def _side(errand, device):
    """The towers where they compute: a worker moves what it was sent once, and keeps it there."""
    return errand.embedding.to(device).image_side(errand.features)
