"""Files of weights: reading them without running them, and the authors' names for ours."""

import torch
from safetensors.torch import load_file

# Keys of the authors' release (METHOD 7) and where those weights live in `blades-rn50`.
_PREFIX = "model."
_TRUNK, _IMAGE_HEAD, _TEXT_HEAD = "visual.", "visual.fc.", "text_fc."
_OUR_TRUNK, _OUR_IMAGE_HEAD, _OUR_TEXT_HEAD = (
    "visual.trunk.",
    "visual.head.proj.",
    "text.text_projection.",
)


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
    if not {_OUR_TEXT_HEAD + "weight", _OUR_IMAGE_HEAD + "weight"} <= expected.keys():
        raise ValueError(
            f"{path} is a checkpoint of the authors' release: use architecture='blades-rn50'."
        )
    renamed = {}
    for key, value in state.items():
        name = key.removeprefix(_PREFIX)
        if name.startswith(_IMAGE_HEAD):
            renamed[_OUR_IMAGE_HEAD + name.removeprefix(_IMAGE_HEAD)] = value
        elif name.startswith(_TRUNK):
            renamed[_OUR_TRUNK + name.removeprefix(_TRUNK)] = value
        elif name.startswith(_TEXT_HEAD):
            renamed[_OUR_TEXT_HEAD + name.removeprefix(_TEXT_HEAD)] = value
        elif name == "logit_scale":
            renamed[name] = value.reshape(expected[name].shape)
        elif "text." + name in expected:
            renamed["text." + name] = value
    renamed.setdefault("logit_scale", expected["logit_scale"])
    return renamed
