"""What an encoder asks of the pretext room: its rows as photographs, its parameters as a plan."""

import copy
import multiprocessing
import os
import pickle
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

import numpy as np
from sklearn.utils import check_random_state

from ..ground.groups import group_codes
from ..ground.jobs import local_jobs
from ..ground.progress import progress_bar
from ..ground.rows import photograph_rows
from ..ground.warn import warn
from ..photos.doubts import MANY, crop_doubts, equal_rows, full_pictures
from ..photos.rows import photo_list
from ..pretext.tasks import TaskSet, default_tasks
from ..pretext.training.plan import (
    BatchPlan,
    Photographs,
    Plan,
    RatePlan,
    RuntimePlan,
    ViewPlan,
    WeightingPlan,
)
from ..pretext.training.pretrain import as_given, outcome, pretrain
from ..pretext.training.progress import EpochTasks
from ..pretext.training.runs import Run
from ..storage.cache import file_identity, key_of
from .embedding import crops_of

# Parameters that say how to compute, not what: a checkpoint does not depend on them.
_HOW = {"n_jobs", "verbose", "memory", "cache_size", "disk_size", "device", "checkpoint_dir"}
_HOW |= {"random_state", "features"}  # features: what is given of the towers when they are trained


def photographs_of(X, y, groups, photographic_label):
    """The rows to learn from, and their groups.

    Returns
    -------
    photos : list
    groups : ndarray of int, shape (len(photos),)
        Without ``groups`` a photograph is its own, together with its duplicates and links.
    """
    photos = photo_list(X)
    if groups is None:
        groups = [_own_group(photo) for photo in photos]
    if y is not None and len(y) != len(photos):
        raise ValueError(f"y has {len(y)} rows, X has {len(photos)}.")
    if not photos:
        raise ValueError("X holds no photographs (0 sample(s)); a minimum of 1 is required.")
    codes = group_codes(groups, len(photos))
    rows = np.flatnonzero(photograph_rows(y, photographic_label, len(photos)))
    return [photos[row] for row in rows], codes[rows]


def check_ranks(encoder, photos, groups, ranks):
    """Raise a ValueError, on all ranks of a run, where one of them is to fit something else."""
    if ranks.size == 1:
        return
    # The address of an object is no part of it.
    facts = {name: re.sub(" at 0x[0-9a-f]+", "", repr(what)) for name, what in _params(encoder)}
    rows = [(str(getattr(p, "path", p)), *_known(p)) for p in photos]
    fingerprint = key_of(rows, np.asarray(groups).tolist())[:8]
    ranks.agree(
        facts | {"photographs": f"{len(photos)} (fingerprint {fingerprint})"},
        "Every rank must call fit with the same parameters, and with the same rows in the same "
        "order: sort lists of files, and give splits a random_state.",
    )


def run_of(encoder, photos, groups, ranks):
    """The run that a fit starts or goes on with, and its seed; on all ranks those of rank 0.

    Without a ``random_state`` the seed of a checkpoint of the same run is taken, so that what was
    cut off is not lost; otherwise the seed is part of what a run is.

    Returns
    -------
    run : Run or None
    seed : int
    """
    seed = int(check_random_state(encoder.random_state).randint(2**31 - 1))
    return ranks.once(partial(_run, encoder, photos, groups, seed))


def _run(encoder, photos, groups, seed):
    if encoder.checkpoint_dir is None:
        return None, seed
    given = None if encoder.random_state is None else seed
    run = Run(encoder.checkpoint_dir, _fingerprint(encoder, photos, groups, given))
    kept = run.load() if given is None else None
    return run, seed if kept is None else kept["seed"]


def _fingerprint(encoder, photos, groups, seed):
    """Name all that the result of a fit depends on: parameters, files, what is known of them."""
    start = None if encoder.pretrained is None else _identity(encoder.pretrained)
    rows = [*map(_facts, photos)], np.asarray(groups).tolist()
    return key_of(_params(encoder), seed, start, *rows)


def _params(encoder):
    # Functions go by name: their repr is an address, which another process does not have.
    params = encoder.get_params(deep=False).items()
    what = {k: getattr(v, "__qualname__", v) for k, v in params if k not in _HOW}
    return sorted(what.items(), key=str)


def _facts(photo):
    path = getattr(photo, "path", photo)
    return str(path), _identity(path), *_known(photo)


def _known(photo):
    return sorted(getattr(photo, "exif", {}).items()), getattr(photo, "face", None)


def _identity(path):
    """What a file is; None for what is none, a tag of weights say."""
    with suppress(OSError, ValueError):  # that is said where it is opened
        return file_identity(path)
    return None


def begin_task(encoder, X, y, precision, inherited, ranks) -> tuple[list, Callable[[], None]]:
    """Tell callbacks that fit begins; return what tells them of epochs, and of the end."""
    if not ranks.first:
        return [], lambda: None
    task = encoder._init_callback_context(max_subtasks=encoder.max_epochs)
    if task is None:
        return [], lambda: None
    if y is None:
        label = encoder.photographic_label
        y = np.full(len(X), 1 if label is None else label)
    task.call_on_fit_task_begin(estimator=encoder, X=X, y=y)

    def so_far(net):
        return attributes(encoder, outcome(net, copy.deepcopy(net.module_)), precision, inherited)

    return (
        [EpochTasks(encoder, task, X, y, so_far)],
        lambda: task.call_on_fit_task_end(
            estimator=encoder, X=X, y=y, reconstruction_attributes=lambda: vars(encoder)
        ),
    )


def learn(
    encoder, embedding, photos, groups, *, inherited, seed, precision, device, run, callbacks, ranks
):
    """Train the towers as the encoder's parameters say, or take them as they are.

    Returns
    -------
    Pretrained
    """
    tasks, weighting = _tasks_and_weighting(encoder)
    embedding.image_side(encoder.features)  # refused now, not after an hour
    if encoder.max_epochs == 0:
        return as_given(embedding, tasks, weighting)
    if not embedding.has_text:
        raise ValueError(
            f"pretrained={str(encoder.pretrained)!r} was saved without its text tower, so it can "
            "only be used as it is (max_epochs=0). To train it further, save it with "
            "training=True."
        )
    crops = crops_of(encoder, photos, embedding.preprocessing, inherited)
    rows, crops.gathered, doubts = ranks.once(partial(_found, encoder, crops))
    crops = crops.part(rows)  # under the same name: of a million, all would be there twice
    for doubt in doubts * ranks.first:
        warn(doubt, UserWarning)
    photographs = Photographs(crops, crops.exifs, groups[rows])
    where = RuntimePlan(
        device=str(device),
        precision=precision,
        n_workers=_workers(encoder),
        run=run,
        callbacks=callbacks,
        verbose=encoder.verbose if ranks.first else 0,
        ranks=ranks,
    )
    plan = _plan(encoder, tasks, weighting, seed, where)
    with ranks.quiet():
        return pretrain(plan, photographs, embedding)


def _found(encoder, crops):
    """Cut every face: rows of the usable photographs, what all ranks need of them, and doubts."""
    with progress_bar("finding faces", len(crops), shown=encoder.verbose is None) as bar:
        rows = crops.gather(on_error=encoder.on_error, n_jobs=encoder.n_jobs, tell=bar.advance)
    return rows, crops.gathered, _doubts(crops.part(rows))


def _plan(encoder, tasks, weighting, seed, where):
    return Plan(
        tasks=tasks,
        seed=seed,
        views=ViewPlan(encoder.paired_views, encoder.resampled_views, encoder.augment),
        batches=BatchPlan(encoder.batch_size, encoder.exif_fraction),
        weighting=WeightingPlan(
            weighting=weighting,
            primary=encoder.primary_task,
            primary_share=encoder.primary_share,
            outer_fraction=encoder.outer_fraction,
            outer_interval=encoder.outer_interval,
            look_ahead=encoder.look_ahead,
            weight_lr=encoder.weight_lr,
        ),
        rates=RatePlan(
            max_epochs=encoder.max_epochs,
            lr=encoder.lr,
            weight_decay=encoder.weight_decay,
            pretrained=encoder.pretrained is not None,
        ),
        runtime=where,
    )


def _doubts(crops):
    """What is doubtful about many of the photographs of a fit, in sentences."""
    doubts = crop_doubts(crops.measured)
    if crops.settings.face_locator == "whole":
        doubts += full_pictures(crops, crops.settings.face_margin)
    equal = equal_rows(crops.photos)
    if equal > MANY * len(crops):
        doubts.append(
            f"{equal} of {len(crops)} photographs are copies of others: they teach nothing new, "
            "and count as evidence that they are not. Leave copies out."
        )
    return doubts


def _workers(encoder):
    """Processes that make views; 0: none but this one."""
    workers = local_jobs(encoder.n_jobs)
    if workers == 1 or multiprocessing.current_process().daemon:  # a daemon may have no children
        return 0
    if multiprocessing.get_start_method() != "fork":
        try:
            pickle.dumps(encoder.face_locator)
        except Exception as error:  # pickle raises nearly anything
            raise ValueError(
                f"face_locator={encoder.face_locator!r} cannot be sent to worker processes "
                f"({error}); define it at the top of a module, or give n_jobs=1."
            ) from error
    return workers


def _tasks_and_weighting(encoder) -> tuple[TaskSet, str | Mapping[str, float]]:
    named = isinstance(encoder.tasks, str)
    tasks = TaskSet(default_tasks(encoder.tasks) if named else encoder.tasks)
    return tasks, "equal" if named and encoder.tasks == "zou25" else encoder.task_weighting


def attributes(encoder, result, precision, inherited):
    """What `BladesEncoder.fit` sets: from a `Pretrained`, and how it was computed and cut."""
    features = result.embedding.choose_features(encoder.features)
    side = result.embedding.image_side(features)
    return {
        "embedding_": result.embedding,
        "preprocessing_": result.embedding.preprocessing,
        "precision_": precision,
        "crop_defaults_": inherited,
        "tasks_": result.tasks,
        "task_weights_": result.task_weights,
        "history_": result.history,
        "n_iter_": len(result.history),
        "lr_": result.lr,
        "weight_lr_": result.weight_lr,
        "features_": features,
        "n_features_out_": side.n_features,
        "_n_features_out": side.n_features,
        "digest_": side.digest(),
    }


def _own_group(photo):
    path = str(getattr(photo, "path", photo))
    try:
        return os.path.realpath(path)
    except ValueError:  # no file has such a name; that is said where it is opened
        return path
