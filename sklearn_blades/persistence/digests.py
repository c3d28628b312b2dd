"""A fingerprint of a fitted estimator: the same before it was saved and after it was loaded."""

import hashlib
import json
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
