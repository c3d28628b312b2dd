"""Pages for people: one HTML file that opens from a disk and asks for nothing else."""

from collections.abc import Iterable, Mapping
from typing import Any

from .pages.environment import embedded, page
from .pages.scan import scan_context
from .rows import Row


def scan_page(
    facts: Mapping[str, Any],
    rows: Iterable[Row],
    *,
    thumbnails: bool = True,
    title: str | None = None,
    n_jobs: int | None = None,
) -> str:
    """A scan as a page: what was promised, a histogram, a table, and why each file was flagged.

    Parameters
    ----------
    facts : mapping
        Of the scan, each where it is known: ``"versions"`` ({name: text}), ``"detector"`` (its
        digest), ``"target_fpr"``, ``"confidence"``, ``"offset"`` (flagged are scores below it),
        ``"calibration_scores"`` (sorted floats, 1,000 at most, for the drawing),
        ``"n_calibration"``, ``"calibrated_on"`` (text), ``"where"`` (list of text), ``"settings"``
        ({name: value}), ``"started"``, ``"finished"``, ``"target_fdr"``, ``"n_fdr_flagged"``,
        ``"fdr_warning"``.
    rows : iterable of Row
        In any order; the page ranks them, the lowest score first.
    thumbnails : bool, default=True
        Read the files once more and show small pictures of them: of the 1,000 lowest scores at
        most, some 4 MB.
    title : str, optional
    n_jobs : int, optional
        Threads that make the small pictures.

    Returns
    -------
    str
        HTML without any reference to a network or another file. Reasons and EXIF are there for
        the 5,000 lowest scores, so that a page of 20,000 rows stays below 20 MB.

    See Also
    --------
    detector_page : The page of a detector.
    """
    context = scan_context(facts, list(rows), thumbnails, n_jobs)
    context["data"] = embedded(context["data"])
    title = title or f"Scan of {context['n']:,} files"
    return page(
        "scan.html.j2", scripts=("table.js", "drawer.js", "scan.js"), title=title, **context
    )
