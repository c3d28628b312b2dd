"""An exported detector in onnxruntime against the same detector in torch, from files to scores.

Start-up is a new interpreter that loads the file and scores one photograph; a scan is the command,
with its start. Throughput is `score_samples` of photographs on the disk, again and again in one
process, with nothing kept from the time before; the forward pass is of ready faces. Both sides
have all cores, two threads that decode, and find faces by the same code.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from sklearn_blades import BladesEncoder, BladesOneClass, OnnxDetector, make_detector
from sklearn_blades.estimators.embedding import embed_crops
from sklearn_blades.persistence import export_onnx, save

from ._made import n_cores, photographs
from ._measure import ratio, rounds

CASES = (  # architecture, locator, what else the encoder is told
    ("blades-tiny", "whole", {}),
    ("blades-lite", "whole", {"pretrained": "imagenet"}),
    ("blades-lite", "haar", {"pretrained": "imagenet"}),
)
N_PHOTOGRAPHS = 90  # made; Haar finds a face in about two of three
N_FACES = 32  # ready ones

_LOAD = {
    "torch": "from sklearn_blades.persistence import load; asked = load({0!r})",
    "onnx": "from sklearn_blades import OnnxDetector; asked = OnnxDetector({0!r})",
}


def measure(n_rounds, n_photographs=N_PHOTOGRAPHS, cases=CASES):
    """Ratios of torch to onnxruntime, and how far their scores are apart."""
    ratios, details = [], {"n_cores": n_cores(), "seed": 0}
    with photographs(n_photographs) as paths, TemporaryDirectory() as folder:
        for architecture, where, settings in cases:
            what = f"{architecture}, {where}"
            encoder = BladesEncoder(
                architecture,
                **settings,
                face_locator=where,
                max_epochs=0,
                n_jobs=n_cores(),
                device="cpu",
                random_state=0,
            ).fit(paths)
            table, apart = _measure_case(encoder, paths, Path(folder), n_rounds)
            for name in ("start", "scan", "score", "forward"):
                title = f"{_TITLES[name]}: torch / onnxruntime ({what})"
                ratios.append(ratio(title, table[name], "torch", "onnx"))
            details[what] = {"n_photographs": len(paths), "largest_difference": apart, **table}
    return ratios, details


_TITLES = {
    "start": "seconds from a new interpreter to one score",
    "scan": "seconds of blades scan",
    "score": "seconds from files to scores",
    "forward": "seconds of the forward pass",
}


def _measure_case(encoder, paths, folder, n_rounds):
    """Seconds of every round by what is measured, and the largest difference of two scores."""
    head = BladesOneClass(target_fpr=0.1, random_state=0)
    detector = make_detector(encoder, head).fit(paths)
    files = {"torch": folder / "detector.blades", "onnx": folder / "detector.onnx"}
    save(detector, files["torch"])
    export_onnx(detector, files["onnx"])
    asked = OnnxDetector(files["onnx"], n_jobs=n_cores())
    side = encoder.preprocessing_.image_size
    shape = N_FACES, side, side, 3
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)

    def by_torch():
        encoder.clear_cache()
        detector.score_samples(paths)

    tables = {
        "start": {name: _starting(name, file, paths[0]) for name, file in files.items()},
        "scan": {name: _scanning(file, paths) for name, file in files.items()},
        "score": {"torch": by_torch, "onnx": lambda: asked.score_samples(paths)},
        "forward": {
            "torch": lambda: embed_crops(encoder, pixels),
            "onnx": lambda: asked.ask_crops(pixels),
        },
    }
    apart = np.abs(asked.score_samples(paths) - detector.score_samples(paths)).max()
    return {name: rounds(ways, n_rounds) for name, ways in tables.items()}, float(apart)


def _starting(name, file, photograph):
    code = f"{_LOAD[name].format(str(file))}; asked.score_samples([{photograph!r}])"
    return lambda: _run("-c", code)


def _scanning(file, paths):
    return lambda: _run("-m", "sklearn_blades", "scan", *paths, "-m", str(file))


def _run(*words):
    subprocess.run([sys.executable, *words], check=True, capture_output=True)
