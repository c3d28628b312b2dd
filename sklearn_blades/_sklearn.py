"""The one place that touches scikit-learn's private helpers (tested on 1.6 and on 1.9)."""

from sklearn.base import _fit_context
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions

try:
    from sklearn.utils._repr_html.estimator import _VisualBlock
except ImportError:  # before 1.7
    from sklearn.utils._estimator_html_repr import _VisualBlock

__all__ = ["HasMethods", "Interval", "Options", "StrOptions", "_VisualBlock", "_fit_context"]
