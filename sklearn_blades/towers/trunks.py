"""Image towers of timm: by name, from timm's files of weights; features before the projection."""

import copy
import difflib
from typing import Any, NamedTuple

from torch import Tensor, nn

from .lite import is_lite, timm_names

PREFIX = "timm:"
"""An architecture ``"timm:NAME"`` is timm's model NAME beside the text tower of blades-lite."""

HEAD = "visual.head."
"""Where open_clip keeps the projection of a timm tower; ``"visual.trunk."`` is the rest."""

_TRUNK = "visual.trunk."
_TF_MOMENTUM = 0.01  # TensorFlow's 0.99, counted as torch counts


def timm_config(architecture: str, blades_lite: dict[str, Any]) -> dict[str, Any]:
    """The configuration of ``"timm:NAME"``: that of blades-lite around another image tower.

    Parameters
    ----------
    architecture : str
        NAME may end in a tag, ``"vit_small_patch16_224.dino"``, which says the mean, standard
        deviation and image size of its weights. Nothing is downloaded.
    blades_lite : dict

    Raises
    ------
    ValueError
        If timm knows no such model or tag; names that are close are in the message.
    """
    import timm

    name = architecture.removeprefix(PREFIX)
    if not timm.is_model(name):  # nor one of a model hub
        close = difflib.get_close_matches(name, timm.list_models(), n=3)
        hint = f"did you mean {' or '.join(f'timm:{n}' for n in close)}?" if close else ""
        raise ValueError(
            f"architecture={architecture!r} is unknown; timm.list_models() has the names. {hint}"
        )
    try:
        known = timm.get_pretrained_cfg(name, allow_unregistered=True)
    except RuntimeError as error:
        model = name.partition(".")[0]
        tags = [tagged.partition(".")[2] for tagged in timm.list_pretrained(f"{model}.*")]
        raise ValueError(
            f"architecture={architecture!r} names no tag of {model}; its tags: {', '.join(tags)}."
        ) from error
    config = copy.deepcopy(blades_lite)
    config["vision_cfg"]["timm_model_name"] = name
    config["preprocess_cfg"] = _normalisation(known)
    _, height, width = known.input_size if known else (3, 224, 224)
    config["vision_cfg"]["image_size"] = height if height == width else (height, width)
    return config


def _normalisation(known: Any) -> dict[str, tuple[float, ...]]:
    """Mean and standard deviation of RGB in [0, 1], ImageNet's where timm does not say."""
    from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

    if known is None:
        return {"mean": IMAGENET_DEFAULT_MEAN, "std": IMAGENET_DEFAULT_STD}
    return {"mean": tuple(known.mean), "std": tuple(known.std)}


def set_input_size(visual: nn.Module, size: int) -> None:
    """Let a timm tower that is built for one image size, as transformers are, take another."""
    trunk: Any = getattr(visual, "trunk", None)
    built_for = getattr(getattr(trunk, "patch_embed", None), "img_size", None)
    if built_for not in (None, (size, size)) and hasattr(trunk, "set_input_size"):
        trunk.set_input_size(img_size=(size, size))


def keep_statistics(visual: Any) -> None:
    """Let the BatchNorm of weights from TensorFlow go on as it was trained.

    Its epsilon is in timm's models; the momentum, which only training asks for, is not.
    """
    trunk: Any = getattr(visual, "trunk", None)
    known = None if trunk is None else _timm_cfg(trunk)
    if known and str(known.architecture).startswith("tf_"):
        for module in trunk.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = _TF_MOMENTUM


class TrunkWeights(NamedTuple):
    """Weights of a timm tower without its projection."""

    state: dict[str, Tensor]  # named as the towers name them
    normalisation: dict[str, tuple[float, ...]]  # mean and std of the pixels that they know


def trunk_weights(visual: Any, state: dict[str, Tensor]) -> TrunkWeights | None:
    """What a file has for a timm tower, if it is timm's own or EfficientNet-Lite's; else None.

    The classifier is left out. What else is in the file but not in the tower stays, so that a
    file of another model is found out.
    """
    trunk = getattr(visual, "trunk", None)
    if trunk is None or any(name.startswith("visual.") for name in state):
        return None
    expected = trunk.state_dict()
    if is_lite(state):
        state = timm_names(state, blocks_of(expected))
    if not expected.keys() & state.keys():
        return None
    known = _timm_cfg(trunk)
    classifier = known.classifier if known else ()
    classifier = (classifier,) if isinstance(classifier, str) else tuple(classifier or ())
    left_out = tuple(f"{name}." for name in classifier)
    state = {name: value for name, value in state.items() if not name.startswith(left_out)}
    _fit_positions(trunk, state)
    return TrunkWeights({_TRUNK + name: v for name, v in state.items()}, _normalisation(known))


def _timm_cfg(trunk: nn.Module) -> Any:
    """What timm knows of the weights that a model was made for."""
    from timm.models import PretrainedCfg

    known = getattr(trunk, "pretrained_cfg", None)
    if not known:
        return None
    return known if isinstance(known, PretrainedCfg) else PretrainedCfg(**known)


def blocks_of(expected: dict[str, Tensor]) -> list[str]:
    """The blocks of a timm tower in their order: ``"blocks.0.0"``, ``"blocks.1.0"``..."""
    names = (name.split(".") for name in expected if name.startswith("blocks."))
    return list(dict.fromkeys(".".join(parts[:3]) for parts in names))


def _fit_positions(trunk: Any, state: dict[str, Tensor]) -> None:
    """Interpolate, in place, a transformer's positions from another image size's grid."""
    from timm.layers import resample_abs_pos_embed

    positions, ours = state.get("pos_embed"), getattr(trunk, "pos_embed", None)
    if positions is None or ours is None or positions.shape == ours.shape:
        return
    prefix = 0 if getattr(trunk, "no_embed_class", False) else trunk.num_prefix_tokens
    grid = list(trunk.patch_embed.grid_size)
    state["pos_embed"] = resample_abs_pos_embed(positions, grid, num_prefix_tokens=prefix)


def headless(visual: Any) -> tuple[nn.Module, int] | None:
    """An image tower without its last, linear layer, and how many features it has there.

    Returns
    -------
    module : nn.Module
        Shares its tensors with ``visual``.
    n_features : int
        Or None in place of both, where the projection is no layer of its own.
    """
    layers = dict(getattr(visual, "head", nn.Sequential()).named_children())
    if hasattr(visual, "trunk") and layers.keys() == {"drop", "proj"}:
        return visual.trunk, layers["proj"].in_features
    projection = visual._parameters.get("proj")
    if projection is None:  # ModifiedResNet projects within its attention
        return None
    bare = copy.copy(visual)  # open_clip's VisionTransformer skips a projection that is None
    bare._parameters = {**visual._parameters, "proj": None}
    return bare, projection.shape[0]
