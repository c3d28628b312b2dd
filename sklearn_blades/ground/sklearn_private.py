"""The one place that touches scikit-learn's private helpers (tested on 1.6 and on 1.9)."""

from sklearn import calibration
from sklearn.base import _fit_context
from sklearn.calibration import _CalibratedClassifier as CalibratedClassifier
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils._set_output import _SetOutputMixin
from sklearn.utils.validation import _num_samples

try:
    from sklearn.utils._repr_html.estimator import _VisualBlock
except ImportError:  # before 1.7
    from sklearn.utils._estimator_html_repr import _VisualBlock

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Before scikit-learn 1.9 there is nobody to tell."""

        def _init_callback_context(self, **kwargs):
            return None


# With the numbers that each has learned; the second is there since 1.8.
_LEARNED = {"_SigmoidCalibration": ("a_", "b_"), "_TemperatureScaling": ("beta_",)}
CALIBRATORS = {
    getattr(calibration, name): numbers
    for name, numbers in _LEARNED.items()
    if hasattr(calibration, name)
}

__all__ = [
    "CALIBRATORS",
    "CalibratedClassifier",
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "Options",
    "StrOptions",
    "_SetOutputMixin",
    "_VisualBlock",
    "_fit_context",
    "_num_samples",
    "_safe_indexing",
]
