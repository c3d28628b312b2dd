"""scan: folders of files through a detector, a row a file, into a file that survives."""

import os
import platform
import tempfile
import weakref
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ..ground.progress import progress_bar
from ..ground.types import StrPath
from ..heads.conformal import benjamini_hochberg
from ..photos.folders import files_at
from .asking import asked, check_whole_detector
from .finding import Questions, judge
from .found import Scan
from .journal import Journal
from .looking import identity
from .rows import REASONS
from .versions import versions


def scan(
    detector: Any,
    where: StrPath | Iterable[StrPath],
    *,
    out: StrPath | None = None,
    target_fdr: float | None = None,
    resume: bool = True,
    n_jobs: int | None = None,
    chunk_size: int = 1000,
    progress: bool = True,
    unsure: bool = False,
    reasons: Sequence[str] = (),
    reference: StrPath | Iterable[StrPath] | None = None,
) -> Scan:
    """Ask a detector about every file in folders, however many there are.

    Parameters
    ----------
    detector : fitted `BladesDetector`, pipeline of `make_detector`, `OnnxDetector`, or path
        Of a ``.blades`` file, or of an ``.onnx`` file of ``blades export``, for which torch is
        not imported.
    where : str, Path or an iterable of them
        Folders (all images below them), files, patterns such as ``"uploads/**/*.jpg"``. A file
        that is meant twice is judged once.
    out : str or Path, default=None
        A ``.jsonl`` file that grows while the scan runs and holds all of it: a header, a line a
        file, a closing line. None: a temporary file, gone with the `Scan`.
    target_fdr : float in (0, 1), default=None
        Bound on the expected share of photographs among the *discoveries*, which
        `~sklearn_blades.evaluation.benjamini_hochberg` picks from all files at the end:
        ``scan.discovered(row)``, and a column of that name. Verdicts do not depend on it.
    resume : bool, default=True
        Go on from where ``out`` ends: files that have a row and have not changed (size, time) are
        not judged again. False begins anew.
    n_jobs : int, default=None
        Threads that read and decode. None: the encoder's own ``n_jobs``.
    chunk_size : int, default=1000
        Rows after which ``out`` is forced to the disk: what a power cut may cost. A killed
        process costs 100 files at most. Files that a worker is given at once, at most.
    progress : bool, default=True
        Show a bar with rate and remaining time, where stderr is a terminal.
    unsure : bool, default=False
        Say "unsure" where a verdict would turn if the face were compressed once more, scaled by
        10 % or cropped by 5 %, or where its p-value lies within the calibration's own
        uncertainty (`sklearn_blades.app.doubts`). Without it all verdicts are the detector's own.
        **It costs three embeddings more for every face**, though no second decoding.
    reasons : sequence of {"nearest", "parts", "map"}, default=()
        What to find out about faces that are flagged or unsure, in ``row.reasons``: the nearest
        photographs of ``reference``; how far each part of the head puts the score above the
        threshold (of a hybrid: its share of the score); a map of what each part of the face adds
        to the score, on one scale for all faces of a detector. **A map costs 50 embeddings a
        face**, the others one.
    reference : str, Path or an iterable of them, default=None
        As ``where``: known photographs, those that calibrated say; ``"nearest"`` needs them. They
        are embedded before the scan begins, and kept in memory.

    Returns
    -------
    Scan
        Rows in the order of ``where``, read from ``out`` as they are asked for.

    Raises
    ------
    ValueError
        If ``out`` is no scan, or one of another detector, place or settings; or if nothing is
        found in ``where``.
    FileNotFoundError
        If a folder in ``where`` is not there.
    TypeError
        If ``detector`` is none of photographs, or has no p-values for ``target_fdr``.

    Warns
    -----
    SmallSampleWarning
        If the p-values are too coarse for ``target_fdr``, or the calibration photographs too few.

    See Also
    --------
    BladesDetector.verdicts : The same for what fits into memory.

    Notes
    -----
    Inside ``joblib.parallel_config("loky", n_jobs=4)`` or ``"dask"`` the workers of that backend
    open, judge and explain the files, in the same pieces, so that rows, errors and warnings are
    the same; this process only writes ``out``. A killed process then costs the chunks that the
    workers are at. The page on large sets has the recipe.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_blades import BladesDetector, BladesEncoder, scan
    >>> from sklearn_blades.datasets import make_photos
    >>> folder = tempfile.mkdtemp()
    >>> _ = make_photos(60, folder, random_state=0)
    >>> encoder = BladesEncoder(face_locator="whole", max_epochs=0)
    >>> detector = BladesDetector(encoder, target_fpr=0.1, random_state=0).fit(folder)
    >>> found = scan(detector, folder)
    >>> len(found), found.counts["unreadable"]
    (60, 0)
    """
    if chunk_size < 1:
        raise ValueError(f"chunk_size={chunk_size!r} must be 1 or more.")
    where = [where] if isinstance(where, str | os.PathLike) else list(where)
    ask = asked(detector, n_jobs)
    if target_fdr is not None:
        _check_fdr(target_fdr, ask)
    _check_extras(ask, unsure, reasons, reference)
    paths = files_at(where)
    settings = {
        "target_fdr": target_fdr,
        "unsure": bool(unsure),
        "reasons": [name for name in REASONS if name in reasons],
        "reference": None if reference is None else _named(reference),
    }
    facts = {**ask.facts(), **_facts(where, settings, len(paths), ask.libraries)}
    if out is not None:
        return _through(ask, paths, _opened(out, facts, resume), facts, chunk_size, progress)
    handle, name = tempfile.mkstemp(prefix="blades-scan-", suffix=".jsonl")
    os.close(handle)
    journal = Journal(name)
    try:
        journal.begin(facts)
        found = _through(ask, paths, journal, facts, chunk_size, progress)
    except BaseException:  # Ctrl-C as well
        journal.path.unlink()
        raise
    weakref.finalize(found, journal.path.unlink, missing_ok=True)
    return found


def _through(ask, paths, journal, facts, chunk_size, progress):
    """Judge what the journal lacks, and close it."""
    target_fdr = facts["settings"]["target_fdr"]
    try:
        known = journal.offsets()
        todo = _still_to_do(known, paths)
        if list(known) == paths and not todo and journal.end() is not None:
            return Scan(journal.path)
        del known
        done = len(paths) - len(todo)
        with progress_bar("scan", len(paths), done, shown=progress, unit="files") as bar:
            judge(Questions.of(ask, facts["settings"]), todo, journal, chunk_size, bar.advance)
    finally:
        journal.close()
    cutoff = None if target_fdr is None else _cutoff(journal, paths, target_fdr, facts)
    journal.finish(paths, {"finished": _now(), "cutoff": cutoff, "n_files": len(paths)})
    return Scan(journal.path)


def _facts(where, settings, n_files, libraries):
    """Of the header, what the detector does not know."""
    return {
        "where": _named(where),
        "settings": settings,
        "versions": {**versions(libraries), "python": platform.python_version()},
        "started": _now(),
        "n_files": n_files,
    }


def _named(where):
    names = [where] if isinstance(where, str | os.PathLike) else where
    return [os.fspath(name) for name in names]


def _opened(out, facts, resume):
    """The journal of a file, ready to append."""
    journal = Journal(out)
    if resume and journal.path.exists() and journal.path.stat().st_size:
        journal.go_on(facts)
    else:
        journal.begin(facts)
    return journal


def _still_to_do(known, paths):
    """Files without a row, and those that are not what they were."""
    if not known:
        return paths
    todo = []
    for path in paths:
        _, size, mtime = known.get(path, (None, None, None))
        now = identity(path)
        if path not in known or (now.get("bytes"), now.get("mtime_ns")) != (size, mtime):
            todo.append(path)
    return todo


def _check_extras(ask, unsure, reasons, reference):
    """Refuse doubts and reasons that cannot be given."""
    if not unsure and not reasons:
        return
    check_whole_detector(ask, "unsure" if unsure else "reasons")
    from .crops import check_encoder
    from .reasons import check_reasons

    if unsure:
        check_encoder(ask, "unsure")
    check_reasons(ask, reasons, reference)


def _check_fdr(target_fdr, ask):
    if not 0 < target_fdr < 1:
        raise ValueError(f"target_fdr={target_fdr!r} must be between 0 and 1, e.g. 0.1 for 10 %.")
    if not ask.has_p_values:
        raise TypeError(
            f"target_fdr needs p-values, which a {ask.name} does not have; use a "
            "head that promises a rate, such as BladesOneClass."
        )


def _cutoff(journal, paths, target_fdr, facts):
    """The largest p-value that is a discovery, None where there is none."""
    wanted, p_values = set(paths), {}
    for _, line in journal.lines():
        if line.get("path") in wanted:
            p_values[line["path"]] = line["p_value"]
    known = np.array([value for value in p_values.values() if value is not None], dtype=float)
    if not len(known):
        return None
    flags = benjamini_hochberg(known, alpha=target_fdr, n_calibration=facts["n_calibration"])
    return float(known[flags].max()) if flags.any() else None


def _now():
    return datetime.now(UTC).isoformat(timespec="seconds")
