"""What everything stands on: devices and precision, rows and splits, scikit-learn's privates."""

__all__: list[str] = []  # its modules are for the rooms above


def __dir__():
    return __all__
