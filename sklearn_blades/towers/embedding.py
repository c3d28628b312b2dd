"""Two towers on one sphere: images on one side, the prompts of all tasks on the other."""

import hashlib

import torch
from torch import nn
from torch.nn.functional import normalize

from .architectures import (
    configure,
    cut_to_longest,
    find_weights,
    load_weights,
    open_branches,
    try_size,
)
from .openclip import build_towers, tokenize
from .trunks import headless
from .weights import SavedTowers

_MAX_LOGIT_SCALE = 100.0  # CLIP's own bound on the learned scale
_TEXT = "towers.text."


class JointEmbedding(nn.Module):
    """Image tower f and text tower g of docs/method.md, section 2; logits are ``s <f(x), g(t_p)>``.

    Parameters
    ----------
    architecture : str
        ``"blades-tiny"``, ``"blades-lite"``, ``"blades-rn50"``, any architecture of open_clip, or
        ``"timm:NAME"``.
    prompts : sequence of str
        One per logit column; may be empty where only image features are wanted.
    pretrained : str or SavedTowers, optional
        A pretrained tag of open_clip for this architecture (downloaded, or found in its cache),
        ``"imagenet"`` for ``"blades-lite"``, or a local file of weights: open_clip's, timm's for
        an image tower of timm, the authors' release for ``"blades-rn50"``, or one of
        `sklearn_blades.persistence.save`.
    image_size : int, optional
        Side of the input in pixels; by default that of a saved encoder, else the architecture's.
    freeze_text : bool, default=False
        Keep the text tower as it is; its features are then computed once.

    Attributes
    ----------
    preprocessing : Preprocessing
    n_features : int
        The dimension d of the sphere.
    head_trained : bool
        Whether weights or training made the image tower's projection what it is.

    Raises
    ------
    ValueError
        For an unknown architecture, or weights that do not fit it.
    ImportError
        For weights whose package is not installed.
    OSError
        For weights that cannot be read, or a hub that cannot be reached.
    """

    def __init__(
        self, architecture, prompts=(), *, pretrained=None, image_size=None, freeze_text=False
    ):
        super().__init__()
        source = None if pretrained is None else find_weights(architecture, pretrained)
        config, preprocessing = configure(architecture, image_size, source)
        self.towers = build_towers(architecture, config)
        self.architecture, self.freeze_text = architecture, freeze_text
        self.quick_gelu, self.n_features = config.get("quick_gelu", False), config["embed_dim"]
        if source and source.saved and not source.saved.has_text:
            self.towers.text, self.prompts = None, source.saved.prompts
            features = torch.tensor(source.saved.weights["prompt_features"])
            self.register_buffer("prompt_features", features)
            prompts = prompts or self.prompts
        else:
            self.towers.text.requires_grad_(not freeze_text)
            self._full_mask = getattr(self.towers.text, "attn_mask", None)
        if image_size:
            try_size(self.towers.visual, architecture, image_size)
        self.head_trained = False
        if source:
            preprocessing, self.head_trained = load_weights(
                self.towers, architecture, source, preprocessing
            )
        else:
            open_branches(self.towers.visual)
        self.use_preprocessing(preprocessing)
        # Pixels arrive with their channels last, which convolutions compute faster.
        self.towers.visual.to(memory_format=torch.channels_last)
        self.set_prompts(prompts)

    def use_preprocessing(self, preprocessing):
        """Normalise pixels with this mean and standard deviation from now on."""
        self.preprocessing = preprocessing
        for name in ("mean", "std"):
            value = torch.tensor(getattr(preprocessing, name)).view(1, 3, 1, 1)
            self.register_buffer(name, value, persistent=False)

    @property
    def has_text(self):
        """Whether there is a text tower; a file for prediction has its features in its place."""
        return self.towers.text is not None

    def knows(self, prompts):
        """Whether `set_prompts` takes these: any, or without a text tower those it came with."""
        return self.has_text or set(prompts) <= set(self.prompts)

    def set_prompts(self, prompts):
        """Let the logit columns be these sentences."""
        if not self.knows(prompts):
            new = next(prompt for prompt in prompts if prompt not in self.prompts)
            raise ValueError(
                f"The prompt {new!r} is new, and these towers were saved without the text tower "
                "that could read it; save them with persistence.save(..., training=True)."
            )
        if not self.has_text:
            self.prompt_features = self.prompt_features[[*map(self.prompts.index, prompts)]]
            self.prompts = tuple(prompts)
            return
        self.prompts, self._text_features = tuple(prompts), None
        text = self.towers.text
        tokens = tokenize(self.architecture, self.prompts)
        if self._full_mask is not None:
            tokens = cut_to_longest(tokens, text)
            length = tokens.shape[1]
            # open_clip slices the positional embedding to the tokens' length, but not the mask.
            text.attn_mask = self._full_mask[:length, :length].to(self.mean)
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
        return _on_sphere(self.towers.encode_image(self._normalised(pixels)))

    def _normalised(self, pixels):
        return (pixels.permute(0, 3, 1, 2) / 255.0 - self.mean) / self.std

    def image_side(self, features="embedding"):
        """What `embed` asks: the image tower up to the joint embedding, or up to its projection.

        Parameters
        ----------
        features : {"embedding", "pooled"}

        Returns
        -------
        JointEmbedding or PooledTower

        Raises
        ------
        ValueError
            If the projection of these towers is no layer of its own.
        """
        return PooledTower(self) if features == "pooled" else self

    def choose_features(self, features):
        """What ``"auto"`` is: pooled features where a projection only mixes them at random."""
        if features != "auto":
            return features
        can = headless(self.towers.visual) is not None
        return "pooled" if can and not self.head_trained else "embedding"

    def encode_prompts(self, columns=slice(None)):
        """Features of the prompts, shape (n_prompts, n_features), rows of unit length.

        Parameters
        ----------
        columns : slice
            Of the prompts; only these are read.
        """
        if not self.has_text:
            return self.prompt_features[columns]
        if not self.freeze_text:
            return _on_sphere(self.towers.encode_text(self.tokens[columns]))
        if self._text_features is None or self._text_features.device != self.tokens.device:
            with torch.no_grad():
                features = _on_sphere(self.towers.encode_text(self.tokens))
            self._text_features = features
        return self._text_features[columns]

    def forward(self, pixels, columns=slice(None)):
        """Logits of images (n, h, w, 3) against the prompts, shape (n, n_prompts)."""
        return self.logits(self.encode_image(pixels), columns)

    def logits(self, features, columns=slice(None)):
        """Logits of image features (n, n_features) against the prompts, shape (n, n_prompts)."""
        scale = self.towers.logit_scale.exp().clamp(max=_MAX_LOGIT_SCALE)
        prompts = self.encode_prompts(columns)
        # Autocast would round this product to bfloat16, in steps of 0.25 at a logit of 40.
        with torch.autocast(features.device.type, enabled=False):
            logits = scale * features @ prompts.T
        # Only some architectures have one. It cancels in a softmax, but lets a sigmoid say "rarely"
        # without all images moving to one side of the sphere.
        bias = self.towers.logit_bias
        return logits if bias is None else logits + bias

    @torch.no_grad()
    def saved(self, *, text=True):
        """This embedding as plain data, for `from_saved`.

        Parameters
        ----------
        text : bool, default=True
            False puts the features of the prompts, which are few, in the place of the text tower:
            all that an answer needs, but not enough to train on or for other prompts.

        Returns
        -------
        SavedTowers
        """
        state = self.state_dict()
        if self.has_text and not text:
            state = {name: value for name, value in state.items() if not name.startswith(_TEXT)}
            state["prompt_features"] = self.encode_prompts()
        return SavedTowers(
            self.architecture,
            self.prompts,
            self.preprocessing._asdict(),
            self.freeze_text,
            self.quick_gelu,
            {name: value.cpu().numpy() for name, value in state.items()},
            self.head_trained,
        )

    def __reduce__(self):
        """Pickle as names and numpy arrays, so that no code or device of ours is in the file."""
        saved = self.saved()
        recipe = (self.architecture, self.prompts, self.preprocessing, self.freeze_text)
        recipe = (*recipe, self.training, saved.weights, self.quick_gelu)
        return _rebuild, (*recipe, self.head_trained)

    def digest(self):
        """Fingerprint of the image tower and its preprocessing: equal digests, equal features."""
        return _digest(self.preprocessing, self.towers.visual)


class PooledTower:
    """The image side of a `JointEmbedding` without its projection: what the trunk has pooled.

    Parameters
    ----------
    embedding : JointEmbedding
        Its tensors are shared.

    Attributes
    ----------
    n_features : int
    """

    def __init__(self, embedding):
        found = headless(embedding.towers.visual)
        if found is None:
            raise ValueError(
                f"features='pooled' cannot be had of {embedding.architecture}, whose projection is "
                "no layer of its own: use features='embedding', or 'auto'."
            )
        self._embedding, (self._tower, self.n_features) = embedding, found

    def encode_image(self, pixels):
        """Features of images (n, h, w, 3): rows of unit length, shape (n, n_features)."""
        return _on_sphere(self._tower(self._embedding._normalised(pixels)))

    def digest(self):
        """Fingerprint as of `JointEmbedding`; projections that differ leave it as it is."""
        return _digest(self._embedding.preprocessing, self._tower)


def _digest(preprocessing, tower):
    digest = hashlib.sha256(repr(preprocessing).encode())
    for name, value in tower.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _on_sphere(features):
    # Whatever the towers ran in, lengths and products are taken in float32 at least.
    return normalize(features.to(torch.promote_types(features.dtype, torch.float32)), dim=-1)


def from_saved(saved):
    """The embedding of `JointEmbedding.saved`, on the CPU and in evaluation mode.

    Raises
    ------
    ValueError
        If the weights are not those of the architecture.
    """
    with torch.random.fork_rng(devices=[]):  # the towers start random, before they are filled
        return JointEmbedding(
            saved.architecture, saved.prompts, pretrained=saved, freeze_text=saved.freeze_text
        ).eval()


def _rebuild(
    architecture,
    prompts,
    preprocessing,
    freeze_text,
    training,
    weights,
    quick_gelu=None,
    head_trained=True,
):
    recipe = (architecture, prompts, preprocessing._asdict(), freeze_text, quick_gelu, weights)
    return from_saved(SavedTowers(*recipe, head_trained)).train(training)
