"""From the names and parts in a file to objects, and what of a file stays with its machine."""

import inspect
from pathlib import PurePath

import sklearn
from sklearn.model_selection import TunedThresholdClassifierCV

from ..estimators.encoder import BladesEncoder
from ..ground.device import parse_device, resolve_device
from ..residuals import NativeResiduals
from ..towers.embedding import JointEmbedding, from_saved
from ..towers.lite import IMAGENET
from ..towers.openclip import is_tag, needs_hub
from ..towers.weights import checked_towers
from .known_types import ESTIMATORS, LATER, RECORDS, check, check_record

OF_THE_MACHINE = {"memory", "cache_size", "disk_size", "checkpoint_dir", "n_jobs"}

_CLASSES = {cls.__name__: cls for cls in (JointEmbedding, *ESTIMATORS, *RECORDS)}
_PRIVATE = {"_n_features_out", "_sklearn_output_config"}  # which answers depend on
# One estimator may stand in several places. Pipelines of pipelines of the same two would be asked
# 2^n times; the five parts of a calibrated classifier, of some ten estimators each, are 50.
_MOST_ESTIMATORS = 1000


class Builder:
    """Makes objects for `from_tree`: the only way from a name in a file to a class.

    Parameters
    ----------
    strict : bool
        Whether this scikit-learn saved the file, so that all its parameters must make sense here.
    trust_paths : bool
        Keep what leads out of the file: paths of its machine, towers that ask a model hub.

    Attributes
    ----------
    estimators : list
        All that were made, the innermost first.
    left_behind : dict of str to object
        Parameters that were not kept, and what they were.
    """

    def __init__(self, *, strict, trust_paths):
        self.strict, self.trust_paths = strict, trust_paths
        self.estimators, self.left_behind = [], {}
        self._sizes = {}  # of an object, by id: estimators in it, and it

    def __call__(self, name, parts):
        """The object of a name and a dict of parts."""
        if name not in _CLASSES:
            raise ValueError(f"{name!r} is no class that a file can hold.")
        cls = _CLASSES[name]
        size = self._size(parts)
        if size >= _MOST_ESTIMATORS:
            raise ValueError(f"its parts use each other more than {_MOST_ESTIMATORS} times.")
        if cls is JointEmbedding:
            return self._towers(parts)
        if cls in RECORDS:
            check_record(cls, parts)
            made = cls(**parts)
        else:
            made = self._estimator(cls, parts)
            size += 1
            self.estimators.append(made)
        self._sizes[id(made)] = size
        return made

    def _size(self, part):
        if isinstance(part, dict):
            part = list(part.values())
        if isinstance(part, list | tuple):
            return sum(map(self._size, part))
        return self._sizes.get(id(part), 0)

    def _towers(self, parts):
        saved = checked_towers(**parts)
        if saved.has_text and not self.trust_paths and needs_hub(saved.architecture):
            raise ValueError(
                f"the text tower of {saved.architecture} would be asked for at a model hub, over "
                "the network. If you trust the file, load(path, trust_paths=True); or have it "
                "saved again without training=True."
            )
        return from_saved(saved)

    def _estimator(self, cls, parts):
        estimator = cls.__new__(cls)
        if cls in (BladesEncoder, NativeResiduals) and not self.trust_paths:
            parts = self._without_paths(parts)
        estimator.__setstate__(_state(estimator, parts, self.strict))
        check(estimator, all_params=self.strict)
        if cls is TunedThresholdClassifierCV and hasattr(estimator, "estimator_"):
            estimator._curve_scorer = estimator._get_curve_scorer()  # predict asks for the label
        return estimator

    def _without_paths(self, parts):
        """Parts of what looks at photographs, without the paths of the machine that saved it."""
        locator, start = parts.get("face_locator"), parts.get("pretrained")
        if isinstance(locator, str) and locator.startswith("yunet:"):
            # Other boxes are other scores, so there is nothing to put in its place.
            raise ValueError(
                f"its face_locator={locator!r} is a path of the machine that saved it, and would "
                "be opened here. If you trust the file, load(path, trust_paths=True); then "
                "set_params(face_locator=...) names your own copy of that network."
            )
        architecture = parts.get("architecture", "")
        if str(architecture).startswith("local-dir:"):
            raise ValueError(f"its architecture={architecture!r} is a folder of another machine.")
        if isinstance(start, PurePath) or (
            isinstance(start, str) and start != IMAGENET and not is_tag(architecture, start)
        ):
            self.left_behind["pretrained"] = start
            return {**parts, "pretrained": None}
        return parts


def is_fitted_name(estimator, name):
    """Whether scikit-learn's convention calls it fitted; methods and properties never are."""
    public = name.endswith("_") and not name.startswith("_")
    return (public or name in _PRIVATE) and not hasattr(type(estimator), name)


def _state(estimator, parts, strict):
    cls = type(estimator)
    ours = not cls.__module__.startswith("sklearn.")
    params = inspect.signature(cls).parameters
    state = {name: param.default for name, param in params.items()}
    if any(is_fitted_name(estimator, name) for name in parts):  # not the template of a detector
        state |= LATER.get(cls, {})
    for name, value in parts.items():
        if (name in params and name not in OF_THE_MACHINE) or is_fitted_name(estimator, name):
            state[name] = _device_here(value) if name == "device" else value
        elif strict or ours:  # another version of scikit-learn may have had it
            raise ValueError(f"{cls.__name__} has no {name!r}.")
    lacking = [name for name, value in state.items() if value is inspect.Parameter.empty]
    if lacking:
        raise ValueError(f"{cls.__name__} lacks {lacking[0]!r}.")
    # `load` compares the versions once for the whole file.
    return state if ours else {**state, "_sklearn_version": sklearn.__version__}


def _device_here(device):
    """A saved device, or ``"auto"`` for one that this machine lacks."""
    if device in (None, "auto"):
        return device
    try:
        return str(resolve_device(device))
    except ValueError:
        parse_device(device)  # what is no device anywhere is refused
        return "auto"
