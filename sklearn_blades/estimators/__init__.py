"""The scikit-learn face: parameters, documentation and contract; the arithmetic is below."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
