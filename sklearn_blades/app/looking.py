"""What is known of a file before it is judged: format, size, EXIF, and where the face is."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from ..errors import PhotoError
from ..ground.jobs import local_jobs
from ..photos.files import opened
from ..photos.pixels import Picture
from ..photos.records import PhotoRecord, exif_of, faces_in


@dataclass(frozen=True)
class Look:
    """What was seen of a file.

    Attributes
    ----------
    path : str
    record : PhotoRecord or None
        To be embedded; None where there is an error.
    error : PhotoError or None
    facts : dict
        As `Row` has them.
    """

    path: str
    record: PhotoRecord | None = None
    error: PhotoError | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def look(path: str, face_locator: Any = None) -> Look:
    """Open a file once and read all but what the encoder needs its pixels for.

    Parameters
    ----------
    path : str
    face_locator : as in `face_crop`, or None
        None and "whole" look for no face.
    """
    facts = identity(path)
    try:
        with opened(path) as file:
            picture = Picture(file)
            facts["format"], (facts["width"], facts["height"]) = picture.format, picture.size
            exif = exif_of(file)
            facts["exif"] = {name: str(value) for name, value in exif.items()}
            face = None
            if face_locator is not None and not _whole(face_locator):
                faces = faces_in(picture, path, face_locator)
                face, facts["faces"] = faces[0], len(faces)
    except PhotoError as error:
        return Look(path, error=error, facts=facts)
    return Look(path, PhotoRecord(path, exif, face), None, facts)


def looks(
    paths: Iterable[str], face_locator: Any, *, n_jobs: int | None, piece: int
) -> Iterator[list[Look]]:
    """Look at files in pieces, in order, the next piece while the caller works on this one."""
    pieces = iter(paths)
    pool = ThreadPoolExecutor(local_jobs(n_jobs))
    try:
        waiting = _begin(pool, pieces, piece, face_locator)
        while waiting:
            following = _begin(pool, pieces, piece, face_locator)
            yield [future.result() for future in waiting]
            waiting = following
    finally:  # after Ctrl-C what has begun ends, and the rest never begins
        pool.shutdown(cancel_futures=True)


def _begin(pool, paths, piece, face_locator):
    return [pool.submit(look, path, face_locator) for path in islice(paths, piece)]


def identity(path: str) -> dict[str, Any]:
    """Size and time of a file, by which a scan that goes on knows it again; {} if it is gone."""
    with suppress(OSError, ValueError):  # where it is opened, that is said
        status = os.stat(path)  # noqa: PTH116  asked of every file before a scan begins
        return {"bytes": status.st_size, "mtime_ns": status.st_mtime_ns}
    return {}


def _whole(face_locator):
    return isinstance(face_locator, str) and face_locator == "whole"
