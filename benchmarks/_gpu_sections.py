"""The sections of `benchmarks.gpu`: each takes a folder and whether to be small, returns a dict.

``words`` is the line for people; ``wrong`` names what is not as it must be, whatever the speed.
Each runs in a process of its own, which imports this module anew.
"""

import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
import open_clip  # noqa: F401 - its seconds are no part of a section
import torch
from torch.func import functional_call

from sklearn_blades import BladesEncoder, BladesOneClass
from sklearn_blades.ground.device import full_precision
from sklearn_blades.pretext import hypergradient
from sklearn_blades.towers import embed as inference

from ._gpu_carried import carry, learn
from ._gpu_throughput import transform
from ._measure import conditions, ratio, rounds
from .mixture import features
from .release import ReleaseStep
from .step import (
    LR,
    PRIMARY,
    WEIGHT_LR,
    Setting,
    compare,
    hypergradient_of,
    prepared,
    problem,
    repeated,
)

__all__ = [
    "carry", "facts", "full_card", "has_card", "learn", "look_ahead", "mixture", "step", "tests",
    "transform",
]  # fmt: skip

ROOT = Path(__file__).parents[1]
TEST_SECONDS = 110


def has_card():
    """Whether torch sees a CUDA device; asked in the processes that use it."""
    return torch.cuda.is_available()


def where():
    return "cuda" if has_card() else "cpu"


def facts(folder, small):
    """What the figures depend on."""
    found = conditions()
    card = found["gpu"] or "no card"
    return {**found, "words": f"{card}, {found['n_cpus']} cores{', small form' * small}"}


def tests(folder, small):
    """The tests that need a card. Warnings of other versions of libraries are no failure here."""
    files = [str(f) for f in sorted((ROOT / "tests").rglob("test_*.py")) if _needs_card(f)]
    report = folder / "tests.xml"
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-o", "addopts=", "-W", "default"]
    command += ["--import-mode=importlib", "-p", "no:cacheprovider", f"--junitxml={report}", *files]
    done = subprocess.run(
        command, cwd=ROOT, timeout=TEST_SECONDS, capture_output=True, text=True, check=False
    )
    suites = [*ElementTree.parse(report).getroot().iter("testsuite")]
    names = ("tests", "failures", "errors", "skipped")
    counts = {name: sum(int(suite.get(name)) for suite in suites) for name in names}
    wrong = [name for name in ("failures", "errors") if counts[name]]
    wrong += ["skipped"] if counts["skipped"] and has_card() else []
    words = ", ".join(f"{counts[name]} {name}" for name in names)
    return {**counts, "wrong": wrong, "output": done.stdout[-6000:] * bool(wrong), "words": words}


def _needs_card(path):
    return "mark.gpu" in path.read_text(encoding="utf-8")


def step(folder, small):
    """A step of both levels, against the release's in float32 (as published) and in bfloat16."""
    device = where()
    setting, n_rounds = Setting("blades-rn50", 224, 48, ">= 6", 8), 3
    if small:
        setting, n_rounds = Setting("blades-tiny", 32, 8, "", 1), 1
    lines, details = compare(setting, device, n_rounds)
    lines.append(_beside_half_release(setting, device, n_rounds))
    values = {line.what.partition(": ")[2]: line.value for line in lines}
    words = "; ".join(f"{what} {value:.2f}" for what, value in values.items())
    return {"ratios": [line._asdict() for line in lines], **details, "words": words}


def _beside_half_release(setting, device, n_rounds):
    """The release's step in bfloat16, over our exact one in bfloat16."""
    embedding, tasks, inner, outer = problem(setting, device)
    half = {"precision": "bfloat16"}
    theirs = ReleaseStep(embedding, tasks, PRIMARY, lr=LR, weight_lr=WEIGHT_LR, **half)
    ours = prepared(embedding, tasks, outer, device=device, **half)
    ways = {"release": partial(theirs, inner, outer), "exact": partial(ours.train_step, inner)}
    table = rounds({n: repeated(w, setting.steps, device) for n, w in ways.items()}, n_rounds)
    name = f"{setting.architecture} {setting.image_size} px, batch {setting.batch_size}"
    return ratio(f"{name}: release in bfloat16 / exact step", table, "release", "exact")


def look_ahead(folder, small):
    """The hypergradient in float32, TF32 allowed outside, beside the exact one in float64."""
    device = where()
    setting = Setting("blades-rn50", 224, 16, "", 1)
    setting = Setting("blades-tiny", 32, 8, "", 1) if small else setting
    embedding, tasks, inner, outer = problem(setting, device)
    products = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = True
    try:
        exact = _in_double(embedding, tasks, inner, outer)
        ours = hypergradient_of(_free(embedding, tasks, outer, device), inner).double()
        restored = torch.get_float32_matmul_precision() == "high"
        restored &= torch.backends.cudnn.allow_tf32
        with patch("sklearn_blades.pretext.training.loop.full_precision", lambda _: nullcontext()):
            rough = hypergradient_of(_free(embedding, tasks, outer, device), inner).double()
        inside, outside = _of_product(device, full_precision(device)), _of_product(device)
    finally:
        torch.set_float32_matmul_precision(products)
    error, with_tf32 = (float((way - exact).norm() / exact.norm()) for way in (ours, rough))
    wrong = ["the setting outside is not restored"] * (not restored)
    wrong += ["a product in the look ahead is in TF32"] * (inside > 1e-5)
    # How far float32 itself is off depends on the net; TF32 must be several times as far.
    wrong += ["TF32 would do as well"] * (has_card() and not 2 * error < with_tf32)
    return {
        "hypergradient_error": error,
        "hypergradient_error_with_tf32": with_tf32,
        "product_error": inside,
        "product_error_outside": outside,
        "wrong": wrong,
        "words": f"hypergradient off by {error:.2g} (with TF32 {with_tf32:.2g}); "
        f"a product by {inside:.1g} (outside {outside:.1g})",
    }


def _free(embedding, tasks, outer, device):
    return prepared(embedding, tasks, outer, device=device, weighting="bilevel-free")


def _in_double(embedding, tasks, inner, outer):
    """The exact derivative over the rate, at equal weights: what `train_step` hands to Adam."""
    model = prepared(embedding, tasks, outer, device=where()).module_.double().train()

    def losses(params, batch):
        buffers = {name: value.clone() for name, value in model.named_buffers()}
        pixels, targets = batch
        return tasks.losses(functional_call(model, {**params, **buffers}, (pixels,)), targets)

    place = tasks.names.index(PRIMARY)
    params = {name: value for name, value in model.named_parameters() if value.requires_grad}
    ones = torch.ones(len(tasks), device=where(), dtype=torch.float64)
    result = hypergradient(
        lambda p: losses(p, inner), lambda p: losses(p, outer)[place], params, ones, lr=LR
    )
    return result.weights / LR


def _of_product(device, context=None):
    """Relative error of a product and a convolution of random numbers, the larger of both."""
    generator = torch.Generator(device).manual_seed(0)
    a, b = torch.randn(2, 512, 512, device=device, generator=generator)
    image = torch.randn(8, 32, 32, 32, device=device, generator=generator)
    kernel = torch.randn(32, 32, 3, 3, device=device, generator=generator)
    with context or nullcontext():
        found = a @ b, torch.conv2d(image, kernel)
    exact = a.double() @ b.double(), torch.conv2d(image.double(), kernel.double())
    pairs = zip(found, exact, strict=True)
    return max(float((f.double() - e).norm() / e.norm()) for f, e in pairs)


def mixture(folder, small):
    """The one-class head in numpy and on the device: seconds, scores and verdicts."""
    rng, device = np.random.default_rng(0), where()
    X = features(2_000 if small else 50_000, 128, rng)
    fresh = features(1_000 if small else 5_000, 128, rng)
    BladesOneClass(device=device, random_state=0).fit(X[:1000])  # the device wakes up
    heads, seconds = {}, {}
    for name in (None, device):
        start = time.perf_counter()
        heads[name] = BladesOneClass(device=name, random_state=0).fit(X)
        seconds[str(name)] = time.perf_counter() - start
    there, here = heads[device], heads[None]
    differing = int((there.predict(fresh) != here.predict(fresh)).sum())
    off = float(np.abs(there.score_samples(fresh) - here.score_samples(fresh)).max())
    return {
        "seconds_of_fit": seconds,
        "different_verdicts": differing,
        "largest_score_difference": off,
        "wrong": [f"{differing} verdicts differ"] * bool(differing),
        "words": f"{len(X)} rows: numpy {seconds['None']:.2f} s, {device} {seconds[device]:.2f} s; "
        f"{differing} of {len(fresh)} verdicts differ, scores by {off:.1g} nats at most",
    }


def full_card(folder, small):
    """A batch for which the card has no room: halved, and the same features."""
    n, side = (20, 32) if small else (256, 224)
    images = [*np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)]
    encoder = BladesEncoder(
        "blades-tiny" if small else "blades-rn50", face_locator="whole", image_size=side,
        max_epochs=0, device=where(), random_state=0,
    ).fit(["only its towers are wanted"])  # fmt: skip
    sizes, forward = [], inference._forward

    def counted(embedding, pixels, *args):
        sizes.append(len(pixels))
        if not has_card() and len(pixels) > 6:  # a CPU cannot be full: the error alone is tried
            raise torch.cuda.OutOfMemoryError
        return forward(embedding, pixels, *args)

    whole = _with_room(encoder, images)
    with patch.object(inference, "_forward", counted):
        halved = encoder.transform(images)
    off = float(np.abs(whole - halved).max())
    wrong = ["nothing was halved"] * (len(sizes) == 1) + [f"features off by {off}"] * (off > 1e-3)
    words = f"batches of {sizes}; features differ by {off:.1g} at most"
    return {"batches": sizes, "largest_difference": off, "wrong": wrong, "words": words}


def _with_room(encoder, images):
    """Features with all the memory there is; afterwards 0.4 of what that took is left."""
    if not has_card():
        features = encoder.transform(images)
    else:
        torch.cuda.reset_peak_memory_stats()
        features = encoder.transform(images)
        total = torch.cuda.get_device_properties(0).total_memory
        share = 0.4 * torch.cuda.max_memory_reserved() / total
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(share)
    encoder.clear_cache()
    return features
