"""What only a graphics card can show, in one go of at most five minutes.

    python -m benchmarks.gpu [SECTION ...] [--out FOLDER] [--seconds 300] [--small]

Sections, in order of value:

- `tests`: the tests marked `gpu`;
- `step`: the exact step of `blades-rn50`, batch 48, against the release's, and outer_interval;
- `transform`: photographs a second from disk, against the bare forward and the bare decoding;
- `look_ahead`: is TF32 off around the look ahead? The hypergradient beside one in float64;
- `mixture`: the one-class head fitted on the device and in numpy;
- `full_card`: a card without room for a batch halves it;
- `learn`, then `carry`: what was learned, saved and cut off on the card goes on without one.

Each runs in a process of its own, so that one that fails or hangs costs the others nothing, and
prints a line of JSON and one for people at once. All are kept after each section in
``FOLDER/gpu-<card>.json``. Without a card (or with ``--small``) a small form runs on the CPU, so
that the script is never untried; what it measures there means nothing.
"""

import argparse
import json
import multiprocessing
import os
import re
import tempfile
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

RESULTS = Path(__file__).parent / "results"


class Section(NamedTuple):
    """A function of `benchmarks._gpu_sections`, the most seconds it may take, and where it runs."""

    name: str
    seconds: float
    sees_card: bool = True
    module: str = "benchmarks._gpu_sections"


SECTIONS = (
    Section("tests", 120),
    Section("step", 100),
    Section("transform", 150),
    Section("look_ahead", 45),
    Section("mixture", 60),
    Section("full_card", 40),
    Section("learn", 60),
    Section("carry", 60, sees_card=False),
)


def run(section, options, folder, seconds):
    """A section in a process of its own: what it found, or why it found nothing.

    Returns
    -------
    dict
        ``section``, ``ok``, ``seconds``, ``words`` for people, and figures or ``error``. Not ok
        is what could not be measured or is ``wrong``; how fast it ought to be stands beside it.
    """
    start, context = time.perf_counter(), multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(section, options, folder, theirs))
    process.start()
    theirs.close()
    found = {"ok": False, "error": f"stopped after {seconds:.1f} s", "words": "took too long"}
    try:
        if ours.poll(seconds):
            found = ours.recv()
    except EOFError:
        process.join(5)
        found["words"] = found["error"] = f"the process ended with {process.exitcode}"
    process.join(2)
    if process.is_alive():
        process.kill()
        process.join()
    return {"section": section.name, **found, "seconds": round(time.perf_counter() - start, 1)}


def _child(section, options, folder, pipe):
    if not section.sees_card:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    try:
        sections = import_module(section.module)
        small = options.small or not sections.has_card()
        found = getattr(sections, section.name)(folder, small)
        found["ok"] = not found.get("wrong")
    except BaseException as error:
        # Whatever it was: the other sections go on, and the reader sees where this one stood.
        traceback.print_exc()
        found = {"ok": False, "error": traceback.format_exc()[-2000:], "words": repr(error)[:300]}
    pipe.send(found)
    pipe.close()


def keep(found, out):
    """All results so far, in a file named by the card."""
    card = next((row["gpu"] for row in found if row.get("gpu")), None) or "cpu"
    name = re.sub(r"[^a-z0-9]+", "-", card.lower()).strip("-")
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"gpu-{name}.json"
    path.write_text(json.dumps(found, indent=1, default=float) + "\n")
    return path


def say(row):
    print(json.dumps(row, default=float), flush=True)
    mark = "ok" if row["ok"] else "FAILED"
    print(f"== {row['section']:11s} {mark:6s} {row['seconds']:6.1f} s  {row['words']}", flush=True)


def main(arguments=None):
    names = [section.name for section in SECTIONS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="section", help=", ".join(names))
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--seconds", type=float, default=300, help="for all sections together")
    parser.add_argument("--small", action="store_true", help="the small form, card or not")
    options = parser.parse_args(arguments)
    if unknown := set(options.sections) - set(names):
        parser.error(f"{', '.join(sorted(unknown))}: the sections are {', '.join(names)}.")
    # Before anything imports scipy: the mixture's arithmetic on a device needs it.
    os.environ["SCIPY_ARRAY_API"] = "1"
    end, found = time.perf_counter() + options.seconds, []
    with tempfile.TemporaryDirectory() as folder:
        chosen = [s for s in SECTIONS if not options.sections or s.name in options.sections]
        for section in (chosen[0]._replace(name="facts", seconds=60, sees_card=True), *chosen):
            left = end - time.perf_counter()
            if left < 5:
                row = {"section": section.name, "ok": False, "seconds": 0, "words": "no time left"}
            else:
                row = run(section, options, Path(folder), min(section.seconds, left))
            found.append(row)
            say(row)
            path = keep(found, options.out)
    failed = [row["section"] for row in found if not row["ok"]]
    print(f"{path}: {len(found) - len(failed)} of {len(found)} sections ok", *failed, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
