"""What an encoder asks of the rooms below to embed faces: their crops, and towers on a device."""

import copy
from collections.abc import Hashable
from functools import partial
from inspect import signature
from pathlib import Path

from ..ground.device import resolve_device
from ..ground.progress import progress_bar
from ..ground.warn import warn
from ..photos.crops import Crops, CropSettings
from ..photos.records import photo_list
from ..storage.archive import is_container
from ..storage.cache import cache_for
from ..towers.embed import batch_size, embed, embed_pixels, in_parts
from ..towers.weights import saved_crop
from .spreading import embed_far, errand_of, workers_for


def embed_photos(encoder, X, features):
    """Features of a fitted encoder, ``"embedding"`` or ``"pooled"``."""
    device = resolve_device(encoder.device)
    side = towers_on(encoder, device).image_side(features)
    crops = crops_of(encoder, photo_list(X), encoder.preprocessing_, encoder.crop_defaults_)
    digest = encoder.digest_ if features == encoder.features_ else side.digest()
    batch = batch_size(crops.settings.image_size, device)
    with progress_bar("embedding", len(crops), shown=encoder.verbose is None) as bar:
        if workers := workers_for(crops, batch):
            errand = errand_of(encoder, crops, features, digest)
            how = {"n_features": side.n_features, "workers": workers, "tell": bar.advance}
            work = partial(embed_far, errand, said=set(), **how)
        else:
            how = {"digest": digest, "device": device, "precision": encoder.precision_}
            how |= {"on_error": encoder.on_error, "n_jobs": encoder.n_jobs, "tell": bar.advance}
            work = partial(embed, side, **how)
        how = {"batch": batch, "on_error": encoder.on_error, "workers": max(1, workers)}
        return in_parts(crops, side.n_features, work, **how)


def embed_crops(encoder, pixels):
    """Features of faces that are cut already, as `embed_photos` gives them of photographs.

    Parameters
    ----------
    encoder : fitted BladesEncoder
    pixels : ndarray of uint8, shape (n, image_size, image_size, 3)
    """
    device = resolve_device(encoder.device)
    side = towers_on(encoder, device).image_side(encoder.features_)
    return embed_pixels(side, pixels, device=device, precision=encoder.precision_)


def inherited_crop(encoder):
    """How the encoder that ``pretrained`` names cut its faces, where that is a saved one.

    Warns
    -----
    UserWarning
        Where this encoder's own parameters say something else.
    """
    path = encoder.pretrained
    if path is None or not (Path(path).is_file() and is_container(path)):
        return {}
    inherited = saved_crop(path)
    for name, value in inherited.items():
        own = getattr(encoder, name)
        if not _is_default(encoder, name) and own != value:
            warn(
                f"{path} was trained with {name}={value!r}, and this encoder says {own!r}: its "
                f"features are of faces cut otherwise. Leave {name} out to cut them as it did.",
                UserWarning,
            )
    return inherited


def _is_default(encoder, name):
    own = getattr(encoder, name)
    return isinstance(own, Hashable) and own == signature(type(encoder)).parameters[name].default


def crop_how(encoder, inherited):
    """How an encoder cuts faces: as its parameters say, or ``inherited`` for those left out."""
    how = {name: getattr(encoder, name) for name in ("face_locator", "face_margin", "harmonise")}
    for name, value in inherited.items():
        if _is_default(encoder, name):
            how[name] = value
    return how


def crops_of(encoder, photos, preprocessing, inherited):
    """Faces of photographs, cut as `crop_how` says."""
    settings = CropSettings(
        **crop_how(encoder, inherited),
        image_size=preprocessing.image_size,
        antialias=preprocessing.antialias,
        min_face_size=encoder.min_face_size,
    )
    return Crops(photos, settings, cache_for(encoder.memory, encoder.cache_size, encoder.disk_size))


def towers_on(encoder, device):
    """The towers on a device; the fitted ones stay on the CPU, the copy is never pickled."""
    if device.type == "cpu":
        return encoder.embedding_
    key = device, encoder.digest_
    if getattr(encoder, "_copy", (None,))[0] != key:
        encoder._copy = key, copy.deepcopy(encoder.embedding_).to(device)
    return encoder._copy[1]
