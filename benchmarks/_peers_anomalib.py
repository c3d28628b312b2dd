"""anomalib's PaDiM on our tower, by its engine.

It has no option for a rate of false alarms: its threshold is the best F1 of half of the
photographs held out, a part of them with synthetic faults painted in by the library.
"""

import logging
import shutil
import tempfile
import warnings
from itertools import count
from pathlib import Path

import numpy as np
import torch
from anomalib.data import Folder, PredictDataset
from anomalib.engine import Engine
from anomalib.models import Padim
from sklearn.metrics import roc_auc_score

from ._peers_tower import N_FACES, NAME

LAYERS = ["blocks.1", "blocks.2", "blocks.4"]  # a quarter, an eighth, a sixteenth of the side
SIDE = 224

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
_numbers = count()


def fitted(job, photographs, seed, n_features=100, verdicts=True):
    torch.manual_seed(seed)
    model = Padim(
        backbone=NAME,
        layers=LAYERS,
        pre_trained=False,
        n_features=n_features,
        pre_processor=Padim.configure_pre_processor((SIDE, SIDE)),
        post_processor=verdicts,
        evaluator=False,
        visualizer=False,
    )
    tower = model.model.feature_extractor.feature_extractor
    weights = torch.load(job["weights"], weights_only=True)
    tower.load_state_dict({name: weights[name] for name in tower.state_dict()})
    folder = _folder(job, photographs)
    results = folder.parent / "results"
    settings = {"enable_progress_bar": False, "limit_val_batches": 1.0 if verdicts else 0}
    engine = Engine(accelerator="cpu", default_root_dir=results, **settings)
    engine.fit(model=model, datamodule=_data(folder, seed, verdicts))
    return job, engine, model


def _data(folder, seed, verdicts):
    return Folder(
        name="photographs",
        normal_dir=folder,
        test_split_mode="none",
        val_split_mode="synthetic" if verdicts else "none",
        num_workers=0,
        train_batch_size=N_FACES,
        eval_batch_size=N_FACES,
        seed=seed,
    )


def _folder(job, photographs):
    """A folder of these photographs alone, which is how the library is told of them."""
    folder = Path(tempfile.mkdtemp(dir=job["folder"])) / "photographs"
    folder.mkdir()
    for number, path in enumerate(photographs):
        shutil.copy(path, folder / f"{number:05d}{Path(path).suffix}")
    return folder


def scores(detector, photographs):
    job, engine, model = detector
    asked = PredictDataset(_folder(job, photographs), image_size=(SIDE, SIDE))
    return engine.predict(model=model, dataset=asked)


def flagged(detector, photographs, scored):
    """Verdicts of its post-processing."""
    return {"": np.concatenate([np.ravel(batch.pred_label.numpy()) for batch in scored])}


def search(job):
    """A loop, since it has no search: three numbers of features on five folds."""
    return np.array([_mean_area(job, n) for n in (50, 100, 150)])


def _mean_area(job, n_features):
    areas = []
    for fold in job["folds"]:
        detector = fitted(job, fold["train"], 0, n_features, verdicts=False)
        scored = scores(detector, fold["test"] + fold["generated"])
        found = np.concatenate([np.ravel(batch.pred_score.numpy()) for batch in scored])
        y = [0] * len(fold["test"]) + [1] * len(fold["generated"])
        areas.append(roc_auc_score(y, found))
    return np.mean(areas)
