"""BLADES: find AI-generated faces after learning from photographs alone.

Public names are imported on first use, so that ``import sklearn_blades.photos`` costs neither
torch nor scikit-learn. Editors read them in ``__init__.pyi``, and so does this.
"""

from importlib.metadata import PackageNotFoundError, version

import lazy_loader

try:
    __version__ = version("sklearn-blades")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
