"""BLADES: find AI-generated faces after learning from photographs alone.

Public names are imported on first use, so that ``import sklearn_blades.photos`` costs neither
torch nor scikit-learn.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("sklearn-blades")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

_HOMES = {
    "BladesEncoder": "._encoder",
    "BladesOneClass": "._one_class",
    "BladesBinary": "._binary",
    "make_detector": "._detector",
}

__all__ = ["BladesBinary", "BladesEncoder", "BladesOneClass", "make_detector"]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__():
    return sorted([*globals(), *_HOMES])
