"""The towers themselves: all that is asked of open_clip, and where their weights come from."""

import difflib
import os
import urllib.error
import urllib.request
import warnings
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import open_clip
import torch
from open_clip.model import CustomTextCLIP
from open_clip.pretrained import download_pretrained, get_pretrained_cfg

from ..storage.archive import is_container
from .weights import (
    SavedTowers,
    check_form,
    is_authors_checkpoint,
    read_saved_towers,
    read_state_dict,
    translate_authors_checkpoint,
)

open_clip.add_model_config(Path(__file__).parent / "configs")

_REACH_SECONDS = 5  # how long a model hub may take to answer before we say so
_LEAST_TEXT = {"context_length": 1, "vocab_size": 1, "width": 1, "heads": 1, "layers": 1}


class Preprocessing(NamedTuple):
    """How pixels become the image tower's input.

    Attributes
    ----------
    image_size : int
        Side of the square input, in pixels; faces are resized straight to it.
    mean, std : tuple of 3 float
        Of the RGB channels in [0, 1].
    antialias : bool
        False only for the authors' checkpoints, which were trained without (METHOD 7).
    """

    image_size: int
    mean: tuple = open_clip.OPENAI_DATASET_MEAN
    std: tuple = open_clip.OPENAI_DATASET_STD
    antialias: bool = True


class Weights(NamedTuple):
    """Where weights come from, before they are loaded."""

    path: str
    settings: dict  # of a tag or a saved encoder: mean, std, quick_gelu, image_size, antialias
    saved: SavedTowers | None = None


def find_weights(architecture, pretrained):
    """The source of weights that ``pretrained`` names; a saved encoder's are read already.

    Parameters
    ----------
    architecture : str
    pretrained : str, Path or SavedTowers

    Returns
    -------
    Weights

    Raises
    ------
    ValueError
        If it is neither a file nor a tag, or a file of another architecture's encoder.
    OSError
        If a hub cannot be reached.
    """
    if isinstance(pretrained, SavedTowers):
        return _of_saved("the saved encoder", pretrained)
    path = Path(pretrained)
    if path.is_file() and is_container(path):
        saved = read_saved_towers(path)
        if saved.architecture != architecture:
            raise ValueError(
                f"{path} holds {saved.architecture} and not {architecture}; give "
                f"architecture={saved.architecture!r}."
            )
        return _of_saved(str(path), saved)
    if path.is_file():
        return Weights(str(path), {})
    settings = get_pretrained_cfg(architecture, str(pretrained))
    if not settings:
        tags = open_clip.list_pretrained_tags_by_model(architecture)
        raise ValueError(
            f"pretrained={str(pretrained)!r} is neither a file nor a tag of {architecture}; "
            + (f"its tags: {', '.join(tags)}." if tags else "it has no tags: give a file.")
        )
    return Weights(_download(architecture, pretrained, settings), settings)


def _of_saved(path, saved):
    settings = dict(saved.preprocessing)
    if saved.quick_gelu is not None:  # pickles of old do not say
        settings["quick_gelu"] = saved.quick_gelu
    return Weights(path, settings, saved)


def _download(architecture, tag, settings):
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
    return download_pretrained(settings)


def configure(architecture, image_size=None, source=None):
    """An architecture's configuration, but for what the user or a source of weights says.

    Parameters
    ----------
    architecture : str
    image_size : int, optional
    source : Weights, optional

    Returns
    -------
    dict
        As `build_towers` takes it; ``image_size`` is in its ``"vision_cfg"``.

    Raises
    ------
    ValueError
        For an unknown architecture, or a saved encoder that is not of it.
    """
    settings = source.settings if source else {}
    config = _model_config(architecture)
    size = settings.get("image_size", config["vision_cfg"].get("image_size", 224))
    if not isinstance(image_size or size, int):
        raise ValueError(f"{architecture} has no square input; give image_size=.")
    if "quick_gelu" in settings:
        config["quick_gelu"] = settings["quick_gelu"]
    config["vision_cfg"]["image_size"] = size
    if source and source.saved:
        if not source.saved.has_text:
            config["text_cfg"] = dict(_LEAST_TEXT)  # to be taken out again
        # On no device, so that what a file asks for takes no memory before it is found to fit.
        with torch.device("meta"):
            expected = build_towers(architecture, config).state_dict()
        check_form(source.saved, expected, config["embed_dim"], source.path)
    config["vision_cfg"]["image_size"] = image_size or size
    return config


def _model_config(architecture):
    known = open_clip.list_models()
    if architecture not in known and not str(architecture).startswith("local-dir:"):
        close = difflib.get_close_matches(str(architecture), known, n=3)
        hint = f"did you mean {' or '.join(map(repr, close))}?" if close else "see open_clip."
        raise ValueError(
            f"architecture={architecture!r} is unknown; use 'blades-tiny', 'blades-rn50' or a "
            f"name of open_clip.list_models(); {hint}"
        )
    config = deepcopy(open_clip.get_model_config(architecture))
    # Weights only ever come from `pretrained`, so no tower fetches its own.
    if "timm_model_name" in config["vision_cfg"]:
        config["vision_cfg"]["timm_model_pretrained"] = False
    if "hf_model_name" in config["text_cfg"]:
        config["text_cfg"]["hf_model_pretrained"] = False
    for key in ("custom_text", "multimodal_cfg"):
        config.pop(key, None)
    return config


def build_towers(architecture, config):
    """Both towers, random, as open_clip builds them from a configuration."""
    try:
        return CustomTextCLIP(**config)
    except OSError as error:
        raise OSError(f"{architecture} needs files of a model hub: {error}") from error


@torch.no_grad()
def open_branches(visual):
    """Open the residual branches of a ModifiedResNet, which open_clip starts shut, by a fifth.

    Shut, the tower starts as a stack of averages; the coarse task of ``blades-tiny``, alone, was
    at AUC 0.59 after 225 steps, and at 0.72 from here (600 simulated photographs, one seed).
    """
    for name, parameter in visual.named_parameters():
        if name.endswith("bn3.weight") and not parameter.any():
            parameter.fill_(0.2)


@torch.no_grad()
def try_size(visual, architecture, size):
    """Raise ValueError if the image tower takes no images of this size."""
    try:
        visual.eval()(torch.zeros(1, 3, size, size))
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"image_size={size} does not fit {architecture}; try a multiple of 32."
        ) from error
    visual.train()


def tokenize(architecture, prompts):
    """Tokens (n_prompts, context_length), without touching the root logger or the network."""
    text = _model_config(architecture)["text_cfg"]
    if not prompts:
        return torch.zeros((0, text.get("context_length", 77)), dtype=torch.long)
    if "hftokenizer_name" in text or "siglip" in architecture.lower():
        return open_clip.gettokenizer(architecture)(list(prompts))
    length = text.get("context_length", 77)
    kwargs = text.get("tokenizer_kwargs", {})
    return open_clip.SimpleTokenizer(context_length=length, **kwargs)(list(prompts))


def cut_to_longest(tokens, text):
    """Drop the padding behind the longest prompt.

    Where the text transformer is causal and read at the end token, what follows cannot change a
    feature. Towers that are read elsewhere keep the full length.
    """
    if not len(tokens) or getattr(text, "pool_type", None) != "argmax":
        return tokens
    return tokens[:, : int(tokens.argmax(dim=-1).max()) + 1]


def load_weights(towers, architecture, source, size):
    """Load a file into the towers; return the preprocessing that belongs to it."""
    known = Preprocessing._fields[1:]
    settings = {key: source.settings[key] for key in known if key in source.settings}
    if source.saved:
        state = {
            name.removeprefix("towers."): torch.tensor(value)
            for name, value in source.saved.weights.items()
            if name.startswith("towers.")
        }
        open_clip.model.resize_pos_embed(state, towers)
    elif is_authors_checkpoint(state := read_state_dict(source.path)):
        state = translate_authors_checkpoint(state, towers.state_dict(), source.path)
        settings["antialias"] = False
    else:
        state = _open_clip_names(towers, state)
    preprocessing = Preprocessing(size, **settings)
    expected = towers.state_dict()
    # A deeper image tower of the same family has all the tensors we look for, and more of its own.
    misfits = [key for key in state if key.startswith("visual.") and key not in expected]
    try:
        lacking = towers.load_state_dict(state, strict=False).missing_keys
    except RuntimeError as error:
        reason = str(error)
        if source.saved:  # whose shapes were right at the size that it was saved at
            reason = f"leave image_size={size} out, or start from other weights."
        raise ValueError(f"{source.path} does not fit {architecture}: {reason}") from error
    misfits += [key for key in lacking if key.startswith("visual.")]
    if misfits:
        raise ValueError(
            f"{source.path} does not fit {architecture}: {len(misfits)} tensors of the image tower "
            f"are in one but not in the other, first {misfits[0]!r}."
        )
    if lacking:
        warnings.warn(
            f"{source.path} fills the image tower; {len(lacking)} other tensors, first "
            f"{lacking[0]!r}, are not in it and start random.",
            stacklevel=2,
        )
    return preprocessing


def _open_clip_names(towers, state):
    state = open_clip.convert.convert_state_dict(towers, state)
    if "positional_embedding" in state:  # the text tower without its prefix, as CLIP saves it
        state = open_clip.model.convert_to_custom_text_state_dict(state)
    open_clip.model.resize_pos_embed(state, towers)
    return state
