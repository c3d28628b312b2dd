"""`blades evaluate` and `blades audit`: tables from a manifest."""

from .options import Csv, Json, Manifest, Model, Photographic
from .saying import put, put_json


def evaluate(
    manifest: Manifest,
    model: Model,
    photographs: Photographic = "1",
    csv: Csv = None,
    as_json: Json = False,
) -> None:
    """Judge a detector by generator.

    Example: blades evaluate test.csv -m my.blades
    """
    from ...evaluation import evaluate_by_generator
    from ...persistence import load
    from .manifest import read_manifest

    table = read_manifest(manifest, photographs)
    if table.generator is None:
        raise ValueError(f"{manifest}: has no column 'generator'.")
    report = evaluate_by_generator(
        load(model), table.paths, table.y, table.generator, groups=table.groups
    )
    _answer(report, csv, as_json)


def audit(
    manifest: Manifest,
    photographs: Photographic = "1",
    csv: Csv = None,
    as_json: Json = False,
) -> None:
    """Ask whether size or format of the files tell the label.

    Example: blades audit test.csv
    """
    from ...evaluation import audit_confounds
    from .manifest import read_manifest

    table = read_manifest(manifest, photographs)
    _answer(audit_confounds(table.paths, table.y, groups=table.groups), csv, as_json)


def _answer(report, csv, as_json):
    if csv is not None:
        report.to_frame().to_csv(csv)
    if as_json:
        put_json(report.to_dict())
    else:
        put(str(report))
