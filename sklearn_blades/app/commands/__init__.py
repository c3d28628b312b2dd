"""What the words of the command `blades` do."""

__all__: list[str] = []  # its modules are for the command


def __dir__():
    return __all__
