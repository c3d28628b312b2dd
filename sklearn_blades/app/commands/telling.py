"""`blades report`, `blades info` and `blades checks`: what there is to say of files and machine."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Json
from .saying import one_line, put, put_json


def report(
    model: Annotated[Path, typer.Argument(help="The .blades file.", metavar="DETECTOR")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE")] = Path("detector.html"),
) -> None:
    """Write a page about a detector.

    Example: blades report my.blades -o my.html
    """
    from ...persistence import load
    from ..report import detector_page, write_page

    write_page(output, detector_page(load(model)))
    put(str(output))


def info(
    file: Annotated[Path, typer.Argument(help="A picture, or a .blades or .onnx file.")],
    faces: Annotated[str, typer.Option(help="auto, yunet, haar or whole.")] = "auto",
    as_json: Json = False,
) -> None:
    """Say what a picture, a .blades or an .onnx file is.

    Example: blades info photo.jpg
    """
    from ...portable.sealed import is_exported
    from ...storage.archive import is_container

    if not file.exists():
        raise FileNotFoundError(f"{file}: there is no such file.")
    if is_exported(file):
        facts = _of_an_export(file)
    elif is_container(file):
        facts = _of_a_detector(file)
    else:
        facts = _of_a_picture(file, faces)
    if as_json:
        put_json(facts)
    else:
        _list(facts)
    raise typer.Exit(int("error" in facts))


def _of_a_detector(file):
    from ...persistence import load
    from ..parts import asked, facts_of

    loaded = load(file)
    facts = {"kind": type(loaded).__name__}
    try:
        facts |= facts_of(asked(loaded))
    except TypeError:  # an encoder or a head alone
        facts |= {"parameters": {k: repr(v) for k, v in loaded.get_params(deep=False).items()}}
    return {name: value for name, value in facts.items() if name != "calibration_scores"}


def _of_an_export(file):
    from ..asking import asked

    facts = {"kind": "ONNX export", **asked(file).facts()}
    return {name: value for name, value in facts.items() if name != "calibration_scores"}


def _of_a_picture(file, faces):
    from ..looking import look
    from .locating import locator_here

    where = locator_here(faces)
    seen = look(str(file), where)
    facts = {"kind": "picture", **seen.facts}
    if seen.error is not None:
        return facts | {"error": seen.error.problem}
    if seen.record.face is not None:
        facts["face"] = [round(edge, 4) for edge in seen.record.face.box]
        facts["face_locator"] = where
    return facts


def _list(facts, indent=""):
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        if isinstance(value, dict):
            put(f"{indent}{name}")
            _list(value, indent + "  ")
        else:
            put(f"{indent}{name:<{width}}  {one_line(value)}")


def checks(as_json: Json = False) -> None:
    """Say what this machine has, and try one face.

    Example: blades checks
    """
    from .checking import checked

    facts, sound = checked()
    if as_json:
        put_json(facts)
    else:
        _list(facts)
    raise typer.Exit(0 if sound else 2)
