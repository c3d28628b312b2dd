"""All that is asked of open_clip, which is imported when towers are built and not before."""

import difflib
import os
import urllib.error
import urllib.request
from copy import deepcopy
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from .trunks import PREFIX, set_input_size, timm_config

_REACH_SECONDS = 5  # how long a model hub may take to answer before we say so


@cache
def _library() -> ModuleType:
    """open_clip, with our architectures among its own.

    It brings torchvision and torch's compiler, and takes longer than torch itself: who imports a
    class, or loads a head, does not wait for it.
    """
    import open_clip

    open_clip.add_model_config(Path(__file__).parent / "configs")
    return open_clip


def model_config(architecture: str) -> dict[str, Any]:
    """A copy of an architecture's configuration, in which no tower fetches its own weights.

    Raises
    ------
    ValueError
        If open_clip, or for ``"timm:NAME"`` timm, knows no such architecture; names that are close
        are in the message.
    """
    open_clip = _library()
    if str(architecture).startswith(PREFIX):
        return timm_config(architecture, open_clip.get_model_config("blades-lite"))
    known = open_clip.list_models()
    if architecture not in known and not str(architecture).startswith("local-dir:"):
        close = difflib.get_close_matches(str(architecture), known, n=3)
        hint = f"did you mean {' or '.join(map(repr, close))}?" if close else "see open_clip."
        raise ValueError(
            f"architecture={architecture!r} is unknown; use 'blades-tiny', 'blades-lite', "
            f"'blades-rn50', 'timm:NAME' or a name of open_clip.list_models(); {hint}"
        )
    config = deepcopy(open_clip.get_model_config(architecture))
    # Weights only ever come from `pretrained`.
    if "timm_model_name" in config["vision_cfg"]:
        config["vision_cfg"]["timm_model_pretrained"] = False
    if "hf_model_name" in config["text_cfg"]:
        config["text_cfg"]["hf_model_pretrained"] = False
    for key in ("custom_text", "multimodal_cfg"):
        config.pop(key, None)
    return config


def needs_hub(architecture: str) -> bool:
    """Whether the text tower's configuration, or its vocabulary, lives on a model hub."""
    text = model_config(architecture)["text_cfg"]
    return "hf_model_name" in text or "hf_tokenizer_name" in text


def is_tag(architecture: str, pretrained: str) -> bool:
    """Whether this is a tag of open_clip's weights, and so no path."""
    return bool(_library().get_pretrained_cfg(architecture, pretrained))


def build_towers(architecture: str, config: dict[str, Any]) -> nn.Module:
    """Both towers, random, as open_clip builds them from a configuration."""
    try:
        towers = _library().model.CustomTextCLIP(**config)
    except OSError as error:
        raise OSError(f"{architecture} needs files of a model hub: {error}") from error
    set_input_size(towers.visual, config["vision_cfg"]["image_size"])
    return towers


def tokenize(architecture: str, prompts: list[str] | tuple[str, ...]) -> Tensor:
    """Tokens (n_prompts, context_length), without touching the root logger.

    Nor the network, but for architectures whose vocabulary lives on a model hub.

    Raises
    ------
    ImportError
        If the vocabulary needs the library transformers, and it is not installed.
    OSError
        If a hub cannot be reached.
    """
    text = model_config(architecture)["text_cfg"]
    length = text.get("context_length", 77)
    if not prompts:
        return torch.zeros((0, length), dtype=torch.long)
    open_clip = _library()
    if "hf_tokenizer_name" not in text:
        if how := text.get("tokenizer_kwargs"):
            return open_clip.SimpleTokenizer(context_length=length, **how)(list(prompts))
        return open_clip.tokenize(list(prompts), length)  # a new one reads its vocabulary anew
    try:
        return open_clip.get_tokenizer(architecture)(list(prompts))
    except ImportError as error:
        raise ImportError(
            f"architecture={architecture!r} reads its prompts with the vocabulary of "
            f"{text['hf_tokenizer_name']}, which needs another library ({error}): "
            "pip install transformers sentencepiece."
        ) from error
    except OSError as error:
        raise OSError(f"{architecture} needs files of a model hub: {error}") from error


def tag_settings(architecture: str, tag: str, ours: tuple[str, ...] = ()) -> dict[str, Any]:
    """What open_clip knows of a tag of weights: address, mean, std, activation.

    ``ours`` are tags that it does not know, for the message.

    Raises
    ------
    ValueError
        If the architecture has no such tag.
    """
    open_clip = _library()
    settings = open_clip.get_pretrained_cfg(architecture, tag)
    if not settings:
        tags = [*ours, *open_clip.list_pretrained_tags_by_model(architecture)]
        raise ValueError(
            f"pretrained={tag!r} is neither a file nor a tag of {architecture}; "
            + (f"its tags: {', '.join(tags)}." if tags else "it has no tags: give a file.")
        )
    return settings


def download(architecture: str, tag: str, settings: dict[str, Any]) -> str:
    """Path of a tag's weights: from the hub's cache, else by asking whether it is there first."""
    from huggingface_hub import constants, try_to_load_from_cache

    hub = settings.get("hf_hub", "")
    repo, filename = os.path.split(hub)
    names = (
        [filename] if filename else ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"]
    )
    if hub:
        for name in names:
            cached = try_to_load_from_cache(repo, name)
            if isinstance(cached, str):
                return cached
    address = constants.ENDPOINT if hub else settings["url"]
    try:
        if constants.HF_HUB_OFFLINE:
            raise OSError("the hub is set to offline")
        request = urllib.request.Request(address, method="HEAD")
        with urllib.request.urlopen(request, timeout=_REACH_SECONDS):
            pass
    except urllib.error.HTTPError:
        pass  # an answer, whatever it says
    except OSError as error:
        raise OSError(
            f"pretrained={tag!r} of {architecture} is not on this machine and its host cannot be "
            f"reached ({error}). Go online once, or give pretrained= a local file of weights."
        ) from error
    return _library().download_pretrained(settings)


def open_clip_names(towers: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict in any of the spellings that open_clip reads, in that of the towers."""
    open_clip = _library()
    state = open_clip.convert.convert_state_dict(towers, state)
    if "positional_embedding" in state:  # the text tower without its prefix, as CLIP saves it
        state = open_clip.model.convert_to_custom_text_state_dict(state)
    fit_positions(towers, state)
    return state


def fit_positions(towers: nn.Module, state: dict[str, Tensor]) -> None:
    """Interpolate, in place, positional embeddings of another image size to that of the towers."""
    _library().model.resize_pos_embed(state, towers)
