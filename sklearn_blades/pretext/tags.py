"""Tasks that come from EXIF: a tag with numbers to rank by, a tag with words to recognise."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..photos.exif import CATEGORICAL_TAGS, NUMERIC_TAGS
from .losses import focal_fidelity, ranking_fidelity

OTHER = "other"
SUPPORT = 5
"""Photographs that must know a tag (all, where there are fewer), or it is no task: two of a
thousand are learned by heart."""

_PHRASES = {
    "ExposureMode": "a photo of a face taken with the {} exposure mode",
    "ExposureProgram": "a photo of a face taken with the {} exposure program",
    "Flash": "a photo of a face taken with the flash: {}",
    "Make": "a photo of a face taken with the {} brand camera",
    "MeteringMode": "a photo of a face captured using the {} metering mode",
    "Model": "a photo of a face taken with the camera model {}",
    "SceneCaptureType": "a photo of a face taken with the {} scene type",
    "WhiteBalance": "a photo of a face taken with {} white balance",
}


def _words(tag):
    """Spell a tag's name in words: ``ISOSpeedRatings`` becomes ``ISO speed ratings``."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]+", tag)
    return " ".join(word if word.isupper() and len(word) > 1 else word.lower() for word in words)


def _check_tag(tag, choices):
    if tag not in choices:
        raise ValueError(f"{tag!r} is not one of the EXIF tags {', '.join(choices)}.")


@dataclass(frozen=True)
class OrdinalTag:
    """Order photographs by a number in their EXIF.

    Parameters
    ----------
    tag : str
        A numeric EXIF tag, such as ``"ISOSpeedRatings"`` or ``"ExposureTime"``.
    scale : float, default=2.0
        See `ranking_fidelity`.

    See Also
    --------
    CategoricalTag : For tags without an order.
    default_tasks : The paper's.

    Examples
    --------
    >>> OrdinalTag("FocalLength").prompts[0]
    'a photo of a face with the low value of focal length'
    """

    tag: str
    scale: float = 2.0
    reads = "exif"

    def __post_init__(self):
        _check_tag(self.tag, NUMERIC_TAGS)

    @property
    def name(self):
        return self.tag

    @property
    def prompts(self):
        return tuple(
            f"a photo of a face with the {level} value of {_words(self.tag)}"
            for level in ("low", "medium", "high")
        )

    def learn(self, exifs: Sequence[Mapping[str, Any]]) -> "OrdinalTag | None":
        values = [exif[self.tag] for exif in exifs if self.tag in exif]
        return self if _enough(values, exifs) and len(set(values)) > 1 else None

    def target(self, view: Any) -> Any:
        return view.exif.get(self.tag, float("nan"))

    def count(self, target: Tensor) -> Tensor:
        """The pairs of known values, over which a ranking is judged."""
        known = (~target.isnan()).sum()
        return known * (known - 1) // 2

    def chance(self, target: Tensor) -> float:
        """The loss of saying "no difference" of all pairs: ties are right, the others 0.293."""
        _, ties = target[~target.isnan()].unique(return_counts=True)
        n_tied = (ties * (ties - 1) // 2).sum().item()
        n_pairs = max(1, self.count(target).item())
        return (1 - 0.5**0.5) * (1 - n_tied / n_pairs)

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        return ranking_fidelity(self.reading(logits)["level"], target, scale=self.scale)

    def reading(self, logits: Tensor) -> dict[str, Tensor]:
        """Return the expected level 1 q_low + 2 q_medium + 3 q_high, in [1, 3].

        See docs/method.md, section 3.
        """
        levels = torch.arange(1, 4, device=logits.device, dtype=logits.dtype)
        return {"level": logits.softmax(-1) @ levels}


@dataclass(frozen=True)
class CategoricalTag:
    """Recognise a word in the EXIF.

    Parameters
    ----------
    tag : str
        A categorical EXIF tag, such as ``"Make"``.
    classes : tuple of str, default=()
        The vocabulary, as `sklearn_blades.photos.read_exif` spells it; may end with ``"other"``.
        Empty: learned from the training photographs, the most frequent first.
    max_classes : int, default=10
        Size of a learned vocabulary, ``"other"`` included.
    gamma : float, default=2.0
        See `focal_fidelity`.

    See Also
    --------
    OrdinalTag : For tags with an order.
    default_tasks : The paper's.

    Examples
    --------
    >>> make = CategoricalTag("Make").learn([{"Make": "canon"}, {"Make": "nikon"}])
    >>> make.classes
    ('canon', 'nikon')
    >>> make.prompts[0]
    'a photo of a face taken with the canon brand camera'
    """

    tag: str
    classes: tuple = ()
    max_classes: int = 10
    gamma: float = 2.0
    reads = "exif"

    def __post_init__(self):
        _check_tag(self.tag, CATEGORICAL_TAGS)
        if isinstance(self.classes, str) or len(set(self.classes)) < len(self.classes):
            raise ValueError(f"{self.tag}: classes={self.classes!r} is no tuple of distinct words.")
        object.__setattr__(self, "classes", tuple(self.classes))

    @property
    def name(self):
        return self.tag

    @property
    def prompts(self):
        return tuple(_PHRASES[self.tag].format(value) for value in self.classes)

    def learn(self, exifs: Sequence[Mapping[str, Any]]) -> "CategoricalTag | None":
        values = [exif[self.tag] for exif in exifs if self.tag in exif]
        counts = Counter(values)
        if not _enough(values, exifs) or len(counts) < 2:
            return None
        if self.classes:
            return self
        ranked = sorted(counts, key=lambda value: (-counts[value], value))
        if len(ranked) > self.max_classes:
            ranked = [*ranked[: self.max_classes - 1], OTHER]
        return replace(self, classes=tuple(ranked))

    def target(self, view: Any) -> Any:
        value = view.exif.get(self.tag)
        if value is None:
            return -1
        if value not in self.classes:
            value = OTHER
        return self.classes.index(value) if value in self.classes else -1

    def loss(self, logits: Tensor, target: Tensor) -> Tensor:
        return focal_fidelity(logits, target, gamma=self.gamma)

    def reading(self, logits: Tensor) -> dict[str, Tensor]:
        """Return the probability of each class."""
        return dict(zip(self.classes, logits.softmax(-1).unbind(-1), strict=True))


def _enough(values, exifs):
    return len(values) >= min(SUPPORT, len(exifs))


def why_not(task, exifs):
    """Why these photographs cannot teach a task, in words."""
    tag, n = getattr(task, "tag", None), len(exifs)
    if tag is None:
        return "it cannot be learned from these photographs"
    known = sum(tag in exif for exif in exifs)
    if not known:
        return f"absent in all {n} photographs"
    if known < min(SUPPORT, n):
        return f"known of {known} of {n} photographs, {SUPPORT} are needed"
    return f"the same in all {known} photographs that have it"
