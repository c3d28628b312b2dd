"""What becomes of damaged files, forged files and killed programs: nothing silent, nothing run.

    python -m benchmarks.reliability            # 20,000 models, 5,000 photographs, 40 kills
    python -m benchmarks.reliability --quick    # a hundredth of it

Mutated files are opened in processes of their own, with bounded memory and time, in which an audit
hook counts what no reading of a file should do: run programs, code or pickles, ask the network,
write or delete files. Needs Linux and pillow-heif. docs/reliability.md tells the outcome.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from ._measure import RESULTS, conditions

FULL = {"models": 20_000, "photographs": 5_000, "kills": 40}
QUICK = {"models": 150, "photographs": 100, "kills": 3}

_DAMAGED_AND_DIFFERENT = "damaged and different"


def open_mutated(look, originals, n, seed, folder):
    """Let watched processes open mutated files.

    Parameters
    ----------
    look : {"look_at_model", "look_at_photograph"}
    originals : list of str
        Files to mutate, drawn with equal chances.
    n, seed : int
    folder : str
        Where a mutated file lies while it is opened.

    Returns
    -------
    list of dict
        One a file: ``kind``, ``outcome``, ``said``, ``seconds``, ``bytes``, ``events``.
    """
    job = {
        "module": "benchmarks._hostile",
        "look": look,
        "originals": originals,
        "warm": sorted(set(originals)),
        "folder": str(folder),
        "ending": ".blades" if look == "look_at_model" else ".photo",
        "seed": seed,
        "begin": 0,
        "end": n,
    }
    found: list[dict] = []
    while len(found) < n:
        path = Path(folder, "job.json")
        path.write_text(json.dumps({**job, "begin": len(found)}))
        lines, status = _watch(path)
        ended = [line for line in lines if "ended" in line]
        found += ended
        begun = [line for line in lines if "begins" in line]
        if len(begun) > len(ended):  # it took the process along
            found.append(
                {"kind": begun[-1]["kind"], "outcome": "untyped", "said": f"ended by {status}",
                 "seconds": 0.0, "bytes": 0, "events": {}}
            )  # fmt: skip
        elif not ended:
            raise RuntimeError(f"the watched process did not begin (exit {status}).")
    return found


def _watch(job):
    command = [sys.executable, "-m", "benchmarks._watched", str(job)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    # libtiff and libjpeg write about damaged files to stderr, past Python.
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env, text=True
    ) as process:
        lines = [json.loads(line) for line in process.stdout if line.endswith("\n")]
    return lines, process.returncode


def summary(found):
    """Counts of outcomes, what was done besides, and the slowest and the largest.

    Parameters
    ----------
    found : list of dict
        As `open_mutated` gives it.
    """
    outcomes, kinds, events = Counter(), {}, Counter()
    for line in found:
        outcome = line["outcome"].split(":")[0]
        if outcome == "different" and line["kind"].startswith("damaged"):
            outcome = _DAMAGED_AND_DIFFERENT
        outcomes[outcome] += 1
        kinds.setdefault(line["kind"].rsplit(" ", 1)[0], Counter())[outcome] += 1
        events.update(line["events"])
    slowest = max(found, key=lambda line: line["seconds"])
    largest = max(found, key=lambda line: line["bytes"])
    return {
        "files": len(found),
        "outcomes": dict(outcomes.most_common()),
        "by_mutation": {kind: dict(kinds[kind]) for kind in sorted(kinds)},
        "done_besides": dict(events),
        "slowest": {"seconds": round(slowest["seconds"], 2), "kind": slowest["kind"]},
        "largest": {"mb": round(largest["bytes"] / 1e6), "kind": largest["kind"]},
        "failing_in_use": dict(
            Counter(line["outcome"] for line in found if line["outcome"].startswith("fails"))
        ),
        "untyped": [
            {"kind": line["kind"], "said": line["said"]}
            for line in found
            if line["outcome"] == "untyped"
        ][:20],
    }


def models(n, seed=0):
    """Open ``n`` mutated model files; a `summary`."""
    from ._hostile import write_models

    with TemporaryDirectory(dir=_memory_disk()) as folder:
        found = open_mutated("look_at_model", write_models(folder), n, seed, folder)
    return summary(found)


def photographs(n, seed=0):
    """Open ``n`` mutated photographs; a `summary`."""
    from ._hostile import write_photographs

    with TemporaryDirectory(dir=_memory_disk()) as folder:
        found = open_mutated("look_at_photograph", write_photographs(folder), n, seed, folder)
    return summary(found)


def _memory_disk():
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a hundredth of it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=list(FULL), help="one of the three parts")
    options = parser.parse_args()
    sizes = QUICK if options.quick else FULL
    # Kills fork this process: before anything in it has used torch.
    from ._kills import kills

    parts = {"kills": kills, "models": models, "photographs": photographs}
    report = {"seed": options.seed}
    for name, part in parts.items():
        if options.only in (None, name):
            begun = time.perf_counter()
            report[name] = part(sizes[name], options.seed)
            report[name]["minutes"] = round((time.perf_counter() - begun) / 60, 1)
            print(f"## {name}\n\n{json.dumps(report[name], indent=1)}\n", flush=True)
    if not (options.quick or options.only):
        RESULTS.mkdir(exist_ok=True)
        text = json.dumps({**report, **conditions()}, indent=1)
        (RESULTS / "reliability.json").write_text(text + "\n")


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    main()
