from .found import Scan as Scan
from .rows import Row as Row
from .scanning import scan as scan

__all__ = ["Row", "Scan", "scan"]
