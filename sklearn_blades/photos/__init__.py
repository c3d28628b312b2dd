"""A file on disk goes in, facts and pixels come out. Imports neither torch nor scikit-learn."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
