from .onnx_detector import OnnxDetector as OnnxDetector

__all__ = ["OnnxDetector"]
