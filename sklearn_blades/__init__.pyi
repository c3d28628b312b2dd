from . import app as app
from . import datasets as datasets
from . import errors as errors
from . import evaluation as evaluation
from . import persistence as persistence
from . import photos as photos
from . import pretext as pretext
from . import residuals as residuals
from .app import scan as scan
from .estimators import BladesBinary as BladesBinary
from .estimators import BladesBranches as BladesBranches
from .estimators import BladesDetector as BladesDetector
from .estimators import BladesEncoder as BladesEncoder
from .estimators import BladesHybrid as BladesHybrid
from .estimators import BladesOneClass as BladesOneClass
from .estimators import make_contrast as make_contrast
from .estimators import make_detector as make_detector
from .portable import OnnxDetector as OnnxDetector

__version__: str
__all__ = [
    "BladesBinary",
    "BladesBranches",
    "BladesDetector",
    "BladesEncoder",
    "BladesHybrid",
    "BladesOneClass",
    "OnnxDetector",
    "app",
    "datasets",
    "errors",
    "evaluation",
    "make_contrast",
    "make_detector",
    "persistence",
    "photos",
    "pretext",
    "residuals",
    "scan",
]
