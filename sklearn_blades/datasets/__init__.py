"""Photographs to learn from: a simulated world, and the folder layouts that people have."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
