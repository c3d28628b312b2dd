"""What is made on a card and used without one: sections `learn` and `carry` of `benchmarks.gpu`."""

import json
from unittest.mock import patch

import numpy as np
import torch

from sklearn_blades import BladesEncoder, BladesOneClass, make_detector
from sklearn_blades.datasets import make_photos
from sklearn_blades.ground.device import full_precision
from sklearn_blades.persistence import load, save
from sklearn_blades.pretext.training.loop import BilevelNet

EPOCHS = 3
ENCODER = {
    "face_locator": "whole",
    "face_margin": 1.6,
    "image_size": 64,
    "max_epochs": EPOCHS,
    "random_state": 0,
}
PHOTOS, MADE, DETECTOR, KNOWN = "carried", "carried_generated", "detector.blades", "known.json"


def learn(folder, small):
    """Fit and save a detector on the card, cut a run off there, and go on with one of the CPU."""
    n = 100 if small else 240
    paths = make_photos(n, folder / PHOTOS, random_state=0)
    fakes = make_photos(n // 4, folder / MADE, generated="oversmooth", random_state=1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    encoder = BladesEncoder(**ENCODER, device=device).fit(paths[: n // 2])
    head = BladesOneClass(calibration_fraction=0.5, random_state=0)
    detector = make_detector(encoder, head).fit(paths[n // 2 :])
    judged = [*paths, *fakes]
    scores, verdicts = detector.score_samples(judged), detector.predict(judged)
    encoder.clear_cache()
    with full_precision(device):
        exact = detector.score_samples(judged)
    save(detector, folder / DETECTOR)
    there = cut_off(device, paths[: n // 2], folder / "there")
    before = cut_off("cpu", paths[: n // 2], folder / "here")
    resumed = go_on(device, paths[: n // 2], folder / "here")
    known = {
        "device": device,
        "scores": scores.tolist(),
        "exact": exact.tolist(),
        "verdicts": verdicts.tolist(),
        "history": there,
    }
    (folder / KNOWN).write_text(json.dumps(known))
    off = float(np.abs(scores - exact).max())
    wrong = [] if same_start(resumed, before) else ["a run of the CPU is not gone on with"]
    wrong += [f"features hang on TF32, scores by {off:.2g} nats"] * (off > 1e-2)
    words = f"fitted, saved and cut off on {device}; a run of the CPU went on there"
    return {
        "scores_off_by_tf32": off,
        "wrong": wrong,
        "words": f"{words}; TF32 moves scores by {off:.2g} nats at most",
    }


def carry(folder, small):
    """Load the detector and go on with the run, where no card is seen."""
    known = json.loads((folder / KNOWN).read_text())
    paths, fakes = (sorted(map(str, (folder / name).iterdir())) for name in (PHOTOS, MADE))
    detector = load(folder / DETECTOR)
    judged = [*paths, *fakes]
    differing = int((detector.predict(judged) != np.array(known["verdicts"])).sum())
    scores = detector.score_samples(judged)
    off, of_exact = (float(np.abs(scores - known[key]).max()) for key in ("scores", "exact"))
    resumed = go_on("cpu", paths[: len(paths) // 2], folder / "there")
    wrong = [f"{differing} verdicts differ"] * bool(differing)
    wrong += ["the card sees itself"] * torch.cuda.is_available()
    wrong += [] if same_start(resumed, known["history"]) else ["the run is not gone on with"]
    return {
        "different_verdicts": differing,
        "scores_off": off,
        "scores_off_without_tf32": of_exact,
        "wrong": wrong,
        "words": f"from {known['device']} to no card: {differing} of {len(judged)} verdicts "
        f"differ, scores by {off:.2g} nats ({of_exact:.2g} had TF32 been off); a run cut off "
        f"after {len(known['history'])} epochs went on to {resumed.n_iter_}",
    }


def cut_off(device, paths, folder):
    """Stop a fit after its second epoch; returns what it had written down until then."""
    kept, save_epoch = [], BilevelNet._save

    def stop(net):
        save_epoch(net)
        kept.append(net.history[-1]["train_loss"])
        if len(kept) == EPOCHS - 1:
            raise KeyboardInterrupt

    with patch.object(BilevelNet, "_save", stop):
        try:
            go_on(device, paths, folder)
        except KeyboardInterrupt:
            return kept
    raise RuntimeError("the fit was not cut off")


def go_on(device, paths, folder):
    return BladesEncoder(**ENCODER, device=device, checkpoint_dir=str(folder)).fit(paths)


def same_start(encoder, losses):
    """Whether a fit is whole and begins with these losses of its epochs."""
    begun = [row["train_loss"] for row in encoder.history_[: len(losses)]]
    return encoder.n_iter_ == EPOCHS and begun == losses
