"""What all benchmarks share: runs in turns, ratios of medians, and where results are kept."""

import json
import os
import platform
import re
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import PIL
import sklearn
import torch

RESULTS = Path(__file__).parent / "results"


class Ratio(NamedTuple):
    """One line of the table.

    Attributes
    ----------
    what : str
        What is divided by what.
    value : float
        Median over the rounds of the ratio within a round.
    low, high : float
        Smallest and largest ratio of a round.
    wanted : str
        ``">= 3"`` or ``"<= 1.2"``; empty where there is no target.
    """

    what: str
    value: float
    low: float
    high: float
    wanted: str = ""

    @property
    def reached(self):
        """Whether the target is met; True where there is none."""
        if not self.wanted:
            return True
        sign, target = self.wanted.split()
        return self.value >= float(target) if sign == ">=" else self.value <= float(target)


def rounds(ways, n_rounds, *, warm_up=True):
    """Seconds of every way in every round; the order turns from round to round.

    Parameters
    ----------
    ways : dict of str to callable
        Each does its work once; what it returns is dropped. A callable that returns a float has
        measured itself: that number counts.
    n_rounds : int
    warm_up : bool, default=True
        Run each once before anything counts.

    Returns
    -------
    list of dict of str to float
    """
    if warm_up:
        for way in ways.values():
            way()
    table, names = [], list(ways)
    for number in range(n_rounds):
        turn = number % len(names)
        table.append({name: seconds(ways[name]) for name in names[turn:] + names[:turn]})
    return table


def seconds(way):
    """Seconds on the wall that ``way()`` takes, or the number it returns, if it returns one."""
    start = time.perf_counter()
    own = way()
    taken = time.perf_counter() - start
    return own if isinstance(own, float) else taken


def peak_mb():
    """MB of memory that this process has taken at most."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count what our parent held when it started us
        return int(re.search(r"VmHWM:\s*(\d+) kB", status.read_text())[1]) / 1e3
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes, on macOS


def ratio(what, table, above, below, wanted=""):
    """The `Ratio` of two ways, paired within each round."""
    values = [row[above] / row[below] for row in table]
    return Ratio(what, median(values), min(values), max(values), wanted)


def conditions():
    """What figures depend on, beside the code."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "n_cpus": os.cpu_count(),
        "n_threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "gpu": gpu,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "sklearn": sklearn.__version__,
            "pillow": PIL.__version__,
        },
    }


def save(name, ratios, **details):
    """Keep a benchmark's outcome as ``benchmarks/results/<name>.json``."""
    RESULTS.mkdir(exist_ok=True)
    content = {
        "ratios": [{**line._asdict(), "reached": line.reached} for line in ratios],
        **details,
        **conditions(),
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")


def table(ratios):
    """The lines as a markdown table."""
    heads = ["ratio", "median", "lowest", "highest", "wanted", ""]
    lines = [
        [r.what, f"{r.value:.2f}", f"{r.low:.2f}", f"{r.high:.2f}", r.wanted, _verdict(r)]
        for r in ratios
    ]
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _verdict(line):
    if not line.wanted:
        return ""
    return "reached" if line.reached else "missed"
