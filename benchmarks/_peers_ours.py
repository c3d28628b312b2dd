"""`BladesDetector` with ImageNet's tower, on whole pictures, as the other libraries take them."""

import numpy as np
from sklearn.model_selection import GridSearchCV

from sklearn_blades import BladesDetector, BladesEncoder, BladesOneClass

from ._peers_job import PROMISED, pairs


def fitted(job, photographs, seed, contrast="auto"):
    encoder = BladesEncoder.from_imagenet(face_locator="whole", device="cpu", random_state=0)
    settings = {"target_fpr": PROMISED, "contrast": contrast, "random_state": seed}
    return BladesDetector(encoder, **settings).fit(photographs)


def scores(detector, photographs):
    return detector.score_samples(photographs)


def flagged(detector, photographs, scored):
    """Verdicts by the threshold of `fit`."""
    return {"": scored < detector.head_.offset_}


def search(job):
    """`GridSearchCV` over the detector; features are computed once."""
    X, y, splits = pairs(job["folds"])
    encoder = BladesEncoder.from_imagenet(face_locator="whole", device="cpu", random_state=0)
    head = BladesOneClass(calibration_fraction=0.3, random_state=0)
    asked = {"head__covariance_type": ["auto", "diag", "full"]}  # kernels, and two mixtures
    detector = BladesDetector(encoder, head, random_state=0)
    grid = GridSearchCV(detector, asked, scoring="roc_auc", cv=splits, error_score="raise")
    return np.asarray(grid.fit(X, y).cv_results_["mean_test_score"])
