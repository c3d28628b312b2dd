"""What is sent to workers: all that answers, and no more."""

import pickle

import numpy as np

from sklearn_blades import BladesEncoder
from sklearn_blades.towers.packing import packed


def test_text_towers_stay_here_and_features_are_the_same(photos):
    encoder = BladesEncoder(
        face_locator=lambda image: [(0.1, 0.1, 0.9, 0.9)],  # no pickle takes a lambda
        image_size=32,
        max_epochs=0,
        device="cpu",
        cache_size=0,
        disk_size=0,
    ).fit(photos)
    sent = packed([encoder])
    (there,) = pickle.loads(sent)
    assert encoder.embedding_.has_text
    assert not there.embedding_.has_text
    assert len(sent) < 0.6 * len(pickle.dumps(encoder.embedding_))
    assert there.transform(photos[:5]).tobytes() == encoder.transform(photos[:5]).tobytes()
    assert np.isfinite(there.transform(photos[:5])).all()
