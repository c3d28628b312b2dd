"""What stands on a page: facts and rows come in, numbers, words and geometry for templates go out.

The templates draw and escape; nothing here writes markup but `environment.py`, which fills them.
"""

__all__: list[str] = []  # its modules are for the two functions of report.py


def __dir__():
    return __all__
