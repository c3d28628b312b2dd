"""A simulated world: people before simulated cameras, and stand-ins for generators."""

from .photographs import make_photos

__all__ = ["make_photos"]


def __dir__():
    return __all__
