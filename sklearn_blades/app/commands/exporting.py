"""`blades export`: a detector as one ONNX file, for machines without torch."""

from pathlib import Path
from typing import Annotated

import typer

from .saying import put


def export(
    detector: Annotated[Path, typer.Argument(help="The .blades file.", metavar="DETECTOR")],
    output: Annotated[Path, typer.Argument(help="To be written.", metavar="FILE.onnx")],
) -> None:
    """Write a detector as an ONNX file, which `blades scan` takes without torch.

    Example: blades export my.blades my.onnx
    """
    from ...persistence import export_onnx, load

    export_onnx(load(detector), output)
    put(f"{output}: {output.stat().st_size / 1e6:.1f} MB. blades scan FOLDER -m {output}")
