"""
The promise on another source
=============================

A threshold is promised for photographs like those it was calibrated on. Other cameras and sites
look foreign too. ``source_shift`` measures it, ``recalibrate`` renews the promise without
training.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

from sklearn_blades import BladesDetector, BladesEncoder
from sklearn_blades.datasets import make_photos
from sklearn_blades.evaluation import ScoreDisplay, recalibrate, source_shift

folder = Path(tempfile.mkdtemp())
encoder = BladesEncoder(
    "blades-lite",
    pretrained="imagenet",
    max_epochs=0,
    image_size=160,
    face_locator="whole",
    face_margin=1.6,
)
detector = BladesDetector(encoder, target_fpr=0.1, random_state=0)
detector.fit(make_photos(120, folder / "mine", random_state=0))

# %%
# Photographs of the same source, and of a second one with other makes, sensors and processing.
same = make_photos(60, folder / "same", random_state=1)
other = make_photos(120, folder / "other", source="second", random_state=2)
print(source_shift(detector, same, other[60:]).verdict)

# %%
# Half of the second source calibrates; the other half shows what came of it.
renewed = recalibrate(detector, other[:60])
print(source_shift(renewed, same, other[60:]).to_markdown(["n", "flagged", "rate"], legend=False))

# %%
# The scores have not changed, the threshold has: what is given up is what lies between the two.
figure, axes = plt.subplots(2, 1, figsize=(7.6, 5), layout="constrained")
for ax, name, one in zip(axes, ("calibrated at home", "there"), (detector, renewed), strict=True):
    display = ScoreDisplay.from_estimator(one, other[60:], [1] * 60, ax=ax)
    ax.set_title(f"second source, {name}", loc="left", fontsize="medium")
