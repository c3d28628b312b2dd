"""`blades scan` and `blades demo`: a verdict for every file of a folder."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from . import options
from .options import SHOWN, Json, Threads
from .saying import one_line, put, said


def scan(
    where: options.Where,
    model: options.Detector,
    out: options.Out = None,
    csv: options.Csv = None,
    html: options.Html = None,
    no_thumbnails: options.NoThumbnails = False,
    target_fdr: options.TargetFdr = None,
    unsure: options.Unsure = False,
    reasons: options.Reasons = "",
    reference: options.Reference = None,
    no_resume: options.NoResume = False,
    jobs: Threads = None,
    as_json: Json = False,
) -> None:
    """Judge every file of folders, however many.

    Example: blades scan uploads/ -m my.blades --out scan.jsonl --html scan.html
    """
    from ..scanning import scan as scanned

    for path in (csv, html):
        if path is not None and not path.absolute().parent.is_dir():
            raise FileNotFoundError(f"{path.parent}: there is no such folder.")
    try:
        found = scanned(
            model,
            where,
            out=out,
            target_fdr=target_fdr,
            resume=not no_resume,
            n_jobs=jobs,
            unsure=unsure,
            reasons=[name.strip() for name in reasons.split(",") if name.strip()],
            reference=reference,
        )
    except KeyboardInterrupt:
        said(f"interrupted; the same command goes on: {out}" if out else "interrupted")
        raise typer.Exit(130) from None
    if csv is not None:
        found.to_csv(csv)
    if html is not None:
        found.to_html(html, thumbnails=not no_thumbnails)
    (_put_json if as_json else _list)(found)
    for path in filter(None, (out, csv, html)):
        said(f"written: {path}")
    raise typer.Exit(int(found.counts["unreadable"] > 0))


def _list(found):
    """The summary, and the files with the lowest scores among those flagged."""
    from heapq import nsmallest

    put(str(found))
    flagged = (row for row in found if row.verdict == "flagged")
    for row in nsmallest(SHOWN, flagged, key=lambda row: row.score):
        put(f"  {row.score:12.4g}  p = {row.p_value:.3g}  {one_line(row.path)}")
    if found.counts["flagged"] > SHOWN:
        put(f"  ... and {found.counts['flagged'] - SHOWN:,} more.")


def _put_json(found):
    """One document, row by row: a scan may be larger than memory."""
    head = {"scan": found.facts, "end": found.end, "counts": found.counts}
    sys.stdout.write(json.dumps(head, allow_nan=False)[:-1] + ', "rows": [')
    for number, row in enumerate(found):
        sys.stdout.write((",\n" if number else "\n") + json.dumps(row.to_json(), allow_nan=False))
    sys.stdout.write("\n]}\n")


def demo(
    folder: Annotated[Path, typer.Argument(help="To be made.")] = Path("blades-demo"),
    n: Annotated[int, typer.Option("-n", help="Photographs.", metavar="N")] = 120,
    epochs: Annotated[int, typer.Option(help="Of training.", metavar="N")] = 2,
) -> None:
    """Make photographs, a detector, a scan and its page.

    Example: blades demo try-it
    """
    from ...datasets import make_photos
    from ...estimators import BladesDetector, BladesEncoder
    from ...persistence import save
    from ..scanning import scan as scanned

    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder}: is not empty; name a folder to be made.")
    said("Everything in it is simulated: it shows how things go, not what a detector is worth.")
    make_photos(n, folder / "photographs", random_state=0)
    make_photos(max(n // 6, 5), folder / "uploads", random_state=1)
    make_photos(max(n // 6, 5), folder / "uploads", generated="noiseless", random_state=2)
    encoder = BladesEncoder.from_scratch(face_locator="whole", face_margin=1.6, max_epochs=epochs)
    detector = BladesDetector(encoder, target_fpr=0.05, random_state=0)
    detector.fit(str(folder / "photographs"))
    save(detector, folder / "detector.blades")
    found = scanned(detector, folder / "uploads", out=folder / "scan.jsonl")
    found.to_csv(folder / "scan.csv")
    found.to_html(folder / "scan.html")
    _list(found)
    put("In " + str(folder) + ": " + ", ".join(sorted(path.name for path in folder.iterdir())))
