"""A process that opens files it does not trust, under limits, and tells what happened.

``python -m benchmarks._watched JOB.json`` does what the job says and prints a line of JSON a file:
first that it begins, then how it ended. It ends itself where a file takes too long.
"""

import contextlib
import hashlib
import json
import os
import resource
import sys
import time
import traceback
import warnings
from collections import Counter
from importlib import import_module
from pathlib import Path

CPU_SECONDS = 30
"""Of one file; then the system ends the process."""

MEMORY = 1 << 30
"""Bytes that may be taken beyond those of the process with all its libraries."""

# What would be somebody else's code at work, or a word to somebody else.
_FORBIDDEN = (
    "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "pty.spawn",
    "socket.", "urllib.", "http.client", "ftplib.", "smtplib.", "pickle.find_class", "marshal.load",
    "ctypes.dlopen", "code.__new__", "exec", "compile", "webbrowser.", "shutil.", "os.remove",
    "os.rename", "os.mkdir", "os.rmdir", "os.chmod", "os.link", "os.symlink", "os.truncate",
)  # fmt: skip

_events: Counter = Counter()
_watching = False


def _hook(event, arguments):
    if not _watching:
        return
    if event == "open":
        path, mode, flags = arguments
        if (isinstance(mode, str) and set(mode) & set("wax+")) or (
            isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
        ):
            _events[f"open {path} to write"] += 1
    elif event.startswith(_FORBIDDEN) and not _by_an_import():
        _events[event] += 1


def _by_an_import():
    """Whether a module is being imported: one of ours or of a library, by its name in our code."""
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def main(job):
    job = json.loads(Path(job).read_text())
    warnings.simplefilter("ignore")
    module = import_module(job["module"])
    make, look = module.mutated(job), getattr(module, job["look"])
    sys.addaudithook(_hook)
    for path in job["warm"]:  # what is imported late, is now
        with contextlib.suppress(Exception):
            look(path)
    space = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (space + MEMORY, resource.RLIM_INFINITY))
    file = Path(job["folder"], "mutated" + job["ending"])
    for index in range(job["begin"], job["end"]):
        kind, raw = make(index)
        file.write_bytes(raw)
        _say({"begins": index, "kind": kind})
        used = time.process_time()
        resource.setrlimit(resource.RLIMIT_CPU, (int(used) + CPU_SECONDS, -1))
        _say({"ended": index, "kind": kind, **_watched(look, str(file))})


def _watched(look, path):
    """What a look at a file came to: outcome, seconds, bytes, and what was done besides."""
    global _watching
    _events.clear()
    Path("/proc/self/clear_refs").write_text("5")  # the highest memory use begins anew
    before, begun = _memory("VmRSS"), time.perf_counter()
    _watching = True
    try:
        outcome, said = look(path), ""
    except Exception as error:
        _watching = False
        outcome = "typed" if typed(error, path) else "untyped"
        said = "".join(traceback.format_exception(error))[-1500:] if outcome == "untyped" else ""
    _watching = False
    return {
        "outcome": outcome,
        "said": said,
        "seconds": time.perf_counter() - begun,
        "bytes": max(0, _memory("VmHWM") - before),
        "events": dict(_events),
    }


def typed(error, path):
    """Whether an error is one that we promise: it names the file, and is ours or the system's."""
    from sklearn_blades.errors import PhotoError

    ours = type(error) is ValueError and str(error).startswith(f"{path} is no model that can be")
    return ours or (isinstance(error, PhotoError | OSError) and path in str(error))


def digest(array):
    """First letters of the hash of an array."""
    return hashlib.sha256(array.tobytes()).hexdigest()[:16]


def _memory(name):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


def _say(line):
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
