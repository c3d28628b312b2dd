"""Names for what the public functions take and give, for editors and type checkers."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

StrPath: TypeAlias = str | os.PathLike[str]
"""A file or folder."""

Photographs: TypeAlias = Sequence[Any] | ArrayLike
"""A list, array, Series or one-column frame of paths or of ``PhotoRecord``; for features of
pictures also PIL images and uint8 arrays."""

Features: TypeAlias = ArrayLike
"""A matrix (n_samples, n_features)."""

Column: TypeAlias = ArrayLike
"""One value a row: labels, groups, names of generators, scores."""

FloatArray: TypeAlias = NDArray[np.floating[Any]]
BoolArray: TypeAlias = NDArray[np.bool_]
IntArray: TypeAlias = NDArray[np.integer[Any]]

RandomState: TypeAlias = int | np.random.RandomState | None

Locator: TypeAlias = str | Mapping[Any, Any] | Callable[..., Any]
"""``"haar"``, ``"yunet"``, ``"whole"``, ``"yunet:/path.onnx"``, a table of faces, or a callable."""
