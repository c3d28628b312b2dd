"""A command line, scans of folders and pages: no logic of its own.

Detectors and files come in; rows, pages and exit codes go out.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
