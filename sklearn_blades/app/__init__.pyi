from .rows import Row as Row

__all__ = ["Row"]
