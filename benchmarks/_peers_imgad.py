"""imgad's pipeline as its quick start has it (nearest neighbours, features kept on the disk)."""

from pathlib import Path

import numpy as np
from imgad import AnomalyDetectionPipeline
from imgad.data import AnomalyDataset
from imgad.evaluation import benchmark
from imgad.features.timm_models import TimmFeatureExtractor

from ._peers_job import PROMISED
from ._peers_tower import NAME


def _extractor(job):
    settings = {"checkpoint": job["weights"], "data_config": {"crop_pct": 1.0}, "device": "cpu"}
    return TimmFeatureExtractor(NAME, pretrained=False, **settings)


def fitted(job, photographs, seed):
    pipeline = AnomalyDetectionPipeline(
        extractor=_extractor(job),
        detector={"name": "knn", "threshold_quantile": 1 - PROMISED},
        preprocessing=["l2"],
        cache_dir=Path(job["folder"]) / "features",
    )
    return pipeline.fit(photographs, show_progress=False)


def scores(pipeline, photographs):
    return pipeline.score(photographs, show_progress=False)


def flagged(pipeline, photographs, scored):
    """Verdicts by the quantile of the scores that every photograph gets from the others."""
    return {"": scored > pipeline.threshold_}


def search(job):
    """Its `benchmark` of three detectors on five data sets, the folds."""
    folds = [
        AnomalyDataset(fold["train"], fold["test"] + fold["generated"], _labels(fold), name=str(i))
        for i, fold in enumerate(job["folds"])
    ]
    rows = benchmark(
        [_extractor(job)],
        [{"name": "knn", "k": k} for k in (1, 5, 10)],
        folds,
        [["l2"]],
        cache_dir=str(Path(job["folder"]) / "features of the search"),
        verbose=False,
        check_hub_access=False,
        on_error="raise",
    )
    areas = np.array([row["auroc"] for row in rows]).reshape(len(folds), -1)
    return areas.mean(axis=0)


def _labels(fold):
    return [0] * len(fold["test"]) + [1] * len(fold["generated"])
