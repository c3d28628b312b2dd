"""Feature matrices in, verdicts out: densities, thresholds with a promise, a perceptron."""

__all__: list[str] = []  # its modules are for the rooms above


def __dir__():
    return __all__
