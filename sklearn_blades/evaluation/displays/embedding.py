"""What an encoder holds to be alike: its features as a map."""

from typing import Any

from sklearn.decomposition import PCA
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import column_or_1d

from ...ground.types import Features, Photographs, RandomState
from .drawing import COLOURS, MARKERS, new_axes, plainly


class EmbeddingDisplay:
    """A map of features in two dimensions, coloured by what is known of the pictures.

    In a t-SNE map neighbours were neighbours in the features; distances between clusters, their
    sizes and densities mean nothing. It is made by `from_estimator` or `from_features`.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
    labels : ndarray of shape (n,)
        What to colour by: label, generator, source, a word of the EXIF.
    axis_names : (str, str)

    Attributes
    ----------
    scatters_ : dict of str to matplotlib PathCollection
        By label, in the order in which labels first come.
    ax_, figure_ : matplotlib Axes and Figure

    See Also
    --------
    ScoreDisplay : What a head makes of the features.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_blades.evaluation import EmbeddingDisplay
    >>> features = np.random.default_rng(0).normal(size=(30, 8))
    >>> kinds = np.repeat(["photograph", "generated"], 15)
    >>> display = EmbeddingDisplay.from_features(features, kinds, method="pca")
    >>> display.points.shape
    (30, 2)
    """

    def __init__(self, *, points: Any, labels: Any, axis_names: Any = ("", "")) -> None:
        self.points = points
        self.labels = labels
        self.axis_names = axis_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Photographs,
        labels: Any,
        *,
        method: str = "tsne",
        perplexity: Any = 30.0,
        random_state: RandomState = 0,
        ax: Any = None,
    ) -> "EmbeddingDisplay":
        """Embed photographs with a fitted encoder, and draw.

        Parameters
        ----------
        estimator : BladesEncoder, FrozenEstimator, BladesDetector or Pipeline
            Of a pipeline that ends in a head, all before the head.
        X : array-like
            What the estimator takes.
        labels, method, perplexity, random_state, ax
            See `from_features`.

        Returns
        -------
        EmbeddingDisplay
        """
        if not hasattr(estimator, "transform"):
            encoder = getattr(estimator, "encoder_", None)  # a BladesDetector's
            estimator = estimator[:-1] if encoder is None else encoder
        return cls.from_features(
            estimator.transform(X),
            labels,
            method=method,
            perplexity=perplexity,
            random_state=random_state,
            ax=ax,
        )

    @classmethod
    def from_features(
        cls,
        features: Features,
        labels: Any,
        *,
        method: str = "tsne",
        perplexity: Any = 30.0,
        random_state: RandomState = 0,
        ax: Any = None,
    ) -> "EmbeddingDisplay":
        """Draw features that are known.

        Parameters
        ----------
        features : array-like of shape (n, n_features)
        labels : array-like of shape (n,)
            One colour and marker each.
        method : {"tsne", "pca"}, default="tsne"
            scikit-learn's t-SNE, or the first two principal components.
        perplexity : float, default=30.0
            About how many neighbours count; lowered to a third of the rows.
        random_state : int, RandomState or None, default=0
        ax : matplotlib Axes, optional
            By default those of a new figure.

        Returns
        -------
        EmbeddingDisplay

        Raises
        ------
        ValueError
            If a feature is not finite, or the method is unknown.
        """
        features = check_array(features, ensure_min_samples=4, input_name="features")
        labels = column_or_1d(labels).astype(str)
        check_consistent_length(features, labels)
        if method not in _MAPS:
            raise ValueError(f"method={method!r}; use 'tsne' or 'pca'.")
        points, names = _MAPS[method](features, perplexity, random_state)
        return cls(points=points, labels=labels, axis_names=names).plot(ax)

    def plot(self, ax: Any = None) -> "EmbeddingDisplay":
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            By default those of a new figure.

        Returns
        -------
        EmbeddingDisplay
            Itself.
        """
        self.ax_ = ax = new_axes(ax, size=(7.2, 5.0))
        self.figure_ = ax.figure
        self.scatters_ = {}
        for index, label in enumerate(dict.fromkeys(self.labels.tolist())):
            rows = self.labels == label
            self.scatters_[label] = ax.scatter(
                *self.points[rows].T,
                s=22,
                color=COLOURS[index % len(COLOURS)],
                marker=MARKERS[index % len(MARKERS)],
                edgecolor="white",
                linewidth=0.4,
                label=f"{plainly(label)} (n = {rows.sum()})",
            )
        ax.set(xlabel=self.axis_names[0], ylabel=self.axis_names[1], xticks=[], yticks=[])
        ax.set_aspect("equal")
        # Beside the map: a cloud may be anywhere in it.
        ax.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
        return self


def _tsne(features, perplexity, random_state):
    from sklearn.manifold import TSNE

    perplexity = min(perplexity, (len(features) - 1) / 3)
    points = TSNE(perplexity=perplexity, random_state=random_state).fit_transform(features)
    return points, ("t-SNE 1", "t-SNE 2")


def _pca(features, _, random_state):
    pca = PCA(2, random_state=random_state)
    points = pca.fit_transform(features)
    shares = pca.explained_variance_ratio_
    return points, tuple(f"component {i} ({s:.0%} of variance)" for i, s in enumerate(shares, 1))


_MAPS = {"tsne": _tsne, "pca": _pca}
