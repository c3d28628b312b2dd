"""What a page says of a fitted detector: what taught it, what it weighs, what it promises."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...errors import SmallSampleWarning
from ...estimators.answers import taken_apart
from ...evaluation.judge import head_of, promise_of
from ...heads.conformal import p_values_of_all
from .drawing import histogram
from .sentences import promised
from .text import counted, number, percent

_MOST_WORDS = 6  # of a task's vocabulary
_LEAST = 0.02  # weights below it are drawn there: a learned one may be 0


def detector_context(detector: Any) -> dict[str, Any]:
    """All that the template of a detector shows, without reports."""
    encoder, _, head = taken_apart(detector)
    head = head_of(head)
    calibration = calibrated(head)
    return {
        "promise": promised(calibration),
        "taught": taught(detector, encoder, head),
        "tasks": tasks(encoder),
        "losses": losses(encoder),
        "calibration": calibration,
        "smallest": smallest(calibration),
        "histogram": histogram(
            calibration["scores"], (), calibration["offset"], nouns=("calibration photographs",)
        )
        if len(calibration["scores"])
        else {},
        "settings": [
            (type(part).__name__, " ".join(repr(part).split())) for part in (encoder, head)
        ],
    }


def taught(detector: Any, encoder: Any, head: Any) -> list[tuple[str, str]]:
    """From what the parts were learned, as pairs of a name and words."""
    known = [("Encoder", _encoder(encoder))]
    for name, attribute in (("Photographs that taught the encoder", "encoder_rows_"),
                            ("Photographs that taught the contrast", "contrast_rows_"),
                            ("Rows that the head was given", "head_rows_")):  # fmt: skip
        if hasattr(detector, attribute):
            n = len(getattr(detector, attribute))
            known.append((name, f"{n:,}" if n else "none: it learned nothing"))
    known.append(("Head", _head(head)))
    for name, attribute in (("Digest of the encoder", "digest_"), ("Precision", "precision_")):
        if hasattr(encoder, attribute):
            known.append((name, str(getattr(encoder, attribute))))
    return known


def _encoder(encoder):
    name = type(encoder).__name__
    if not hasattr(encoder, "history_"):
        return name
    start = f", from {encoder.pretrained}" if encoder.pretrained else ", from random weights"
    epochs = len(encoder.history_)
    trained = f", {counted(epochs, 'epoch')} at rate {encoder.lr_:g}" if epochs else ", not trained"
    return f"{name}: {encoder.architecture}{start}{trained}"


def _head(head):
    name = type(head).__name__
    if getattr(head, "covariance_type_", None) == "kernel":
        return f"{name}: a kernel on each of {counted(head.n_components_, 'photograph')}"
    if hasattr(head, "n_components_"):
        shape = f"{counted(head.n_components_, 'component')} ({head.covariance_type_})"
        return f"{name}: a Gaussian mixture of {shape}"
    if isinstance(getattr(head, "weights_", None), Mapping):
        shares = ", ".join(f"{part} {share:.2f}" for part, share in head.weights_.items())
        return f"{name}: {shares}"
    return name


def tasks(encoder: Any) -> list[dict[str, Any]]:
    """The tasks by their last weight: what each asks, its weight over the epochs, its losses."""
    history = getattr(encoder, "history_", None)
    if not history:
        return []
    names = list(history[-1]["weights"])
    every = {name: [epoch["weights"][name] for epoch in history] for name in names}
    known = [max(weight, _LEAST) for weights in every.values() for weight in weights]
    ends = min(*known, 0.5), max(*known, 2.0)
    rows = [
        {
            "name": name,
            "asks": _asks(encoder.tasks_[name]),
            "primary": name == encoder.primary_task,
            "weight": every[name][-1],
            "points": _points(every[name], ends),
            "equal": round(_down(1.0, ends), 2),
            "words": f"from {number(every[name][0], 3)} to {number(every[name][-1], 3)}",
            "first": history[0]["losses"][name],
            "last": history[-1]["losses"][name],
        }
        for name in names
    ]
    return sorted(rows, key=lambda row: -row["weight"])


def _asks(task):
    words = getattr(task, "classes", None) or getattr(task, "regions", None)
    if words:
        more = f" and {len(words) - _MOST_WORDS} more" if len(words) > _MOST_WORDS else ""
        return ", ".join(map(str, words[:_MOST_WORDS])) + more
    if getattr(task, "reads", "") == "exif":
        return "which photograph has more"
    return ", or ".join(task.prompts[:_MOST_WORDS])


def _down(weight, ends):
    """Where a weight stands in a box of 100, on a logarithmic scale."""
    low, high = np.log(ends)
    return 96 - 92 * (np.log(max(weight, _LEAST)) - low) / (high - low)


def _points(values: Sequence[float], ends: tuple[float, float]) -> str:
    """A line through a box of 100 by 100, which is drawn at any size."""
    values = [*values, values[-1]] if len(values) == 1 else values
    across = np.linspace(0, 100, len(values))
    return " ".join(f"{x:.1f},{_down(y, ends):.1f}" for x, y in zip(across, values, strict=True))


def losses(encoder: Any) -> list[tuple[str, str]]:
    """The weighted loss of training, and that of the primary task on held-out photographs."""
    history = getattr(encoder, "history_", None) or []
    names = {"train_loss": "Weighted loss of training", "outer_loss": "Primary task, held out"}
    return [
        (title, f"{number(history[0][name], 3)} to {number(history[-1][name], 3)}")
        for name, title in names.items()
        if history and history[0].get(name) is not None and history[-1].get(name) is not None
    ]


def calibrated(head: Any) -> dict[str, Any]:
    """Threshold and calibration of a head; no scores where it promises nothing."""
    rate = promise_of(head)
    scores = np.asarray(getattr(head, "calibration_scores_", ()) if rate is not None else ())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SmallSampleWarning)  # the page says it
        offset = float(head.offset_) if scores.size else None
    return {
        "scores": scores,
        "sources": getattr(head, "calibration_sources_", None) or {},
        "target_fpr": rate,
        "confidence": getattr(head, "confidence", None),
        "offset": offset,
        "n_calibration": scores.size if scores.size else None,
    }


def smallest(calibration: Mapping[str, Any]) -> str:
    """The lowest p-value there can be, and what it means for scans."""
    if not len(calibration["scores"]):
        return ""
    known = list(calibration["sources"].values()) or [calibration["scores"]]
    p = float(p_values_of_all(np.array([-np.inf]), known, calibration["confidence"])[0])
    few = int(np.floor(0.1 / p + 1e-9))
    words = f"No p-value can be lower than {number(p, 3)}."
    rate = f"At a false discovery rate of {percent(0.1)}"
    if few < 2:
        return f"{words} {rate} nothing can be flagged in scans unless many files share it."
    return (
        f"{words} {rate} a single file can be flagged among {few:,}; in larger scans more of them "
        "have to share that p-value."
    )
