from .files import load as load
from .files import save as save

__all__ = ["load", "save"]
