"""Image and text towers, where weights come from; pixels and sentences in, features out."""

__all__: list[str] = []  # its modules are for the rooms above


def __dir__():
    return __all__
