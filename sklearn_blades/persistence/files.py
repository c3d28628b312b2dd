"""Save a detector into one file without pickle, and load it; loading runs nothing of the file.

A ``.blades`` file is a zip of two members: ``blades.json``, the tree of objects with their
parameters and fitted attributes, and ``tensors.safetensors``, their arrays. A class is looked up
by name in one list; nothing else can come out of a file:

- `BladesDetector`, `BladesEncoder`, `BladesOneClass`, `BladesBinary`, `BladesHybrid`,
  `BladesBranches`, `~sklearn_blades.residuals.NativeResiduals`, with the tasks of
  `sklearn_blades.pretext`;
- `Pipeline`, `FeatureUnion`, `FrozenEstimator`, `StandardScaler`, `Normalizer`, `PCA`,
  `GaussianMixture`, `LogisticRegression`, `NearestCentroid`, `CalibratedClassifierCV`,
  `TunedThresholdClassifierCV` and `FixedThresholdClassifier` of scikit-learn.

What belongs to a machine and not to a model stays behind: ``memory``, ``cache_size``,
``disk_size``, ``checkpoint_dir`` and ``n_jobs`` are at their defaults after loading, and a
``device`` is ``"auto"`` where it is CUDA, or one that the loading machine lacks. Other paths stay
in the file, and `load` keeps them only where it is told to.
"""

import platform
import types
from functools import partial
from typing import Any

import numpy as np
import sklearn
import torch
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils.validation import check_is_fitted

import sklearn_blades

from ..ground.types import StrPath
from ..ground.warn import warn
from ..storage.archive import damaged, is_container, read_container, write_container
from ..storage.plain_data import from_tree, spell, to_tree
from ..towers.embedding import JointEmbedding
from ..towers.weights import checked_towers
from .building import OF_THE_MACHINE, Builder, is_fitted_name
from .foreign import what_else
from .known_types import ESTIMATORS, RECORDS, check
from .trial import try_out

__all__ = ["load", "save"]

_GENERATORS = (np.random.RandomState, np.random.Generator)


def save(detector: Any, path: StrPath, *, training: bool = False) -> None:
    """Save a fitted detector, or a part of one, into one file without pickle.

    Parameters
    ----------
    detector : estimator
        Fitted: a pipeline of `make_detector`, an encoder or a head alone, or scikit-learn's
        estimators of the list above around or between them.
    path : str or Path
        The file, such as ``"model.blades"``; one that is there is replaced as a whole.
    training : bool, default=False
        Keep the text towers. Without them a file is smaller, and what is loaded answers alike
        (`BladesEncoder.score_tasks` too), but cannot be trained further.

    Raises
    ------
    TypeError
        If a part is not among what a file can hold: which, where it is, and what to do.
    ValueError
        If a part makes no sense, such as weights that are NaN, or if ``training=True`` and the
        text tower is gone already.
    OSError
        If ``path`` is a folder, a device or a pipe, or lies in a folder that is not there.
    NotFittedError
        If the detector is not fitted.

    See Also
    --------
    load : Reads it.
    sklearn_blades.make_detector : What is saved, usually.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from sklearn_blades import BladesOneClass
    >>> from sklearn_blades.persistence import load, save
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> head = BladesOneClass(random_state=0).fit(X)
    >>> path = Path(tempfile.mkdtemp()) / "head.blades"
    >>> save(head, path)
    >>> bool((load(path).score_samples(X) == head.score_samples(X)).all())
    True
    """
    check_is_fitted(detector)
    tree, arrays = to_tree(detector, partial(describe, training=training))
    content = {"versions": _versions(), "training": training, "object": tree}
    write_container(path, content, arrays)


def load(path: StrPath, *, trust_paths: bool = False) -> Any:
    """Load what `save` saved.

    Parameters
    ----------
    path : str or Path
        Of any origin: nothing in the file is run, and nothing but the file is opened or asked.
        What it answers is another matter.
    trust_paths : bool, default=False
        Keep what leads out of the file, because you trust whoever saved it: the paths in an
        encoder's ``face_locator`` and ``pretrained``, which `transform` and `fit` would open, and
        text towers (``training=True``) of architectures whose configuration or vocabulary lives
        on a model hub, which is asked for them at once. Without it a path in ``pretrained`` is
        left out, with a warning, for it changes no answer; the other two are refused.

    Returns
    -------
    estimator
        Fitted, on the CPU. It was asked once about a black picture, or a row of zeros.

    Raises
    ------
    ValueError
        Naming the file, if it is of a newer format, damaged, made to deceive, or something else:
        what it is then, and what reads it.
    OSError
        If it cannot be opened, or is no file.

    Warns
    -----
    InconsistentVersionWarning
        If another version of scikit-learn saved it.
    UserWarning
        If a path was left out.

    See Also
    --------
    save : Writes it.
    """
    try:
        content, arrays = read_container(path)
    except ValueError as error:
        if is_container(path) or not (known := what_else(path)):
            raise
        raise damaged(path, known) from error
    try:
        version = content["versions"]["scikit-learn"]
        build = Builder(strict=version == sklearn.__version__, trust_paths=trust_paths)
        detector = from_tree(content["object"], arrays, build)
        if type(detector) not in ESTIMATORS:
            raise ValueError(f"a {type(detector).__name__} is no estimator.")
        if arrays:
            raise ValueError(f"nothing refers to its tensor {min(arrays)!r}.")
        try_out(detector, build.estimators)
    except Exception as error:  # as in `read_container`
        raise damaged(path, error) from error
    if version != sklearn.__version__:
        warning = InconsistentVersionWarning(
            estimator_name=type(detector).__name__,
            current_sklearn_version=sklearn.__version__,
            original_sklearn_version=version,
        )
        warn(warning)
    for name, value in build.left_behind.items():
        warn(
            f"{path}: {name}={str(value)!r} is a path of the machine that saved it and is left "
            "out. Answers do not depend on it, only another fit would; load(path, "
            "trust_paths=True) keeps it.",
        )
    return detector


def _versions():
    return {
        "sklearn_blades": sklearn_blades.__version__,
        "scikit-learn": sklearn.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


# Taking apart --------------------------------------------------------------------------------


def describe(value, place, *, training):
    """Name and parts of an object, for `to_tree`."""
    kind = type(value)
    if kind is JointEmbedding:
        if training and not value.has_text:
            raise ValueError(
                "training=True needs the text tower, and this encoder was loaded from a file "
                "without it; leave training=True out, or save the encoder that was trained."
            )
        parts = checked_towers(**value.saved(text=training)._asdict())._asdict()
    elif kind in RECORDS:
        parts = {name: getattr(value, name) for name in RECORDS[kind]}
    elif kind in ESTIMATORS:
        check(value)
        parts = _estimator_parts(value, place)
    else:
        raise TypeError(_no_place(value, place))
    return kind.__name__, parts


def _estimator_parts(estimator, place):
    params = estimator.get_params(deep=False)
    in_fitted = any(str(part).endswith("_") for part in place)
    parts = {}
    for name, value in estimator.__getstate__().items():
        if name in OF_THE_MACHINE or not (name in params or is_fitted_name(estimator, name)):
            continue
        if name == "device" and str(value).startswith("cuda"):
            value = "auto"
        if name == "random_state" and in_fitted and isinstance(value, _GENERATORS):
            value = None  # it has served: fit passes its own on to the estimators that it makes
        parts[name] = value
    return parts


def _no_place(value, place):
    what = f"{spell(place) or 'detector'} is a {type(value).__name__}, which no .blades file holds"
    if isinstance(value, _GENERATORS):
        return f"{what}. Set it to a number: set_params(random_state=0)."
    if isinstance(value, types.FunctionType | types.BuiltinFunctionType | types.MethodType):
        return (
            f"{what}, because it is code. Set it to a name to save, such as face_locator='whole', "
            "and to your function again after loading; or use joblib.dump."
        )
    names = ", ".join(sorted(cls.__name__ for cls in ESTIMATORS if cls.__name__[0] != "_"))
    return (
        f"{what}. It holds plain data, the tasks of sklearn_blades.pretext, and {names}. If only "
        "fit needs it, set it to plain data with set_params; or use joblib.dump."
    )
