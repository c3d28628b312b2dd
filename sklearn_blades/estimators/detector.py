"""From photographs to a verdict: an encoder and a head in one pipeline."""

from typing import Any

from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from ..ground.sklearn_private import _SetOutputMixin
from ..photos.rows import identified


class FrozenEncoder(_SetOutputMixin, FrozenEstimator):
    """A fitted encoder that detectors share, each with an output format of its own.

    `sklearn.frozen.FrozenEstimator` passes ``set_output`` on to what it holds: one detector set to
    data frames, or a clone of it, would change what all others with that encoder give their heads.
    """

    def transform(self, X):
        """Features, as the encoder gives them."""
        return self.estimator.transform(X)

    def __sklearn_clone__(self):
        clone = type(self)(self.estimator)
        if "_sklearn_output_config" in vars(self):
            clone._sklearn_output_config = dict(self._sklearn_output_config)
        return clone

    def __getattr__(self, name):
        if name == "_sklearn_output_config":  # not the encoder's own
            raise AttributeError(name)
        return super().__getattr__(name)


class DetectorPipeline(Pipeline):
    """A pipeline from photographs to a verdict, whose ``memory`` tells files that changed.

    scikit-learn's own knows rows by what they hold, and a path holds a name: under an old name it
    would hand back the encoder that was fitted on what the file was then.
    """

    def _fit(self, X, *args, **kwargs):
        # The one door that fit, fit_transform and fit_predict share.
        first = self.steps[0][1]
        if self.memory is not None and hasattr(first, "__sklearn_tags__"):  # not "passthrough"
            X = identified(X) if get_tags(first).input_tags.string else X
        return super()._fit(X, *args, **kwargs)


def make_detector(encoder: Any, head: Any) -> Pipeline:
    """Join an encoder and a head; an encoder that is fitted stays as it is.

    Parameters
    ----------
    encoder : estimator with ``transform``
        Usually a `BladesEncoder`. If it is fitted it is wrapped in a
        `sklearn.frozen.FrozenEstimator` of this detector's own: neither ``fit`` nor a search
        trains it again, and ``set_output`` is for this detector alone. If not, it is put in as it
        is and trained by the detector's ``fit``, on the photographs that the head then calibrates
        on: a false-alarm promise is approximate in that case.
    head : estimator with ``fit`` and ``predict``
        `BladesOneClass`, `BladesBinary`, `BladesHybrid` or any other estimator of features.

    Returns
    -------
    sklearn.pipeline.Pipeline
        One whose ``memory``, if it is given one, tells files that changed under their old names;
        with steps ``"encoder"`` and ``"head"``, so that parameters are named
        ``head__target_fpr`` and groups are passed as ``fit(X, y, head__groups=groups)``. What
        only the head has is reached through it:
        ``detector["head"].p_values(detector[:-1].transform(X))``.

    Raises
    ------
    TypeError
        If an argument is a class, or the two are swapped, or one lacks its method.

    See Also
    --------
    BladesDetector : Deals one set of photographs to both.
    BladesEncoder, BladesOneClass, BladesBinary, BladesHybrid : What is joined.
    sklearn_blades.persistence.save : Keeps a detector in one file.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import Normalizer
    >>> from sklearn_blades import BladesOneClass, make_detector
    >>> X = np.random.default_rng(0).normal(size=(200, 8)) + 1
    >>> detector = make_detector(Normalizer(), BladesOneClass(random_state=0)).fit(X)
    >>> detector.predict(-X[:2])
    array([-1, -1])
    """
    for role, given in (("encoder", encoder), ("head", head)):
        if isinstance(given, type):
            raise TypeError(f"{role} is the class {given.__name__}; pass {given.__name__}(...).")
    if not hasattr(encoder, "transform"):
        swapped = hasattr(head, "transform") and hasattr(encoder, "predict")
        raise TypeError(
            f"encoder must have transform, which {type(encoder).__name__} lacks; "
            + (
                f"swap the arguments: make_detector({type(head).__name__}, "
                f"{type(encoder).__name__})."
                if swapped
                else "pass a BladesEncoder."
            )
        )
    if not (hasattr(head, "fit") and hasattr(head, "predict")):
        raise TypeError(
            f"head must have fit and predict, which {type(head).__name__} lacks; pass a "
            "BladesOneClass or a BladesBinary."
        )
    if not isinstance(encoder, FrozenEstimator) and _is_fitted(encoder):
        encoder = FrozenEncoder(encoder)
    return DetectorPipeline([("encoder", encoder), ("head", head)])


def _is_fitted(estimator):
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True
