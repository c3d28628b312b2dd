"""Files of weights: reading them without running them, and the authors' names for ours."""

import pickle

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

# Keys of the authors' release (METHOD 7) and where those weights live in `blades-rn50`.
_PREFIX = "model."
_IMAGE_HEAD = ("visual.fc.", "visual.head.proj.")
_TEXT_HEAD = "text_fc."


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
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path} is no file of plain weights: {reason}") from error
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(map(torch.is_tensor, content.values())):
        raise ValueError(f"{path} holds no dictionary of tensors.")
    return {key.removeprefix("module."): value for key, value in content.items()}


def is_authors_checkpoint(state):
    """Whether the names are those of the authors' release."""
    return _PREFIX + "visual.fc.weight" in state and _PREFIX + _TEXT_HEAD + "weight" in state


def translate_authors_checkpoint(state, expected, path):
    """Rename the authors' tensors to those of ``blades-rn50``.

    The image tower carries torchvision's ResNet-50 names, which are timm's too, but for the last
    layer; the text tower is CLIP's, followed by a linear map ``text_fc``.

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
    if "text.text_projection.weight" not in expected or _IMAGE_HEAD[1] + "weight" not in expected:
        raise ValueError(
            f"{path} is a checkpoint of the authors' release: use architecture='blades-rn50'."
        )
    renamed = {}
    for key, value in state.items():
        name = key.removeprefix(_PREFIX)
        if name.startswith("visual."):
            renamed[name.replace(*_IMAGE_HEAD)] = value
        elif name.startswith(_TEXT_HEAD):
            renamed["text.text_projection." + name.removeprefix(_TEXT_HEAD)] = value
        elif name == "logit_scale":
            renamed[name] = value.reshape(expected[name].shape)
        elif "text." + name in expected:
            renamed["text." + name] = value
    renamed.setdefault("logit_scale", expected["logit_scale"])
    return renamed
