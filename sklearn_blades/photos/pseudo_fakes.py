"""Pseudo-fakes: photographs with one fault of generators, for contrast without a generator."""

from collections.abc import Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed

from ..ground.jobs import local_jobs
from ..ground.types import Locator, Photographs
from . import pseudo_edits as edits
from .manipulations import MANIPULATIONS, REGIONS, UNTOUCHED, Manipulation, resample
from .records import FaceCrop, face_crop, photo_list


def edited(pixels, face, rng, *, resampled=True, edit):
    """`resample`, then ``edit``; parameters and result as for these."""
    return edit(resample(pixels, face, rng, resampled=resampled), face, rng)


def _fault(name, regions, edit):
    return Manipulation(name, regions, partial(edited, edit=edit), edit)


PSEUDO_FAKES = (
    Manipulation("self_blend", REGIONS, edits.self_blended),
    _fault("upsampling", REGIONS, edits.upsampled),
    _fault("patch_autoencoder", REGIONS, edits.patch_autoencoded),
    _fault("oversmoothing", REGIONS, edits.oversmoothed),
    _fault("mismatched_eyes", ("eye",), edits.mismatched_eyes),
    _fault("catch_lights", ("eye",), edits.wrong_catch_lights),
)
_BY_NAME = {how.name: how for how in (*MANIPULATIONS, *PSEUDO_FAKES)}
SETS = {
    "default": MANIPULATIONS,
    "pseudo_fakes": PSEUDO_FAKES,
    "all": (*MANIPULATIONS, *PSEUDO_FAKES),
    "contrast": (*MANIPULATIONS, _BY_NAME["oversmoothing"]),
}


class PseudoFakes(NamedTuple):
    """Pictures of `pseudo_fakes`, row by row.

    Attributes
    ----------
    pictures : list of ndarray of uint8, shape (image_size, image_size, 3)
        The pseudo-fakes, face crops at ``face_margin``.
    untouched : list of ndarray of uint8, shape (image_size, image_size, 3)
        The same photographs under the same small map, not edited.
    kinds : list of str
        What was done to each; what heads take as ``generator``.

    See Also
    --------
    pseudo_fakes : Makes them.
    """

    pictures: list[np.ndarray]
    untouched: list[np.ndarray]
    kinds: list[str]


def manipulations_of(chosen: str | Iterable) -> tuple[Manipulation, ...]:
    """Manipulations by name.

    Parameters
    ----------
    chosen : {"default", "pseudo_fakes", "all", "contrast"} or iterable of str and Manipulation
        One of `SETS`, or names of manipulations and manipulations of your own. "contrast" are the
        method's four and over-smoothing: of all that we tried what finds most, where a head is
        taught photographs against them (docs/results.md).

    Returns
    -------
    tuple of Manipulation

    Raises
    ------
    ValueError
        For names that are not known, twice the same, or none at all.
    """
    if isinstance(chosen, str):
        if chosen not in SETS:
            raise ValueError(
                f"manipulations={chosen!r}: one of {', '.join(map(repr, SETS))}, or a tuple of "
                f"names: ({chosen!r},)."
            )
        return SETS[chosen]
    chosen = tuple(chosen)
    unknown = [how for how in chosen if not isinstance(how, Manipulation) and how not in _BY_NAME]
    if unknown:
        names = ", ".join(map(repr, unknown))
        raise ValueError(f"{names}: no manipulation; known are {', '.join(_BY_NAME)}.")
    found = tuple(how if isinstance(how, Manipulation) else _BY_NAME[how] for how in chosen)
    called = [how.name for how in found]
    if not called or len(set(called)) < len(called) or UNTOUCHED.name in called:
        raise ValueError(
            f"manipulations={chosen!r}: at least one, none of them twice, and none named "
            f"{UNTOUCHED.name!r}."
        )
    return found


def pseudo_fakes(
    photos: Photographs,
    kinds: str | Iterable = "all",
    *,
    face_locator: Locator = "haar",
    face_margin: float = 1.3,
    image_size: int = 256,
    random_state: int | None = None,
    n_jobs: int | None = None,
) -> PseudoFakes:
    """Give each photograph one fault of generators, to teach a head without a generator.

    Parameters
    ----------
    photos : list, array or Series of paths, PhotoRecord, PIL images or uint8 arrays (h, w, 3)
    kinds : "all" or iterable of str and Manipulation, default="all"
        Out of ``"self_blend"``, ``"upsampling"``, ``"patch_autoencoder"``, ``"oversmoothing"``,
        ``"mismatched_eyes"`` and ``"catch_lights"``, dealt to the photographs in equal numbers;
        the four manipulations of the method by their names, and your own, too.
    face_locator, face_margin, image_size
        As for `face_crop`.
    random_state : int, optional
        Deals the kinds, and draws every fault. Results do not depend on ``n_jobs``.
    n_jobs : int, optional
        Threads, as in joblib.

    Returns
    -------
    PseudoFakes
        ``pictures``, their ``untouched`` partners and ``kinds``, in the order of ``photos``.

    Raises
    ------
    PhotoError
        For a photograph that cannot be used, or has no face.
    ValueError
        For kinds that are not known.

    See Also
    --------
    sklearn_blades.pretext.Manipulated : The same edits as a task of the encoder.
    BladesBinary : A head that learns photographs against known fakes.

    Notes
    -----
    Both pictures of a row pass through one small random map, so that resampling tells nothing of
    which is which; teach the ``untouched`` ones as photographs, then, not the files. They are face
    crops already: embed them with ``face_locator="whole"`` and the same ``face_margin``.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_blades.datasets import make_photos
    >>> from sklearn_blades.photos import pseudo_fakes
    >>> paths = make_photos(6, tempfile.mkdtemp(), random_state=0)
    >>> made = pseudo_fakes(paths, face_locator="whole", face_margin=1.6, random_state=0)
    >>> made.pictures[0].shape, sorted(set(made.kinds))[:2]
    ((256, 256, 3), ['catch_lights', 'mismatched_eyes'])
    """
    rows = photo_list(photos)
    hows = PSEUDO_FAKES if isinstance(kinds, str) and kinds == "all" else manipulations_of(
        (kinds,) if isinstance(kinds, str) else kinds
    )  # fmt: skip
    deal, *seeds = np.random.SeedSequence(random_state).spawn(len(rows) + 1)
    dealt = np.random.default_rng(deal).permutation(np.arange(len(rows)) % len(hows))
    chosen = [hows[kind] for kind in dealt]
    cut = {"face_locator": face_locator, "face_margin": face_margin, "image_size": image_size}
    pairs = Parallel(n_jobs=local_jobs(n_jobs), require="sharedmem")(
        delayed(_pair)(photo, how, seed, cut)
        for photo, how, seed in zip(rows, chosen, seeds, strict=True)
    )
    return PseudoFakes(
        [fake for fake, _ in pairs],
        [untouched for _, untouched in pairs],
        [how.name for how in chosen],
    )


def _pair(photo, how, seed, cut):
    return tuple(variants(face_crop(photo, **cut), (how, UNTOUCHED), seed))


def variants(crop: FaceCrop, hows: Iterable[Manipulation], seed: Any) -> list[np.ndarray]:
    """One face with each of these faults, all under one small map.

    Parameters
    ----------
    crop : FaceCrop
    hows : iterable of Manipulation
    seed : int or numpy.random.SeedSequence
        Generators in the same state send all of them through the same map.

    Returns
    -------
    list of ndarray of uint8, shape (image_size, image_size, 3)
    """
    return [how.apply(crop.pixels, crop.face, np.random.default_rng(seed)) for how in hows]
