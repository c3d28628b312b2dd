from .exporting import export_onnx as export_onnx
from .files import load as load
from .files import save as save

__all__ = ["export_onnx", "load", "save"]
