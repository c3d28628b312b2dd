"""Where the towers' weights come from, and the configuration and pixels that belong to them."""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..ground.types import StrPath
from ..ground.warn import warn
from ..storage.archive import is_container
from .lite import IMAGENET, PACKAGES, find_lite
from .openclip import (
    build_towers,
    download,
    fit_positions,
    model_config,
    open_clip_names,
    tag_settings,
)
from .trunks import HEAD, keep_statistics, trunk_weights
from .weights import (
    SavedTowers,
    check_form,
    has_authors_image_head,
    has_authors_text,
    is_authors_checkpoint,
    read_saved_towers,
    read_state_dict,
    translate_authors_checkpoint,
)

# CLIP's normalisation of RGB in [0, 1], which open_clip uses where weights name none.
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

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
        False only for the authors' checkpoints, which were trained without (docs/method.md, section
        7).
    """

    image_size: int
    mean: tuple[float, ...] = CLIP_MEAN
    std: tuple[float, ...] = CLIP_STD
    antialias: bool = True


class Weights(NamedTuple):
    """Where weights come from, before they are loaded."""

    path: str
    settings: dict[
        str, Any
    ]  # of a tag or a saved encoder: mean, std, quick_gelu, image_size, antialias
    saved: SavedTowers | None = None


def find_weights(architecture: str, pretrained: "StrPath | SavedTowers") -> Weights:
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
    ImportError
        If the package that holds a tag's weights is not installed.
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
    trunk = model_config(architecture)["vision_cfg"].get("timm_model_name")
    packed = (IMAGENET,) if trunk in PACKAGES else ()
    if str(pretrained) in packed:
        return Weights(find_lite(trunk), {})
    settings = tag_settings(architecture, str(pretrained), packed)
    return Weights(download(architecture, str(pretrained), settings), settings)


def _of_saved(path: str, saved: SavedTowers) -> Weights:
    settings = dict(saved.preprocessing)
    if saved.quick_gelu is not None:  # pickles of old do not say
        settings["quick_gelu"] = saved.quick_gelu
    return Weights(path, settings, saved)


def configure(
    architecture: str, image_size: int | None = None, source: Weights | None = None
) -> tuple[dict[str, Any], Preprocessing]:
    """An architecture's configuration, but for what the user or a source of weights says.

    Parameters
    ----------
    architecture : str
    image_size : int, optional
    source : Weights, optional

    Returns
    -------
    config : dict
        As `build_towers` takes it.
    preprocessing : Preprocessing

    Raises
    ------
    ValueError
        For an unknown architecture, or a saved encoder that is not of it.
    """
    settings = source.settings if source else {}
    config = model_config(architecture)
    size = settings.get("image_size", config["vision_cfg"].get("image_size", 224))
    if not isinstance(image_size or size, int):
        raise ValueError(f"{architecture} has no square input; give image_size=.")
    if "quick_gelu" in settings:
        config["quick_gelu"] = settings["quick_gelu"]
    config["vision_cfg"]["image_size"] = size
    normalisation: dict[str, Any] = {
        key: tuple(v) for key, v in config.pop("preprocess_cfg", {}).items()
    }
    known = Preprocessing._fields[1:]
    normalisation |= {key: settings[key] for key in known if key in settings}
    if source and source.saved:
        if not source.saved.has_text:
            config["text_cfg"] = dict(_LEAST_TEXT)  # to be taken out again
        # On no device, so that what a file asks for takes no memory before it is found to fit.
        with torch.device("meta"):
            expected = build_towers(architecture, config).state_dict()
        check_form(source.saved, expected, config["embed_dim"], source.path)
    config["vision_cfg"]["image_size"] = size = image_size or size
    return config, Preprocessing(size, **normalisation)


@torch.no_grad()
def open_branches(visual: nn.Module) -> None:
    """Open the residual branches of a ModifiedResNet, which open_clip starts shut, by a fifth.

    Shut, the tower starts as a stack of averages; the coarse task of ``blades-tiny``, alone, was
    at AUC 0.59 after 225 steps, and at 0.72 from here (600 simulated photographs, one seed).
    """
    for name, parameter in visual.named_parameters():
        if name.endswith("bn3.weight") and not parameter.any():
            parameter.fill_(0.2)


@torch.no_grad()
def try_size(visual: nn.Module, architecture: str, size: int) -> None:
    """Raise ValueError if the image tower takes no images of this size."""
    try:
        visual.eval()(torch.zeros(1, 3, size, size))
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"image_size={size} does not fit {architecture}; try a multiple of 32."
        ) from error
    visual.train()


def cut_to_longest(tokens: Tensor, text: nn.Module) -> Tensor:
    """Drop the padding behind the longest prompt.

    Where the text transformer is causal and read at the end token, what follows cannot change a
    feature. Towers that are read elsewhere keep the full length.
    """
    if not len(tokens) or getattr(text, "pool_type", None) != "argmax":
        return tokens
    return tokens[:, : int(tokens.argmax(dim=-1).max()) + 1]


def load_weights(
    towers: nn.Module, architecture: str, source: Weights, preprocessing: Preprocessing
) -> tuple[Preprocessing, bool]:
    """Load a file into the towers.

    Returns
    -------
    preprocessing : Preprocessing
        The one that belongs to the weights.
    head_trained : bool
        Whether the file brought the image tower's projection.
    """
    state, belongs, may_lack = _named_as_ours(towers, source)
    expected = towers.state_dict()
    # A deeper image tower of the same family has all the tensors we look for, and more of its own.
    misfits = [key for key in state if key.startswith("visual.") and key not in expected]
    try:
        lacking = towers.load_state_dict(state, strict=False).missing_keys
    except RuntimeError as error:
        reason = str(error)
        if source.saved:  # whose shapes were right at the size that it was saved at
            size = preprocessing.image_size
            reason = f"leave image_size={size} out, or start from other weights."
        raise ValueError(f"{source.path} does not fit {architecture}: {reason}") from error
    lacking = [key for key in lacking if not key.startswith(may_lack)]
    misfits += [key for key in lacking if key.startswith("visual.")]
    if misfits:
        raise ValueError(
            f"{source.path} does not fit {architecture}: {len(misfits)} tensors of the image tower "
            f"are in one but not in the other, first {misfits[0]!r}."
        )
    if lacking:
        warn(
            f"{source.path} fills the image tower; {len(lacking)} other tensors, first "
            f"{lacking[0]!r}, are not in it and start random.",
        )
    keep_statistics(towers.visual)
    trained = source.saved.head_trained if source.saved else _head_in(state, expected)
    return preprocessing._replace(**belongs), trained


def _head_in(state: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    """Whether weights hold the projection of a timm tower; other towers have it in themselves."""
    return all(key in state for key in expected if key.startswith(HEAD))


def _named_as_ours(
    towers: nn.Module, source: Weights
) -> tuple[dict[str, Tensor], dict[str, Any], tuple[str, ...]]:
    """Tensors by our names; the preprocessing that they ask for; what they may lack in silence."""
    if source.saved:
        state = {
            name.removeprefix("towers."): torch.tensor(value)
            for name, value in source.saved.weights.items()
            if name.startswith("towers.")
        }
        fit_positions(towers, state)
        return state, {}, ()
    state = read_state_dict(source.path)
    if is_authors_checkpoint(state):
        belongs = {"antialias": False} if has_authors_text(state) else {}
        may_lack = () if has_authors_image_head(state) else (HEAD,)
        state = translate_authors_checkpoint(state, towers.state_dict(), source.path)
        return state, belongs, may_lack
    if trunk := trunk_weights(towers.visual, state):
        # A file of image weights says nothing of sentences, nor of the sphere that both meet on.
        return trunk.state, trunk.normalisation, (HEAD, "text.", "logit_")
    return open_clip_names(towers, state), {}, ()
