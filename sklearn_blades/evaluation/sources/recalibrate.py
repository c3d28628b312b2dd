"""A detector with a new promise, for photographs of another source."""

from copy import copy
from typing import TypeVar

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from ...ground.types import Column, Features, Photographs
from ..judge import promising_head

Detector = TypeVar("Detector")


def recalibrate(
    detector: Detector,
    photographs: Photographs | Features,
    *,
    groups: Column | None = None,
    sources: Column | None = None,
) -> Detector:
    """A detector with the same encoder and density, whose promise is for these photographs.

    Parameters
    ----------
    detector : BladesOneClass, or Pipeline, FrozenEstimator or search that ends in one; fitted
        It stays as it is; the new one shares its encoder and its mixture.
    photographs : array-like
        What ``detector.predict`` takes: photographs of the source to judge, which neither the
        encoder nor the head was trained on. At 5 % it takes 19 of them, at 1 % 99.
    groups : array-like, default=None
        Person of every photograph: one of each person is used, and the promise is for new persons.
    sources : array-like, default=None
        Source of every photograph: only what is foreign to every one of them is flagged, and the
        promise holds for any mixture of them. Each takes as many as one alone would.

    Returns
    -------
    detector of the same type
        Its false-alarm promise is for photographs exchangeable with these, no longer for the
        source it was calibrated on before. What it catches may be less: a source that looks more
        AI-generated gets a lower threshold.

    Raises
    ------
    TypeError
        If the detector does not end in a `BladesOneClass`.

    Warns
    -----
    SmallSampleWarning
        If the photographs are too few for ``target_fpr``.

    See Also
    --------
    source_shift : Does the promise hold as it is?
    sklearn_blades.BladesOneClass.recalibrate : The same, of a head, in place.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_blades import BladesOneClass
    >>> rng = np.random.default_rng(0)
    >>> head = BladesOneClass(random_state=0).fit(rng.normal(size=(1000, 4)))
    >>> elsewhere, fresh = 2 * rng.normal(size=(2, 500, 4))
    >>> renewed = recalibrate(head, elsewhere)
    >>> [f"{np.mean(one.predict(fresh) == -1):.0%}" for one in (head, renewed)]
    ['64%', '7%']
    """
    promising_head(detector)
    return _renewed(detector, photographs, {"groups": groups, "sources": sources})


def _renewed(detector, photographs, columns):
    if isinstance(detector, FrozenEstimator):
        return FrozenEstimator(_renewed(detector.estimator, photographs, columns))
    if isinstance(detector, Pipeline):
        features = detector[:-1].transform(photographs) if len(detector) > 1 else photographs
        name, head = detector.steps[-1]
        renewed = copy(detector)
        renewed.steps = [*detector.steps[:-1], (name, _renewed(head, features, columns))]
        return renewed
    renewed = copy(detector)
    if hasattr(detector, "best_estimator_"):
        renewed.best_estimator_ = _renewed(detector.best_estimator_, photographs, columns)
        return renewed
    return renewed.recalibrate(photographs, **columns)
