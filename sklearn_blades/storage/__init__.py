"""What is kept, and where: arrays in memory and on disk, objects in one file without code."""

__all__: list[str] = []  # its modules are for the rooms above


def __dir__():
    return __all__
