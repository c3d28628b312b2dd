"""Other libraries beside `BladesDetector`: the same photographs, the same tower, one machine.

``python -m benchmarks.peers`` makes simulated photographs and an environment for each library
(`_peers_environment.py`; ``--environment`` says where, the package index is all that is asked for),
and measures in processes of their own, a thread each:

- ours; scikit-learn alone; PyOD's ``EmbeddingOD``; imgad; anomalib's PaDiM;
- the fit of ours with the contrast that it learns by itself from 400 photographs on.

All have EfficientNet-Lite0 at 224 px with the same ImageNet weights, which the extra ``lite``
brings. Seconds are of CPU, of all cores, as other work may run beside; without starting Python and
importing. The false alarms are those of the library's own option for 5 %, on photographs that it
has not seen, over three seeds. Written to ``benchmarks/results/peers.json``.
"""

import argparse
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from sklearn.model_selection import KFold

from sklearn_blades.datasets import make_photos

from ._measure import Ratio, save
from ._peers_environment import Environment, environment_of, reason, usual_folder
from ._peers_tower import write_weights

OURS = "ours"
PEERS = {  # what is told, by the module that does it
    OURS: "`BladesDetector`",
    "sklearn": "scikit-learn alone",
    "pyod": "PyOD, `EmbeddingOD.for_image`",
    "imgad": "imgad, its pipeline",
    "anomalib": "anomalib, PaDiM",
    "contrast": "`BladesDetector(contrast=True)`",
}
INSTALLED = ("pyod", "imgad", "anomalib")
PARTS = {"contrast": ("only_fit",)}  # its scores cost what ours cost
ALL_PARTS = ("fit", "search")
TIMES = ("fit", "scores", "search")
ALONE = {  # one thread each, and nothing but the package index is asked
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "PYTHONWARNINGS": "ignore",
}
ROOT = Path(__file__).parent.parent


class Sizes(NamedTuple):
    """How many photographs; ``again`` are scored by anomalib for the seeds after the first."""

    fit: int = 120
    fresh: int = 1000
    search: int = 30
    generated: int = 10
    again: int = 100
    seeds: int = 3
    folds: int = 5


SMALL = Sizes(fit=45, fresh=20, search=45, generated=5, again=10, seeds=2)


def prepared(sizes, folder):
    """Make the photographs and the tower's weights; the job that tells of them.

    Returns
    -------
    dict
        ``fits``, lists of paths, none in two; ``fresh``; ``folds`` as `_peers_job.pairs` has them.
    """
    n_fits = sizes.seeds * sizes.fit
    paths = make_photos(n_fits + sizes.fresh, folder / "photographs", random_state=0)
    generated = make_photos(
        sizes.generated, folder / "generated", generated="upsampling", random_state=1
    )
    write_weights(folder / "tower.pt")
    return {
        "fits": [paths[i : i + sizes.fit] for i in range(0, n_fits, sizes.fit)],
        "fresh": paths[n_fits:],
        "folds": _folds(paths[: sizes.search], generated, sizes.folds),
        "again": {"anomalib": sizes.again},
        "weights": str(folder / "tower.pt"),
        "folder": str(folder),
    }


def _folds(photographs, generated, n_folds):
    photographs, generated = np.array(photographs), np.array(generated)
    both = [KFold(n_folds, shuffle=True, random_state=0).split(x) for x in (photographs, generated)]
    return [
        {
            "train": photographs[train].tolist(),
            "test": photographs[test].tolist(),
            "generated": generated[others].tolist(),
        }
        for (train, test), (_, others) in zip(*both, strict=True)
    ]


def measured(library, python, job_file, scratch):
    """All of one library: what `_peers_job` printed, or ``why`` there is nothing."""
    found = {}
    for part in PARTS.get(library, ALL_PARTS):
        command = [python, "-m", "benchmarks._peers_job", library, part, job_file]
        environment = {**os.environ, **ALONE, "PYTHONPATH": str(ROOT), "TMPDIR": str(scratch)}
        done = subprocess.run(
            command, cwd=scratch, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            return {**found, "why": f"{part} ended with {done.returncode}: {reason(done.stderr)}"}
        found |= json.loads(done.stdout.splitlines()[-1])
    return found


def measure(sizes, peers, folder, keep=lambda found: None):
    """What was measured of every library.

    Parameters
    ----------
    sizes : Sizes
    peers : list of str
        Keys of `PEERS`.
    folder : Path
        Holds the environments.
    keep : callable
        Gets what there is after every library: the whole takes a while.

    Returns
    -------
    dict of str to dict
        By library ``fit``, ``scores``, ``search``, ``false_alarms``, ``packages``; or ``why``.
    """
    environments = {}
    for name in peers:
        here = Environment(Path(sys.executable), f"{name} is here", {})
        environments[name] = environment_of(name, folder) if name in INSTALLED else here
        print(environments[name].said, flush=True)
    found = {
        name: {"why": environment.said}
        for name, environment in environments.items()
        if environment.python is None
    }
    if len(found) == len(environments):
        return found
    with TemporaryDirectory() as scratch:
        job_file = Path(scratch) / "job.json"
        job_file.write_text(json.dumps(prepared(sizes, Path(scratch))))
        for name in [name for name in environments if name not in found]:
            found[name] = measured(name, environments[name].python, job_file, scratch)
            found[name]["packages"] = environments[name].packages
            print(line(name, found[name], found.get(OURS, {})), flush=True)
            keep(found)
    return found


def ratios(found):
    """CPU seconds of every library over ours; of one run, so that lowest and highest are alike."""
    ours, lines = found.get(OURS, {}), []
    for name, its in found.items():
        for what in TIMES:
            if name != OURS and what in its and what in ours:
                value = its[what]["cpu_seconds"] / ours[what]["cpu_seconds"]
                lines.append(Ratio(f"{what}: {PEERS[name]} / ours", value, value, value))
    return lines


def line(name, its, ours):
    """A row of the table: ratios to ours (of ours CPU seconds), MB, and false alarms."""
    cells = [PEERS[name]]
    for what in TIMES:
        if what not in its or (name != OURS and what not in ours):
            cells.append("")
        elif name == OURS:
            cells.append(f"1 ({its[what]['cpu_seconds']:.3g} s)")
        else:
            cells.append(f"{its[what]['cpu_seconds'] / ours[what]['cpu_seconds']:.2g}")
    cells += [f"{its[what]['peak_mb']:.0f}" if what in its else "" for what in TIMES]
    alarms = "; ".join(_share(head, values) for head, values in its.get("false_alarms", {}).items())
    said = "; ".join(text for text in (alarms, its.get("why")) if text)
    return f"| {' | '.join([*cells, said])} |"


def _share(head, values):
    middle, low, high = (100 * value for value in (median(values), min(values), max(values)))
    return f"{head} {middle:.1f} % [{low:.1f}, {high:.1f}]".strip()


def table(found):
    """All rows as a markdown table."""
    heads = ["", *TIMES, *(f"MB, {what}" for what in TIMES), "false alarms, 5 % asked for"]
    rows = [line(name, its, found.get(OURS, {})) for name, its in found.items()]
    return "\n".join([f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads), *rows])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="library", help=", ".join(PEERS))
    parser.add_argument("--environment", type=Path, default=usual_folder(), metavar="PATH")
    parser.add_argument("--small", action="store_true", help="a try; nothing is written")
    options = parser.parse_args()
    if unknown := set(options.names) - set(PEERS):
        parser.error(f"{', '.join(sorted(unknown))}: the libraries are {', '.join(PEERS)}.")
    sizes = SMALL if options.small else Sizes()
    keep = (lambda found: None) if options.small else partial(_keep, sizes)
    names = options.names or list(PEERS)
    print(table(measure(sizes, names, options.environment.absolute(), keep)))


def _keep(sizes, found):
    load = os.getloadavg()[2] if hasattr(os, "getloadavg") else None
    details = {"sizes": sizes._asdict(), "load_of_15_minutes": load, "libraries": found}
    save("peers", ratios(found), **details)


if __name__ == "__main__":
    main()
