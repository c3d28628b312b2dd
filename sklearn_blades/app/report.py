"""Pages for people: one HTML file that opens from a disk and asks for nothing else."""

from collections.abc import Iterable, Mapping
from typing import Any

from ..ground.types import StrPath
from ..storage.whole_files import whole_file
from .pages.detector import detector_context
from .pages.environment import embedded, page
from .pages.reports import tables
from .pages.scan import scan_context
from .rows import Row
from .versions import versions


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
        ``"fdr_warning"``. Or as the file of a scan has them: ``"digest"``, ``"end"`` and so on.
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
        the 5,000 lowest scores, so that a page of 20,000 rows with ordinary names and tags stays
        below 20 MB (8 MB beside the pictures in a trial).

    See Also
    --------
    detector_page : The page of a detector.

    Examples
    --------
    >>> from sklearn_blades.app import Row, scan_page
    >>> page = scan_page({"offset": 0.0}, [Row("a.jpg", -1.5, 0.01, "flagged")], thumbnails=False)
    >>> "1 of 1 file flagged" in page
    True
    """
    context = scan_context(facts, list(rows), thumbnails, n_jobs)
    context["data"] = embedded(context["data"])
    title = title or f"Scan of {context['n']:,} files"
    return page(
        "scan.html.j2", scripts=("table.js", "drawer.js", "scan.js"), title=title, **context
    )


def detector_page(
    detector: Any,
    *,
    title: str | None = None,
    evaluation: Any = None,
    robustness: Any = None,
    sources: Any = None,
    confounds: Any = None,
) -> str:
    """A detector as a page: what taught it, what it weighs, what it promises, how it was judged.

    Parameters
    ----------
    detector : BladesDetector or Pipeline
        Fitted; `make_detector` makes such pipelines. A search or a frozen estimator of one too.
    title : str, optional
    evaluation : GeneratorReport, optional
        Of `sklearn_blades.evaluation.evaluate_by_generator`.
    robustness : RobustnessReport, optional
        Of `sklearn_blades.evaluation.robustness_curve`.
    sources : SourceShift, optional
        Of `sklearn_blades.evaluation.source_shift`.
    confounds : ConfoundReport, optional
        Of `sklearn_blades.evaluation.audit_confounds`. Each of the four may be a dict of such
        reports by name instead.

    Returns
    -------
    str
        HTML without any reference to a network or another file.

    Raises
    ------
    NotFittedError
        If the detector is not fitted.
    TypeError
        If there is no encoder and head, or a report is none.

    See Also
    --------
    scan_page : The page of a scan.
    """
    sections = [
        ("Generators", tables(evaluation, "evaluation")),
        ("Robustness", tables(robustness, "robustness")),
        ("Other sources of photographs", tables(sources, "sources")),
        ("Do the files alone tell?", tables(confounds, "confounds")),
    ]
    context = {**detector_context(detector), "versions": [*versions().items()]}
    title = title or f"Detector: {type(detector).__name__}"
    return page("detector.html.j2", title=title, sections=sections, **context)


def write_page(path: StrPath, page: str) -> None:
    """Put a page into a file; names that are no UTF-8 keep their odd bytes, spelled."""
    with whole_file(path) as file:
        file.write(page.encode("utf-8", "backslashreplace"))
