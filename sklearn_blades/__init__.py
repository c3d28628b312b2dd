"""BLADES: find AI-generated faces after learning from photographs alone.

Public names are imported on first use, so that ``import sklearn_blades.photos`` costs neither
torch nor scikit-learn. Editors read them in ``__init__.pyi``, and so does this.
"""

import lazy_loader

_public, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name):
    if name != "__version__":
        return _public(name)
    # Looked up when asked for: what reads it takes longer to import than all the rest here.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("sklearn-blades")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0+unknown"
