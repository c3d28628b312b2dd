"""Looks at a file that do what no look should do: the watch of the benchmarks must see it."""

import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path

KINDS = ["pickle", "program", "network", "code", "write", "memory", "untyped", "end"]


def mutated(job):
    """One file a kind."""
    return lambda index: (KINDS[index], pickle.dumps(Path()))


def look(path):
    """Do what the number of the file says; the pickle is only read for the first."""
    kind = KINDS[look.done]
    look.done += 1
    if kind == "pickle":
        pickle.loads(Path(path).read_bytes())
    elif kind == "program":
        subprocess.run([sys.executable, "--version"], stdout=subprocess.DEVNULL)
    elif kind == "network":
        socket.socket().connect_ex(("127.0.0.1", 9))
    elif kind == "code":
        exec("1")
    elif kind == "write":
        Path(f"{path}.more").write_bytes(b"")
    elif kind == "memory":
        bytearray(2 << 30)
    elif kind == "untyped":
        raise KeyError(7)
    elif kind == "end":
        os._exit(7)
    return "same"


look.done = 0
