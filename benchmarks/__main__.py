"""All speed benchmarks: ``python -m benchmarks [name ...] [--rounds N]``.

Each measures ratios in one run, prints them and keeps them in ``benchmarks/results/<name>.json``;
docs/speed.md tells what they mean. Give the machine to this command alone: it takes about half an
hour on two cores. Studies of accuracy are modules of their own, started by name.
"""

import argparse
from importlib import import_module

from ._measure import save, table

SPEED = (
    "imports",
    "step",
    "estimates",
    "inference",
    "onnx",
    "photographs",
    "scale",
    "memory",
    "mixture",
    "task_scores",
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(SPEED))
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each comparison")
    options = parser.parse_args()
    if unknown := set(options.names) - set(SPEED):
        parser.error(f"{', '.join(sorted(unknown))}: the benchmarks are {', '.join(SPEED)}.")
    for name in options.names or SPEED:
        ratios, details = import_module(f"benchmarks.{name}").measure(options.rounds)
        save(name, ratios, n_rounds=options.rounds, **details)
        print(f"## {name}\n\n{table(ratios)}\n", flush=True)


if __name__ == "__main__":
    main()
