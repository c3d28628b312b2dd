"""The binary head: photographs against AI-generated faces, on frozen features."""

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_consistent_length, check_random_state, compute_class_weight

from ..ground.device import resolve_device
from ..ground.fitting import whole_or_nothing
from ..ground.groups import group_codes, holdout
from ..ground.rows import check_features, two_classes
from ..ground.sklearn_private import Interval, StrOptions, _fit_context
from ..ground.types import Column, Features, RandomState
from ..ground.warn import warn
from ..heads.calibration import promise_split
from ..heads.conformal import fewest_calibration_scores
from ..heads.perceptron import (
    as_pseudo_outliers,
    logit_margin,
    make_net,
    net_from_state,
    net_state,
    ran_away,
    seeded,
    stop_early,
)
from .log_odds import LogOddsMixin


class BladesBinary(ClassifierMixin, LogOddsMixin, BaseEstimator):
    """Tell photographs from AI-generated faces after seeing both.

    A two-layer perceptron (ReLU) on standardised features, trained with AdamW; the encoder that
    made the features stays as it is. It knows the generators it was shown; for others see
    `BladesOneClass`, and `BladesHybrid` for both. With a ``target_fpr`` it decides by photographs
    held out instead of by the odds, and promises how many new ones it flags.

    Parameters
    ----------
    hidden_size : int or None, default=None
        Hidden units. None: twice the number of features, 32 at least.
    lr : float > 0, default=1e-3
        AdamW's learning rate.
    weight_decay : float >= 0, default=1e-4
        AdamW's decoupled weight decay.
    max_epochs : int, default=50
    batch_size : int, default=256
    early_stopping : bool, default=False
        Hold rows out, stop after 10 epochs without a lower loss on them, keep the best epoch.
    validation_fraction : float in (0, 1), default=0.1
        Share of the rows (in whole groups, with ``groups``) held out by ``early_stopping``.
    pseudo_outlier_fraction : float in [0, 1), default=0.0
        Share of the training photographs, rounded up, that are trained as AI-generated instead:
        those least likely under mixtures fitted on the other training photographs (five folds,
        the automatic mixture of `BladesOneClass`). They pull the boundary in around the rest.
        `fit` refuses labels of which neither is 1, unless this is 0 or ``photographic_label`` is
        given.
    target_fpr : float in (0, 1) or None, default=None
        None: the more likely label is predicted. Else the share of new photographs that may be
        flagged, which is to say given the other label. Can be changed after `fit`; where that was
        done without, `recalibrate` comes first.
    calibration_fraction : float in (0, 1), default=0.2
        Share of the photographs (of the groups, with ``groups``) that are held out of the training
        for the threshold, where there is a ``target_fpr``; as in `BladesOneClass`.
    confidence : float in (0, 1) or None, default=None
        As in `BladesOneClass`.
    photographic_label : label or None, default=None
        Which label marks photographs. None: 1, or where neither is 1 the second in order, which
        `fit` says where it matters.
    class_weight : dict, "balanced" or None, default=None
        Weight of each label's rows in the loss. Their mean over the training rows is scaled to 1,
        so that only ratios matter.
    device : str, default="auto"
        ``"auto"`` (CUDA where present), ``"cpu"``, ``"cuda"``, ``"cuda:1"``. Used while fitting
        and predicting; between calls the weights are on the CPU.
    random_state : int, RandomState or None, default=None
        Fixes the result bit for bit on one machine's CPU; torch's global generators are left as
        they were.
    verbose : int, default=0
        1 prints a line an epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The labels, sorted. With {0, 1}, {-1, 1} and {False, True} the second is the photograph.
    net_ : skorch.NeuralNetClassifier
        The perceptron, on standardised features; ``net_.history`` has the losses.
    scaler_ : StandardScaler
        Unit-norm features vary by about 1/sqrt(d) a column, too little for AdamW's steps.
    n_iter_ : int
        Epochs run.
    calibration_scores_, calibration_sources_, offset_
        With a ``target_fpr``: scores of the photographs held out, and the threshold on
        `score_samples`; as in `BladesOneClass`.
    n_features_in_ : int

    See Also
    --------
    BladesOneClass : Head for photographs alone, with a promised false-alarm rate.
    BladesHybrid : Head of both kinds.
    BladesEncoder : Makes the features.
    sklearn_blades.evaluation.evaluate_by_generator : Judges it on each generator's faces.

    References
    ----------
    docs/method.md, section 6 (arXiv 2507.22824).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = np.r_[rng.normal(size=(100, 8)), rng.normal(loc=3, size=(100, 8))]
    >>> y = np.repeat(["generated", "photograph"], 100)
    >>> head = BladesBinary(random_state=0).fit(X, y)
    >>> head.predict(X[[0, 150]])
    array(['generated', 'photograph'], dtype='<U10')
    """

    _parameter_constraints: dict = {
        "hidden_size": [Interval(Integral, 1, None, closed="left"), None],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "pseudo_outlier_fraction": [Interval(Real, 0, 1, closed="left")],
        "target_fpr": [Interval(Real, 0, 1, closed="neither"), None],
        "calibration_fraction": [Interval(Real, 0, 1, closed="neither")],
        "confidence": [Interval(Real, 0, 1, closed="neither"), None],
        "photographic_label": "no_validation",
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        hidden_size: int | None = None,
        *,
        lr: float = 1e-3,
        weight_decay: float = 1e-4,
        max_epochs: int = 50,
        batch_size: int = 256,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        pseudo_outlier_fraction: float = 0.0,
        target_fpr: float | None = None,
        calibration_fraction: float = 0.2,
        confidence: float | None = None,
        photographic_label: Any = None,
        class_weight: dict[Any, float] | str | None = None,
        device: str = "auto",
        random_state: RandomState = None,
        verbose: int = 0,
    ):
        self.hidden_size = hidden_size
        self.lr = lr
        self.weight_decay = weight_decay
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.pseudo_outlier_fraction = pseudo_outlier_fraction
        self.target_fpr = target_fpr
        self.calibration_fraction = calibration_fraction
        self.confidence = confidence
        self.photographic_label = photographic_label
        self.class_weight = class_weight
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Features, y: Column, *, groups: Column | None = None) -> Self:
        """Train the perceptron.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features, as `BladesEncoder.transform` gives them.
        y : array-like of shape (n_samples,)
            Two labels of any kind.
        groups : array-like of shape (n_samples,), default=None
            Person or source of every row, kept on one side of the splits of ``early_stopping``
            and ``target_fpr``; of no consequence without either.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a row is not finite or has no label or group, ``y`` holds one label or more than
            two, too few rows of a label are left to train on, or the training diverges: loss or
            weights are no longer finite. The head is then as it was before.

        Warns
        -----
        ConvergenceWarning
            If the loss ended far above where it began.
        SmallSampleWarning
            If the groups are too uneven to hold out ``validation_fraction`` of the rows, or the
            calibration photographs too few for ``target_fpr``.
        UserWarning
            If it matters which label marks photographs, and the labels do not say.
        """
        with whole_or_nothing(self):
            rows = check_features(self, X, reset=True)
            check_consistent_length(rows, y, groups)
            self.classes_, target = two_classes(y)
            persons = None if groups is None else group_codes(groups, len(rows))
            random_state = check_random_state(self.random_state)
            learn, held = self._hold_out(target, persons, random_state)
            train, watched = self._split(target, learn, persons, random_state)
            goal = target[train]
            if self.pseudo_outlier_fraction:
                goal = as_pseudo_outliers(
                    rows[train],
                    goal,
                    self._photographic_class("pseudo_outlier_fraction"),
                    self.pseudo_outlier_fraction,
                    random_state,
                )
            self.scaler_ = StandardScaler().fit(rows[train])
            Z = self._standardise(rows)
            settings = {}
            if len(watched):
                settings = stop_early(Z[watched], target[watched], self.verbose)
            net = self._net(rows.shape[1], goal, settings)
            with seeded(random_state.randint(2**31 - 1)):
                net.fit(Z[train], goal)
            self.net_ = net_from_state(net_state(net))  # neither device nor optimizer stays behind
            self.n_iter_ = len(self.net_.history)
            if self.target_fpr is not None:
                self._calibrate(self.score_samples(rows[held]), held, persons, None)
        if ran_away(self.net_.history):
            warn(
                f"At lr={self.lr:g} the loss ended far above where it began: "
                f"{self.net_.history[-1, 'train_loss']:.3g}. Do not trust this head; try "
                f"lr={self.lr / 10:g} or the default, 1e-3.",
                ConvergenceWarning,
            )
        return self

    def _net(self, n_features, goal, settings):
        return make_net(
            n_features,
            self.hidden_size or max(2 * n_features, 32),
            self._loss_weights(goal),
            lr=self.lr,
            optimizer__weight_decay=self.weight_decay,
            max_epochs=self.max_epochs,
            batch_size=self.batch_size,
            device=str(resolve_device(self.device)),
            verbose=int(self.verbose),
            **settings,
        )

    def _hold_out(self, target, groups, random_state):
        """Rows to learn from, and photographs that calibrate; without a promise none do."""
        if self.target_fpr is None:
            return np.arange(len(target)), np.arange(0)
        photographic = target == self._photographic_class("target_fpr")
        if photographic.sum() < 2:
            raise ValueError(
                "n_samples = 1 photograph cannot be split into one to learn from and one for the "
                "threshold; at a 5 % false-alarm rate fit on 95 or more."
            )
        *learn, held = promise_split(
            np.flatnonzero(photographic),
            np.flatnonzero(~photographic),
            self.calibration_fraction,
            random_state,
            groups=groups,
            fewest=fewest_calibration_scores(self.target_fpr, self.confidence),
        )
        return np.sort(np.concatenate(learn)), held

    def _split(self, target, rows, groups, random_state):
        """Rows to train on, and rows whose loss ends the training."""
        if not self.early_stopping:
            return rows, np.arange(0)
        try:
            train, held = holdout(
                len(rows),
                self.validation_fraction,
                random_state,
                groups=None if groups is None else groups[rows],
                stratify=target[rows],
            )
        except ValueError as error:
            raise ValueError(
                f"early_stopping cannot hold out validation_fraction={self.validation_fraction} "
                f"of these {len(rows)} rows: {error}"
            ) from error
        if len(np.unique(target[rows[train]])) < 2:
            raise ValueError(
                "The groups left to train on hold 1 class only; give the classes more groups, "
                "a smaller validation_fraction, or early_stopping=False."
            )
        return rows[train], rows[held]

    def _loss_weights(self, target):
        weights = compute_class_weight(
            self.class_weight, classes=self.classes_, y=self.classes_[target]
        )
        return weights / weights[target].mean()

    def _standardise(self, X):
        return self.scaler_.transform(X).astype(np.float32)

    def _margin(self, X, precise=False):
        rows = self._standardise(check_features(self, X))
        device = resolve_device(self.device)
        return logit_margin(self.net_.module_, rows.astype(float) if precise else rows, device)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        # Where a threshold keeps a promise, no weight of a class moves it.
        tags.classifier_tags.poor_score = self.target_fpr is not None
        return tags

    def __getstate__(self):
        state = super().__getstate__().copy()
        if "net_" in state:
            state["net_"] = net_state(state["net_"])
        return state

    def __setstate__(self, state):
        state = dict(state)
        if "net_" in state:
            state["net_"] = net_from_state(state["net_"])
        super().__setstate__(state)
