"""PyOD's `EmbeddingOD.for_image` with our tower in place of a downloaded one."""

from pyod.models.embedding import EmbeddingOD
from pyod.models.lof import LOF
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV

from ._peers_job import PROMISED, pairs
from ._peers_tower import embedder


def fitted(job, photographs, seed):
    embed = embedder(job)
    detector = EmbeddingOD.for_image(encoder=embed, contamination=PROMISED, random_state=seed)
    return detector.fit(photographs)


def scores(detector, photographs):
    return detector.decision_function(photographs)


def flagged(detector, photographs, scored):
    """Verdicts by the threshold that ``contamination`` sets."""
    return {"": scored > detector.threshold_}


def search(job):
    """`GridSearchCV` over the detector, which embeds anew in each of its fits."""
    X, y, splits = pairs(job["folds"])
    embed = embedder(job)
    detector = EmbeddingOD.for_image(encoder=embed, contamination=PROMISED)
    asked = {"detector": [LOF(n_neighbors=k) for k in (10, 20, 40)]}
    grid = GridSearchCV(detector, asked, scoring=_area, cv=splits, error_score="raise")
    return grid.fit(X, y).cv_results_["mean_test_score"]


def _area(detector, X, y):
    return roc_auc_score(y, -detector.decision_function(X))
