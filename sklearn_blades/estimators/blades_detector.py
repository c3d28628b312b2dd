"""BladesDetector: from photographs to verdicts in one line whose promise holds."""

from copy import copy
from numbers import Real
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin, clone
from sklearn.utils import check_consistent_length, check_random_state, get_tags
from sklearn.utils.validation import column_or_1d, has_fit_parameter

from ..evaluation.judge import promise_of
from ..ground.fitting import whole_or_nothing
from ..ground.groups import group_codes
from ..ground.rows import photograph_rows
from ..ground.sklearn_private import (
    HasMethods,
    Interval,
    StrOptions,
    _fit_context,
    _num_samples,
    _safe_indexing,
)
from ..ground.types import Column, IntArray, Photographs, RandomState, StrPath
from ..heads.conformal import fewest_calibration_scores
from ..photos.folders import rows_of
from .answers import AnswersMixin, features_of
from .contrast import MOST, make_contrast
from .dealing import (
    MOST_TO_CALIBRATE,
    deal,
    learns,
    share_of_contrast,
    wanted_by,
    wants_contrast,
)
from .encoder import BladesEncoder
from .hybrid import BladesHybrid
from .one_class import BladesOneClass


def default_encoder() -> BladesEncoder:
    """The encoder of a detector that was given none."""
    return BladesEncoder.from_imagenet()


class BladesDetector(AnswersMixin, OutlierMixin, BaseEstimator):
    """Find AI-generated faces: encoder and head, fitted on photographs that are dealt to both.

    A false-alarm rate is promised for photographs that neither encoder nor head has learned from.
    So `fit` deals the photographs: most teach the encoder, the others the head, which sets its
    threshold on some of them. No person (``groups``) is on both sides. Generated faces, where ``y``
    brings some, go to the head alone; they never teach the encoder nor set a threshold.

    An encoder that learns nothing leaves photographs to spare. From 200 on, half of them, 250 at
    most, teach a contrast instead: faults of generators are put into them, and the direction in
    which those move a face is a second opinion beside the density's (`make_contrast`).

    Parameters
    ----------
    encoder : transformer of photographs, default=None
        None: ``BladesEncoder.from_imagenet()``, of all that we measured what finds most
        (docs/results.md). It learns nothing. Such an encoder (also ``max_epochs=0``, or
        ``sklearn.frozen.FrozenEstimator`` of a fitted one) leaves all photographs to the head.
    head : estimator with ``fit`` and ``predict``, default=None
        None: `BladesHybrid` where ``y`` brings generated faces or there is a contrast, else
        `BladesOneClass`, with this ``target_fpr``. Any other keeps its own.
    target_fpr : float in (0, 1), default=0.05
        Share of photographs that may be flagged, where ``head`` is None. Can be changed after
        `fit`, by ``set_params``.
    head_fraction : float in (0, 1), default=0.3
        Share of the photographs that go to the head. It rises, with a warning, to what the promise
        takes: 38 photographs (or persons) for the default head at 5 %, as long as that is no more
        than 70 % of all.
    contrast : bool or "auto", default="auto"
        Whether the default head gets a contrast with pseudo-fakes. "auto": where the encoder
        learns nothing, there are 200 photographs, and what is left of them still is what the
        promise takes (at 1 % from 400 on). True: always; of an encoder that learns, from
        photographs that taught it.
    photographic_label : float, default=None
        The value of ``y`` that marks photographs. None: that of head or encoder, else 1.
    random_state : int, RandomState or None, default=None
        Deals the photographs, and seeds encoder and head where they have no ``random_state``.

    Attributes
    ----------
    encoder_, head_ : estimators
        The fitted ones.
    classes_ : ndarray of shape (2,)
        -1 = flagged as AI-generated, 1 = not flagged: what `predict` answers.
    encoder_rows_, head_rows_ : ndarrays of int
        Rows of ``X`` that taught each; empty for an encoder that learned nothing.
    contrast_rows_ : ndarray of int
        Rows that taught the contrast; empty where there is none.
    labels_ : ndarray or None
        The labels in the ``y`` of `fit`.

    See Also
    --------
    make_detector : Joins an encoder and a head that are fitted on sets of your own.
    make_contrast : The second opinion, for heads of your own.
    BladesEncoder, BladesOneClass, BladesBinary, BladesHybrid : The parts.
    sklearn_blades.evaluation.evaluate_by_generator : Judges it on each generator's faces.
    sklearn_blades.persistence.save : Keeps it in one file.

    Notes
    -----
    Scores rise with "more photographic". As with all outlier detectors, ``"roc_auc"`` and its like
    take any numeric ``y`` in which photographs are larger; scorers on `predict` need +1 and -1.
    Groups, and generators, are routed: ``detector.set_fit_request(groups=True)``.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_blades import BladesDetector, BladesEncoder
    >>> from sklearn_blades.datasets import make_photos
    >>> folder = tempfile.mkdtemp()
    >>> paths = make_photos(60, folder, random_state=0)
    >>> encoder = BladesEncoder(face_locator="whole", max_epochs=0)
    >>> detector = BladesDetector(encoder, target_fpr=0.1, random_state=0).fit(folder)
    >>> detector.predict(paths[:2]).shape, detector.verdicts(paths)[0].verdict
    ((2,), 'not flagged')
    """

    _parameter_constraints: dict = {
        "encoder": [HasMethods(["fit", "transform"]), None],
        "head": [HasMethods(["fit", "predict"]), None],
        "target_fpr": [Interval(Real, 0, 1, closed="neither")],
        "head_fraction": [Interval(Real, 0, 1, closed="neither")],
        "contrast": ["boolean", StrOptions({"auto"})],
        "photographic_label": [Real, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        encoder: Any = None,
        head: Any = None,
        *,
        target_fpr: float = 0.05,
        head_fraction: float = 0.3,
        contrast: bool | str = "auto",
        photographic_label: float | None = None,
        random_state: RandomState = None,
    ):
        self.encoder = encoder
        self.head = head
        self.target_fpr = target_fpr
        self.head_fraction = head_fraction
        self.contrast = contrast
        self.photographic_label = photographic_label
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Photographs | StrPath,
        y: Column | None = None,
        *,
        groups: Column | None = None,
        generator: Column | None = None,
    ) -> Self:
        """Deal the photographs, teach the encoder and the head.

        Parameters
        ----------
        X : list, array or Series of paths or of PhotoRecord, or a folder
            Of a folder (str or Path) all image files below it are taken, by their suffix, sorted
            by path, hidden ones left out.
        y : array-like of shape (n_samples,), default=None
            Without it all rows are photographs. With it the others are generated faces, for heads
            that learn from them.
        groups : array-like of shape (n_samples,), default=None
            Person of every row. Two photographs of one person on both sides would make the
            promise too good.
        generator : array-like of shape (n_samples,), default=None
            Whose every generated face is, for `BladesHybrid`; photographs' entries are not looked
            at, and other heads do not use it.

        Returns
        -------
        self

        Raises
        ------
        ImportError
            If ``encoder`` is None and the extras lite and faces are not installed.
        PhotoError
            For a photograph that cannot be used, unless the encoder's ``on_error`` is "nan".
        ValueError
            If there are too few photographs or persons, a row has no label or group, or a
            promising head takes no groups. The detector is then as before.

        Warns
        -----
        SmallSampleWarning
            If more than ``head_fraction`` goes to the head, or the photographs are too few for the
            promise, or for a contrast that was asked for.
        """
        with whole_or_nothing(self):
            X = rows_of(X)
            check_consistent_length(X, y, groups, generator)
            n_samples = _num_samples(X)
            persons = None if groups is None else group_codes(groups, n_samples)
            photographic = photograph_rows(y, self._label(), n_samples)
            rng = check_random_state(self.random_state)
            encoder = default_encoder() if self.encoder is None else clone(self.encoder)
            photographs = np.flatnonzero(photographic)
            n = len(photographs)
            units = n if persons is None else len(np.unique(persons[photographs]))
            wanted = wanted_by(self.head, self.target_fpr, persons is not None)
            contrast = wants_contrast(self.contrast, encoder, self.head, n, units, wanted)
            taught: IntArray = np.arange(0)
            judged: IntArray = photographs
            if learns(encoder) or contrast:
                share = self.head_fraction if learns(encoder) else 1 - share_of_contrast(n)
                taught, judged = deal(photographs, persons, share, wanted, rng)
            self.encoder_rows_ = taught if learns(encoder) else np.arange(0)
            self.contrast_rows_ = rng.permutation(taught)[: MOST if contrast else 0]
            self.head_rows_ = np.sort(np.concatenate([judged, np.flatnonzero(~photographic)]))
            self._fit_encoder(encoder, X, photographs, persons, rng)
            self.labels_ = None if y is None else np.unique(column_or_1d(y).astype(float))
            codes = None if y is None else np.where(photographic, 1, -1)
            self._fit_head(X, codes, {"groups": persons, "generator": generator}, rng)
            self.classes_ = np.array([-1, 1])
        return self

    def _label(self):
        given = (
            getattr(part, "photographic_label", None) for part in (self, self.head, self.encoder)
        )
        return next((label for label in given if label is not None), None)

    def _seeded(self, part, rng):
        """A part that has no seed gets one, if the detector has one itself."""
        seed = rng.randint(2**31 - 1)
        params = part.get_params(deep=False)
        if self.random_state is not None and params.get("random_state", 0) is None:
            part.set_params(random_state=seed)
        return part

    def _fit_encoder(self, encoder, X, photographs, groups, rng):
        # One that learns nothing may look at anything.
        rows = self.encoder_rows_ if len(self.encoder_rows_) else photographs
        columns = {}
        if groups is not None and has_fit_parameter(encoder, "groups"):
            columns["groups"] = groups[rows]
        self.encoder_ = self._seeded(encoder, rng).fit(_safe_indexing(X, rows), None, **columns)

    def _contrast(self, X, rng):
        """The contrast of the default head, or None."""
        if not len(self.contrast_rows_):
            return None
        photographs = _safe_indexing(X, self.contrast_rows_)
        return make_contrast(self.encoder_, photographs, random_state=rng)

    def _fit_head(self, X, y, columns, rng):
        contrast = self._contrast(X, rng)
        rows = self.head_rows_
        features = features_of(self.encoder_, _safe_indexing(X, rows))
        usable = np.isfinite(features).all(axis=1)  # with on_error="nan" the encoder has said so
        features, rows = features[usable], rows[usable]
        y = None if y is None else y[rows]
        if self.head is None:
            head = self._default_head(y, columns["groups"], rows, contrast)
        else:
            head = clone(self.head)
            if getattr(head, "photographic_label", None) is not None:
                head.set_params(photographic_label=1)
        given = {}
        for name, column in columns.items():
            if column is None:
                continue
            if has_fit_parameter(head, name):
                given[name] = _safe_indexing(column, rows)  # by place, whatever a Series' index is
            elif name == "groups" and promise_of(head) is not None:
                raise ValueError(
                    f"groups was given, and the head, a {type(head).__name__}, cannot be told: its "
                    "promise would not hold for new persons. Pass the head without a pipeline "
                    "around it, or leave groups out."
                )
        self.head_ = self._seeded(head, rng).fit(features, y, **given)

    def _default_head(self, y, groups, rows, contrast):
        photographs = rows if y is None else rows[y == 1]
        units = len(photographs) if groups is None else len(np.unique(groups[photographs]))
        fewest = fewest_calibration_scores(self.target_fpr)
        settings = {
            "target_fpr": self.target_fpr,
            "calibration_fraction": min(max(0.2, fewest / max(units, 1)), MOST_TO_CALIBRATE),
        }
        if contrast is not None or (y is not None and (y == -1).any()):
            return BladesHybrid(contrast=contrast, **settings)
        return BladesOneClass(**settings)

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of encoder and head by ``encoder__name`` and ``head__name``.

        Returns
        -------
        self
            Of a fitted detector without a ``head`` of its own, ``target_fpr`` counts at once.
        """
        super().set_params(**params)
        if "target_fpr" in params and self.head is None and hasattr(self, "head_"):
            self.head_ = copy(self.head_).set_params(target_fpr=self.target_fpr)
        return self

    def report(
        self,
        path: StrPath | None = None,
        *,
        title: str | None = None,
        evaluation: Any = None,
        robustness: Any = None,
        sources: Any = None,
        confounds: Any = None,
    ) -> str | None:
        """A page of this detector: what taught it, what it promises, and how it was judged.

        Parameters
        ----------
        path : str or Path, default=None
            Where to write it, whole or not at all.
        title, evaluation, robustness, sources, confounds
            As in `sklearn_blades.app.report.detector_page`.

        Returns
        -------
        str or None
            HTML that opens from a disk; None where it was written.
        """
        from ..app.report import detector_page, write_page

        reports = {"evaluation": evaluation, "robustness": robustness}
        reports |= {"sources": sources, "confounds": confounds}
        page = detector_page(self, title=title, **reports)
        if path is None:
            return page
        write_page(path, page)
        return None

    def __sklearn_is_fitted__(self):
        return hasattr(self, "head_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        encoder = default_encoder() if self.encoder is None else self.encoder
        tags.input_tags = copy(get_tags(encoder).input_tags)
        return tags
