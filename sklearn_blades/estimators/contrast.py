"""Contrast without a generator: the direction in which faults of generators move a face."""

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.frozen import FrozenEstimator
from sklearn.neighbors import NearestCentroid
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..errors import SmallSampleWarning
from ..ground.jobs import local_jobs
from ..ground.types import Photographs, RandomState
from ..ground.warn import warn
from ..photos.manipulations import UNTOUCHED
from ..photos.pixels import harmonised
from ..photos.pseudo_fakes import manipulations_of, variants
from ..photos.records import photo_list
from .embedding import crop_how, crops_of, embed_crops
from .encoder import BladesEncoder

ENOUGH = 100
"""Photographs beyond which the direction hardly depends on which they are (docs/results.md)."""

MOST = 250
"""Photographs that a detector gives to it: each takes six embeddings."""

BLOCK = 32  # photographs whose pictures are in memory together


def make_contrast(
    encoder: Any,
    X: Photographs,
    *,
    kinds: str | Iterable = "contrast",
    random_state: RandomState = None,
) -> FrozenEstimator:
    """Learn the direction in which faults of generators move the features of a face.

    Each photograph is given every fault of ``kinds`` (`sklearn_blades.photos.pseudo_fakes`), and
    passes once more untouched under the same small map. The score of a face is its place between
    the mean of the untouched and the mean of the faulty ones, each feature in units of its spread
    within both: a linear discriminant with a diagonal covariance. No generated face is used.

    Parameters
    ----------
    encoder : fitted BladesEncoder, or FrozenEstimator of one
        Makes the features, and says how faces are cut.
    X : list, array or Series of paths, PhotoRecord, PIL images or uint8 arrays (h, w, 3)
        Photographs, 100 or more. None of them may calibrate a promise later.
    kinds : str, or iterable of str and Manipulation, default="contrast"
        As in `sklearn_blades.photos.pseudo_fakes.manipulations_of`: "contrast" are the method's
        four manipulations and over-smoothing.
    random_state : int, RandomState or None, default=None
        Draws the maps and the faults.

    Returns
    -------
    FrozenEstimator of sklearn.neighbors.NearestCentroid
        For ``BladesHybrid(contrast=)``. ``decision_function(features)`` is higher for the more
        photographic.

    Raises
    ------
    TypeError
        If the encoder is no BladesEncoder, so that nobody knows how it cuts faces.
    PhotoError
        For a photograph that cannot be used, unless the encoder's ``on_error`` is "nan".
    ValueError
        For kinds that are not known, or fewer than two usable photographs.

    Warns
    -----
    SmallSampleWarning
        For fewer than 100 photographs: other ones would have given another direction.

    See Also
    --------
    BladesHybrid : Adds this to a density of photographs, under one promise.
    BladesDetector : Does both in one line, each on photographs of its own.

    Notes
    -----
    A mean direction and no trained classifier, because the less it was fitted, the more it carried
    over to real generators and to other sources: a perceptron 75 and logistic regression 74 to 78
    against 82 (area under the ROC curve, percent; docs/results.md).

    Examples
    --------
    >>> import tempfile, warnings
    >>> from sklearn_blades import BladesEncoder, BladesHybrid, make_contrast
    >>> from sklearn_blades.datasets import make_photos
    >>> paths = make_photos(80, tempfile.mkdtemp(), random_state=0)
    >>> encoder = BladesEncoder(face_locator="whole", max_epochs=0, random_state=0).fit(paths[:9])
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")  # 20 are few
    ...     contrast = make_contrast(encoder, paths[:20], random_state=0)
    >>> head = BladesHybrid(contrast=contrast, random_state=0, target_fpr=0.1)
    >>> head.fit(encoder.transform(paths[20:])).weights_
    {'one_class': 0.5, 'binary': 0.0, 'contrast': 0.5}
    """
    encoder = encoder.estimator if isinstance(encoder, FrozenEstimator) else encoder
    if not isinstance(encoder, BladesEncoder):
        raise TypeError(
            f"{type(encoder).__name__} is no BladesEncoder: faults are put into faces as it cuts "
            "them, and nothing says how this one does. Leave the contrast out."
        )
    check_is_fitted(encoder)
    hows = (*manipulations_of(kinds), UNTOUCHED)
    crops = crops_of(encoder, photo_list(X), encoder.preprocessing_, encoder.crop_defaults_)
    rows = crops.usable(on_error=encoder.on_error, n_jobs=encoder.n_jobs)
    if len(rows) < 2:
        raise ValueError(
            f"{len(rows)} usable photographs; a contrast takes 2, and {ENOUGH} to last."
        )
    if len(rows) < ENOUGH:
        warn(
            f"The contrast is learned from {len(rows)} photographs; other ones would have given "
            f"another. From {ENOUGH} on it hardly depends on them.",
            SmallSampleWarning,
        )
    features = _features(encoder, crops, rows, hows, check_random_state(random_state))
    y = np.tile(np.where([how is UNTOUCHED for how in hows], 1, -1), len(rows))
    with warnings.catch_warnings():
        # Columns in which all faces agree tell nothing, and are left as they are.
        warnings.filterwarnings("ignore", "self.within_class_std_dev_", UserWarning)
        return FrozenEstimator(NearestCentroid(priors="uniform").fit(features, y))


def _features(encoder, crops, rows, hows, rng):
    """Of every photograph with every fault, photograph by photograph."""
    quality = crop_how(encoder, encoder.crop_defaults_)["harmonise"]
    seeds = rng.randint(2**31 - 1, size=len(rows))

    def pictures(row, seed):
        made = variants(crops[row], hows, seed)
        return made if quality is None else [harmonised(pixels, quality) for pixels in made]

    parts = []
    for start in range(0, len(rows), BLOCK):
        faces = Parallel(n_jobs=local_jobs(encoder.n_jobs), require="sharedmem")(
            delayed(pictures)(row, seed)
            for row, seed in zip(
                rows[start : start + BLOCK], seeds[start : start + BLOCK], strict=True
            )
        )
        parts.append(embed_crops(encoder, np.concatenate(faces)))
    return np.concatenate(parts)
