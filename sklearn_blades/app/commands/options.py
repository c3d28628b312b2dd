"""Options that several words share; no more is imported here than their types."""

from pathlib import Path
from typing import Annotated

import typer

ENCODERS = ("auto", "imagenet", "scratch", "published", "tiny")
SHOWN = 10
"""Files that are listed; all are in the files that `--csv`, `--html` and `--out` name."""

Model = Annotated[
    Path, typer.Option("-m", "--model", help="The .blades file of a detector.", metavar="FILE")
]
Detector = Annotated[
    Path,
    typer.Option("-m", "--model", help="The .blades or .onnx file of a detector.", metavar="FILE"),
]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON on stdout.")]
Threads = Annotated[
    int | None, typer.Option("-j", "--jobs", help="Threads that read files.", metavar="N")
]
Manifest = Annotated[
    Path, typer.Argument(help="CSV with columns path, label, generator, group.", metavar="MANIFEST")
]
Photographic = Annotated[
    str, typer.Option("--photographs", help="Label of photographs.", metavar="LABEL")
]

Csv = Annotated[Path | None, typer.Option(help="Write a table.", metavar="FILE")]

Where = Annotated[list[str], typer.Argument(help="Folders, files or patterns.")]
Out = Annotated[
    Path | None,
    typer.Option(help="Grows while it runs; the same command goes on.", metavar="FILE.jsonl"),
]
Html = Annotated[Path | None, typer.Option(help="Write a page.", metavar="FILE")]
NoThumbnails = Annotated[
    bool, typer.Option("--no-thumbnails", help="Leave pictures out of the page.")
]
TargetFdr = Annotated[
    float | None, typer.Option(help="Bound on the photographs among finds.", metavar="RATE")
]
Unsure = Annotated[
    bool, typer.Option("--unsure", help="Say where verdicts may turn (4 times the work).")
]
Reasons = Annotated[str, typer.Option(help="Of flagged: nearest,parts,map.", metavar="NAMES")]
Reference = Annotated[str | None, typer.Option(help="Photographs for nearest.", metavar="FOLDER")]
NoResume = Annotated[bool, typer.Option("--no-resume", help="Replace --out; do not go on from it.")]
