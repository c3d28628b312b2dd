"""Files of weights: reading them without running them, and the authors' names for ours."""

import math
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file

from ..storage.archive import damaged, read_container
from ..storage.plain_data import from_tree

# Keys of the authors' release (docs/method.md, section 7) and where those weights live in
# `blades-rn50`.
_PREFIX = "model."
_TRUNK, _IMAGE_HEAD, _TEXT_HEAD = "visual.", "visual.fc.", "text_fc."
_OUR_TRUNK, _OUR_IMAGE_HEAD, _OUR_TEXT_HEAD = (
    "visual.trunk.",
    "visual.head.proj.",
    "text.text_projection.",
)

_LARGEST_IMAGE = 2048  # px; what a file may ask for, not what `image_size` may
_MOST_PROMPTS, _MOST_LETTERS = 10_000, 1_000_000  # of a file too: tokens take 600 bytes a prompt


class SavedTowers(NamedTuple):
    """A `JointEmbedding` as plain data.

    Attributes
    ----------
    architecture : str
    prompts : tuple of str
    preprocessing : dict
        The fields of `Preprocessing`.
    freeze_text, quick_gelu : bool
    weights : dict of str to ndarray
        The state dict. Without a text tower it holds ``"prompt_features"`` in its place.
    head_trained : bool
        Whether the image tower's projection ever was; files of old hold what was trained.
    """

    architecture: str
    prompts: tuple
    preprocessing: dict
    freeze_text: bool
    quick_gelu: bool
    weights: dict
    head_trained: bool = True

    @property
    def has_text(self):
        return "prompt_features" not in self.weights


def read_saved_towers(path):
    """The towers in a file of `sklearn_blades.persistence.save`.

    Raises
    ------
    ValueError
        If the file is damaged, or holds no encoder or several.
    """
    content, arrays = read_container(path)
    try:
        nodes = list(_objects_in(content, "JointEmbedding"))
        if len(nodes) != 1:
            raise ValueError(f"it holds {len(nodes)} encoders, and weights come from one")
        return from_tree(nodes[0], arrays, lambda name, parts: checked_towers(**parts))
    except Exception as error:  # as in `read_container`
        raise damaged(path, error) from error


def saved_crop(path):
    """How the encoder in a file of `sklearn_blades.persistence.save` cut its faces.

    Returns
    -------
    dict
        ``face_locator``, ``face_margin`` and ``harmonise``; empty where the file holds no encoder
        or several. A locator that is no name (a table, a file) is left out: it is of another place.
    """
    content, _ = read_container(path)
    encoders = list(_objects_in(content, "BladesEncoder"))
    if len(encoders) != 1:
        return {}
    return checked_crop(encoders[0]["parts"])


def checked_crop(parts):
    """Those of some parameters that say how faces are cut, in plain data that fits any machine."""
    fine = {
        "face_locator": lambda value: value in ("haar", "yunet", "whole"),
        "face_margin": lambda value: type(value) in (int, float) and 1 <= value < math.inf,
        "harmonise": lambda value: value is None or (type(value) is int and 1 <= value <= 100),
    }
    known = {name: parts[name] for name in fine if name in parts}
    return {name: value for name, value in known.items() if fine[name](value)}


def _objects_in(tree, name):
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict) and node.get("object") == name:
            yield node
        elif isinstance(node, dict | list):
            waiting.extend(node.values() if isinstance(node, dict) else node)


def checked_towers(**parts):
    """`SavedTowers` from parts that a file gave, each looked at.

    Raises
    ------
    ValueError or TypeError
        If a part is missing, of another type, or not finite.
    """
    saved = SavedTowers(**parts)
    name = saved.architecture
    fine = {
        "architecture": isinstance(name, str) and not name.startswith("local-dir:"),
        "prompts": _are(str, saved.prompts, tuple)
        and len(saved.prompts) <= _MOST_PROMPTS
        and sum(map(len, saved.prompts)) <= _MOST_LETTERS,
        "preprocessing": _is_preprocessing(**saved.preprocessing),
        "freeze_text": isinstance(saved.freeze_text, bool),
        "quick_gelu": isinstance(saved.quick_gelu, bool),
        "head_trained": isinstance(saved.head_trained, bool),
        "weights": _are(np.ndarray, list(saved.weights.values()), list),
    }
    for part, is_fine in fine.items():
        if not is_fine:
            raise ValueError(f"the towers' {part} cannot be used.")
    for key, value in saved.weights.items():
        if not np.isfinite(value).all():
            raise ValueError(f"the towers' {key} holds NaN or infinity.")
    return saved


def _is_preprocessing(image_size, mean, std, antialias):
    return (
        type(image_size) is int
        and 0 < image_size <= _LARGEST_IMAGE
        and all(_are(float, values, tuple) and len(values) == 3 for values in (mean, std))
        and all(math.isfinite(value) for value in (*mean, *std))
        and min(std) > 0
        and isinstance(antialias, bool)
    )


def _are(kind, values, container):
    return isinstance(values, container) and all(isinstance(value, kind) for value in values)


def check_form(saved, expected, n_features, path):
    """Raise ValueError unless names, shapes and types are those of the towers.

    Parameters
    ----------
    saved : SavedTowers
    expected : dict of str to Tensor
        The towers' state dict. Without a text tower its tensors are not asked for.
    n_features : int
    path : str
        For messages.
    """
    expected = {f"towers.{name}": _form(value) for name, value in expected.items()}
    if not saved.has_text:
        expected = {k: form for k, form in expected.items() if not k.startswith("towers.text.")}
        expected["prompt_features"] = (len(saved.prompts), n_features), "float32"
    found = {name: _form(value) for name, value in saved.weights.items()}
    wrong = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
    if wrong:
        is_, should_be = (forms.get(wrong[0], "absent") for forms in (found, expected))
        raise ValueError(
            f"{path} does not fit {saved.architecture}: {len(wrong)} tensors, first {wrong[0]!r}, "
            f"which is {is_} and should be {should_be}."
        )


def _form(value):
    return tuple(value.shape), str(value.dtype).removeprefix("torch.")


def read_state_dict(path):
    """Read named tensors from a safetensors or a torch file; nothing in it is executed.

    Raises
    ------
    ValueError
        If the file is neither, or holds anything but tensors.
    """
    try:
        if str(path).endswith(".safetensors"):
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # the readers meet arbitrary bytes and raise nearly anything
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(f"{path} is no file of plain weights: {reason}") from error
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(map(torch.is_tensor, content.values())):
        raise ValueError(f"{path} holds no dictionary of tensors.")
    return {key.removeprefix("module."): value for key, value in content.items()}


def is_authors_checkpoint(state):
    """Whether the names are those of the authors' release, or of the weights that it starts from.

    Those are EXIF-as-Language's: the same image tower, and a text tower of another kind.
    """
    has_trunk = _PREFIX + "visual.layer1.0.downsample.0.weight" in state
    return has_trunk and not any(name.startswith(_PREFIX + "visual.attnpool.") for name in state)


def has_authors_text(state):
    """Whether the text tower, too, is that of the authors' release."""
    return _PREFIX + _TEXT_HEAD + "weight" in state


def has_authors_image_head(state):
    """Whether the image tower's last layer is among the tensors."""
    return any(name.startswith(_PREFIX + _IMAGE_HEAD) for name in state)


def translate_authors_checkpoint(state, expected, path):
    """Rename the authors' tensors to those of ``blades-rn50``.

    The image tower carries torchvision's ResNet-50 names, which are timm's too, but for the last
    layer; the text tower is CLIP's, followed by a linear map ``text_fc``. Without that map, only
    the image tower is taken.

    Parameters
    ----------
    state : dict of str to Tensor
        The authors' state dict.
    expected : dict of str to Tensor
        Our towers' state dict.
    path : str
        For messages.

    Raises
    ------
    ValueError
        If our towers are not those of ``blades-rn50``.
    """
    if not {_OUR_TEXT_HEAD + "weight", _OUR_IMAGE_HEAD + "weight"} <= expected.keys():
        raise ValueError(
            f"{path} is a checkpoint of the authors' release, or of EXIF-as-Language, where it "
            "starts: use architecture='blades-rn50'."
        )
    renamed, whole = {}, has_authors_text(state)
    for key, value in state.items():
        name = key.removeprefix(_PREFIX)
        if name.startswith(_IMAGE_HEAD):
            renamed[_OUR_IMAGE_HEAD + name.removeprefix(_IMAGE_HEAD)] = value
        elif name.startswith(_TRUNK):
            renamed[_OUR_TRUNK + name.removeprefix(_TRUNK)] = value
        elif whole and name.startswith(_TEXT_HEAD):
            renamed[_OUR_TEXT_HEAD + name.removeprefix(_TEXT_HEAD)] = value
        elif whole and name == "logit_scale":
            renamed[name] = value.reshape(expected[name].shape)
        elif whole and "text." + name in expected:
            renamed["text." + name] = value
    renamed.setdefault("logit_scale", expected["logit_scale"])
    return renamed
