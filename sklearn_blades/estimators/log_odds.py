"""What a classifier of two labels makes of its log-odds, with or without a promise."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, column_or_1d

from ..ground.missing import refuse_missing
from ..ground.rows import LABEL_OF_PHOTOGRAPHS
from ..ground.types import Features, FloatArray
from ..ground.warn import warn
from ..heads.conformal import above_threshold
from .promise import PromiseMixin, promises


class LogOddsMixin(PromiseMixin):
    """Verdicts of a classifier whose ``_margin`` gives the log-odds of ``classes_[1]``.

    Without a ``target_fpr`` the more likely label is predicted. With one it is the photographs'
    label for all whose log-odds of a photograph reach the threshold of `PromiseMixin`.
    """

    classes_: NDArray[Any]
    photographic_label: Any
    _margin: Any

    @available_if(promises)
    def score_samples(self, X: Features) -> FloatArray:
        """Log-odds of a photograph, whatever the threshold is; only with a ``target_fpr``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,)
            Unbounded; higher = more photographic.
        """
        check_is_fitted(self)
        # Rounded, so that a row's score does not hang on the rows beside it.
        margin = self._margin(X, precise=True).astype(np.float32).astype(float)
        return margin if self._photographic_class() else -margin

    def decision_function(self, X: Features) -> FloatArray:
        """Log-odds of ``classes_[1]``; with a ``target_fpr``, by how much they pass the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), float32, or float64 with a ``target_fpr``
            Unbounded; higher = more photographic where ``classes_[1]`` is the photograph, as in
            {0, 1} and {-1, 1}. Above 0 is what `predict` calls ``classes_[1]``.
        """
        return self._decide(X, "decision_function")

    def _decide(self, X, asked_by):
        check_is_fitted(self)
        if self.target_fpr is None:
            return self._margin(X)
        above = above_threshold(
            self.score_samples(X), self._offset(asked_by), self.calibration_scores_
        )
        return above if self._photographic_class() else -above

    def predict_proba(self, X: Features) -> FloatArray:
        """Probability of each label.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, 2), float32, or float64 with a ``target_fpr``
            Columns in the order of ``classes_``; not calibrated. With a ``target_fpr`` they are
            for the share of photographs at which its threshold is where both labels are equally
            likely: 1/2 is where `predict` changes.
        """
        log_odds = self._decide(X, "predict_proba")
        return np.column_stack([expit(-log_odds), expit(log_odds)])

    def predict(self, X: Features) -> NDArray[Any]:
        """The more likely label; with a ``target_fpr``, the photographs' unless flagged.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), of the labels' type
        """
        second = self._decide(X, "predict") > 0
        return self.classes_[second.astype(int)]

    def _photographic_class(self, wanted_by=""):
        """Place of the photographs' label in ``classes_``; in `fit`, what needs to know it."""
        labels, given = self.classes_.tolist(), self.photographic_label
        label = LABEL_OF_PHOTOGRAPHS if given is None else given
        if label in labels:
            return labels.index(label)
        if given is not None or wanted_by == "pseudo_outlier_fraction":
            raise ValueError(
                f"{wanted_by or 'target_fpr'} needs to know the photographs: label them 1 (the "
                f"labels are {labels}), or pass the one of photographs as photographic_label, "
                f"which is {given!r}."
            )
        if wanted_by:
            warn(
                f"{labels[1]!r} is taken for the label of photographs, whose false alarms "
                f"target_fpr bounds; say photographic_label={labels[1]!r} (or {labels[0]!r}).",
                UserWarning,
            )
        return 1

    def _coded(self, y):
        if y is None:
            return None, 1
        y = column_or_1d(y)
        refuse_missing(y, "y")
        return y == self.classes_[self._photographic_class()], True
