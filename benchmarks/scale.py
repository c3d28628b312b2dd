"""10,000 photographs against 1,000: the cost of one, and the memory that all take together.

One epoch of `fit`, and `transform`, each in a fresh process that does all of its work itself
(``n_jobs=1``), so that its peak memory is all there is. What a hundred photographs take is
subtracted on both sides: imports, building the towers, and whatever else is done once.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from sklearn_blades.datasets import make_photos

from ._measure import Ratio

SMALL, LARGE = 1000, 10_000
DIFFERENT = 500  # the others are copies under other names, which no cache takes for the same
MOST_ROUNDS = 2  # a round takes about two minutes

_WORK = """
import json, re, resource, sys, time
from pathlib import Path
from sklearn_blades import BladesEncoder

what, *paths = json.load(sys.stdin)
encoder = BladesEncoder(
    image_size=64, face_locator="whole", face_margin=1.6, task_weighting="equal", freeze_text=True,
    max_epochs=int(what == "fit"), cache_size=20, n_jobs=1, device="cpu", random_state=0,
)
work = encoder.fit if what == "fit" else encoder.fit(paths[:1]).transform

def timed(paths):
    encoder.clear_cache()
    wall, cpu = time.perf_counter(), time.process_time()
    work(paths)
    return time.perf_counter() - wall, time.process_time() - cpu

FIRST = 100
timed(paths[:FIRST])
once, whole = timed(paths[:FIRST]), timed(paths)
wall, cpu = ((most - few) / (len(paths) - FIRST) for most, few in zip(whole, once))
status = Path("/proc/self/status")
if status.exists():  # getrusage would count what our parent held when it started us
    peak = int(re.search(r"VmHWM:\\s*(\\d+) kB", status.read_text())[1]) / 1e3
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes, on macOS
print(json.dumps({"seconds_a_photo": wall, "cpu_a_photo": cpu, "peak_mb": peak}))
"""


def measure(n_rounds):
    """Ratios of the cost per photograph, and differences of peak memory in MB."""
    with TemporaryDirectory() as folder:
        paths = _photographs(folder)
        table = [_round(paths, number) for number in range(min(n_rounds, MOST_ROUNDS))]
    ratios = []
    for what in ("fit", "transform"):
        pairs = [(row[f"{what}, {LARGE}"], row[f"{what}, {SMALL}"]) for row in table]
        costs, cpu = (
            [many[clock] / few[clock] for many, few in pairs]
            for clock in ("seconds_a_photo", "cpu_a_photo")
        )
        more = [many["peak_mb"] - few["peak_mb"] for many, few in pairs]
        name = "an epoch of fit" if what == "fit" else what
        ratios += [
            _summary(f"{name}: cost per photograph, {LARGE} / {SMALL}", costs, "<= 1.15"),
            _summary(f"{name}: the same in CPU seconds", cpu, ""),
            _summary(f"{name}: MB of peak memory, {LARGE} - {SMALL}", more, "<= 200"),
        ]
    return ratios, {"cache_size": 20, "image_size": 64, "seed": 0, "rounds": table}


def _photographs(folder):
    made = make_photos(DIFFERENT, folder, random_state=0)
    copies = [Path(folder, f"copy-{i}.jpg") for i in range(LARGE - DIFFERENT)]
    for i, copy in enumerate(copies):
        shutil.copy(made[i % DIFFERENT], copy)
    return made + [str(copy) for copy in copies]


def _round(paths, number):
    sizes = (SMALL, LARGE) if number % 2 == 0 else (LARGE, SMALL)
    return {
        f"{what}, {n}": _in_a_process([what, *paths[:n]])
        for what in ("fit", "transform")
        for n in sizes
    }


def _in_a_process(task):
    command = [sys.executable, "-c", _WORK]
    done = subprocess.run(command, input=json.dumps(task), stdout=subprocess.PIPE, text=True)
    done.check_returncode()
    return json.loads(done.stdout)


def _summary(what, values, wanted):
    return Ratio(what, median(values), min(values), max(values), wanted)
