"""What `benchmarks.travel` compares: encoders by name, and the photographs that they learn from."""

from dataclasses import dataclass

import numpy as np
import torch

from examples.real_photos import column
from sklearn_blades.photos import PhotoRecord
from sklearn_blades.pretext import Manipulated, WhichManipulation, default_tasks

from .real_results import FACE


@dataclass(frozen=True)
class SourcesAlike:
    """Make sources look alike: along sentences that say nothing of them, their means shall agree.

    The loss is the share of the logits' variance that lies between sources, in [0, 1]: covariance
    alignment of first order, on as many projections of the embedding as there are sentences.
    """

    sources: tuple = ()
    name = "sources_alike"
    reads = "exif"
    prompts = tuple(
        f"a photo of a face {where} {when}"
        for where in ("at home", "outdoors", "on a stage", "in an office", "in a car", "at school")
        for when in ("in the morning", "at noon", "in the evening", "at night")
    )

    def learn(self, exifs):
        return SourcesAlike(tuple(sorted({exif["Artist"] for exif in exifs})))

    def target(self, view):
        source = view.exif.get("Artist")
        return self.sources.index(source) if source in self.sources else -1

    def loss(self, logits, target):
        logits, target = logits[target >= 0], target[target >= 0]
        if not len(target):
            return logits.sum()
        total = logits.var(dim=0, unbiased=False)
        spread = torch.zeros_like(total)
        for source in target.unique():
            own = logits[target == source]
            spread = spread + len(own) / len(logits) * (own.mean(0) - logits.mean(0)) ** 2
        return (spread / total.clamp(min=1e-12)).mean()


def with_source(row):
    """A row's photograph as `SourcesAlike` learns from it: its source is its only tag."""
    return PhotoRecord(row["path"], {"Artist": row["source"]})


PSEUDO = [Manipulated("pseudo_fakes"), WhichManipulation("pseudo_fakes")]
FACE_ALONE = {"tasks": FACE, "task_weighting": "equal"}
PSEUDO_ALONE = {"tasks": PSEUDO, "task_weighting": "equal"}
BOTH = [*default_tasks(), *PSEUDO]
BILEVEL = {"tasks": BOTH, "primary_task": "pseudo_fakes", "augment": True}
GENTLE = 1e-5  # a tenth of what "auto" gives a pretrained tower in so short a run
CONTRAST = {
    "tasks": [Manipulated("contrast"), WhichManipulation("contrast")],
    "task_weighting": "equal",
}
OF_SOURCES = 1500  # photographs in the arms with so many sources

MAIN = {
    "frozen": {"max_epochs": 0},
    "face tasks": FACE_ALONE,
    "bi-level": {},
}
RECIPES = {
    "pseudo-fakes, augmented": {**PSEUDO_ALONE, "augment": True},
    "pseudo-fakes": PSEUDO_ALONE,
    "pseudo-fakes, 3 sources": {**PSEUDO_ALONE, "n_sources": 3},
    "pseudo-fakes, 10 sources": {**PSEUDO_ALONE, "n_sources": 10},
    "pseudo-fakes, 40 sources": {**PSEUDO_ALONE, "n_sources": 40},
    "equal, all tasks, 40 sources": {**BILEVEL, "task_weighting": "equal", "n_sources": 40},
    "bi-level, all tasks, 40 sources": {**BILEVEL, "n_sources": 40},
    "the same in AdamW's metric": {**BILEVEL, "n_sources": 40, "look_ahead": "adamw"},
    "face tasks, augmented": {**FACE_ALONE, "augment": True},
    "pseudo-fakes, 500 photographs": {**PSEUDO_ALONE, "n_photographs": 500},
    "pseudo-fakes, a tenth of the rate": {**PSEUDO_ALONE, "lr": GENTLE},
    "pseudo-fakes, 2500 photographs": {**PSEUDO_ALONE, "n_photographs": 2500},
}
FEW = {
    "face tasks": FACE_ALONE,
    "face tasks, augmented": {**FACE_ALONE, "augment": True},
    "contrast tasks": CONTRAST,
    "contrast tasks, a tenth of the rate": {**CONTRAST, "lr": GENTLE},
    "face tasks, 10 sources": {**FACE_ALONE, "n_sources": 10},
    "face tasks, 10 sources made alike": {
        "tasks": [*FACE, SourcesAlike()], "task_weighting": "equal", "n_sources": 10,
    },
    "equal, face and EXIF tasks": {"task_weighting": "equal"},
    "bi-level, face and EXIF tasks": {"outer_interval": 1},
    "bi-level in AdamW's metric": {"outer_interval": 1, "look_ahead": "adamw"},
}  # fmt: skip
FEW = {f"500: {name}": {**change, "n_photographs": 500} for name, change in FEW.items()}
SIZES = {
    f"frozen, {size} px": {"max_epochs": 0, "image_size": size}
    for size in (192, 224, 256, 288, 320, 384)
}
ARMS = MAIN | RECIPES | FEW | SIZES


def of_sources(rows, n_sources, total, seed):
    """So many photographs of the so many largest sources, as even as their sizes allow."""
    rng = np.random.default_rng(seed)
    sources, sizes = np.unique(column(rows, "source"), return_counts=True)
    largest = np.argsort(-sizes, kind="stable")[:n_sources]
    sizes = sizes[largest]
    quota = next(q for q in range(1, total + 1) if np.minimum(sizes, q).sum() >= min(
        total, sizes.sum()
    ))  # fmt: skip
    chosen = []
    for source in sources[largest]:
        own = [row for row in rows if row["source"] == source]
        chosen += [own[i] for i in rng.permutation(len(own))[:quota]]
    return [chosen[i] for i in np.sort(rng.permutation(len(chosen))[:total])]


def training_of(change, rows, seed):
    """Parameters of an arm, and the photographs that it learns from."""
    change = dict(change)
    if n_sources := change.pop("n_sources", None):
        rows = of_sources(rows, n_sources, OF_SOURCES, seed)
    if total := change.pop("n_photographs", None):
        order = np.random.default_rng(seed).permutation(len(rows))
        rows = [rows[i] for i in np.sort(order[:total])]
    return change, rows
