"""A fit that fails leaves no half of itself behind."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def whole_or_nothing(estimator: Any) -> Iterator[None]:
    """If what stands inside fails, the estimator is as it was before: unfitted, or fitted once.

    Attributes are set anew in ``fit``, never changed in place, so a list of them is enough.
    """
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
