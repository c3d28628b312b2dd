"""What an encoder and a head say of photographs; those without a face keep their rows."""

from copy import copy
from typing import Any, Self

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import check_consistent_length
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ..evaluation.judge import promise_of, unwrapped
from ..ground.rows import photograph_rows
from ..ground.sklearn_private import _safe_indexing
from ..ground.types import Column, FloatArray, IntArray, Photographs, StrPath
from ..photos.folders import rows_of
from .one_class import BladesOneClass
from .promise import warn_if_coded_otherwise
from .verdicts import Verdicts, verdicts_of


def _head_has(name):
    def has(detector):
        head = detector.head if detector.head is not None else BladesOneClass()
        getattr(getattr(detector, "head_", head), name)  # or its own AttributeError
        return True

    return has


class AnswersMixin:
    """Answers of a fitted detector with ``encoder_`` and ``head_``."""

    encoder_: Any
    head_: Any
    _label: Any

    def _ask(self, method, features):
        """Answers of the head, NaN for rows without features."""
        usable = np.isfinite(features).all(axis=1)
        answers = np.full(len(features), np.nan)
        if usable.any():
            answers[usable] = getattr(self.head_, method)(features[usable])
        return answers

    def _embedded(self, X):
        check_is_fitted(self)
        return features_of(self.encoder_, rows_of(X))

    def predict(self, X: Photographs | StrPath) -> IntArray:
        """Photograph or AI-generated?

        Parameters
        ----------
        X : as in `fit`, and what else ``encoder_.transform`` takes

        Returns
        -------
        ndarray of shape (n_samples,), int
            +1 = not flagged, -1 = flagged as AI-generated.

        Raises
        ------
        ValueError
            If a photograph cannot be used and the encoder's ``on_error`` is "nan": no answer fits
            it. `verdicts` and the scores keep such rows.
        """
        answers = self._ask("predict", self._embedded(X))
        lost = np.flatnonzero(np.isnan(answers))
        if lost.size:
            first = ", ".join(map(str, lost[:3])) + (", ..." if lost.size > 3 else "")
            raise ValueError(
                f"{lost.size} of {len(answers)} photographs cannot be used (rows {first}), and "
                "predict has no answer for them; verdicts(X) says of each row what is wrong."
            )
        warn_if_coded_otherwise(self)
        return answers.astype(int)

    @available_if(_head_has("score_samples"))
    def score_samples(self, X: Photographs | StrPath) -> FloatArray:
        """The head's scores; NaN for photographs that cannot be used.

        Parameters
        ----------
        X : as in `predict`

        Returns
        -------
        ndarray of shape (n_samples,)
            Higher = more photographic.
        """
        return self._ask("score_samples", self._embedded(X))

    @available_if(_head_has("decision_function"))
    def decision_function(self, X: Photographs | StrPath) -> FloatArray:
        """Scores above the threshold; NaN for photographs that cannot be used.

        Parameters
        ----------
        X : as in `predict`

        Returns
        -------
        ndarray of shape (n_samples,)
            Negative = flagged; higher = more photographic.
        """
        return self._ask("decision_function", self._embedded(X))

    @available_if(_head_has("p_values"))
    def p_values(self, X: Photographs | StrPath) -> FloatArray:
        """Conformal p-values of "a photograph like those held out"; NaN where there are none.

        Parameters
        ----------
        X : as in `predict`

        Returns
        -------
        ndarray of shape (n_samples,)
            Low = AI-generated; see `BladesOneClass.p_values`.
        """
        return self._ask("p_values", self._embedded(X))

    def verdicts(self, X: Photographs | StrPath) -> Verdicts:
        """Score, p-value and verdict of every photograph, or why there is none.

        Parameters
        ----------
        X : as in `predict`

        Returns
        -------
        Verdicts
            A row a photograph, in order: print it, or ``to_frame()``.
        """
        photos = rows_of(X)
        features = self._embedded(photos)
        scores = self._ask(
            "score_samples" if hasattr(self.head_, "score_samples") else "decision_function",
            features,
        )
        nothing = np.full(len(features), np.nan)
        p_values = self._ask("p_values", features) if hasattr(self.head_, "p_values") else nothing
        flagged = self._ask("predict", features) == -1
        rows = verdicts_of(photos, scores, p_values, flagged, self.encoder_)
        return Verdicts(tuple(rows), promise_of(self))

    @available_if(_head_has("recalibrate"))
    def recalibrate(
        self,
        X: Photographs | StrPath,
        y: Column | None = None,
        *,
        groups: Column | None = None,
        sources: Column | None = None,
    ) -> Self:
        """Set the threshold anew from other photographs; what was learned stays as it is.

        Parameters
        ----------
        X : as in `predict`
            Photographs that taught neither encoder nor head.
        y, groups, sources : array-like of shape (n_samples,), default=None
            As in `BladesOneClass.recalibrate`.

        Returns
        -------
        self
        """
        features = self._embedded(X)
        check_consistent_length(features, y, groups, sources)
        if y is not None:
            y = np.where(photograph_rows(y, self._label(), len(features)), 1, -1)
        rows = np.flatnonzero(np.isfinite(features).all(axis=1))
        columns = {"groups": groups, "sources": sources}
        columns = {
            name: None if column is None else _safe_indexing(column, rows)
            for name, column in columns.items()
        }
        head = copy(self.head_)  # another detector may share it
        self.head_ = head.recalibrate(features[rows], None if y is None else y[rows], **columns)
        return self


def features_of(encoder, X):
    """Features as an array, whatever the encoder was told to put out."""
    return np.asarray(encoder.transform(X))


def taken_apart(detector: Any) -> tuple[Any, Pipeline | None, Any]:
    """The encoder of a fitted detector, the transformers behind it, if any, and the head.

    Raises
    ------
    NotFittedError
    TypeError
        If it is no detector of photographs.
    """
    inside = unwrapped(detector)
    check_is_fitted(inside)
    if hasattr(inside, "head_"):
        return unwrapped(inside.encoder_), None, inside.head_
    if isinstance(inside, Pipeline) and len(inside) > 1:
        middle = inside[1:-1] if len(inside) > 2 else None
        return unwrapped(inside.steps[0][1]), middle, inside.steps[-1][1]
    raise TypeError(
        f"{type(detector).__name__} is no detector of photographs; pass a fitted BladesDetector, "
        "a pipeline of make_detector, or the path of the .blades file that holds one."
    )
