"""Photographs as pictures small enough to stand in a page."""

import base64
import io
from collections.abc import Sequence

from joblib import Parallel, delayed
from PIL import Image

from ..errors import PhotoError
from ..ground.jobs import local_jobs
from ..photos.pixels import open_photo

SIDE = 112  # px of the longer side
QUALITY = 60


def thumbnail(path: str) -> tuple[str, str]:
    """A photograph as a small WebP, ready for a page.

    Parameters
    ----------
    path : str

    Returns
    -------
    uri : str
        ``data:image/webp;base64,...`` of the upright picture, its longer side `SIDE` pixels at
        most; empty where there is none.
    problem : str
        Why there is none.
    """
    try:
        image = open_photo(path, min_size=SIDE)
    except PhotoError as error:
        return "", error.problem
    image.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
    content = io.BytesIO()
    image.save(content, "WEBP", quality=QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(content.getvalue()).decode()}", ""


def thumbnails(paths: Sequence[str], *, n_jobs: int | None = None) -> list[tuple[str, str]]:
    """`thumbnail` of every path, in order, in ``n_jobs`` threads."""
    return Parallel(n_jobs=local_jobs(n_jobs), require="sharedmem")(
        delayed(thumbnail)(path) for path in paths
    )
