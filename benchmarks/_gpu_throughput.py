"""Photographs a second from disk to features: section `transform` of `benchmarks.gpu`."""

import copy
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np
import torch

from sklearn_blades import BladesEncoder
from sklearn_blades.datasets import make_photos
from sklearn_blades.ground.device import autocast, resolve_device
from sklearn_blades.photos.crops import Crops, CropSettings
from sklearn_blades.photos.records import photo_list
from sklearn_blades.storage.cache import ArrayCache
from sklearn_blades.towers import embed as inference

from ._made import _enlarge, n_cores
from ._measure import rounds

TRANSFORMS = (  # architecture, precision, photographs, whether at 12 megapixels
    ("blades-rn50", "float32", 1024, False),
    ("blades-rn50", "bfloat16", 1024, False),
    ("blades-tiny", "float32", 1024, False),
    ("blades-rn50", "float32", 96, True),
)
DISTINCT = 48  # photographs that are made; the others are the same files under other names


def transform(folder, small):
    """Photographs a second from disk to features, beside the forward and the decoding alone."""
    cases = (("blades-tiny", "float32", 24, False),) if small else TRANSFORMS
    found = {}
    for architecture, precision, n, large in cases:
        paths = _many(folder / f"{'large' if large else 'plain'} {n}", n, large)
        row = _throughput(architecture, precision, paths, 1 if small else 3)
        found[f"{architecture}, {precision}{', 12 megapixels' * large}"] = row
    words = "; ".join(
        f"{case}: {row['transform']:.0f}/s (forward {row['forward']:.0f}, "
        f"decoding {row['decoding']:.0f}; over the slower of both {row['over_slower']:.2f})"
        for case, row in found.items()
    )
    return {"per_second": found, "words": words}


def _many(folder, n, large):
    """Paths of n photographs with names of their own, of which `DISTINCT` differ."""
    if folder.is_dir():
        return sorted(map(str, folder.iterdir()))
    made = make_photos(min(n, DISTINCT // (6 if large else 1)), folder, random_state=0)
    for path in made if large else ():
        _enlarge(Path(path))
    for number in range(len(made), n):
        os.link(made[number % len(made)], folder / f"again_{number:05d}.jpg")
    return sorted(map(str, folder.iterdir()))


def _throughput(architecture, precision, paths, n_rounds):
    """Photographs a second of `transform` and of its parts: medians of rounds after a warm-up."""
    encoder = BladesEncoder(
        architecture, face_locator="whole", max_epochs=0, precision=precision,
        cache_size=1000, n_jobs=n_cores(), device="auto", random_state=0,
    ).fit(paths)  # fmt: skip
    side, device = encoder.preprocessing_.image_size, resolve_device("auto")
    size = inference.batch_size(side, device)
    embedding = copy.deepcopy(encoder.embedding_).to(device)

    def crops():
        return Crops(photo_list(paths), CropSettings("whole", 1.3, side), ArrayCache())

    pixels = np.stack([crops().attempt(row).pixels for row in range(min(len(paths), DISTINCT))])
    pixels = np.resize(pixels, (len(paths), side, side, 3))

    def whole():
        encoder.clear_cache()
        encoder.transform(paths)

    def forward():
        with torch.inference_mode(), autocast(device, precision):
            for first in range(0, len(pixels), size):
                batch = torch.from_numpy(pixels[first : first + size]).to(device)
                embedding.encode_image(batch).float().cpu()

    def decoding():
        with ThreadPoolExecutor(n_cores()) as pool:
            list(pool.map(crops().attempt, range(len(paths))))

    ways = {"transform": whole, "forward": forward, "decoding": decoding}
    table = rounds(ways, n_rounds)
    speeds = {name: len(paths) / median(row[name] for row in table) for name in ways}
    slower = [row["transform"] / max(row["forward"], row["decoding"]) for row in table]
    bare = [row["transform"] / row["forward"] for row in table]
    return {**speeds, "over_forward": median(bare), "over_slower": median(slower)}
