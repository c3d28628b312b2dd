"""`transform` from disk against its bare parts: Pillow, OpenCV and torch alone in a loop.

The yardstick decodes each photograph once, at the size that the search for the face needs (JPEG's
draft mode), looks for the face, and sends ready crops through the image tower. It is counted in
CPU seconds of one process and divided by the number of cores, as if it could be spread over them
without loss. ``transform`` is counted on the wall, and also reads headers, cuts and scales the
face, which at times takes a second decoding at another size, and keeps crops and features.
"""

import time

import numpy as np
import torch
from PIL import Image

from sklearn_blades import BladesEncoder
from sklearn_blades.ground.device import autocast
from sklearn_blades.photos import face_crop
from sklearn_blades.photos.locators import SEARCH_SIDES, locator

from ._made import n_cores, photographs
from ._measure import ratio, rounds

CASES = (  # architecture, photographs, whether at 12 megapixels
    ("blades-tiny", 300, False),
    ("blades-tiny", 48, True),
    ("blades-rn50", 48, True),
)
BATCH = 16  # of the bare forward pass; on a CPU others are no faster


def measure(n_rounds):
    """Ratios of `transform` to its parts, and of bfloat16 to float32; on the CPU."""
    ratios, details = [], {"n_cores": n_cores(), "seed": 0}
    for architecture, n, large in CASES:
        what = f"{architecture}, {'12 megapixels' if large else 'small photographs'}"
        with photographs(n, large=large) as paths:
            encoder = BladesEncoder(
                architecture, max_epochs=0, n_jobs=n_cores(), device="cpu", random_state=0
            ).fit(paths)
            table, cpu = _measure_transform(encoder, paths, n_rounds)
        ratios += [
            ratio(f"transform / bare parts ({what})", table, "transform", "bare", "<= 1.1"),
            ratio(f"the same in CPU seconds ({what})", cpu, "transform", "bare"),
        ]
        details[what] = {"n_photographs": len(paths), "seconds": table, "cpu_seconds": cpu}
        if not large or architecture != "blades-tiny":
            table = _measure_precisions(encoder, n_rounds)
            details[f"forward, {architecture}"] = table
            ratios.append(
                ratio(f"forward in bfloat16 / float32 ({architecture})", table, "bf16", "f32")
            )
    return ratios, details


def _measure_transform(encoder, paths, n_rounds):
    """Seconds of every round: on the wall, where the bare parts are divided; and of the CPU."""
    cpu, size = [], encoder.preprocessing_.image_size
    pixels = torch.from_numpy(np.stack([face_crop(p, image_size=size).pixels for p in paths]))
    find = locator("haar")

    def transform():
        encoder.clear_cache()
        cpu.append({"transform": _cpu_seconds(lambda: encoder.transform(paths))[0]})

    def bare():
        decode, images = _cpu_seconds(lambda: [_decoded(path) for path in paths])
        locate, _ = _cpu_seconds(lambda: [find(image) for image in images])
        forward, _ = _cpu_seconds(lambda: _forward(encoder.embedding_, pixels, "float32"))
        parts = {"decode": decode, "locate": locate, "forward": forward}
        cpu.append(parts | {"bare": sum(parts.values())})
        return sum(parts.values()) / n_cores()

    table = rounds({"transform": transform, "bare": bare}, n_rounds)
    measured = cpu[2:]  # the first two were to warm up
    return table, [one | other for one, other in zip(measured[::2], measured[1::2], strict=True)]


def _measure_precisions(encoder, n_rounds):
    size = encoder.preprocessing_.image_size
    pixels = torch.randint(0, 256, (2 * BATCH, size, size, 3), dtype=torch.uint8)
    ways = {
        "f32": lambda: _forward(encoder.embedding_, pixels, "float32"),
        "bf16": lambda: _forward(encoder.embedding_, pixels, "bfloat16"),
    }
    return rounds(ways, n_rounds)


def _decoded(path):
    with Image.open(path) as image:
        enough = -(-SEARCH_SIDES[0] * min(image.size) // max(image.size))
        image.draft("RGB", (enough, enough))
        return image.convert("RGB")


def _forward(embedding, pixels, precision):
    with torch.inference_mode(), autocast("cpu", precision):
        for batch in pixels.split(BATCH):
            embedding.encode_image(batch)


def _cpu_seconds(work):
    start = time.process_time()
    result = work()
    return time.process_time() - start, result
