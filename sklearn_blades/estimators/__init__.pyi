from .binary import BladesBinary as BladesBinary
from .detector import make_detector as make_detector
from .encoder import BladesEncoder as BladesEncoder
from .one_class import BladesOneClass as BladesOneClass

__all__ = ["BladesBinary", "BladesEncoder", "BladesOneClass", "make_detector"]
