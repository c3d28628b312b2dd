"""A density of photographs: principal components, then a Gaussian mixture or a kernel density.

The published mixture wants tens of thousands of photographs. Where there are fewer, a component
stands on every photograph, all of one spherical spread, and nothing is fitted. Features of a frozen
tower, generated faces against photographs of a source that nobody has seen (AUC in percent, mean
and standard deviation over nine deals; ``python -m benchmarks.few``, docs/results.md):

====================  ===========  ===========  ===========  ===========  ===========
photographs           60           100          200          400          500
====================  ===========  ===========  ===========  ===========  ===========
ten components        67.3 +- 7.1  70.8 +- 5.2  72.4 +- 1.7  73.2 +- 1.7  73.5 +- 1.1
a kernel on each      73.7 +- 2.5  75.2 +- 2.0  75.9 +- 1.3  76.7 +- 1.1  76.6 +- 0.9
====================  ===========  ===========  ===========  ===========  ===========

Of 4,902 photographs of 45 sources: 78.1 and, with ten full covariances, 71.3. On simulated
unit-norm features (12 heavy-tailed clusters, power-law spectrum; ``python -m
benchmarks.head_defaults``, docs/method.md) kernels are level with diagonal covariances, and full
ones ahead of both from some thousands of rows on: there the truth is a mixture. 64 dimensions are
never far from the best. A mixture of 25,000 x 768 takes 3.4 s of CPU.
"""

import math
import warnings
from typing import NamedTuple

import numpy as np
import sklearn
from sklearn.cluster import kmeans_plusplus
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import KFold
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_random_state, get_tags

from ..errors import SmallSampleWarning
from ..ground.warn import warn

# Relative error of one float32 feature between batch sizes, thread counts and machines: a hundred
# roundings. float16 features carry their own rounding.
FLOAT32_NOISE = 1e-5
MOST_DIMENSIONS = 64
MOST_COMPONENTS = 10
ROWS_PER_COMPONENT = 10
ROWS_PER_FULL_DIMENSION = 5
KERNEL_SHARE = 0.1
"""Variance of a kernel, in mean squared distances of a photograph to the nearest other one; from
0.05 to 0.2 it makes no difference of more than a point."""

MOST_KERNELS = 2_000  # a thousand told as much as 3,200
ROWS_OF_A_MIXTURE = 20_000
"""Photographs from which on features of encoders get a mixture. Measured on real ones were up to
4,902, where kernels were ahead; of 20,000 simulated ones the mixture tells more, and the published
one had 120,000."""
FOLDS = 5
ROWS_AT_ONCE, DENSITIES_AT_ONCE = 5_000, 5_000_000


class Shape(NamedTuple):
    """Size of a density: ``None`` dimensions keep the features as they are."""

    pca_components: int | None
    n_components: int
    covariance_type: str


def choose_shape(
    n_samples, n_features, pca_components="auto", n_components="auto", covariance_type="auto"
):
    """Replace every ``"auto"`` by what the rows support, and cap the rest at the rows there are.

    Parameters
    ----------
    n_samples, n_features : int
        Photographs that the mixture is fitted on, and the width of their features.
    pca_components : int, "auto" or None
        ``"auto"``: 64, at most half the rows; no projection where the features are no wider.
    n_components : int or "auto"
        ``"auto"``: one per 10 rows, 1 to 10; of kernels one a row, 2,000 at most.
    covariance_type : str or "auto"
        ``"auto"``: for features wider than 64, as encoders make them, ``"kernel"``, and ``"full"``
        from 20,000 rows on. For narrower ones, and where a number of components was asked for,
        ``"full"`` with at least 5 rows per component and dimension, else ``"diag"``.

    Returns
    -------
    Shape

    Raises
    ------
    ValueError
        If more principal components are asked for than there are features.

    Warns
    -----
    SmallSampleWarning
        If a number that was asked for is capped.

    Examples
    --------
    >>> choose_shape(20_000, 768)
    Shape(pca_components=64, n_components=10, covariance_type='full')
    >>> choose_shape(160, 768)
    Shape(pca_components=64, n_components=160, covariance_type='kernel')
    >>> choose_shape(160, 768, n_components=10)
    Shape(pca_components=64, n_components=10, covariance_type='diag')
    """
    if pca_components == "auto":
        dimensions = min(MOST_DIMENSIONS, max(1, n_samples // 2))
        pca_components = dimensions if dimensions < n_features else None
    elif pca_components is not None:
        if pca_components > n_features:
            raise ValueError(
                f"pca_components={pca_components}, but the features have {n_features} columns; "
                "use 'auto', None or a smaller number."
            )
        pca_components = _cap("pca_components", pca_components, n_samples - 1)
    asked = n_components != "auto"
    if asked:
        n_components = _cap("n_components", n_components, n_samples)
    else:
        n_components = min(MOST_COMPONENTS, max(1, n_samples // ROWS_PER_COMPONENT))
    if covariance_type == "auto" and n_features > MOST_DIMENSIONS and not asked:
        covariance_type = "full" if n_samples >= ROWS_OF_A_MIXTURE else "kernel"
    elif covariance_type == "auto":
        enough = ROWS_PER_FULL_DIMENSION * n_components * (pca_components or n_features)
        covariance_type = "full" if n_samples >= enough else "diag"
    if covariance_type == "kernel" and not asked:
        n_components = min(n_samples, MOST_KERNELS)
    return Shape(pca_components, n_components, covariance_type)


def noise_variance(X):
    """Variance of the numerical noise of features as large as those of X.

    A mixture that resolves less than this scores the rounding of a machine, not a face.

    Examples
    --------
    >>> f"{noise_variance(np.full((3, 4), 10.0)):.0e}"
    '1e-08'
    """
    # vdot needs no second matrix, of which there may be gigabytes.
    return FLOAT32_NOISE**2 * np.vdot(X, X) / X.size


def fit_density(
    X, shape, *, reg_covar=1e-6, n_init=1, max_iter=100, random_state=None, device=None
):
    """Fit the projection and the mixture.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64
        Photographs only, at least 2.
    shape : Shape
    reg_covar : float
        Floored at `noise_variance` of X.
    n_init, max_iter, random_state
        As in `sklearn.mixture.GaussianMixture`; components start from k-means++ seeds. Kernels
        have no start; where there are fewer than rows, they stand on rows drawn at random.
    device : str or None
        Where to fit a mixture, in float64 as well; ``None``, and "auto" without a GPU: in numpy.

    Returns
    -------
    pca : PCA or None
    mixture : GaussianMixture
        ``converged_`` or not: whether that matters is the caller's to say. Both hold numpy arrays,
        wherever they were fitted. Kernels are a mixture that was not fitted: its means are rows.
    """
    least = max(reg_covar, noise_variance(X))
    if shape.covariance_type == "kernel":
        pca, points = _project(X, shape.pca_components)
        return pca, _kernels(points, shape.n_components, least, random_state)
    settings = {
        "n_components": shape.n_components,
        "covariance_type": shape.covariance_type,
        "reg_covar": least,
        "max_iter": max_iter,
    }
    points = X if device is None else _on_device(X, device)
    tensors = points is not X
    fit = _fit_mixture_of_tensors if tensors else _fit_mixture
    # In numpy dispatch is switched off: under it scikit-learn refuses k-means++ seeds.
    with sklearn.config_context(array_api_dispatch=tensors), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        pca, points = _project(points, shape.pca_components)
        mixture = fit(points, settings, n_init, random_state)
    return pca, mixture


def _project(X, pca_components):
    if pca_components is None:
        return None, X
    # Both solvers are deterministic; the first never builds an (n, n) or (n, d) factor.
    solver = "covariance_eigh" if len(X) >= X.shape[1] else "full"
    with np.errstate(invalid="ignore"):  # identical rows: the explained ratio is 0/0
        pca = PCA(pca_components, svd_solver=solver).fit(X)
    points = pca.transform(X)
    return _at_rest(pca), points


def _kernels(points, n_kernels, least_variance, random_state):
    """A component of one spherical spread on each of so many rows: docs/method.md, section 6."""
    if n_kernels < len(points):
        rows = check_random_state(random_state).permutation(len(points))[:n_kernels]
        points = points[np.sort(rows)]
    n, width = points.shape
    variance = least_variance
    if n > 1:
        nearest, _ = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(points).kneighbors()
        variance = max(variance, KERNEL_SHARE * (nearest**2).mean())
    mixture = GaussianMixture(n, covariance_type="spherical", reg_covar=least_variance)
    mixture.weights_, mixture.means_ = np.full(n, 1 / n), points
    mixture.covariances_ = np.full(n, variance)
    mixture.precisions_ = 1 / mixture.covariances_
    mixture.precisions_cholesky_ = np.sqrt(mixture.precisions_)
    mixture.converged_, mixture.n_iter_, mixture.n_features_in_ = True, 0, width
    return mixture


def _fit_mixture(points, settings, n_init, random_state):
    mixture = GaussianMixture(
        **settings, init_params="k-means++", n_init=n_init, random_state=random_state
    )
    return mixture.fit(points)


def _fit_mixture_of_tensors(points, settings, n_init, random_state):
    """As `_fit_mixture`, from the same seeds, which the array API has no way to draw."""
    rows, draws, best = points.numpy(force=True), check_random_state(random_state), None
    for _ in range(n_init):
        seeds, _ = kmeans_plusplus(rows, settings["n_components"], random_state=draws)
        # The rows that "random_from_data" draws set the first covariances, which for single rows
        # are reg_covar whichever they are; only "tied" starts a little apart.
        mixture = GaussianMixture(
            **settings,
            init_params="random_from_data",
            means_init=points.new_tensor(seeds),
            random_state=0,
        ).fit(points)
        if best is None or mixture.lower_bound_ > best.lower_bound_:
            best = mixture
    return _at_rest(best).set_params(
        init_params="k-means++", means_init=None, n_init=n_init, random_state=random_state
    )


def _on_device(X, device):
    """X as a tensor; unchanged where "auto" finds no GPU, for numpy is faster on a CPU."""
    import torch

    from ..ground.device import resolve_device

    place = resolve_device(device)
    if device == "auto" and place.type == "cpu":
        return X
    if not get_tags(GaussianMixture(init_params="random_from_data")).array_api_support:
        raise ValueError(
            f"device={device!r} fits the mixture by scikit-learn's array API dispatch, which it "
            f"has since 1.8; this is {sklearn.__version__}. Install a newer scikit-learn, or leave "
            "device=None."
        )
    return torch.as_tensor(X, device=place)


def _at_rest(fitted):
    """Turn the tensors among an estimator's attributes into numpy, in place."""

    def numpy(value):
        if isinstance(value, list):
            return [numpy(item) for item in value]
        return value.numpy(force=True)[()] if hasattr(value, "new_tensor") else value

    vars(fitted).update({name: numpy(value) for name, value in vars(fitted).items()})
    return fitted


def log_density(X, pca, mixture):
    """Log-likelihood of every row, in nats: shape (n_samples,), higher = more photographic."""
    # In blocks: the mixture's temporary matrices then stay small, and in the processor's cache.
    n_rows = min(ROWS_AT_ONCE, max(1, DENSITIES_AT_ONCE // mixture.n_components))
    blocks = (X[start : start + n_rows] for start in range(0, len(X), n_rows))
    return np.concatenate(
        [mixture.score_samples(rows if pca is None else pca.transform(rows)) for rows in blocks]
    )


def least_likely(X, fraction, random_state):
    """Rows that are least likely under mixtures fitted on the others.

    Every row is scored by the automatic mixture of the folds it is not in: one that has seen an
    outlier spends a component on it, and calls it likely.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64
        At least 3 rows.
    fraction : float in (0, 1)
        Share of the rows, rounded up; one row at least is left out.
    random_state : RandomState

    Returns
    -------
    ndarray of int
        Row numbers, the least likely first.

    Examples
    --------
    >>> X = np.array([[0.0], [0.1], [9.0], [0.2], [0.1]])
    >>> least_likely(X, 0.2, np.random.RandomState(0))
    array([2])
    """
    scores = np.empty(len(X))
    folds = KFold(min(FOLDS, len(X)), shuffle=True, random_state=random_state)
    for others, fold in folds.split(X):
        shape = choose_shape(len(others), X.shape[1])
        density = fit_density(X[others], shape, random_state=random_state)
        scores[fold] = log_density(X[fold], *density)
    n = min(math.ceil(fraction * len(X)), len(X) - 1)
    return np.argsort(scores, kind="stable")[:n]


def _cap(name, asked, most):
    if asked <= most:
        return asked
    warn(
        f"{name}={asked} is more than the photographs support; using {most}.",
        SmallSampleWarning,
    )
    return most
