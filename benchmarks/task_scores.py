"""`score_tasks` on 100,000 photographs: the memory that it takes, and the seconds.

A fresh process makes the views of a few hundred simulated photographs that stand there again and
again, 32 px wide, and scores all default tasks. The towers are not measured, they see a batch at a
time: a projection of the pixels stands in for them, and gives as many logits as they would.
"""

import json
import subprocess
import sys
from statistics import median
from tempfile import TemporaryDirectory

import torch

from sklearn_blades.datasets import make_photos
from sklearn_blades.photos import read_photos
from sklearn_blades.photos.crops import Crops, CropSettings
from sklearn_blades.pretext import TaskSet, default_tasks
from sklearn_blades.pretext.diagnostics import score_tasks
from sklearn_blades.pretext.training.targets import tabulate
from sklearn_blades.pretext.training.views import ViewDataset
from sklearn_blades.storage.cache import ArrayCache

from ._measure import Ratio, peak_mb, seconds

SMALL, LARGE = 2_000, 100_000
DIFFERENT = 300
SIDE = 32
MOST_MB = 2_000
MOST_ROUNDS = 2  # a round takes some minutes

_WORK = "import sys; from benchmarks.task_scores import work; work(*map(int, sys.argv[1:]))"


class Projection(torch.nn.Module):
    """Logits without towers: pixels, each colour in 8 x 8 parts, times a random matrix."""

    def __init__(self, n_logits):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("matrix", torch.randn(192, n_logits, generator=generator) / 10)

    def forward(self, pixels):
        parts = pixels.float().permute(0, 3, 1, 2) / 255 - 0.5
        return torch.nn.functional.adaptive_avg_pool2d(parts, 8).flatten(1) @ self.matrix


def scored(n, different=DIFFERENT):
    """The scores of ``n`` photographs, of which ``different`` differ.

    Returns
    -------
    dict of task name to dict
    """
    with TemporaryDirectory() as folder:
        made = read_photos(make_photos(min(n, different), folder, random_state=0))
        records = [made[i % len(made)] for i in range(n)]
        tasks = TaskSet(default_tasks("default")).learn([record.exif for record in records])
        crops = Crops(records, CropSettings("whole", 1.6, SIDE), ArrayCache())
        targets = tabulate(tasks, [record.exif for record in records])
        views = ViewDataset(crops, targets, seed=0)
        return score_tasks(Projection(len(tasks.prompts)), views, tasks)


def work(n, different):
    """Score in this process, and print the seconds and the most memory that it ever took."""
    taken = seconds(lambda: scored(n, different) and None)
    print(json.dumps({"seconds": taken, "peak_mb": peak_mb()}))


def in_a_process(n, different=DIFFERENT):
    """What `work` prints, of a process of its own."""
    command = [sys.executable, "-c", _WORK, str(n), str(different)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def measure(n_rounds, small=SMALL, large=LARGE):
    """Memory against its bound, and the cost per photograph against that of few."""
    table = [
        {"few": in_a_process(small), "many": in_a_process(large)}
        for _ in range(min(n_rounds, MOST_ROUNDS))
    ]
    peaks = [row["many"]["peak_mb"] / MOST_MB for row in table]
    costs = [row["many"]["seconds"] / large / (row["few"]["seconds"] / small) for row in table]
    ratios = [
        _summary(f"MB of peak memory for {large} photographs / {MOST_MB}", peaks),
        _summary(f"seconds per photograph, {large} / {small}", costs),
    ]
    return ratios, {"image_size": SIDE, "different": DIFFERENT, "rounds": table}


def _summary(what, values):
    return Ratio(what, median(values), min(values), max(values), "<= 1")
