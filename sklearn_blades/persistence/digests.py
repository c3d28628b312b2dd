"""A fingerprint of a fitted estimator: the same before it was saved and after it was loaded."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import joblib

from ..storage.plain_data import to_tree
from .files import describe


def digest(estimator: Any) -> str:
    """What changes whenever an answer may.

    Parameters
    ----------
    estimator : fitted estimator
        An encoder is known by its ``digest_``; what else a file can hold by what would be in it;
        anything else by its pickle, which is the same in two processes of one environment.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> from sklearn.preprocessing import StandardScaler
    >>> one, other = (StandardScaler().fit([[0.0], [high]]) for high in (1, 2))
    >>> len(digest(one)), digest(one) == digest(one), digest(one) == digest(other)
    (64, True, False)
    """
    own = getattr(estimator, "digest_", None)
    if own is not None:
        return hashlib.sha256(str(own).encode()).hexdigest()
    try:
        tree, arrays = to_tree(estimator, partial(describe, training=False))
    except TypeError:
        return hashlib.sha256(joblib.hash(estimator).encode()).hexdigest()
    whole = hashlib.sha256(json.dumps(tree, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        whole.update(f"{name} {array.dtype} {array.shape}".encode())
        whole.update(array.tobytes())
    return whole.hexdigest()


def digest_of_parts(encoder: Any, crop: Mapping[str, Any], middle: Sequence[Any], head: Any) -> str:
    """A fingerprint of all that decides what a detector says of a file.

    Parameters
    ----------
    encoder : fitted transformer of photographs
    crop : mapping
        How it cuts faces, locator and all.
    middle : sequence of fitted transformers
        Behind it.
    head : fitted estimator
    """
    names = ("min_face_size", "image_size", "precision_", "features_")
    cut = {name: repr(getattr(encoder, name, None)) for name in names}
    cut |= {name: repr(value) for name, value in crop.items() if name != "face_locator"}
    parts = [digest(encoder), json.dumps(cut, sort_keys=True), _locator(crop.get("face_locator"))]
    parts += map(digest, middle)
    return joblib.hash([*parts, digest(head)], hash_name="sha1")


def _locator(face_locator):
    if isinstance(face_locator, Mapping):
        return joblib.hash(dict(face_locator))
    if callable(face_locator):  # as one would name it: code has no fingerprint
        return f"{face_locator.__module__}.{face_locator.__qualname__}"
    return repr(face_locator)
