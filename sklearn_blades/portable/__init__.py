"""A detector in one ONNX file: photographs in, verdicts out, without torch or scikit-learn."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
