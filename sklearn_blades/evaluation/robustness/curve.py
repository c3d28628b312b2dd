"""What is left of a detector after pictures were saved again, scaled, blurred or cropped."""

from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.utils import check_random_state

from ...errors import PhotoError
from ...ground.jobs import local_jobs
from ...ground.types import Photographs, RandomState
from ...photos.degradations import default_degradations
from ...photos.records import open_photo, photo_list
from ..judge import judge, promise_of
from ..labels import Labels
from ..statistics.intervals import auc_estimate, auc_influence, change_estimate, rate_estimate
from .report import CLEAN, Measured, RobustnessReport


def robustness_curve(
    detector: Any,
    paths: Photographs,
    y: Any,
    *,
    degradations: Any = "default",
    photographic_label: Any = 1,
    groups: Any = None,
    batch_size: int = 128,
    random_state: RandomState = 0,
    n_jobs: int | None = None,
) -> RobustnessReport:
    """Measure a detector on pictures that are degraded, all alike, photographs and fakes.

    Parameters
    ----------
    detector : fitted estimator or Pipeline
        Takes a list of uint8 arrays (h, w, 3), as `make_detector` gives it.
    paths : list, array or Series of paths or PhotoRecord, PIL images or uint8 arrays
    y : array-like of shape (n,)
        Labels; all that are not ``photographic_label`` are AI-generated.
    degradations : "default" or dict of str to list of (severity, callable)
        ``"default"``: `sklearn_blades.evaluation.default_degradations`. Your own
        callables take pixels, uint8 (h, w, 3), and a numpy Generator, and return pixels.
    photographic_label : default=1
    groups : array-like of shape (n,), optional
        Person or source of each picture; one counts once in the intervals.
    batch_size : int, default=128
        Pictures in memory at a time, together with one degraded copy. No figure depends on it.
    random_state : int, RandomState or None, default=0
        Draws the noise: a function of picture and degradation alone.
    n_jobs : int, optional
        Threads for decoding and degrading.

    Returns
    -------
    RobustnessReport
        Area, false alarms and detection, each with its 95 % interval: for the area DeLong's by
        class with Satterthwaite's t, for rates Wilson's or, by group, Korn and Graubard's.

    Raises
    ------
    PhotoError
        For a file that cannot be decoded.
    ValueError
        If a class is absent, a label or group is missing, or a degradation is not as above.

    Warns
    -----
    SmallSampleWarning
        For fewer than 20 rows, or groups, of a class.

    See Also
    --------
    evaluate_by_generator : Figures by generator, undegraded.
    RobustnessDisplay : Draws the report.
    default_degradations : What is done to the pictures.

    Notes
    -----
    Pictures are decoded whole, upright, degraded, and passed on as pixels: what a `PhotoRecord`
    or a ``{path: face}`` table knows of the face does not come along, and the detector's own
    locator looks for it again in the degraded picture, as it would in use. Where it finds none,
    the picture counts as lost (``on_error="raise"`` of the encoder, the default, is needed for
    that). For face crops and ``face_locator="whole"`` nothing is lost, but ``"crop"`` moves the
    face's edges. The threshold was set on undegraded photographs: a promise of false alarms does
    not cover degraded ones, and this is where it shows.
    """
    photos = photo_list(paths)
    labels = Labels.of(len(photos), y, photographic_label=photographic_label, groups=groups)
    labels.warn_if_few()
    photographs, groups = labels.photographic, labels.groups
    if batch_size < 1:
        raise ValueError(f"batch_size={batch_size}: one picture at a time is the least.")
    steps = [(CLEAN, 0, None), *_steps(degradations)]
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    answers = {step[:2]: np.full((2, len(photos)), np.nan) for step in steps}
    pool = Parallel(n_jobs=local_jobs(n_jobs), require="sharedmem")
    for start in range(0, len(photos), batch_size):
        rows = range(start, min(start + batch_size, len(photos)))
        clean = pool(delayed(_pixels)(photos[row]) for row in rows)
        for number, step in enumerate(steps):
            images = pool(
                delayed(_degraded)(image, step, [seed, number, row])
                for image, row in zip(clean, rows, strict=True)
            )
            answers[step[:2]][:, rows] = _answers(detector, images, photographic_label)
    return RobustnessReport(
        _measured(answers, photographs, groups),
        int(photographs.sum()),
        int((~photographs).sum()),
        promise_of(detector),
        {step: scores for step, (scores, _) in answers.items()},
    )


def _steps(degradations):
    """The (name, severity, callable) of all degradations, checked."""
    if isinstance(degradations, str) and degradations == "default":
        degradations = default_degradations()
    try:
        steps = [(name, s, function) for name, row in degradations.items() for s, function in row]
    except (AttributeError, TypeError, ValueError):
        raise ValueError(
            f"degradations={degradations!r}: 'default', or {{name: [(severity, callable), ...]}}."
        ) from None
    for name, severity, function in steps:
        if not callable(function) or name == CLEAN:
            raise ValueError(
                f"degradation {name!r} at {severity!r}: a callable from (pixels, rng) to pixels is "
                f"needed, under another name than {CLEAN!r}."
            )
    return steps


def _pixels(photo):
    if isinstance(photo, np.ndarray):
        return photo
    return np.asarray(open_photo(getattr(photo, "path", photo)))


def _degraded(image, step, seed):
    name, _, function = step
    if function is None:
        return image
    made = function(image, np.random.default_rng(seed))
    if not (isinstance(made, np.ndarray) and made.dtype == np.uint8 and made.ndim == image.ndim):
        raise ValueError(
            f"degradation {name!r} returned {type(made).__name__} "
            f"{getattr(made, 'dtype', '')}; pixels are uint8 arrays of shape (h, w, 3)."
        )
    return made


def _answers(detector, images, label):
    """Scores, and 1.0 where flagged; both NaN where the face is lost. Shape (2, n_images)."""
    try:
        judged = judge(detector, images, label)
        return np.asarray([judged.scores, judged.flags], dtype=float)
    except PhotoError:
        if len(images) == 1:
            return np.full((2, 1), np.nan)
    half = len(images) // 2
    parts = (_answers(detector, part, label) for part in (images[:half], images[half:]))
    return np.hstack(list(parts))


def _measured(answers, photographs, groups):
    return tuple(
        _measure(step, answer, answers[CLEAN, 0], photographs, groups)
        for step, answer in answers.items()
    )


def _measure(step, answer, clean, photographs, groups):
    scores, flagged = answer
    known = ~np.isnan(scores)

    def rate(rows):
        return rate_estimate(flagged[rows] == 1, groups=_part(groups, rows))

    both = known & ~np.isnan(clean[0])
    before, after = (auc_influence(s[both], photographs[both]) for s in (clean[0], scores))
    return Measured(
        *step,
        auc=auc_estimate(scores[known], photographs[known], groups=_part(groups, known)),
        change=change_estimate(before, after, groups=_part(groups, both)),
        false_alarms=rate(known & photographs),
        detected=rate(known & ~photographs),
        lost_photographs=int((~known & photographs).sum()),
        lost_generated=int((~known & ~photographs).sum()),
    )


def _part(groups, rows):
    return None if groups is None else groups[rows]
