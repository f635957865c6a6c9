"""Cell filters side by side: ROC, junk let through by threshold, confusion matrices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_cellsci.disk import whole_file
from napari_cellsci.errors import InputError
from napari_cellsci.figures.confusion import draw_matrix
from napari_cellsci.heads.usable.curve import THRESHOLDS
from napari_cellsci.heads.usable.judges import CALLED, Method

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_cellsci.heads.usable.cell_filter import CellFilter
    from napari_cellsci.heads.usable.compare import MethodReport

SHADES: dict[Method, str] = {
    "cnn": "#0072B2",
    "logistic": "#E69F00",
    "size": "#009E73",
}
INK, FAINT = "#202124", "#767980"
SUFFIXES = (".svg", ".pdf", ".png")


def draw_filters(made: CellFilter, path: Path) -> None:
    """Draw what the filters that were compared got right, and write it.

    Parameters
    ----------
    made : CellFilter
    path : Path
        With the suffix .svg, .pdf or .png.

    Raises
    ------
    InputError
        If the suffix is another, or nothing was compared.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path} should end in one of {', '.join(SUFFIXES)}.")
    figure = filters_figure(made)
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=200)


def filters_figure(made: CellFilter) -> Figure:
    """Return the figure of `draw_filters`."""
    from matplotlib.figure import Figure

    if not made.reports:
        raise InputError(f"The filter {made.name!r} was compared with no other.")
    n = len(made.reports)
    figure = Figure(figsize=(7.2, 5.6), layout="constrained")
    grid = figure.add_gridspec(2, 2 * n, height_ratios=(3, 2))
    _draw_roc(figure.add_subplot(grid[0, :n]), made)
    _draw_thresholds(figure.add_subplot(grid[0, n:]), made)
    for i, report in enumerate(made.reports):
        axes = figure.add_subplot(grid[1, 2 * i : 2 * i + 2])
        draw_matrix(axes, report.confusion, ("junk", "usable"), ("out", "kept"))
        accuracy = f"{report.accuracy.mean():.1%} ± {report.accuracy.std():.1%}"
        axes.set_title(f"{CALLED[report.method]}: {accuracy} right", fontsize=8)
    runs = len(made.reports[0].accuracy)
    cells = int(made.reports[0].confusion.sum())
    figure.suptitle(
        f"{' or '.join(made.junk)} as junk: {runs} runs, {cells:,} judgements of cells "
        "of unseen tracks or groups",
        fontsize=9,
        color=INK,
    )
    return figure


def _draw_roc(axes: Axes, made: CellFilter) -> None:
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, linestyle=":")
    for report in made.reports:
        _draw_one_roc(axes, report)
    mine = made.report
    if mine is not None and made.method != "size":
        here = mine.curve.at(made.threshold)
        axes.plot(
            *(here["false_positives"], here["true_positives"]),
            marker="o",
            markersize=7,
            markerfacecolor="none",
            color=INK,
            linestyle="none",
            label=f"threshold {made.threshold:.3g}",
        )
    axes.set(
        xlabel="junk let through",
        ylabel="usable cells let through",
        xlim=(-0.02, 1.02),
        ylim=(-0.02, 1.02),
    )
    # The line of a filter that is no better than chance passes below it.
    look = {"framealpha": 0.85, "edgecolor": "none", "fontsize": 7}
    axes.legend(loc="lower right", **look)
    _tidy(axes)


def _draw_one_roc(axes: Axes, report: MethodReport) -> None:
    color, name = SHADES[report.method], CALLED[report.method]
    curve = report.curve
    if report.method == "size":
        here = curve.at(0.5)
        axes.plot(
            *(here["false_positives"], here["true_positives"]),
            marker="D",
            color=color,
            linestyle="none",
            label=name,
        )
        return
    area = f"{report.area.mean():.3f} ± {report.area.std():.3f}"
    x, y = curve.false_positives, curve.true_positives
    axes.plot(x, y, color=color, linewidth=1.5, label=f"{name}, area {area}")
    low, high = np.clip([y - curve.true_sd, y + curve.true_sd], 0, 1)
    axes.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)


def _draw_thresholds(axes: Axes, made: CellFilter) -> None:
    for report in made.reports:
        color, curve = SHADES[report.method], report.curve
        if report.method == "size":
            level = curve.at(0.5)["false_positives"]
            axes.axhline(level, color=color, linewidth=1, linestyle="--")
            continue
        y = curve.false_positives
        axes.plot(THRESHOLDS, y, color=color, linewidth=1.5)
        low, high = np.clip([y - curve.false_sd, y + curve.false_sd], 0, 1)
        axes.fill_between(THRESHOLDS, low, high, color=color, alpha=0.15, linewidth=0)
    if made.method != "size":
        axes.axvline(made.threshold, color=INK, linewidth=1)
    axes.set(xlabel="threshold", ylabel="junk let through", xlim=(0, 1), ylim=(0, 1))
    _tidy(axes)


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=7, colors=FAINT)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(fontsize=8, color=INK)
