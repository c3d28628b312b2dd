"""What the displays share: axes, colours for every eye, labels that do not overlap."""

import numpy as np
from sklearn.isotonic import isotonic_regression

# Okabe and Ito's palette without its yellow, which is lost on white.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
STROKES = ("-", "--", ":", "-.")
GREY = "0.55"
THRESHOLD = {"color": "black", "linestyle": "--", "linewidth": 1.2}
DIRECTION = "\N{LEFTWARDS ARROW} generated          photographic \N{RIGHTWARDS ARROW}"


def new_axes(ax=None, *, size=(6.4, 4.8)):
    """Return the axes given, or those of a new figure of ``size`` inches that fits its labels.

    Raises
    ------
    ImportError
        Without matplotlib, naming the extra that brings it.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Displays draw with matplotlib, which is not installed: "
            "pip install 'sklearn-blades[plots]'."
        ) from error
    return plt.subplots(figsize=size, layout="constrained")[1] if ax is None else ax


def style(index):
    """Colour and stroke of line ``index``; the stroke changes when the colours are used up."""
    turn, colour = divmod(index, len(COLOURS))
    return {"color": COLOURS[colour], "linestyle": STROKES[turn % len(STROKES)]}


def plainly(name):
    """A name that matplotlib takes neither for a formula nor, in a legend, for a private one."""
    name = str(name).replace("$", r"\$")
    return f" {name}" if name.startswith("_") else name


def room_for(names):
    """Inches that a figure needs beside its usual width, lest long names squeeze the axes."""
    return 0.08 * max(0, *(len(str(name)) - 20 for name in names))


def spread(positions, gap, low, high):
    """Move positions as little as possible (least squares) until they are ``gap`` apart.

    Parameters
    ----------
    positions : array-like of shape (n,)
    gap : float
        Narrowed where ``n`` labels would not fit between ``low`` and ``high``.
    low, high : float
        Where the first and the last may be.

    Returns
    -------
    ndarray of shape (n,)
        In the order given.
    """
    positions = np.asarray(positions, dtype=float)
    order = np.argsort(positions, kind="stable")
    steps = min(gap, (high - low) / max(len(positions) - 1, 1)) * np.arange(len(positions))
    # Distances of at least one gap are positions less their steps in rising order.
    room = {"y_min": low, "y_max": max(high - steps[-1], low)} if len(steps) else {}
    moved = np.empty_like(positions)
    moved[order] = isotonic_regression(positions[order] - steps, **room) + steps
    return moved


def label_line_ends(ax, labels, x, heights, colours):
    """Write each line's label to the right of the axes, as near to its end as there is room.

    Limits and scale of ``ax`` must be final.

    Returns
    -------
    list of matplotlib Annotation
    """
    points = [(x, height) for height in heights]
    fractions = ax.transAxes.inverted().transform(ax.transData.transform(points))[:, 1]
    gap = 11 / (ax.get_window_extent().height * 72 / ax.figure.dpi)
    line = {"arrowstyle": "-", "relpos": (0, 0.5), "linewidth": 1, "shrinkA": 1, "shrinkB": 0}
    return [
        ax.annotate(
            label,
            xy=point,
            xytext=(1.06, height),
            textcoords="axes fraction",
            va="center",
            fontsize=9,
            annotation_clip=False,
            arrowprops=line | {"color": colour},
        )
        for label, point, height, colour in zip(
            labels, points, spread(fractions, gap, 0, 1), colours, strict=True
        )
    ]
