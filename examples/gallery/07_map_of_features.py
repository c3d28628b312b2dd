"""
A map of features
=================

Do generated faces lie apart, or among the photographs? Two dimensions cannot show all of it,
but they show whether two sources of photographs lie as far apart as photographs and fakes do.
"""

import tempfile
from pathlib import Path

from sklearn_blades import BladesEncoder
from sklearn_blades.datasets import make_photos
from sklearn_blades.evaluation import EmbeddingDisplay

folder = Path(tempfile.mkdtemp())
encoder = BladesEncoder(
    "blades-lite",
    pretrained="imagenet",
    max_epochs=0,
    image_size=160,
    face_locator="whole",
    face_margin=1.6,
)
sets = {
    "photographs": make_photos(50, folder / "first", random_state=0),
    "second source": make_photos(50, folder / "second", source="second", random_state=1),
    "oversmooth": make_photos(50, folder / "oversmooth", generated="oversmooth", random_state=2),
    "diffusion": make_photos(24, folder / "diffusion", generated="diffusion", random_state=3),
}
paths = [path for files in sets.values() for path in files]
labels = [name for name, files in sets.items() for _ in files]

# %%
# ``max_epochs=0`` opens no photograph in ``fit``: it only builds the tower.
encoder.fit(paths)
EmbeddingDisplay.from_estimator(encoder, paths, labels)

# %%
# The first two principal components keep distances, where t-SNE keeps neighbours.
EmbeddingDisplay.from_estimator(encoder, paths, labels, method="pca")
