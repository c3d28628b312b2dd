"""How many generated faces a detector finds for how many false alarms, by generator."""

from typing import Any

import numpy as np
from sklearn.metrics import auc, roc_curve

from ...ground.types import Column, Photographs
from ..judge import judge
from .drawing import GREY, MARKERS, THRESHOLD, new_axes, plainly, style
from .parts import scores_by_generator, share_flagged


class RocByGeneratorDisplay:
    """One ROC curve for each generator: all photographs against its faces.

    Here the faces are what is to be found: across go the photographs flagged (false alarms), up
    the generated faces flagged. It is made by `from_estimator` or `from_predictions`.

    Parameters
    ----------
    fpr, tpr : dict of str to ndarray
        Shares of photographs and of faces flagged, by generator, as the threshold rises.
    roc_auc : dict of str to float
    operating_points : dict of str to (float, float), optional
        The two shares at the detector's own threshold, by generator.

    Attributes
    ----------
    lines_ : dict of str to matplotlib Line2D
    points_ : dict of str to matplotlib Line2D
        The operating points; empty without a threshold.
    ax_, figure_ : matplotlib Axes and Figure

    See Also
    --------
    ScoreDisplay : The scores behind the curves.
    evaluate_by_generator : Figures with their intervals.

    Examples
    --------
    >>> from sklearn_blades.evaluation import RocByGeneratorDisplay
    >>> display = RocByGeneratorDisplay.from_predictions(
    ...     [0.9, 0.6, 0.7, 0.1], [1, 1, 0, 0], generator=["", "", "stylegan", "ldm"]
    ... )
    >>> display.roc_auc
    {'stylegan': 0.5, 'ldm': 1.0}
    """

    def __init__(
        self, *, fpr: Any, tpr: Any, roc_auc: dict[str, float], operating_points: Any = None
    ) -> None:
        self.fpr = fpr
        self.tpr = tpr
        self.roc_auc = roc_auc
        self.operating_points = operating_points

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Photographs,
        y: Any,
        *,
        generator: Any = None,
        photographic_label: Any = 1,
        ax: Any = None,
    ) -> "RocByGeneratorDisplay":
        """Score faces with a fitted detector, and draw.

        Parameters
        ----------
        estimator : estimator or Pipeline
            A one-class or binary detector, as `make_detector` joins it, or its head.
        X : array-like of shape (n,) or (n, n_features)
            What the estimator takes.
        y : array-like of shape (n,)
            Photographs are ``photographic_label``; everything else is AI-generated.
        generator, photographic_label, ax
            See `from_predictions`.

        Returns
        -------
        RocByGeneratorDisplay
        """
        judged = judge(estimator, X, photographic_label)
        return cls.from_predictions(
            judged.scores,
            y,
            generator=generator,
            photographic_label=photographic_label,
            threshold=judged.threshold,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        scores: Column,
        y: Any,
        *,
        generator: Any = None,
        photographic_label: Any = 1,
        threshold: float | None = None,
        ax: Any = None,
    ) -> "RocByGeneratorDisplay":
        """Draw scores that are known.

        Parameters
        ----------
        scores, y : array-like of shape (n,)
            Scores, higher for photographs, and labels.
        generator : array-like of shape (n,), optional
            Name of each AI-generated face's generator; at photographs anything else.
        photographic_label : label, default=1
            The label of photographs.
        threshold : float, optional
            What scores less is flagged; marks the detector's operating point.
        ax : matplotlib Axes, optional
            By default those of a new figure.

        Returns
        -------
        RocByGeneratorDisplay

        Raises
        ------
        ValueError
            If a score is not finite, a side is missing, or labels and generators do not fit.
        """
        photographs, generated = scores_by_generator(scores, y, generator, photographic_label)
        curves = {name: _roc(photographs, part) for name, part in generated.items()}
        points = None
        if threshold is not None:
            alarms = share_flagged(photographs, threshold)[0]
            points = {k: (alarms, share_flagged(v, threshold)[0]) for k, v in generated.items()}
        display = cls(
            fpr={name: curve[0] for name, curve in curves.items()},
            tpr={name: curve[1] for name, curve in curves.items()},
            roc_auc={name: float(auc(*curve)) for name, curve in curves.items()},
            operating_points=points,
        )
        return display.plot(ax)

    def plot(self, ax: Any = None) -> "RocByGeneratorDisplay":
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            By default those of a new figure.

        Returns
        -------
        RocByGeneratorDisplay
            Itself.
        """
        self.ax_ = ax = new_axes(ax, size=(5.6, 5.2))
        self.figure_ = ax.figure
        self.lines_, self.points_ = {}, {}
        for index, (name, area) in enumerate(self.roc_auc.items()):
            label = f"{plainly(name)} (AUC = {area:.2f})"
            (self.lines_[name],) = ax.plot(
                self.fpr[name], self.tpr[name], label=label, **style(index)
            )
        ax.plot([0, 1], [0, 1], color=GREY, linestyle=":", label="chance (AUC = 0.50)")
        for index, (name, point) in enumerate((self.operating_points or {}).items()):
            # Hollow, so that one shows through another.
            look = {"markerfacecolor": "none", "markeredgewidth": 2, "markersize": 9, "zorder": 3}
            marker = MARKERS[index % len(MARKERS)]
            (self.points_[name],) = ax.plot(
                *point, marker, color=style(index)["color"], clip_on=False, **look
            )
        if self.points_:
            alarms = next(iter(self.operating_points.values()))[0]
            ax.axvline(alarms, **THRESHOLD, label=f"threshold ({alarms:.1%} false alarms)")
        ax.set(xlabel="share of photographs flagged (false alarms)", xlim=(-0.01, 1.01))
        ax.set(ylabel="share of generated faces flagged", ylim=(-0.01, 1.01), aspect="equal")
        ax.legend(loc="lower right", fontsize="small")
        return self


def _roc(photographs, generated):
    """Shares of photographs and of faces with the lowest scores, as the threshold rises."""
    found = np.repeat([0, 1], [len(photographs), len(generated)])
    return roc_curve(found, -np.concatenate([photographs, generated]))[:2]
