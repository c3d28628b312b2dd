"""scikit-learn alone: features by a loop over timm's tower, then a pipeline on the matrix."""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from ._peers_job import PROMISED, pairs
from ._peers_tower import embedder

KEPT = 0.9  # of the variance, by principal components


def fitted(job, photographs, seed):
    embed = embedder(job)
    features = embed(photographs)
    svm = _pipeline(OneClassSVM(nu=PROMISED)).fit(features)
    return embed, svm, features, seed


def _pipeline(head):
    return make_pipeline(StandardScaler(), PCA(KEPT), head)


def scores(detector, photographs):
    embed, svm, *_ = detector
    return svm.decision_function(embed(photographs))


def flagged(detector, photographs, scored):
    """Verdicts of the machine, and of two more heads on the same features.

    The forest has an option for the share; a mixture has none, so that the quantile is taken of
    the photographs that it was fitted on.
    """
    embed, _, features, seed = detector
    asked = embed(photographs)
    forest = _pipeline(IsolationForest(contamination=PROMISED, random_state=seed)).fit(features)
    mixture = _pipeline(GaussianMixture(covariance_type="diag", random_state=seed)).fit(features)
    threshold = np.quantile(mixture.score_samples(features), PROMISED)
    return {
        "OneClassSVM": scored < 0,
        "IsolationForest": forest.predict(asked) == -1,
        "GaussianMixture": mixture.score_samples(asked) < threshold,
    }


def search(job):
    """Embed once, `GridSearchCV` on the matrix."""
    X, y, splits = pairs(job["folds"])
    features = embedder(job)(X)
    asked = {"oneclasssvm__gamma": ["scale", 1e-3, 1e-2]}
    pipeline = _pipeline(OneClassSVM(nu=PROMISED))
    grid = GridSearchCV(pipeline, asked, scoring="roc_auc", cv=splits, error_score="raise")
    return grid.fit(features, y).cv_results_["mean_test_score"]
