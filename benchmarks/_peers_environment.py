"""Environments of other libraries, each of its own: they are no dependencies of ours.

An environment sees the packages of the interpreter that runs this, torch and timm among them, and
pip adds what else a library needs; what both use has one version, so that a comparison is of
libraries. A library that cannot be installed so is left out, and the reason told.
"""

import json
import os
import re
import subprocess
import sys
import sysconfig
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple
from venv import EnvBuilder

SHARED = ("torch", "torchvision", "timm", "numpy", "scipy", "scikit-learn", "pillow", "pandas")

_INSTALLED = """
import json, sys
from importlib.metadata import distributions
print(json.dumps({d.metadata["Name"]: d.version for d in distributions(path=[sys.argv[1]])}))
"""


class Environment(NamedTuple):
    """Where a library is, or why it is nowhere.

    Attributes
    ----------
    python : Path or None
        Its interpreter; None where it could not be installed.
    said : str
        What was done, or why it failed.
    packages : dict of str to str
        What pip has put there, and the versions.
    """

    python: Path | None
    said: str
    packages: dict[str, str]


def usual_folder():
    """Where environments are kept from one run to the next: in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "sklearn-blades" / "peers"


def environment_of(name, folder):
    """The environment of a library, made where it is missing.

    Parameters
    ----------
    name : str
        As the package index knows it.
    folder : Path
        Holds the environments, which are used again.

    Returns
    -------
    Environment
    """
    home = folder / f"{name}-{sys.version_info.major}.{sys.version_info.minor}"
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    there = _packages(python) if python.exists() else {}
    if name in there:
        return Environment(python, f"{name} {there[name]} was there", there)
    start = time.perf_counter()
    failure = _make(home, python) or _install(name, home, python)
    if failure:
        return Environment(None, f"{name} was not installed: {failure}", {})
    there = _packages(python)
    if name not in there:  # among the packages that all see
        there[name] = version(name)
    taken = time.perf_counter() - start
    others = f"{len(there) - 1} packages that it needs beside those here"
    return Environment(python, f"{name} {there[name]} and {others}: {taken:.0f} s", there)


def _make(home, python):
    """Make an empty environment that sees our packages; why it failed, or nothing."""
    try:
        EnvBuilder(with_pip=True, clear=True, symlinks=os.name != "nt").create(home)
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no environment ({reason(str(error))})"
    ours = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (_site(python) / "shared.pth").write_text("\n".join(sorted(ours)) + "\n")
    return ""


def _install(name, home, python):
    """Let pip install a library; why it failed, or nothing."""
    fixed = home / "shared.txt"
    fixed.write_text("\n".join(_versions()) + "\n")
    command = [python, "-m", "pip", "install", "--quiet", "--prefer-binary", "-c", fixed, name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else reason(done.stderr)


def reason(said):
    """The last line that names an error, without addresses and folders of this machine."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()] or lines or ["no word"]
    return re.sub(r"\S*://\S*|(?<![\w.])/\S*", "...", errors[-1])


def _versions():
    """What both sides use, as constraints."""
    for name in SHARED:
        try:
            yield f"{name}=={version(name)}"
        except PackageNotFoundError:
            continue


def _packages(python):
    """What pip has put into an environment, beside itself."""
    asked = [python, "-c", _INSTALLED, _site(python)]
    found = json.loads(subprocess.check_output(asked, text=True))
    return {name: found[name] for name in sorted(found) if name not in ("pip", "setuptools")}


def _site(python):
    """The folder of an environment's packages."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(subprocess.check_output([python, "-c", code], text=True).strip())
