"""`blades fit` and `blades calibrate`: a folder of photographs becomes a detector."""

from pathlib import Path
from typing import Annotated

import typer

from .options import ENCODERS, Json, Model, Threads
from .saying import put, put_json, said

Output = Annotated[Path, typer.Option("-o", "--output", help="File to write.", metavar="FILE")]


def fit(
    folder: Annotated[Path, typer.Argument(help="Photographs, and nothing else.")],
    output: Output = Path("detector.blades"),
    target_fpr: Annotated[
        float, typer.Option(help="Share of photographs that may be flagged.", metavar="RATE")
    ] = 0.05,
    fakes: Annotated[
        Path | None,
        typer.Option(help="Generated faces, a folder each.", metavar="FOLDER"),
    ] = None,
    encoder: Annotated[str, typer.Option(help=f"{', '.join(ENCODERS)}.", metavar="NAME")] = "auto",
    pretrained: Annotated[
        Path | None, typer.Option(help="Weights to start from.", metavar="FILE")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Of training.", metavar="N")] = None,
    faces: Annotated[
        str, typer.Option(help="auto, yunet, haar or whole.", metavar="NAME")
    ] = "auto",
    seed: Annotated[int, typer.Option(help="Of all that is drawn.", metavar="N")] = 0,
    jobs: Threads = None,
    as_json: Json = False,
) -> None:
    """Learn a detector from photographs.

    Example: blades fit photographs/ -o my.blades --target-fpr 0.01
    """
    from .work import detector_of, read_folders

    X, y, generator, lost = read_folders(folder, fakes, jobs)
    detector = detector_of(
        encoder, faces, epochs, pretrained=pretrained, target_fpr=target_fpr, seed=seed, jobs=jobs
    )
    said(f"Looking at {len(X):,} files ...")
    detector.fit(X, y, generator=generator)
    _saved(detector, output, as_json, f"{len(X):,} files")
    raise typer.Exit(int(lost > 0))


def calibrate(
    folder: Annotated[Path, typer.Argument(help="Photographs that taught nothing so far.")],
    model: Model,
    output: Output,
    jobs: Threads = None,
    as_json: Json = False,
) -> None:
    """Set a detector's threshold anew.

    Example: blades calibrate phones/ -m my.blades -o phones.blades
    """
    from ...persistence import load
    from .work import lenient, readable

    detector = load(model)
    if not hasattr(detector, "recalibrate"):
        raise ValueError(f"{model}: not a detector that can be calibrated; blades fit makes one.")
    photographs, lost = readable(folder, jobs)
    with lenient(detector):
        detector.recalibrate(photographs)
    _saved(detector, output, as_json, f"threshold from {folder}")
    raise typer.Exit(int(lost > 0))


def _saved(detector, output, as_json, what):
    from ...persistence import save
    from ..parts import asked, facts_of

    save(detector, output)
    facts = facts_of(asked(detector))
    if as_json:
        put_json({"file": str(output), **facts})
        return
    n, rate = facts["n_calibration"], facts["target_fpr"]
    put(f"{output}: {facts['encoder']} and {facts['head']}, {what}.")
    if facts["offset"] is None:
        said(f"{n} calibration photographs are too few for {100 * rate:.3g} %: nothing is flagged.")
    else:
        put(f"Of photographs like the {n} that calibrated, {100 * rate:.3g} % are flagged at most.")
    put(f"Next: blades scan FOLDER -m {output} --html report.html")
    said("Scan other photographs than these: those that a detector learned from are no test of it.")
