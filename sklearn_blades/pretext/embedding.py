"""Two towers on one sphere: images on one side, the prompts of all tasks on the other."""

import difflib
import hashlib
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
from torch import nn
from torch.nn.functional import normalize

from .checkpoints import is_authors_checkpoint, read_state_dict, translate_authors_checkpoint

open_clip.add_model_config(Path(__file__).parent / "configs")

_MAX_LOGIT_SCALE = 100.0  # CLIP's own bound on the learned scale
_REACH_SECONDS = 5  # how long a model hub may take to answer before we say so


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


class JointEmbedding(nn.Module):
    """Image tower f and text tower g of METHOD 2; logits are ``s <f(x), g(t_p)>``.

    Parameters
    ----------
    architecture : str
        ``"blades-tiny"``, ``"blades-rn50"``, or any architecture of open_clip.
    prompts : sequence of str
        One per logit column; may be empty where only image features are wanted.
    pretrained : str, optional
        A pretrained tag of open_clip for this architecture (downloaded, or found in its cache),
        or a local file of weights: open_clip's, safetensors, or the authors' release for
        ``"blades-rn50"``.
    image_size : int, optional
        Side of the input in pixels; the architecture's own by default.
    freeze_text : bool, default=False
        Keep the text tower as it is; its features are then computed once.

    Attributes
    ----------
    preprocessing : Preprocessing
    n_features : int
        The dimension d of the sphere.

    Raises
    ------
    ValueError
        For an unknown architecture, or weights that do not fit it.
    OSError
        For weights that cannot be read, or a hub that cannot be reached.
    """

    def __init__(
        self, architecture, prompts=(), *, pretrained=None, image_size=None, freeze_text=False
    ):
        super().__init__()
        config = _model_config(architecture)
        size = image_size or config["vision_cfg"].get("image_size", 224)
        if not isinstance(size, int):
            raise ValueError(f"{architecture} has no square input; give image_size=.")
        config["vision_cfg"]["image_size"] = size
        source = None if pretrained is None else _find_weights(architecture, pretrained)
        if source and "quick_gelu" in source.settings:
            config["quick_gelu"] = source.settings["quick_gelu"]
        self.towers = _build_towers(architecture, config)
        if image_size:
            _try_size(self.towers.visual, architecture, size)
        self.n_features = config["embed_dim"]
        preprocessing = Preprocessing(size)
        if source:
            preprocessing = _load_weights(self.towers, architecture, source, size)
        else:
            _open_branches(self.towers.visual)
        self.use_preprocessing(preprocessing)
        self.architecture, self.freeze_text = architecture, freeze_text
        self.towers.text.requires_grad_(not freeze_text)
        self._full_mask = getattr(self.towers.text, "attn_mask", None)
        self.set_prompts(prompts)

    def use_preprocessing(self, preprocessing):
        """Normalise pixels with this mean and standard deviation from now on."""
        self.preprocessing = preprocessing
        for name in ("mean", "std"):
            value = torch.tensor(getattr(preprocessing, name)).view(1, 3, 1, 1)
            self.register_buffer(name, value, persistent=False)

    def set_prompts(self, prompts):
        """Let the logit columns be these sentences."""
        self.prompts, self._text_features = tuple(prompts), None
        text = self.towers.text
        tokens = _tokenize(self.architecture, _model_config(self.architecture), self.prompts)
        if self._full_mask is not None:
            tokens = _cut_to_longest(tokens, text)
            length = tokens.shape[1]
            # open_clip slices the positional embedding to the tokens' length, but not the mask.
            text.attn_mask = self._full_mask[:length, :length].to(self.mean.device)
        self.register_buffer("tokens", tokens.to(self.mean.device), persistent=False)

    def encode_image(self, pixels):
        """Features of images.

        Parameters
        ----------
        pixels : Tensor of uint8, shape (n, image_size, image_size, 3)

        Returns
        -------
        Tensor of float32, shape (n, n_features)
            Rows of unit length.
        """
        images = (pixels.permute(0, 3, 1, 2) / 255.0 - self.mean) / self.std
        return _on_sphere(self.towers.encode_image(images))

    def encode_prompts(self):
        """Features of the prompts, shape (n_prompts, n_features), rows of unit length."""
        if not self.freeze_text:
            return _on_sphere(self.towers.encode_text(self.tokens))
        if self._text_features is None or self._text_features.device != self.tokens.device:
            with torch.no_grad():
                features = _on_sphere(self.towers.encode_text(self.tokens))
            self._text_features = features
        return self._text_features

    def forward(self, pixels):
        """Logits of images (n, h, w, 3) against all prompts, shape (n, n_prompts)."""
        scale = self.towers.logit_scale.exp().clamp(max=_MAX_LOGIT_SCALE)
        logits = scale * self.encode_image(pixels) @ self.encode_prompts().T
        # Only some architectures have one. It cancels in a softmax, but lets a sigmoid say "rarely"
        # without all images moving to one side of the sphere.
        bias = self.towers.logit_bias
        return logits if bias is None else logits + bias

    def __reduce__(self):
        """Pickle as names and numpy arrays, so that no code or device of ours is in the file."""
        state = {name: value.cpu().numpy() for name, value in self.state_dict().items()}
        recipe = (self.architecture, self.prompts, self.preprocessing, self.freeze_text)
        return _rebuild, (*recipe, self.training, state)

    def digest(self):
        """Fingerprint of the image tower and its preprocessing: equal digests, equal features."""
        digest = hashlib.sha256(repr(self.preprocessing).encode())
        for name, value in self.towers.visual.state_dict().items():
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


def _on_sphere(features):
    # Whatever the towers ran in, lengths and products are taken in float32 at least.
    return normalize(features.to(torch.promote_types(features.dtype, torch.float32)), dim=-1)


def _rebuild(architecture, prompts, preprocessing, freeze_text, training, state):
    with torch.random.fork_rng(devices=[]):  # the towers start random, before they are filled
        embedding = JointEmbedding(
            architecture, prompts, image_size=preprocessing.image_size, freeze_text=freeze_text
        )
    embedding.load_state_dict({name: torch.from_numpy(v.copy()) for name, v in state.items()})
    embedding.use_preprocessing(preprocessing)
    return embedding.train(training)


class _Weights(NamedTuple):
    path: str
    settings: dict  # open_clip's own of a tag: mean, std, quick_gelu


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


def _build_towers(architecture, config):
    try:
        return CustomTextCLIP(**config)
    except OSError as error:
        raise OSError(f"{architecture} needs files of a model hub: {error}") from error


@torch.no_grad()
def _open_branches(visual):
    """Open the residual branches of a ModifiedResNet, which open_clip starts shut, by a fifth.

    Shut, the tower starts as a stack of averages; the coarse task of ``blades-tiny``, alone, was
    at AUC 0.59 after 225 steps, and at 0.72 from here (600 simulated photographs, one seed).
    """
    for name, parameter in visual.named_parameters():
        if name.endswith("bn3.weight") and not parameter.any():
            parameter.fill_(0.2)


@torch.no_grad()
def _try_size(visual, architecture, size):
    try:
        visual.eval()(torch.zeros(1, 3, size, size))
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"image_size={size} does not fit {architecture}; try a multiple of 32."
        ) from error
    visual.train()


def _tokenize(architecture, config, prompts):
    """Tokens (n_prompts, context_length), without touching the root logger or the network."""
    text = config["text_cfg"]
    if not prompts:
        return torch.zeros((0, text.get("context_length", 77)), dtype=torch.long)
    if "hf_tokenizer_name" in text or "siglip" in architecture.lower():
        return open_clip.get_tokenizer(architecture)(list(prompts))
    length = text.get("context_length", 77)
    kwargs = text.get("tokenizer_kwargs", {})
    return open_clip.SimpleTokenizer(context_length=length, **kwargs)(list(prompts))


def _cut_to_longest(tokens, text):
    """Drop the padding behind the longest prompt.

    Where the text transformer is causal and read at the end token, what follows cannot change a
    feature. Towers that are read elsewhere keep the full length.
    """
    if not len(tokens) or getattr(text, "pool_type", None) != "argmax":
        return tokens
    return tokens[:, : int(tokens.argmax(dim=-1).max()) + 1]


def _find_weights(architecture, pretrained):
    path = Path(pretrained)
    if path.is_file():
        return _Weights(str(path), {})
    settings = get_pretrained_cfg(architecture, str(pretrained))
    if not settings:
        tags = open_clip.list_pretrained_tags_by_model(architecture)
        raise ValueError(
            f"pretrained={str(pretrained)!r} is neither a file nor a tag of {architecture}; "
            + (f"its tags: {', '.join(tags)}." if tags else "it has no tags: give a file.")
        )
    return _Weights(_download(architecture, pretrained, settings), settings)


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


def _load_weights(towers, architecture, source, size):
    """Load a file into the towers; return the preprocessing that belongs to it."""
    state = read_state_dict(source.path)
    if is_authors_checkpoint(state):
        state = translate_authors_checkpoint(state, towers.state_dict(), source.path)
        preprocessing = Preprocessing(size, antialias=False)
    else:
        state = _open_clip_names(towers, state)
        settings = {key: source.settings[key] for key in ("mean", "std") if key in source.settings}
        preprocessing = Preprocessing(size, **settings)
    expected = towers.state_dict()
    # A deeper image tower of the same family has all the tensors we look for, and more of its own.
    misfits = [key for key in state if key.startswith("visual.") and key not in expected]
    try:
        lacking = towers.load_state_dict(state, strict=False).missing_keys
    except RuntimeError as error:
        raise ValueError(f"{source.path} does not fit {architecture}: {error}") from error
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
