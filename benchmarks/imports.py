"""CPU seconds of importing a class against those of importing torch, each in a new interpreter."""

import resource
import subprocess
import sys

from ._measure import ratio, rounds

STATEMENTS = {
    "torch": "import torch",
    "package": "import sklearn_blades",
    "encoder": "from sklearn_blades import BladesEncoder",
    "all": "from sklearn_blades import BladesBinary, BladesEncoder, BladesOneClass",
}


def measure(n_rounds):
    """The ratios, and the CPU seconds behind them."""
    ways = {name: _costs(statement) for name, statement in STATEMENTS.items()}
    table = rounds(ways, n_rounds)
    ratios = [
        ratio("name the encoder / import torch", table, "encoder", "torch", "<= 1.3"),
        ratio("name all estimators / import torch", table, "all", "torch"),
    ]
    return ratios, {"cpu_seconds": table}


def _costs(statement):
    def run():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", statement], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    return run
