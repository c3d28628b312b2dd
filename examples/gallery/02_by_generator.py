"""
Judge a detector, generator by generator
========================================

An average hides the generator that is never found. ``evaluate_by_generator`` gives each a row,
with intervals, and the report writes itself for a terminal, a frame or a paper.
"""

import tempfile
from pathlib import Path

from sklearn_blades import BladesDetector, BladesEncoder
from sklearn_blades.datasets import make_photos
from sklearn_blades.evaluation import RocByGeneratorDisplay, evaluate_by_generator

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
# New photographs, and 24 faces of each generator. ``y`` is 1 for photographs.
X = make_photos(60, folder / "fresh", random_state=1)
y, generator = [1] * 60, ["camera"] * 60
for seed, name in enumerate(["diffusion", "upsampling", "oversmooth"], start=2):
    X += make_photos(24, folder / name, generated=name, random_state=seed)
    y, generator = y + [0] * 24, generator + [name] * 24
report = evaluate_by_generator(detector, X, y, generator, random_state=0)
print(report)

# %%
# For a paper: the figures that it needs, as LaTeX, intervals and all.
print(report.to_latex(columns=["auc", "tpr", "fpr"]))

# %%
report.plot()

# %%
# The whole trade-off. The circles are the detector's own threshold.
RocByGeneratorDisplay.from_estimator(detector, X, y, generator=generator)
