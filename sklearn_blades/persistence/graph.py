"""A fitted detector as one graph: pixels of a face go in; features, score and verdict come out.

Towers stay in float32, as they are asked. All behind them is in float64, as scikit-learn computes
it: float32 rounds a score at 1e-7 of itself, which for one of 760 nats (an untrained `blades-tiny`)
is 8e-5, and the rounding of its towers alone has moved one by 9e-5. Of a threshold on scores 1e-4
is all that may be lost.
"""

import math
from typing import Any

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import Normalizer, StandardScaler
from torch import Tensor, nn

from ..estimators.binary import BladesBinary
from ..estimators.hybrid import BladesHybrid
from ..estimators.one_class import BladesOneClass


class DetectorGraph(nn.Module):
    """An image tower, transformers behind it, a head and its threshold.

    Parameters
    ----------
    encoder : fitted BladesEncoder
    middle : list of fitted transformers
    head : fitted BladesOneClass, BladesHybrid or BladesBinary
    offset : float
        The threshold; -inf flags nothing.
    """

    def __init__(self, encoder: Any, middle: list[Any], head: Any, offset: float):
        super().__init__()
        self.embedding = encoder.embedding_
        self.side = encoder.embedding_.image_side(encoder.features_)
        self.behind = nn.Sequential(*map(_transformer, middle))
        self.head = scoring(head)
        self.register_buffer("offset", torch.tensor(offset, dtype=torch.float64))

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features, scores and verdicts of faces.

        Parameters
        ----------
        pixels : Tensor of uint8, shape (n, image_size, image_size, 3)

        Returns
        -------
        features : Tensor of float32, shape (n, n_features)
        score : Tensor of float64, shape (n,)
            Higher = more photographic.
        verdict : Tensor of int64, shape (n,)
            +1 = not flagged, -1 = flagged.
        """
        features = self.side.encode_image(pixels).float()
        score = self.head(self.behind(features.double()))
        return features, score, torch.where(score < self.offset, -1, 1)


def scoring(head: Any) -> nn.Module:
    """The scores of a head as a module, float64 in and out.

    Raises
    ------
    TypeError
        If there is no such module, with what to do.
    """
    if isinstance(head, BladesOneClass):
        return _Density(head.pca_, head.mixture_)
    if isinstance(head, BladesBinary):
        return _LogOdds(head, rounded=True)
    if isinstance(head, BladesHybrid):
        return _Hybrid(head)
    raise TypeError(
        f"a {type(head).__name__} cannot be exported: heads that can are BladesOneClass, "
        "BladesHybrid and BladesBinary(target_fpr=...). The .blades file holds it as it is."
    )


def _transformer(transformer: Any) -> nn.Module:
    if isinstance(transformer, StandardScaler):
        return _Scaled(transformer)
    if isinstance(transformer, PCA):
        return _Projected(transformer)
    if isinstance(transformer, Normalizer) and transformer.norm == "l2":
        return _Normalised()
    raise TypeError(
        f"a {type(transformer).__name__} between encoder and head cannot be exported; "
        "StandardScaler, PCA and Normalizer('l2') can."
    )


def _tensor(values: Any) -> Tensor:
    return torch.tensor(np.asarray(values, dtype=np.float64))


class _Scaled(nn.Module):
    """`StandardScaler.transform`."""

    def __init__(self, scaler):
        super().__init__()
        width = scaler.n_features_in_
        mean = scaler.mean_ if scaler.with_mean else np.zeros(width)
        self.register_buffer("mean", _tensor(mean))
        self.register_buffer("scale", _tensor(scaler.scale_ if scaler.with_std else np.ones(width)))

    def forward(self, X):
        return (X - self.mean) / self.scale


class _Projected(nn.Module):
    """`PCA.transform`."""

    def __init__(self, pca):
        super().__init__()
        scale = np.ones(pca.n_components_)
        if pca.whiten:
            variance = pca.explained_variance_
            scale = np.sqrt(np.maximum(variance, np.finfo(variance.dtype).eps))
        self.register_buffer("mean", _tensor(pca.mean_))
        self.register_buffer("components", _tensor(pca.components_).T.contiguous())
        self.register_buffer("scale", _tensor(scale))

    def forward(self, X):
        return (X - self.mean) @ self.components / self.scale


class _Normalised(nn.Module):
    """`Normalizer("l2").transform`: a row of zeros stays one."""

    def forward(self, X):
        length = X.square().sum(dim=1, keepdim=True).sqrt()
        return X / torch.where(length == 0, 1.0, length)


class _Density(nn.Module):
    """`log_density`: principal components, then the mixture's log-likelihood, in nats."""

    def __init__(self, pca, mixture: GaussianMixture):
        super().__init__()
        self.project = nn.Identity() if pca is None else _Projected(pca)
        root = mixture.precisions_cholesky_  # of every precision matrix, upper triangular
        k, d = mixture.means_.shape
        self.kind = mixture.covariance_type
        if self.kind == "tied":
            root = np.broadcast_to(root, (k, d, d))
        if self.kind == "spherical":
            diagonals, centres = np.repeat(root[:, None], d, axis=1), mixture.means_
        elif self.kind in ("full", "tied"):
            diagonals = np.diagonal(root, axis1=1, axis2=2)
            centres = np.einsum("kd,kde->ke", mixture.means_, root)
        else:
            root, diagonals, centres = root[:, None], root, mixture.means_ * root
        constant = np.log(mixture.weights_) + np.log(diagonals).sum(axis=1)
        self.register_buffer("root", _tensor(root))
        self.register_buffer("centres", _tensor(centres))
        self.register_buffer("constant", _tensor(constant - 0.5 * d * math.log(2 * math.pi)))

    def forward(self, X):
        exponents = self.constant - 0.5 * self._distances(self.project(X))
        return torch.logsumexp(exponents, dim=1)

    def _distances(self, X):
        """Squared, in units of each component's spread: shape (n, k)."""
        if self.kind == "spherical":  # there may be thousands: no tensor of (k, n, d)
            lengths = X.square().sum(dim=1, keepdim=True) + self.centres.square().sum(dim=1)
            return (lengths - 2 * X @ self.centres.T).clamp(min=0) * self.root.square()
        scaled = X @ self.root if self.kind in ("full", "tied") else X * self.root  # (k, n, d)
        return (scaled - self.centres[:, None]).square().sum(dim=2).T


class _LogOdds(nn.Module):
    """Log-odds of a photograph of `BladesBinary`, rounded as its score is, or of `classes_[1]`."""

    def __init__(self, head, *, rounded):
        super().__init__()
        self.scale = _Scaled(head.scaler_)
        self.rounded = rounded
        self.sign = -1.0 if rounded and not head._photographic_class() else 1.0
        weights = head.net_.module_.state_dict()
        for name, value in weights.items():
            self.register_buffer(name.replace(".", "_"), value.detach().cpu().double())

    def forward(self, X):
        rows = self.scale(X).float().double()  # the net was taught in float32
        hidden = torch.relu(rows @ self.get_buffer("0_weight").T + self.get_buffer("0_bias"))
        logits = hidden @ self.get_buffer("2_weight").T + self.get_buffer("2_bias")
        margin = logits[:, 1] - logits[:, 0]
        return self.sign * (margin.float().double() if self.rounded else margin)


class _Contrast(nn.Module):
    """`NearestCentroid.decision_function` of two classes, which is linear."""

    def __init__(self, classifier):
        super().__init__()
        spread = classifier.within_class_std_dev_
        scale = np.where(spread > 0, spread, 1.0)  # where all faces agree, columns are as they are
        false, true = classifier.centroids_ / scale
        prior = 2 * np.log(classifier.class_prior_)
        self.register_buffer("direction", _tensor(2 * (true - false) / scale))
        self.register_buffer("place", _tensor(false @ false - true @ true + prior[1] - prior[0]))

    def forward(self, X):
        return X @ self.direction + self.place


class _Hybrid(nn.Module):
    """The weighed sum of the parts of `BladesHybrid`."""

    def __init__(self, head):
        super().__init__()
        binary = head.binary_
        if binary is not None and not isinstance(binary, BladesBinary):
            raise TypeError(
                f"a BladesHybrid whose classifier is a {type(binary).__name__} cannot be exported; "
                "one of BladesOneClass and BladesBinary can. The .blades file holds it as it is."
            )
        contrast = head.contrast_ and head.contrast_.estimator
        if contrast is not None and not isinstance(contrast, NearestCentroid):
            raise TypeError(
                f"a BladesHybrid whose contrast is a {type(contrast).__name__} cannot be exported; "
                "one of make_contrast can. The .blades file holds it as it is."
            )
        self.density = _Density(head.one_class_.pca_, head.one_class_.mixture_)
        self.odds = None if binary is None else _LogOdds(binary, rounded=False)
        self.contrast = None if contrast is None else _Contrast(contrast)
        weights = np.array([*head.weights_.values()])
        self.register_buffer("weights", _tensor(weights / head.spread_))
        self.register_buffer("centre", _tensor(head.centre_))

    def forward(self, X):
        density = self.density(X)
        odds = torch.zeros_like(density) if self.odds is None else self.odds(X)
        parts = [density, odds] if self.contrast is None else [density, odds, self.contrast(X)]
        total = (torch.stack(parts, dim=1) - self.centre) @ self.weights
        return total.float().double()  # rounded as the head's score is
