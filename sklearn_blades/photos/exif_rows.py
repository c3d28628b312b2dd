"""What the cameras of many photographs wrote, row by row, in little memory."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


class ExifRows(Sequence):
    """EXIF of photographs: reads as a list of dicts, and takes a fraction of its memory.

    Of a million photographs few values differ, and fewer sets of tags: each is kept once. A row is
    a tuple of its tags and values.

    Parameters
    ----------
    n_rows : int
        Empty until they are set, by threads as they like.

    Examples
    --------
    >>> rows = ExifRows(2)
    >>> rows[1] = {"Make": "Canon", "FNumber": 2.8}
    >>> list(rows)
    [{}, {'Make': 'Canon', 'FNumber': 2.8}]
    """

    def __init__(self, n_rows: int):
        self._rows: list[tuple] = [((),)] * n_rows
        self._known: dict[Any, Any] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row):
        if isinstance(row, slice):
            return [*self.take(range(*row.indices(len(self))))]
        tags, *values = self._rows[row]
        return dict(zip(tags, values, strict=True))

    def __setitem__(self, row: int, exif: Mapping[str, Any]) -> None:
        self._rows[row] = (self._once(tuple(exif)), *map(self._once, exif.values()))

    def take(self, rows: Iterable[int]) -> "ExifRows":
        """Some of the rows."""
        taken = ExifRows(0)
        taken._rows, taken._known = [self._rows[row] for row in rows], self._known
        return taken

    def _once(self, value):
        try:
            # 1, 1.0 and True are equal; what a camera wrote stays what it is.
            return self._known.setdefault((type(value), value), value)
        except TypeError:  # a list, in a record of your own
            return value
