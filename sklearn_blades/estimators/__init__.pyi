from .binary import BladesBinary as BladesBinary
from .blades_detector import BladesDetector as BladesDetector
from .branches import BladesBranches as BladesBranches
from .contrast import make_contrast as make_contrast
from .detector import make_detector as make_detector
from .encoder import BladesEncoder as BladesEncoder
from .hybrid import BladesHybrid as BladesHybrid
from .one_class import BladesOneClass as BladesOneClass

__all__ = [
    "BladesBinary",
    "BladesBranches",
    "BladesDetector",
    "BladesEncoder",
    "BladesHybrid",
    "BladesOneClass",
    "make_contrast",
    "make_detector",
]
