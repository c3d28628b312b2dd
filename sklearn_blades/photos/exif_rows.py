"""What the cameras of many photographs wrote, row by row, in little memory."""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from ..storage.forks import LOCK

_NUMBERS: Final = "I"  # of tags and values: four bytes each


class ExifTable:
    """What rows of EXIF have in common. A row becomes some numbers, of its tags and its values.

    Of a million photographs few values differ, and fewer sets of tags: each is kept once.
    """

    def __init__(self):
        self._values: list[Any] = []
        self._numbers: dict[Any, int] = {}

    def pack(self, exif: Mapping[str, Any]) -> bytes:
        """A row as bytes, a tenth of what a dict takes."""
        with LOCK:
            numbers = array(_NUMBERS, map(self._number, (tuple(exif), *exif.values())))
        return numbers.tobytes()

    def tags(self, packed: bytes) -> tuple[str, ...]:
        """The tags of a row."""
        return self._values[memoryview(packed).cast(_NUMBERS)[0]]

    def value(self, packed: bytes, position: int) -> Any:
        """The value of one of them."""
        return self._values[memoryview(packed).cast(_NUMBERS)[1 + position]]

    def unpack(self, packed: bytes) -> dict[str, Any]:
        """The row that was packed."""
        tags, *values = map(self._values.__getitem__, memoryview(packed).cast(_NUMBERS))
        return dict(zip(tags, values, strict=True))

    def _number(self, value):
        try:
            # 1, 1.0 and True are equal; what a camera wrote stays what it is.
            number = self._numbers.setdefault((type(value), value), len(self._values))
        except TypeError:  # a list, in a record of your own
            number = len(self._values)
        if number == len(self._values):
            self._values.append(value)
        return number


class ExifRow(Mapping):
    """EXIF of one of many photographs: reads as a dict does, and cannot be changed.

    Parameters
    ----------
    exif : mapping
    table : ExifTable
        That of all of them.

    Examples
    --------
    >>> ExifRow({"Make": "Canon"}, ExifTable()) | {"FNumber": 2.8}
    {'Make': 'Canon', 'FNumber': 2.8}
    """

    __slots__ = ("_packed", "_table")

    def __init__(self, exif: Mapping[str, Any], table: ExifTable):
        self._packed, self._table = table.pack(exif), table

    def __getitem__(self, tag: str) -> Any:
        try:
            position = self._table.tags(self._packed).index(tag)
        except ValueError:
            raise KeyError(tag) from None
        return self._table.value(self._packed, position)

    def __iter__(self) -> Iterator[str]:
        return iter(self._table.tags(self._packed))

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._table.tags(self._packed))

    def __len__(self) -> int:
        return len(self._table.tags(self._packed))

    def copy(self) -> dict[str, Any]:
        """As a dict of your own."""
        return dict(self)

    def __repr__(self) -> str:
        return f"ExifRow({dict(self)!r})"

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**self, **other} if isinstance(other, Mapping) else NotImplemented

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**other, **self} if isinstance(other, Mapping) else NotImplemented

    def __reduce__(self):
        return ExifRow, (dict(self), ExifTable())  # without those of all the others


class ExifRows(Sequence):
    """EXIF of photographs: reads as a list of dicts, and takes a fraction of its memory.

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
        self._table = ExifTable()
        self._rows: list[bytes] = [self._table.pack({})] * n_rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row):
        if isinstance(row, slice):
            return [*self.take(range(*row.indices(len(self))))]
        return self._table.unpack(self._rows[row])

    def __setitem__(self, row: int, exif: Mapping[str, Any]) -> None:
        self._rows[row] = self._table.pack(exif)

    def take(self, rows: Iterable[int]) -> "ExifRows":
        """Some of the rows."""
        taken = ExifRows(0)
        taken._rows, taken._table = [self._rows[row] for row in rows], self._table
        return taken
