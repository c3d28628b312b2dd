from .report import detector_page as detector_page
from .report import scan_page as scan_page
from .rows import Row as Row

__all__ = ["Row", "detector_page", "scan_page"]
