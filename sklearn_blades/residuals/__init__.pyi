from .native import NativeResiduals as NativeResiduals

__all__ = ["NativeResiduals"]
