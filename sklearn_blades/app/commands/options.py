"""Options that several words share; no more is imported here than their types."""

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[
    Path, typer.Option("-m", "--model", help="The .blades file of a detector.", metavar="FILE")
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
