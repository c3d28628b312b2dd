"""The faces of `benchmarks.travel` in one file, small enough to be carried to another machine.

    python -m benchmarks.pack_faces DATA PACK.zip [--side 224] [--mib 41] [--n 0] [--folders dev]

DATA holds `dev`, `more` and `exif_faces`, each with a `manifest.csv` (`dev` as
examples/real_photos.py says, with `balanced_pairs.csv`). Every face, photographs and generated
ones alike, is scaled to ``--side`` pixels, never enlarged, and compressed once more at one JPEG
quality, the best at which the pack fits into ``--mib``. EXIF stays in the files of photographs.
Left out of `exif_faces` are pictures taken by the camera and in the second of one of `dev`:
they show its people. The pack holds people's faces: it stays where the data are allowed to be.
"""

import argparse
import csv
import io
import json
import zipfile
from pathlib import Path

from PIL import Image

from examples.real_photos import read_manifest

MANIFESTS = (
    "dev/manifest.csv",
    "dev/manifest_small.csv",
    "more/manifest.csv",
    "exif_faces/manifest.csv",
)
PAIRS = "dev/balanced_pairs.csv"
COLUMNS = ("file", "label", "generator", "source", "person_or_group_id")
QUALITIES = (50, 97)
SAMPLED = 8  # every eighth face says how large the pack becomes
TAKEN, MODEL, EXIF_IFD = 36867, 272, 0x8769


def read_rows(data):
    """Rows of every manifest, in one form."""
    rows = {}
    for name in MANIFESTS:
        with (data / name).open(newline="", encoding="utf-8") as file:
            rows[name] = [_plain(row, (data / name).parent) for row in csv.DictReader(file)]
    known = {moment(row["path"]) for row in rows["dev/manifest.csv"]} - {None}
    kept = [row for row in rows["exif_faces/manifest.csv"] if moment(row["path"]) not in known]
    return {**rows, "exif_faces/manifest.csv": kept}


def _plain(row, folder):
    row["path"] = folder / row["file"]
    row["label"] = row.get("label", "photographic")
    row["person_or_group_id"] = row.get("person_or_group_id") or row.get("photo_id", "")
    return row


def moment(path):
    """Camera and second of a photograph, or None."""
    with Image.open(path) as image:
        exif = image.getexif()
        taken = exif.get_ifd(EXIF_IFD).get(TAKEN)
        return (exif.get(MODEL), taken) if taken else None


def packed(path, side, quality):
    """A face as it is carried: the bytes of a JPEG."""
    with Image.open(path) as image:
        exif, small = image.info.get("exif", b""), image.convert("RGB")
    if max(small.size) > side:
        small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=None)
    file = io.BytesIO()
    how = {"subsampling": "4:2:0", "optimize": True, "progressive": True}
    small.save(file, "JPEG", quality=quality, exif=exif, **how)
    return file.getvalue()


def best_quality(paths, side, n_bytes):
    """The highest quality at which all faces take at most so many bytes, by a sample of them."""
    low, high = QUALITIES
    sample = paths[::SAMPLED]
    while low < high:
        quality = (low + high + 1) // 2
        # A zip adds two headers and twice the name to each file.
        total = sum(len(packed(path, side, quality)) + 160 for path in sample)
        if total * len(paths) / len(sample) <= n_bytes:
            low = quality
        else:
            high = quality - 1
    return low


def write_pack(rows, pairs, target, side, quality):
    """Write pictures and manifests, stored and not compressed again."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as pack:
        for name, faces in rows.items():
            folder = name.partition("/")[0]
            for row in faces:
                pack.writestr(f"{folder}/{row['file']}", packed(row["path"], side, quality))
            table = io.StringIO(newline="")
            writer = csv.DictWriter(table, COLUMNS, extrasaction="ignore", restval="")
            writer.writeheader()
            writer.writerows(faces)
            pack.writestr(name, table.getvalue())
        pack.writestr(PAIRS, pairs)
        pack.writestr("pack.json", json.dumps({"side": side, "quality": quality}))


def unpack(where, folder):
    """The folder of a pack, which may be one already: its files are only looked at."""
    if Path(where).is_dir():
        return Path(where)
    with zipfile.ZipFile(where) as pack:
        pack.extractall(folder)
    return Path(folder)


def training_rows(root):
    """Photographs of the further sources, in the form of `examples.real_photos.read_manifest`."""
    rows = []
    for name in ("more", "exif_faces"):
        for row in read_manifest(root / name / "manifest.csv"):
            rows.append({**row, "group": f"{name} {row['group']}"})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--mib", type=float, default=41)
    parser.add_argument("--n", type=int, default=0, help="every n-th face alone; 0: all")
    parser.add_argument("--folders", nargs="*", default=["dev", "more", "exif_faces"])
    options = parser.parse_args()
    rows = read_rows(options.data)
    rows = {name: rows[name] for name in rows if name.partition("/")[0] in options.folders}
    if options.n:
        rows = {name: faces[:: options.n] for name, faces in rows.items()}
    paths = [row["path"] for faces in rows.values() for row in faces]
    # 3 % less than is allowed: the sample is one of eight.
    quality = best_quality(paths, options.side, 0.97 * options.mib * 2**20)
    options.pack.parent.mkdir(parents=True, exist_ok=True)
    pairs = (options.data / PAIRS).read_text()
    write_pack(rows, pairs, options.pack, options.side, quality)
    size = options.pack.stat().st_size / 2**20
    print(f"{len(paths)} faces, {options.side} px at most, JPEG {quality} 4:2:0: {size:.1f} MiB")
    if size > options.mib:
        raise SystemExit(f"{size:.1f} MiB is more than --mib {options.mib}: give a lower one.")


if __name__ == "__main__":
    main()
