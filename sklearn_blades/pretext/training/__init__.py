"""Photographs and a plan go in, trained towers and task weights come out."""

__all__: list[str] = []  # its modules are for the rooms above


def __dir__():
    return __all__
