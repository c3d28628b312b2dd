"""What a detector scores photographs and generated faces, and where it draws the line."""

from typing import Any

import numpy as np

from ...ground.types import Column, Photographs
from ..judge import judge
from ..labels import PHOTOGRAPHS
from .drawing import DIRECTION, GREY, THRESHOLD, new_axes, plainly, room_for
from .parts import scores_by_generator, share_flagged

_FLAGGED, _PASSED = "#D55E00", "#56B4E9"


class ScoreDisplay:
    """Histograms of the scores of photographs and of generated faces, and the threshold.

    It is made by `from_estimator` or `from_predictions`.

    Parameters
    ----------
    photographs : ndarray of shape (n_photographs,)
        Scores; higher = more photographic.
    generated : dict of str to ndarray
        Scores by generator; may be empty.
    threshold : float, optional
        What scores less is flagged as AI-generated.
    target_fpr : float, optional
        The false-alarm rate that the detector promised.
    unit : str, default="score"
        Name of the score.

    Attributes
    ----------
    flagged_ : dict of str to tuple
        Share flagged, with its exact 95 % interval, of the photographs and of each generator;
        empty without a threshold.
    bars_ : dict of str to matplotlib BarContainer
        A row of bars each, the highest as high in every row; orange = flagged.
    line_ : matplotlib Line2D or None
        The threshold; None where nothing can be flagged (``-inf``), too.
    ax_, figure_ : matplotlib Axes and Figure

    See Also
    --------
    RocByGeneratorDisplay : The same scores at every threshold.
    evaluate_by_generator : Figures with their intervals.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_blades.evaluation import ScoreDisplay
    >>> rng = np.random.default_rng(0)
    >>> scores = np.r_[rng.normal(2, size=100), rng.normal(-2, size=100)]
    >>> y = np.repeat([1, 0], 100)
    >>> display = ScoreDisplay.from_predictions(scores, y, threshold=0)
    >>> share, low, high = display.flagged_["photographs"]
    >>> print(f"{share:.0%} false alarms")
    2% false alarms
    """

    def __init__(
        self,
        *,
        photographs: Any,
        generated: dict[str, Any],
        threshold: float | None = None,
        target_fpr: float | None = None,
        unit: str = "score",
    ) -> None:
        self.photographs = photographs
        self.generated = generated
        self.threshold = threshold
        self.target_fpr = target_fpr
        self.unit = unit

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Photographs,
        y: Any,
        *,
        generator: Any = None,
        photographic_label: Any = 1,
        bins: int = 40,
        limits: Any = None,
        ax: Any = None,
    ) -> "ScoreDisplay":
        """Score faces with a fitted detector, and draw.

        Parameters
        ----------
        estimator : estimator or Pipeline
            A one-class or binary detector, as `make_detector` joins it, or its head.
        X : array-like of shape (n,) or (n, n_features)
            What the estimator takes.
        y : array-like of shape (n,)
            Photographs are ``photographic_label``; everything else is AI-generated.
        generator, photographic_label, bins, limits, ax
            See `from_predictions`.

        Returns
        -------
        ScoreDisplay
        """
        judged = judge(estimator, X, photographic_label)
        scores, threshold, unit = judged.scores, judged.threshold, judged.unit
        if unit.startswith("log-likelihood") and threshold is not None and np.isfinite(threshold):
            # A density has no zero of its own; where the threshold lies is what matters.
            scores, threshold = scores - threshold, 0.0
            unit = "log-likelihood above the threshold (nats)"
        return cls.from_predictions(
            scores,
            y,
            generator=generator,
            photographic_label=photographic_label,
            threshold=threshold,
            target_fpr=judged.promise,
            unit=unit,
            bins=bins,
            limits=limits,
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
        target_fpr: float | None = None,
        unit: str = "score",
        bins: int = 40,
        limits: Any = None,
        ax: Any = None,
    ) -> "ScoreDisplay":
        """Draw scores that are known.

        Parameters
        ----------
        scores, y : array-like of shape (n,)
            Scores, higher for photographs, and labels.
        generator : array-like of shape (n,), optional
            Name of each AI-generated face's generator, for one histogram each; at photographs
            anything else.
        photographic_label : label, default=1
            The label of photographs.
        threshold, target_fpr, unit
            See the class.
        bins, limits, ax
            See `plot`.

        Returns
        -------
        ScoreDisplay

        Raises
        ------
        ValueError
            If a score is not finite, there are no photographs, or labels and generators do not
            fit.
        """
        photographs, generated = scores_by_generator(
            scores, y, generator, photographic_label, photographs_alone=True
        )
        display = cls(
            photographs=photographs,
            generated=generated,
            threshold=threshold,
            target_fpr=target_fpr,
            unit=unit,
        )
        return display.plot(ax, bins=bins, limits=limits)

    def plot(self, ax: Any = None, *, bins: int = 40, limits: Any = None) -> "ScoreDisplay":
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            By default those of a new figure.
        bins : int, default=40
            About so many; the threshold falls between two of them.
        limits : (float, float), optional
            Scores beyond are counted in the first and the last bin. By default all scores, but
            no further from the photographs' than their span, lest a few squeeze the rest.

        Returns
        -------
        ScoreDisplay
            Itself.
        """
        groups = {PHOTOGRAPHS: self.photographs, **self.generated}
        self.ax_ = ax = new_axes(ax, size=(7.6 + room_for(groups), 1.4 + 0.75 * len(groups)))
        self.figure_ = ax.figure
        edges = _edges(limits or _limits(groups, self.threshold), bins, self.threshold)
        cut = -np.inf if self.threshold is None else self.threshold
        # Half a bin below the threshold: rounding must not move a bar to its other side.
        colours = np.where(edges[1:] - np.diff(edges) / 2 < cut, _FLAGGED, _PASSED)
        shares = {name: _shares(scores, edges) for name, scores in groups.items()}
        self.flagged_, self.bars_ = {}, {}
        for row, (name, share) in enumerate(shares.items()):
            look = {"width": np.diff(edges), "align": "edge", "color": colours}
            self.bars_[name] = ax.bar(edges[:-1], 0.85 * share / share.max(), bottom=-row, **look)
            if self.threshold is not None:
                self.flagged_[name] = share_flagged(groups[name], cut)
        self._write(groups, edges)
        return self

    def _write(self, groups, edges):
        """All that is not bars: the threshold's line, axes, names and shares."""
        ax, rows = self.ax_, -np.arange(len(groups))
        ax.set(xlim=(edges[0], edges[-1]), ylim=(rows[-1] - 0.05, 1))
        ax.hlines(rows, *ax.get_xlim(), color=GREY, linewidth=0.8)
        names = [f"{plainly(name)}\n(n = {len(scores)})" for name, scores in groups.items()]
        ax.set_yticks(rows + 0.35, names)
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel(f"{self.unit}\n{DIRECTION}")
        for row, scores in zip(rows, groups.values(), strict=True):
            _count_beyond(ax, row, scores)
        self.line_ = None
        if self.threshold is not None and np.isfinite(self.threshold):
            self.line_ = ax.axvline(self.threshold, **THRESHOLD)
            place = (self.threshold, 1.01)
            ax.annotate("threshold", place, xycoords=ax.get_xaxis_transform(), ha="center")
        for row, (name, shares) in zip(rows, self.flagged_.items(), strict=False):
            text = _written(name, shares, self.target_fpr)
            ax.text(1.02, row + 0.35, text, transform=ax.get_yaxis_transform(), va="center")


def _count_beyond(ax, row, scores):
    """Say in the corners of a row how many scores are further out than its axis."""
    low, high = ax.get_xlim()
    counts = (int((scores < low).sum()), int((scores > high).sum()))
    words = (" \N{LEFTWARDS ARROW} {} further", "{} further \N{RIGHTWARDS ARROW} ")
    for x, side, count, word in zip((low, high), ("left", "right"), counts, words, strict=True):
        if count:
            ax.text(x, row + 0.87, word.format(count), ha=side, fontsize=7, color="0.3")


def _edges(limits, bins, threshold):
    """Edges of equal bins over the limits, one of them at the threshold if it is between them."""
    low, high = limits
    if threshold is None or not low < threshold < high:
        return np.linspace(low, high, bins + 1)
    width = (high - low) / bins
    below, above = np.ceil([(threshold - low) / width, (high - threshold) / width])
    return threshold + width * np.arange(-below, above + 1)


def _shares(scores, edges):
    """Share of the scores in each bin, those beyond counted in the outer ones."""
    places = np.searchsorted(edges[1:-1], scores, side="right")
    return np.bincount(places, minlength=len(edges) - 1) / len(scores)


def _limits(groups, threshold):
    """Ends of the score axis, for `ScoreDisplay.plot`."""
    scores = np.concatenate(list(groups.values()))
    first, last = groups[PHOTOGRAPHS].min(), groups[PHOTOGRAPHS].max()
    reach = last - first or 1.0
    low, high = max(scores.min(), first - reach), min(scores.max(), last + reach)
    if threshold is not None and np.isfinite(threshold):
        low, high = min(low, threshold), max(high, threshold)
    margin = 0.02 * (high - low) or 0.5
    return low - margin, high + margin


def _written(name, shares, target_fpr):
    """What is written beside a group: the share flagged, with its interval in percent."""
    share, low, high = (f"{100 * value:.1f}" for value in shares)
    if name != PHOTOGRAPHS:
        return f"{share}% flagged\n95% CI [{low}, {high}]"
    promise = "" if target_fpr is None else f"\npromised {100 * target_fpr:.3g}%"
    return f"{share}% false alarms\n95% CI [{low}, {high}]{promise}"
