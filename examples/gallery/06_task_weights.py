"""
What an encoder learns, and what it reads
=========================================

An encoder is pretrained on labels that photographs bring along: their EXIF, and manipulations
that we make ourselves. It learns how much to listen to each. Here a tiny one, for an epoch, to
show the two pictures.
"""

import tempfile
from pathlib import Path

from sklearn_blades import BladesEncoder
from sklearn_blades.datasets import make_photos
from sklearn_blades.evaluation import TaskReadingsDisplay, TaskWeightsDisplay

folder = Path(tempfile.mkdtemp())
photographs = make_photos(160, folder / "mine", random_state=0)

# %%
# From scratch, many small steps on small images. Equal shares at first and a fast rate of the
# weights, so that there is something to see in seconds.
encoder = BladesEncoder(
    face_locator="whole",
    face_margin=1.6,
    image_size=64,
    batch_size=24,
    freeze_text=True,
    primary_share=1 / 11,
    weight_lr=0.05,
    max_epochs=2,
    random_state=0,
).fit(photographs)
TaskWeightsDisplay.from_estimator(encoder)

# %%
# How well was each task learned? On photographs of other people; below chance is better than
# guessing.
fresh = make_photos(40, folder / "fresh", random_state=1)
for name, score in encoder.score_tasks(fresh).items():
    print(f"{name:20s} loss {score['loss']:.3f}   chance {score['chance']:.3f}")

# %%
# What it reads in one photograph, from its pixels alone; EXIF is never an input. After two epochs
# this is little more than a guess.
TaskReadingsDisplay.from_estimator(encoder, fresh[0])
