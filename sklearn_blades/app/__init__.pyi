from .found import Scan as Scan
from .report import detector_page as detector_page
from .report import scan_page as scan_page
from .rows import Row as Row
from .scanning import scan as scan

__all__ = ["Row", "Scan", "detector_page", "scan", "scan_page"]
