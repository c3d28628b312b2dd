"""Fitted encoders that answer in another way, while the one that was given stays as it is."""

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any

from sklearn.pipeline import FeatureUnion


def changed(encoder: Any, params: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Any:
    """A copy with other parameters; of a `FeatureUnion`, with copies of all its parts likewise.

    Parameters
    ----------
    encoder : fitted transformer
    params : callable
        From the parameters of an encoder to those that are wanted; it is given what it has of them.

    Returns
    -------
    transformer
        With what is fitted, shared with the one that was given.
    """
    encoder = copy(encoder)
    if isinstance(encoder, FeatureUnion):
        encoder.transformer_list = [
            (name, part if isinstance(part, str) else changed(part, params))
            for name, part in encoder.transformer_list
        ]
        return encoder
    known = encoder.get_params(deep=False)
    wanted = {name: value for name, value in params(known).items() if name in known}
    return encoder.set_params(**wanted) if wanted else encoder
