"""The parts of a hybrid: learned together, and weighed on what all were kept from."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from ..errors import SmallSampleWarning
from ..ground.groups import group_codes
from ..ground.rows import check_features
from ..ground.types import FloatArray, IntArray
from ..heads.fusion import (
    WEIGHTS,
    cell_areas,
    centre_and_spread,
    choose_weight,
    deal_folds,
)
from .binary import BladesBinary
from .one_class import BladesOneClass

PARTS = ("one_class", "binary")
"""Of every hybrid; where there is a ``contrast``, it is the third."""


def part_names(contrast: Any) -> tuple[str, ...]:
    """What the parts of a hybrid are called, in order."""
    return PARTS if contrast is None else (*PARTS, "contrast")


class Known(NamedTuple):
    """What a hybrid may learn from: no calibration photograph is in it.

    ``photographs`` and ``generated`` are rows of ``X``; ``generators`` has one number for each of
    the latter, ``groups`` (persons) and ``units`` (what is left out together) one a row of ``X``,
    or are None.
    """

    X: FloatArray
    photographs: IntArray
    generated: IntArray
    generators: IntArray
    groups: IntArray | None
    units: IntArray | None


class Weighing(NamedTuple):
    """Weights of all parts, of sum 1, and the areas that led to them (empty: nothing did)."""

    weights: FloatArray
    areas: dict[str, float]
    centre: FloatArray | None = None
    spread: FloatArray | None = None


def generator_codes(generator: Any, generated: IntArray, n_samples: int) -> IntArray:
    """A number for the generator of every generated face; 0 for all where they have no names.

    Entries in rows of photographs are not looked at, whatever they are.
    """
    if generator is None:
        return np.zeros(len(generated), dtype=int)
    names = np.asarray(generator, dtype=object).ravel().tolist()
    if len(names) == n_samples:
        fakes = set(generated.tolist())
        names = [name if row in fakes else "photograph" for row, name in enumerate(names)]
    return group_codes(names, n_samples, "generator")[generated]


def fresh_parts(one_class: Any, binary: Any, random_state: np.random.RandomState) -> tuple:
    """Unfitted parts with seeds, as every fold begins with them."""
    density = BladesOneClass() if one_class is None else clone(one_class)
    classifier = BladesBinary(class_weight="balanced") if binary is None else clone(binary)
    for part in (density, classifier):
        seed = random_state.randint(2**31 - 1)
        if part.get_params(deep=False).get("random_state", 0) is None:
            part.set_params(random_state=seed)
    if isinstance(classifier, BladesBinary):
        classifier.set_params(target_fpr=None)  # one promise, by the whole
    return density, classifier


def checked_contrast(contrast: Any, n_features: int) -> Any:
    """A contrast that stays as it is, whatever is cloned, and takes these features; or None.

    Raises
    ------
    TypeError, ValueError
    """
    if contrast is None:
        return None
    if not isinstance(contrast, FrozenEstimator):
        raise TypeError(
            f"contrast={contrast!r}: pass what make_contrast(encoder, photographs) returns, or "
            "FrozenEstimator(classifier) of a fitted one, which clones keep."
        )
    check_is_fitted(contrast)
    width = getattr(contrast, "n_features_in_", n_features)
    if width != n_features:
        raise ValueError(
            f"contrast was learned from {width} features, and X has {n_features}: make it with the "
            "encoder that made X."
        )
    return contrast


def learn(templates: tuple, known: Known, photographs: IntArray, generated: IntArray) -> tuple:
    """The parts, fitted on these rows; no classifier where there are no generated faces."""
    density, classifier, *contrast = map(clone, templates)
    features = check_features(density, known.X[photographs], reset=True)
    density._learn(features, check_random_state(density.random_state))
    density.labels_ = None
    if not len(generated):
        return density, None, *contrast
    rows = np.concatenate([photographs, generated])
    y = np.repeat([1, -1], [len(photographs), len(generated)])
    groups = {}
    if known.groups is not None and has_fit_parameter(classifier, "groups"):
        groups = {"groups": known.groups[rows]}
    return density, classifier.fit(known.X[rows], y, **groups), *contrast


def scores_of(parts: tuple, X: FloatArray) -> FloatArray:
    """Scores of every part, a column each; 0 of a classifier that is not there."""
    density, classifier, *contrast = parts
    if classifier is None:
        odds = np.zeros(len(X))
    elif isinstance(classifier, BladesBinary):
        odds = classifier._margin(X, precise=True)
    else:
        odds = classifier.decision_function(X)
    fixed = [part.decision_function(X) for part in contrast]
    return np.column_stack([density.score_samples(X), odds, *fixed]).astype(float)


def shares(weight: float, n_parts: int) -> FloatArray:
    """Weights of all parts, where those that know no generator have ``weight`` together."""
    alike = weight / (n_parts - 1)
    return np.array([alike, 1 - weight, *[alike] * (n_parts - 2)])


def weigh(templates: tuple, known: Known, random_state: np.random.RandomState) -> Weighing:
    """How much each part counts, by what it says of photographs and generators it has not seen.

    Density and contrast know no generator, so none can say which of the two counts more: they
    share what is not the classifier's.
    """
    n_parts, taught = len(templates), len(known.generated) > 0
    if not taught and n_parts == len(PARTS):
        return Weighing(shares(1.0, n_parts), {})
    units = np.arange(len(known.X)) if known.units is None else known.units
    folds = deal_folds(units[known.photographs], known.generators, random_state)
    with warnings.catch_warnings():
        # What there is to say of numbers of components is said of the parts fitted on all.
        warnings.simplefilter("ignore", SmallSampleWarning)
        scored = [scores for fold in folds if (scores := _left_out(templates, known, *fold))]
    if not scored:
        return Weighing(shares(0.5 if taught else 1.0, n_parts), {})
    centre, spread = centre_and_spread(np.concatenate([true for true, _, _ in scored]))
    if not taught:
        return Weighing(shares(1.0, n_parts), {}, centre, spread)

    def halves(scores):
        """The parts that know no generator as one, and the classifier."""
        standard = (scores - centre) / spread
        return np.column_stack([np.delete(standard, 1, axis=1).mean(axis=1), standard[:, 1]])

    cells = [cell_areas(halves(true), halves(false), codes) for true, false, codes in scored]
    names = np.concatenate([np.unique(codes) for _, _, codes in scored])
    weight, areas = choose_weight(np.concatenate(cells), names)
    first = "one_class" if n_parts == len(PARTS) else "unknowing"
    found = {first: areas[-1], "binary": areas[0], "both": areas[weight == WEIGHTS][0]}
    found = {name: float(area) for name, area in found.items()}
    return Weighing(shares(weight, n_parts), found, centre, spread)


def _left_out(templates, known, photographs, generated):
    """Scores of what a fold leaves out, by parts that learned from the rest; None if none can."""
    left, fakes = known.photographs[photographs], known.generated[generated]
    kept = np.delete(known.photographs, photographs)
    others = np.delete(known.generated, generated)
    if known.groups is not None:  # somebody may be in several sources, or have been generated
        kept, others = (
            rows[~np.isin(known.groups[rows], known.groups[left])] for rows in (kept, others)
        )
    if len(kept) < 2 or (len(known.generated) and not len(others)):
        return None
    parts = learn(templates, known, kept, others)
    true = scores_of(parts, known.X[left])
    false = scores_of(parts, known.X[fakes]) if len(fakes) else np.empty((0, len(parts)))
    return true, false, known.generators[generated]


def doubts_of(known: Known, generator: Any, contrast: Any) -> str:
    """What `weigh` cannot leave out as a whole, in words; empty where it can."""
    if not len(known.generated):
        if contrast is not None:
            return ""
        return (
            "fit was given no y, so no generated face is known: the density stands alone, as in "
            "BladesOneClass, which is the head for photographs alone."
        )
    lacks = []
    if len(np.unique(known.generators)) < 2:
        lacks.append(
            "generator= was not given, so faces of a generator that is known were left out"
            if generator is None
            else "there is one generator, so other faces of the same one were left out"
        )
    if known.units is None:
        lacks.append("neither groups= nor sources= was given, so photographs were left out singly")
    elif len(np.unique(known.units[known.photographs])) < 2:
        lacks.append("the photographs are of one group, so they were left out singly")
    if not lacks:
        return ""
    return (
        "weights_ may count the binary part for more than it is worth elsewhere: "
        f"{'; '.join(lacks)} where the parts were weighed. The promised false-alarm rate does not "
        "depend on it."
    )
