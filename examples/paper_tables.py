"""The paper's three tables on your own test set: published and measured figures, kept apart.

    python examples/paper_tables.py ROOT [--pretrain FOLDER] [--epochs 10] [--seed 0]

ROOT is laid out as the authors' test set: one folder a generator, and one of photographs, called
"real" or named with --photographs. Nothing is downloaded unless a tag is named with --clip, --farl
or --eal.

Who sees what: ROOT's photographs are dealt to encoder, heads and test; with --pretrain the encoder
learns from that folder's photographs instead. Generated faces are never seen by encoders and
one-class heads; each figure of BLADES-BC is of a head that learned from the *other* generators'
faces. The layout does not say who is in a picture: if people recur, they are on several sides, and
intervals are too narrow.

The paper's settings, for a large machine: --architecture blades-rn50 --paper-head --epochs 40, with
pretrained towers (--pretrained) and FDF for --pretrain.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np

from sklearn_blades import BladesBinary, BladesEncoder, BladesOneClass, make_detector
from sklearn_blades.datasets import load_fdf, load_generator_folders
from sklearn_blades.evaluation import RadialPowerSpectrum, evaluate_by_generator

PUBLISHED = Path(__file__).parent / "published"
SOURCE = "Zou et al., ICCV 2025, arXiv 2507.22824: the authors' data, models and settings"
TABLES = {
    "one_class_auc": "one-class detectors, AUC (%)",
    "cross_generator_accuracy": "accuracy (%)",
    "sensitivity_specificity": "rates (%) and F-score over all generators",
}
IMAGES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".heic"}
RATES = ("tnr", "fpr", "tpr", "fnr", "f_score")
# Frozen features: the tower that the weights are for, if the user names no other.
TOWERS = {"clip": "ViT-B-16", "farl": "ViT-B-16-quickgelu", "eal": "RN50"}


def published(name):
    """A published table: its header and its rows, as strings."""
    with (PUBLISHED / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return header, rows


def print_table(title, header, rows):
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    print(f"\n{title}")
    for cells in (header, *rows):
        first, *others = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        print("  " + "  ".join([first.strip().ljust(widths[0]), *others]))


def deal(paths, shares, seed):
    """Shuffle and cut into parts of these shares."""
    paths = [paths[i] for i in np.random.default_rng(seed).permutation(len(paths))]
    cuts = np.rint(np.cumsum(shares)[:-1] * len(paths)).astype(int)
    return [list(part) for part in np.split(np.array(paths, dtype=object), cuts)]


def photographs_in(folder):
    """FDF's records, or all images in and below a folder."""
    if (folder / "fdf_metainfo.json").is_file():
        return load_fdf(folder)
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGES)
    if not found:
        raise SystemExit(f"--pretrain {folder}: no photographs there; give a folder of images.")
    return found


def encoders(options):
    """Name and unfitted encoder of every row; all cut faces alike."""
    crops = {"face_locator": options.face_locator, "face_margin": options.face_margin}
    common = {**crops, "random_state": options.seed}
    towers = {
        "architecture": options.architecture,
        "pretrained": options.pretrained,
        "image_size": options.image_size,
    }
    if options.pretrained is None:  # small steps and a frozen text tower: see quickstart.py
        training = {"freeze_text": True, "batch_size": 24}
    else:
        training = {}
    training["max_epochs"] = options.epochs
    untrained = {**towers, "pretrained": None, "max_epochs": 0}
    found = {
        "BLADES-OC": BladesEncoder(**common, **towers, **training),
        "Zou25 mode": BladesEncoder(**common, **towers, **training, tasks="zou25"),
        "random init + GMM": BladesEncoder(**common, **untrained),
        "power spectrum + GMM": RadialPowerSpectrum(**crops),
    }
    for name, default in TOWERS.items():
        if weights := getattr(options, name):
            architecture, _, weights = weights.rpartition("=")
            found[f"frozen {name.upper()} + GMM"] = BladesEncoder(
                architecture or default, pretrained=weights, max_epochs=0, **common
            )
    return found


def one_class(options):
    paper = {"n_components": 10, "covariance_type": "full", "pca_components": None}
    settings = paper if options.paper_head else {}
    return BladesOneClass(calibration_fraction=0.4, random_state=options.seed, **settings)


def binary_reports(encoder, head_photographs, test, faces, options):
    """A report for each generator, of a head that has seen the others."""
    reports = {}
    for name in faces if len(faces) > 1 else ():
        others = [path for other in faces if other != name for path in faces[other]]
        detector = make_detector(encoder, BladesBinary(random_state=options.seed))
        y = np.repeat([1, 0], [len(head_photographs), len(others)])
        detector.fit([*head_photographs, *others], y)
        reports[name] = judge(detector, test, {name: faces[name]}, options)
    return reports


def judge(detector, test, faces, options):
    generator = [None] * len(test) + [name for name in faces for _ in faces[name]]
    paths = [*test, *(path for some in faces.values() for path in some)]
    y = [1] * len(test) + [0] * (len(paths) - len(test))
    return evaluate_by_generator(detector, paths, y, generator, random_state=options.seed)


def measure(options):
    """Fit every row's detector and judge it; return reports and the sizes of the parts."""
    data = load_generator_folders(options.root, **named(options))
    photographs = [path for path, label in zip(data.paths, data.y, strict=True) if label == 1]
    faces = {}
    for path, name in zip(data.paths, data.generator, strict=True):
        if name != "photographic":
            faces.setdefault(name, []).append(path)
    if not photographs or not faces:
        raise SystemExit(f"{options.root}: photographs and generated faces are needed.")
    shares = (0, 0.5, 0.5) if options.pretrain else (0.5, 0.25, 0.25)
    learning, head, test = deal(photographs, shares, options.seed)
    if options.pretrain:
        learning = photographs_in(options.pretrain)
    reports, binary = {}, {}
    for name, encoder in encoders(options).items():
        encoder.fit(learning)
        detector = make_detector(encoder, one_class(options)).fit(head)
        reports[name] = judge(detector, test, faces, options)
        if name == "BLADES-OC":
            binary = binary_reports(encoder, head, test, faces, options)
    sizes = {"encoder": len(learning), "heads": len(head), "test": len(test)}
    return reports, binary, sizes | {name: len(some) for name, some in faces.items()}


def named(options):
    return {"photographs": options.photographs} if options.photographs else {}


def cell(estimate):
    return f"{100 * estimate.value:.1f} [{100 * estimate.low:.0f}, {100 * estimate.high:.0f}]"


def measured_rows(reports, binary, figure):
    """A row a detector: every generator's figure, and the average."""
    rows = [
        [name, *(cell(getattr(row, figure)) for row in (*report.rows, report.average))]
        for name, report in reports.items()
    ]
    if binary:
        estimates = [getattr(report.rows[0], figure) for report in binary.values()]
        mean = np.mean([estimate.value for estimate in estimates])
        # A head for each generator, judged by itself: their mean has no interval here.
        rows.insert(1, ["BLADES-BC", *map(cell, estimates), f"{100 * mean:.1f}"])
    return rows


def measured_rates(reports, binary):
    rows = [[name, *(cell(getattr(r.average, f)) for f in RATES)] for name, r in reports.items()]
    if binary:
        means = [np.mean([getattr(r.average, f).value for r in binary.values()]) for f in RATES]
        rows.insert(1, ["BLADES-BC", *(f"{100 * mean:.1f}" for mean in means)])
    return rows


def command_line(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, metavar="ROOT")
    parser.add_argument("--photographs", nargs="+", help="names of ROOT's folders of photographs")
    parser.add_argument(
        "--pretrain", type=Path, help="photographs for the encoder: a folder, or FDF's"
    )
    parser.add_argument("--architecture", default="blades-tiny")
    parser.add_argument("--pretrained", help="towers to start from: a tag of open_clip or a file")
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--paper-head", action="store_true", help="10 full components, no PCA")
    parser.add_argument("--face-locator", default="whole", help="whole: ROOT holds face crops")
    parser.add_argument("--face-margin", type=float, default=1.3)
    for name, tower in TOWERS.items():
        parser.add_argument(
            f"--{name}",
            metavar="[ARCHITECTURE=]TAG_OR_FILE",
            help=f"frozen features; a tag is downloaded; architecture: {tower}",
        )
    parser.add_argument("--json", type=Path, help="file for all measured figures")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


def main(arguments=None):
    options = command_line(arguments)
    print(f"PUBLISHED FIGURES\nNot measured here. Source: {SOURCE}.")
    for name, title in TABLES.items():
        print_table(f"Published: {title}", *published(name))

    reports, binary, sizes = measure(options)
    print(f"\n\nMEASURED HERE\non {options.root}, seed {options.seed}, {options.epochs} epochs of")
    print(f"{options.architecture} from {options.pretrained or 'scratch'}; images:")
    print("  " + ", ".join(f"{name} {n}" for name, n in sizes.items()))
    print("Other data, models and settings than the published ones: no column is comparable.")
    columns = ["measured", *(row.generator for row in reports["BLADES-OC"].rows), "average"]
    print_table("Measured: AUC (%) [95 % interval]", columns, measured_rows(reports, binary, "auc"))
    print_table(
        "Measured: accuracy on sides of equal size, (TNR + TPR) / 2 (%)",
        columns,
        measured_rows(reports, binary, "balanced_accuracy"),
    )
    print_table(
        "Measured: rates and F-score (%), means over generators",
        ["measured", "TNR", "FPR", "TPR", "FNR", "F-score"],
        measured_rates(reports, binary),
    )
    print("\nPositive = AI-generated: FPR = photographs that are flagged, TPR = faces caught.")
    if not binary:
        print("No BLADES-BC: it needs a second generator to learn from.")
    if options.json:
        found = {name: report.to_dict() for name, report in reports.items()}
        found["BLADES-BC"] = {name: report.to_dict() for name, report in binary.items()}
        options.json.write_text(json.dumps({"images": sizes, "reports": found}, indent=1))
    return reports, binary


if __name__ == "__main__":
    main()
