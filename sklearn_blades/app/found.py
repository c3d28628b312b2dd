"""Scan: what a scan found, read row by row from its file."""

import csv
import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from ..ground.types import StrPath
from ..storage.whole_files import whole_file
from .journal import Journal
from .rows import VERDICTS, Row

COLUMNS = ("path", "score", "p_value", "verdict", "error")
_FILE_COLUMNS = ("format", "width", "height", "bytes")


class Scan:
    """The rows of a scan, in the order of its files; only where they are is kept in memory.

    Parameters
    ----------
    path : str or Path
        The ``.jsonl`` file that `scan` wrote.

    Attributes
    ----------
    path : Path
    facts : dict
        The header: ``"digest"``, ``"target_fpr"``, ``"confidence"``, ``"offset"`` (the threshold
        on the scores; None where nothing can be flagged), ``"calibration_scores"`` (sorted, at
        most 1,000 quantiles), ``"n_calibration"``, ``"where"``, ``"settings"``, ``"versions"``,
        ``"started"``, ``"n_files"``, ...
    end : dict or None
        The closing line: ``"finished"``, and ``"cutoff"``, the largest p-value that is a
        discovery at ``target_fdr``. None where the scan was interrupted.

    See Also
    --------
    sklearn_blades.scan : Makes one.
    """

    def __init__(self, path: StrPath):
        self._journal = Journal(path)
        self.path = self._journal.path
        self.facts = self._journal.header()
        self.end = self._journal.end()

    @cached_property
    def _offsets(self):
        return [offset for offset, *_ in self._journal.offsets().values()]

    def __len__(self) -> int:
        return len(self._offsets)

    def __iter__(self) -> Iterator[Row]:
        with self.path.open("rb") as file:
            for offset in self._offsets:
                yield self._journal.row_at(file, offset)

    def __getitem__(self, row: int) -> Row:
        with self.path.open("rb") as file:
            return self._journal.row_at(file, self._offsets[row])

    @cached_property
    def counts(self) -> dict[str, int]:
        """Files by verdict; all verdicts, in their order."""
        counts = dict.fromkeys(VERDICTS, 0)
        for row in self:
            counts[row.verdict] += 1
        return counts

    def discovered(self, row: Row) -> bool:
        """Whether a row is among the discoveries at ``target_fdr``.

        Raises
        ------
        ValueError
            If the scan was made without one, or has not come to its end.
        """
        if self.facts["settings"]["target_fdr"] is None or self.end is None:
            raise ValueError("This scan has no target_fdr, or has not come to its end.")
        cutoff = self.end["cutoff"]
        return cutoff is not None and row.p_value <= cutoff

    def _records(self) -> Iterator[dict[str, Any]]:
        finds = self.facts["settings"]["target_fdr"] is not None and self.end is not None
        for row in self:
            record = {name: getattr(row, name) for name in COLUMNS}
            if finds:
                record["discovered"] = self.discovered(row)
            if self.facts["settings"].get("unsure"):
                record["unsure"] = row.reasons.get("unsure", "")
            yield record | {name: row.facts.get(name) for name in _FILE_COLUMNS}

    def to_frame(self):
        """A DataFrame, a row a file, indexed by path; needs pandas."""
        import pandas as pd

        return pd.DataFrame(list(self._records())).set_index("path")

    def to_csv(self, path: StrPath) -> None:
        """Write the columns of `to_frame` as UTF-8; what is not known stays empty.

        Names of files that are no UTF-8 are written with ``\\udcXX`` for their odd bytes.
        """
        with whole_file(path) as file:
            lines = _Lines(file)
            writer = csv.writer(lines)
            for number, record in enumerate(self._records()):
                if not number:
                    writer.writerow(record)
                writer.writerow([_cell(value) for value in record.values()])

    def to_html(self, path: StrPath, *, thumbnails: bool = True) -> None:
        """Write one page that needs nothing else, to look at and to send.

        Parameters
        ----------
        path : str or Path
        thumbnails : bool, default=True
            Show small copies of the pictures.
        """
        from .report import scan_page, write_page

        write_page(path, scan_page(self.facts | {"end": self.end}, self, thumbnails=thumbnails))

    def __str__(self) -> str:
        counts = self.counts
        said = ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in VERDICTS)
        lines = [f"{len(self):,} files: {said}.", self.promise]
        if self.end is None:
            left = self.facts["n_files"] - len(self)
            lines.append(f"Interrupted: {left:,} files are left; the same scan goes on from here.")
        elif self.facts["settings"]["target_fdr"] is not None:
            alpha = self.facts["settings"]["target_fdr"]
            n = sum(self.discovered(row) for row in self)
            lines.append(
                f"{n:,} discovered: of these, {100 * alpha:.3g} % are photographs at most, on "
                "average, if the promise holds here."
            )
        return "\n".join(lines)

    @property
    def promise(self) -> str:
        """What was promised, in one sentence."""
        target, n = self.facts["target_fpr"], self.facts["n_calibration"]
        if target is None:
            return "No rate of false alarms is promised."
        if self.facts["offset"] is None:
            return (
                f"{n:,} calibration photographs are too few to promise {100 * target:.3g} %: "
                "nothing can be flagged."
            )
        sure = self.facts["confidence"]
        often = "on average" if sure is None else f"in {100 * sure:.3g} % of calibrations"
        return (
            f"Of photographs like the {n:,} that calibrated, {100 * target:.3g} % are flagged at "
            f"most, {often}."
        )

    def __repr__(self) -> str:
        return f"<Scan of {len(self):,} files in {str(self.path)!r}>\n{self}"


class _Lines:
    """A text file for the csv writer over one of bytes."""

    def __init__(self, file):
        self.file = file

    def write(self, text):
        self.file.write(text.encode("utf-8", "backslashreplace"))


def _cell(value):
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value
