"""Faces that a scan looks at again, as the encoder saw them, and what becomes of their scores."""

from collections.abc import Sequence

import numpy as np

from ..errors import PhotoError
from ..estimators import BladesEncoder
from ..estimators.embedding import crops_of, embed_crops
from ..ground.types import FloatArray
from ..photos.records import PhotoRecord
from .parts import Asked


def check_encoder(ask: Asked, option: str) -> None:
    """Refuse encoders whose crops are not known.

    Raises
    ------
    TypeError
    """
    if not isinstance(ask.encoder_, BladesEncoder):
        raise TypeError(
            f"{option} changes the face that a BladesEncoder sees; this detector's encoder is a "
            f"{type(ask.encoder_).__name__}."
        )


def crops_again(ask: Asked, records: Sequence[PhotoRecord]) -> list[np.ndarray | None]:
    """Pixels of each face, from the encoder's cache where they are still in it; None for none."""
    encoder = ask.encoder_
    crops = crops_of(encoder, list(records), encoder.preprocessing_, encoder.crop_defaults_)
    found = crops.load(n_jobs=encoder.n_jobs)
    return [None if isinstance(crop, PhotoError) else crop.pixels for crop in found]


def scores_of(ask: Asked, pixels: np.ndarray) -> FloatArray:
    """Scores of faces that are cut already; higher = more photographic."""
    return scored(ask, embed_crops(ask.encoder_, pixels))


def scored(ask: Asked, features: FloatArray) -> FloatArray:
    """Scores of features, by the head's own name for them."""
    head = ask.head_
    score = getattr(head, "score_samples", None) or head.decision_function
    return np.asarray(score(features), dtype=float)


def flags_of(ask: Asked, pixels: np.ndarray) -> np.ndarray:
    """Whether the head's ``predict`` flags faces that are cut already."""
    return np.asarray(ask.head_.predict(embed_crops(ask.encoder_, pixels))) == -1
