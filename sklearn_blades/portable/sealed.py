"""What stands around the graph in an exported file: plain facts, and a seal over all of it.

An ONNX file is one message of protocol buffers, and to such a message fields can be appended: the
exporter writes the graph, then the facts as JSON, then, as the last bytes, the SHA-256 of all
before them. So a file that was cut short or changed anywhere is told from a whole one before
anything of it is run, with no reader of protocol buffers but onnxruntime's own. The seal is no
signature: who means to deceive can seal what they like.
"""

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..ground.types import StrPath
from ..photos.crop_keys import CropSettings
from ..photos.faces import check_margin, least_side

FORMAT = 1
"""Counts the changes of what the facts mean; a file of a higher one is refused."""

PRODUCER = "sklearn_blades"
"""How an exported file names its maker, among its first bytes."""

FACTS = "sklearn_blades"
SEAL = "sklearn_blades.sha256"
"""Names of two entries of ``metadata_props``."""

LOCATORS = ("yunet", "haar", "whole")
"""Locators that mean the same on every machine."""

_METADATA_PROPS, _KEY, _VALUE = 14, 1, 2  # fields of ONNX's ModelProto and StringStringEntryProto
_DIGITS = 64
_HEAD = 256  # bytes, in which the maker's name stands
_LARGEST_IMAGE = 2048  # px, as of a .blades file


def with_facts(graph: bytes, facts: dict[str, Any]) -> bytes:
    """An ONNX model, facts and a seal, as one file.

    Parameters
    ----------
    graph : bytes
        A serialised ModelProto.
    facts : dict
        Plain JSON.
    """
    text = json.dumps(facts, allow_nan=False, sort_keys=True).encode()
    whole = graph + _entry(FACTS, text)
    return whole + _entry(SEAL, hashlib.sha256(whole).hexdigest().encode())


def is_exported(path: StrPath) -> bool:
    """Whether a file says, in its first bytes, that it is an exported detector; whole or not."""
    path = Path(path)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return head[:1] == b"\x08" and PRODUCER.encode() in head


def unsealed(path: StrPath) -> bytes:
    """The bytes of an exported file that is as it was written.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
    ValueError
        If it is something else, or was cut short or changed.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file.")
    if path.is_dir():
        raise IsADirectoryError(f"{path}: a folder; name the file that blades export wrote.")
    data = path.read_bytes()
    if not is_exported(path):
        raise ValueError(
            f"{path}: {_what(data)}, not a detector that blades export wrote. To make one: "
            "blades export detector.blades detector.onnx."
        )
    seal = _entry(SEAL, b"0" * _DIGITS)[:-_DIGITS]
    start = len(data) - len(seal) - _DIGITS
    told = data[-_DIGITS:]
    if data[start:-_DIGITS] != seal or hashlib.sha256(data[:start]).hexdigest().encode() != told:
        raise ValueError(
            f"{path}: was cut short or changed after it was written; copy it again, or export the "
            "detector again."
        )
    return data


def read_facts(path: StrPath, text: str | None) -> dict[str, Any]:
    """The facts of a file, checked.

    Raises
    ------
    ValueError
        If they are of a newer format, or make no sense.
    """
    try:
        facts = json.loads(text or "")
        newer = facts["format"] > FORMAT
        if not newer:
            wrong = next((name for name, right in _RIGHT.items() if not right(facts)), None)
            if wrong:
                raise ValueError(f"its {wrong} cannot be right")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{path}: what it says of its detector makes no sense ({error}); export it again."
        ) from error
    if newer:
        raise ValueError(
            f"{path}: was written by a newer sklearn_blades (format {facts['format']}, this one "
            f"reads {FORMAT}); upgrade with pip install -U sklearn-blades, or export it again here."
        )
    return facts


def _entry(key: str, value: bytes) -> bytes:
    """An entry of ``metadata_props`` as bytes of a ModelProto."""
    inner = _field(_KEY, key.encode()) + _field(_VALUE, value)
    return _field(_METADATA_PROPS, inner)


def _field(number: int, content: bytes) -> bytes:
    """A field of protocol buffers whose length is said: kind 2."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the eighth says that more follow."""
    low, rest = number & 0x7F, number >> 7
    return bytes([low]) if not rest else bytes([low | 0x80]) + _varint(rest)


def _what(data: bytes) -> str:
    """What a file is that is none of ours, as far as its first bytes say."""
    if not data:
        return "it is empty"
    if data.startswith(b"PK"):
        return "it is a zip, as a .blades file is (blades scan -m takes that as it is)"
    if data[:1] == b"\x08":
        return "it is an ONNX model, perhaps, but of something else"
    return "it is no ONNX model"


def _is(kind: type | tuple[type, ...], test: Callable[[Any], bool] = bool) -> Callable[..., bool]:
    return lambda value: isinstance(value, kind) and not isinstance(value, bool) and test(value)


def _number_or_none(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: value is None or _is((int, float), lambda n: low < n < high)(value)


def _crop_is_right(crop: dict[str, Any]) -> bool:
    if set(crop) != set(CropSettings._fields) or crop["face_locator"] not in LOCATORS:
        return False
    check_margin(crop["face_margin"])
    least_side(crop["min_face_size"], crop["image_size"])
    return (
        _is(int, lambda n: 0 < n <= _LARGEST_IMAGE)(crop["image_size"])
        and isinstance(crop["antialias"], bool)
        and (crop["harmonise"] is None or _is(int, lambda n: 0 < n <= 100)(crop["harmonise"]))
    )


def _are_scores(values: Any) -> bool:
    scores = np.asarray(values, dtype=float)
    return scores.ndim == 1 and bool(len(scores) and np.isfinite(scores).all()) and _sorted(scores)


def _sorted(scores: np.ndarray) -> bool:
    return bool((np.diff(scores) >= 0).all())


def _sources_are_right(sources: Any) -> bool:
    return sources is None or (
        isinstance(sources, dict) and bool(sources) and all(map(_are_scores, sources.values()))
    )


# What is relied on; what is only told on is not here.
_RIGHT: dict[str, Callable[[dict[str, Any]], bool]] = {
    "crop": lambda facts: _crop_is_right(facts["crop"]),
    "n_features": lambda facts: _is(int)(facts["n_features"]),
    "calibration_scores": lambda facts: _are_scores(facts["calibration_scores"]),
    "calibration_sources": lambda facts: _sources_are_right(facts["calibration_sources"]),
    "target_fpr": lambda facts: _is(float, lambda n: 0 < n < 1)(facts["target_fpr"]),
    "confidence": lambda facts: _number_or_none(0, 1)(facts["confidence"]),
    "offset": lambda facts: _number_or_none(-math.inf, math.inf)(facts["offset"]),
    "words": lambda facts: all(
        isinstance(facts[name], str) for name in ("head", "architecture", "digest")
    ),
}
