"""
Could file size alone do it?
============================

Before a detector is believed: can anything but a face tell the two classes apart? Here the
generated faces were saved with another JPEG quality, as happens when two folders come from two
places.
"""

import tempfile
from pathlib import Path

from PIL import Image

from sklearn_blades.datasets import make_photos
from sklearn_blades.evaluation import audit_confounds

folder = Path(tempfile.mkdtemp())
photographs = make_photos(60, folder / "photographs", random_state=0)
generated = make_photos(60, folder / "generated", generated="spectral", random_state=1)
for path in generated:
    with Image.open(path) as picture:
        picture.load()
    picture.save(path, quality=60)

# %%
# A row a cue, the most telling first. A detector has to beat "all together" clearly.
report = audit_confounds([*photographs, *generated], [1] * 60 + [0] * 60, random_state=0)
print(report)

# %%
report.plot()

# %%
# What helps: judge on pairs that the cues cannot tell apart (``report.matched()``), save both
# classes alike (``BladesEncoder(harmonise=75)``), or take other files.
print(f"{len(report.matched())} pairs match")
