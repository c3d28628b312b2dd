"""What is said of one photograph."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """What a detector says of one photograph.

    Attributes
    ----------
    path : str
        The file as it was named; ``"row 3"`` for pictures in memory.
    score : float
        Higher = more photographic; NaN where there is none.
    p_value : float
        Of "this is a photograph like those that calibrated"; low = AI-generated. NaN where there
        is none, and for heads that promise no rate.
    verdict : str
        ``"flagged"`` (as AI-generated), ``"not flagged"``, ``"no face"`` (that can be judged) or
        ``"unreadable"``.
    error : str
        Why there is no score; empty where there is one.
    """

    path: str
    score: float
    p_value: float
    verdict: str
    error: str = ""


def named(photo, row):
    """How a photograph is called in a table: its path, or its row.

    Examples
    --------
    >>> named("a.jpg", 0), named(object(), 3)
    ('a.jpg', 'row 3')
    """
    path = getattr(photo, "path", photo)
    known = isinstance(path, str) or hasattr(path, "__fspath__")
    return str(path) if known else f"row {row}"
