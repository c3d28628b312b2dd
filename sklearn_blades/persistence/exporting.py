"""Export a fitted detector into one ONNX file, for machines without torch and scikit-learn."""

import logging
import math
import warnings
from contextlib import contextmanager
from copy import copy
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from sklearn.pipeline import Pipeline

import sklearn_blades

from ..estimators.answers import taken_apart
from ..estimators.embedding import crop_how, embed_crops
from ..estimators.encoder import BladesEncoder
from ..evaluation.judge import unwrapped
from ..ground.types import StrPath
from ..portable.onnx_detector import REMEDY, OnnxDetector
from ..portable.sealed import FORMAT, LOCATORS, PRODUCER, with_facts
from ..storage.whole_files import whole_file
from .digests import digest_of_parts
from .files import _versions
from .graph import DetectorGraph

TOLERANCE = 1e-4
"""Largest difference between a detector's scores and its export's: absolute, or of the score."""

_TRIED = 8  # pictures on which both are compared


def export_onnx(detector: Any, path: StrPath) -> None:
    """Write a fitted detector into one ONNX file: towers, head and threshold are its graph.

    `OnnxDetector` asks it, faces and all; any other runtime of ONNX takes ready faces
    (``pixels``, uint8 of shape (n, image_size, image_size, 3)) and answers ``features``, ``score``
    and ``verdict``. What the graph cannot know lies in the file's ``metadata_props``, as JSON: how
    faces are cut, the calibration scores, the promise, versions.

    Parameters
    ----------
    detector : fitted BladesDetector, or pipeline of `make_detector`
        A `BladesEncoder` in float32 whose locator is "yunet", "haar" or "whole", perhaps
        `StandardScaler`, `PCA` or `Normalizer` behind it, and a `BladesOneClass`,
        `BladesHybrid` or ``BladesBinary(target_fpr=...)``.
    path : str or Path
        The file, such as ``"detector.onnx"``; one that is there is replaced as a whole.

    Raises
    ------
    ImportError
        If the extra onnx is not installed.
    TypeError, ValueError
        If a part cannot be exported: which, and what to do; or if the graph answers otherwise
        than the detector.
    OSError
        If ``path`` cannot be written.
    NotFittedError

    Warns
    -----
    SmallSampleWarning
        If the calibration photographs are too few for the promise.

    See Also
    --------
    sklearn_blades.OnnxDetector : Reads it.
    save : Keeps all of a detector, to go on with.

    Notes
    -----
    The graph is asked about eight pictures before it is written: its scores are the detector's to
    1e-4, or nothing is written.
    """
    _check_installed()
    encoder, middle, head = _parts(detector)
    _check_encoder(encoder)
    if getattr(head, "target_fpr", None) is None:
        raise TypeError(
            f"{type(head).__name__} promises no rate of false alarms, and an exported detector "
            "has to: use BladesOneClass, BladesHybrid or BladesBinary(target_fpr=0.05)."
        )
    try:
        graph = DetectorGraph(encoder, middle, head, head.offset_).eval()
    except TypeError as error:
        raise TypeError(f"This detector: {error}") from error
    facts = facts_of(encoder, middle, head)
    data = with_facts(_traced(graph, encoder), facts)
    _compare(data, encoder, middle, head)
    with whole_file(path) as file:
        file.write(data)


def facts_of(encoder: Any, middle: list[Any], head: Any) -> dict[str, Any]:
    """What an exported file says of its detector, as plain JSON."""
    crop, preprocessing = crop_how(encoder, encoder.crop_defaults_), encoder.preprocessing_
    cut = {
        **crop,
        "image_size": preprocessing.image_size,
        "antialias": preprocessing.antialias,
        "min_face_size": encoder.min_face_size,
    }
    cut = {name: _plain(value) for name, value in cut.items()}
    sources, offset = head.calibration_sources_, float(head.offset_)
    return {
        "format": FORMAT,
        "digest": digest_of_parts(encoder, crop, middle, head),
        "encoder": type(encoder).__name__,
        "architecture": encoder.architecture,
        "features": encoder.features_,
        "n_features": int(encoder.n_features_out_),
        "crop": cut,
        "resampling": "bilinear" if preprocessing.antialias else "bilinear, not antialiased",
        "mean": [float(value) for value in preprocessing.mean],
        "std": [float(value) for value in preprocessing.std],
        "head": type(head).__name__,
        "target_fpr": float(head.target_fpr),
        "confidence": _plain(head.confidence),
        "offset": offset if math.isfinite(offset) else None,
        "calibration_scores": [float(score) for score in head.calibration_scores_],
        "calibration_sources": sources
        and {name: [float(score) for score in scores] for name, scores in sources.items()},
        "versions": {**_versions(), "onnx": version("onnx")},
    }


def _plain(value):
    return value.item() if isinstance(value, np.generic) else value


def _check_installed():
    for name in ("onnx", "onnxscript", "onnxruntime"):
        if find_spec(name) is None:
            raise ImportError(f"to export a detector, {name} is needed: {REMEDY}")


def _parts(detector):
    """Encoder, transformers and head, out of whatever pipelines and frozen estimators."""
    encoder, between, head = taken_apart(detector)
    middle = [] if between is None else [step for _, step in between.steps]
    while isinstance(head := unwrapped(head), Pipeline):
        middle += [step for _, step in head.steps[:-1]]
        head = head.steps[-1][1]
    middle = [unwrapped(step) for step in middle if step not in (None, "passthrough")]
    return unwrapped(encoder), middle, head


def _check_encoder(encoder):
    if not isinstance(encoder, BladesEncoder):
        raise TypeError(
            f"the encoder is a {type(encoder).__name__}, which cannot be exported: a "
            "BladesEncoder can. The .blades file holds it as it is."
        )
    if encoder.precision_ != "float32":
        raise ValueError(
            f"the encoder computes in {encoder.precision_}, and its threshold is calibrated so; a "
            "graph in float32 would answer otherwise. Fit it with precision='float32'."
        )
    where = crop_how(encoder, encoder.crop_defaults_)["face_locator"]
    if not isinstance(where, str) or where not in LOCATORS:
        what = repr(where) if isinstance(where, str) else f"a {type(where).__name__}"
        raise ValueError(
            f"face_locator is {what}, which stays on this machine; one of "
            f"{', '.join(map(repr, LOCATORS))} can be exported. A table of faces can be given "
            "with the photographs: read_photos(paths, faces=table)."
        )


def _traced(graph, encoder):
    """The graph as the bytes of an ONNX model."""
    side = encoder.preprocessing_.image_size
    example = torch.zeros((2, side, side, 3), dtype=torch.uint8)
    try:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                graph,
                (example,),
                dynamo=True,
                input_names=["pixels"],
                output_names=["features", "score", "verdict"],
                dynamic_shapes={"pixels": {0: torch.export.Dim("n")}},
                verbose=False,
            )
            model = program.model_proto
    except Exception as error:  # whatever a tower's own code leads torch to
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ValueError(
            f"torch cannot write the towers of architecture={encoder.architecture!r} as ONNX "
            f"({reason}). The .blades file holds them as they are; blades-tiny, blades-lite, "
            "blades-rn50 and most of timm's towers can be exported."
        ) from error
    model.producer_name, model.producer_version = PRODUCER, sklearn_blades.__version__
    _forget_this_machine(model)
    return model.SerializeToString(deterministic=True)


def _forget_this_machine(model):
    """Leave out where every node came from: paths and lines of code of who exported it."""
    for part in (model, model.graph, *model.functions):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for graph in (model.graph, *model.functions):
        names = ("node", "initializer", "value_info", "input", "output")
        for entry in (one for name in names for one in getattr(graph, name)):
            if not isinstance(entry, str):
                entry.ClearField("metadata_props")
                entry.ClearField("doc_string")


@contextmanager
def _quiet():
    """What exporters say of their own work stays unsaid, and loggers are left as they were."""
    loggers = [logging.getLogger(name) for name in ("onnxscript", "onnx_ir", "torch.onnx")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _compare(data, encoder, middle, head):
    """Ask detector and file about the same pictures."""
    side = encoder.preprocessing_.image_size
    pixels = np.random.default_rng(0).integers(0, 256, (_TRIED, side, side, 3), dtype=np.uint8)
    pixels[: _TRIED // 2] //= 8  # dark ones, too
    features = embed_crops(copy(encoder).set_params(device="cpu"), pixels)
    for step in middle:
        features = step.transform(features)
    wanted = np.asarray(head.score_samples(features), dtype=float)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "detector.onnx"
        path.write_bytes(data)
        found = OnnxDetector(path).ask_crops(pixels)
    apart = float(np.max(np.abs(found - wanted) / np.maximum(1, np.abs(wanted))))
    if not apart <= TOLERANCE:  # NaN as well
        raise ValueError(
            f"The graph scores otherwise than the detector, by up to {apart:.2g} (relative); "
            f"{TOLERANCE:g} is allowed, so nothing was written. The .blades file holds the "
            "detector as it is."
        )
