"""What a score rests on: the nearest known photographs, the head's parts, a map of the face."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.neighbors import NearestNeighbors

from ..estimators import BladesBranches, BladesHybrid
from ..estimators.answers import features_of
from ..estimators.embedding import embed_crops
from ..estimators.hybrid_parts import scores_of as scores_of_parts
from ..evaluation.judge import head_of
from ..ground.types import FloatArray, StrPath
from ..photos.folders import files_at
from ..photos.records import PhotoRecord
from .crops import check_encoder, crops_again, scored
from .parts import Asked
from .rows import REASONS, Row

GRID = 7
"""Parts of the face along a side that are covered in turn: 49 embeddings a face."""

NEIGHBOURS = 3


@dataclass(frozen=True)
class Known:
    """Photographs that others are compared with.

    Attributes
    ----------
    paths : list of str
    features : ndarray of shape (n, n_features)
    usual : float
        Median distance of one to the next.
    """

    paths: list[str]
    features: FloatArray
    usual: float


def known_photographs(ask: Asked, reference: StrPath | Iterable[StrPath]) -> Known:
    """Embed the photographs to compare with.

    Raises
    ------
    ValueError
        If fewer than two can be used.
    """
    paths = files_at(reference)
    features = features_of(ask.encoder_, paths)
    usable = np.isfinite(features).all(axis=1)
    paths = [path for path, use in zip(paths, usable, strict=True) if use]
    features = features[usable]
    if len(paths) < 2:
        raise ValueError(f"reference: {len(paths)} usable photographs; 2 are needed at least.")
    distances, _ = NearestNeighbors(n_neighbors=1).fit(features).kneighbors()
    return Known(paths, features, float(np.median(distances)))


def check_reasons(ask: Asked, reasons: Sequence[str], reference: Any) -> None:
    """Refuse what cannot be given.

    Raises
    ------
    ValueError, TypeError
    """
    unknown = set(reasons) - set(REASONS)
    if unknown:
        raise ValueError(f"reasons: {min(unknown)!r} is none of {', '.join(REASONS)}.")
    if "nearest" in reasons and reference is None:
        raise ValueError(
            "reasons: 'nearest' needs photographs to compare with, which a detector does not "
            "keep: reference= a folder of those that calibrated (--reference FOLDER)."
        )
    if "map" in reasons and ask.map_limit is None:
        raise TypeError("reasons: 'map' needs a head with a threshold and calibration scores.")
    if "map" in reasons:
        check_encoder(ask, "reasons: 'map'")


def reasoned(
    ask: Asked,
    rows: Sequence[Row],
    records: Sequence[PhotoRecord],
    reasons: Sequence[str],
    known: Known | None,
) -> list[Row]:
    """Rows with their reasons, one face at a time.

    Parameters
    ----------
    ask : Asked
    rows, records
        Of judged photographs, in the same order.
    reasons : some of `REASONS`
    known : Known or None
        For ``"nearest"``.
    """
    told = []
    faces = crops_again(ask, records) if "map" in reasons else [None] * len(records)
    for row, record, face in zip(rows, records, faces, strict=True):
        features = features_of(ask.encoder_, [record])  # known since the verdict
        if not np.isfinite(features).all():  # the file went since
            told.append(row)
            continue
        found = dict(row.reasons)
        if known is not None and "nearest" in reasons:
            found |= _nearest(features, known)
        if "parts" in reasons:
            found["parts"] = _parts(ask, features)
        if face is not None:
            found["map"] = {"nats": occlusion(ask, face), "limit": ask.map_limit}
        told.append(replace(row, reasons=found))
    return told


def _nearest(features, known):
    distances = np.linalg.norm(known.features - features, axis=1)
    rows = np.argsort(distances, kind="stable")[:NEIGHBOURS]
    near = [{"path": known.paths[row], "distance": float(distances[row])} for row in rows]
    return {"nearest": near, "usual_distance": known.usual}


def _parts(ask, features):
    """How far above the threshold, or above what is usual, each part of the head puts the score."""
    head = head_of(ask)
    if isinstance(head, BladesBranches):
        found = head.branch_log_p_values(features).items()
        return {name: float(value[0] + np.log(2)) for name, value in found}
    if isinstance(head, BladesHybrid):
        parts = scores_of_parts(head._parts(), features)[0]
        standard = (parts - head.centre_) / head.spread_
        return {
            name: float(weight * value)
            for (name, weight), value in zip(head.weights_.items(), standard, strict=True)
        }
    score = float(scored(ask, features)[0])
    return {"score": score if ask.offset is None else score - ask.offset}


def occlusion(ask: Asked, face: np.ndarray, grid: int = GRID) -> list[list[float]]:
    """By how much the score falls where a part of the face is covered with its mean colour.

    Parameters
    ----------
    ask : Asked
    face : ndarray of uint8, shape (side, side, 3)
    grid : int
        Parts along a side.

    Returns
    -------
    list of ``grid`` lists of ``grid`` floats, from the top left
        In units of the score, nats for `BladesOneClass`. Above 0: that part looks photographic.
    """
    edges = np.linspace(0, len(face), grid + 1).round().astype(int)
    covered = np.repeat(face[None], grid**2 + 1, axis=0)
    colour = face.mean(axis=(0, 1)).round().astype(np.uint8)
    for row in range(grid):
        for column in range(grid):
            covered[
                1 + row * grid + column,
                edges[row] : edges[row + 1],
                edges[column] : edges[column + 1],
            ] = colour
    whole, *parts = scored(ask, embed_crops(ask.encoder_, covered))
    return (whole - np.reshape(parts, (grid, grid))).tolist()
