"""
Saved again, scaled, cropped
============================

Pictures on the web are not as they came from the camera. ``robustness_curve`` degrades both
classes alike and asks what is left.
"""

import tempfile
from pathlib import Path

from sklearn_blades import BladesDetector, BladesEncoder
from sklearn_blades.datasets import make_photos
from sklearn_blades.evaluation import default_degradations, robustness_curve

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
detector.fit(make_photos(60, folder / "mine", random_state=0))

X = make_photos(24, folder / "fresh", random_state=1)
X += make_photos(24, folder / "generated", generated="diffusion", random_state=2)
few = {name: default_degradations()[name] for name in ("jpeg", "downscale")}
report = robustness_curve(detector, X, [1] * 24 + [0] * 24, degradations=few)
print(report.to_markdown(["auc", "false_alarms", "detected"]))

# %%
# The area under the curve, for each degradation, mild ones first.
report.plot()

# %%
# The threshold stays where it was: what happens to the false alarms?
report.plot("false_alarms")
