"""What an encoder asks of the rooms below to embed faces: their crops, and towers on a device."""

import copy

from ..ground.device import resolve_device
from ..photos.crops import Crops, CropSettings
from ..photos.records import photo_list
from ..storage.cache import cache_for
from ..towers.embed import embed


def embed_photos(encoder, X, features):
    """Features of a fitted encoder, ``"embedding"`` or ``"pooled"``."""
    device = resolve_device(encoder.device)
    side = towers_on(encoder, device).image_side(features)
    return embed(
        side,
        crops_of(encoder, photo_list(X), encoder.preprocessing_),
        digest=encoder.digest_ if features == encoder.features_ else side.digest(),
        device=device,
        precision=encoder.precision_,
        on_error=encoder.on_error,
        n_jobs=encoder.n_jobs,
    )


def crops_of(encoder, photos, preprocessing):
    """Faces of photographs, cut as the encoder's parameters say."""
    settings = CropSettings(
        encoder.face_locator,
        encoder.face_margin,
        preprocessing.image_size,
        preprocessing.antialias,
        encoder.harmonise,
        encoder.min_face_size,
    )
    return Crops(photos, settings, cache_for(encoder.memory, encoder.cache_size))


def towers_on(encoder, device):
    """The towers on a device; the fitted ones stay on the CPU, the copy is never pickled."""
    if device.type == "cpu":
        return encoder.embedding_
    key = device, encoder.digest_
    if getattr(encoder, "_copy", (None,))[0] != key:
        encoder._copy = key, copy.deepcopy(encoder.embedding_).to(device)
    return encoder._copy[1]
