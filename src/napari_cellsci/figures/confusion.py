"""The confusion matrix of a classifier, with precision and recall of every class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.disk import whole_file
from napari_cellsci.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_cellsci.heads.evaluate import ClassResult, HeldOut

INK, FAINT = "#202124", "#767980"
SUFFIXES = (".svg", ".pdf", ".png")


def draw_confusion(report: HeldOut, classes: Sequence[str], path: Path) -> None:
    """Draw what was called what on held-out cells, and write it.

    Parameters
    ----------
    report : HeldOut
    classes : sequence of str
    path : Path
        With the suffix .svg, .pdf or .png.

    Raises
    ------
    InputError
        If the suffix is another.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path} should end in one of {', '.join(SUFFIXES)}.")
    figure = confusion_figure(report, classes)
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=200)


def confusion_figure(report: HeldOut, classes: Sequence[str]) -> Figure:
    """Return the figure of `draw_confusion`."""
    from matplotlib.figure import Figure

    n = len(classes)
    side = 1.6 + 0.55 * n
    figure = Figure(figsize=(side + 2.6, side), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(side, 2.2))
    draw_matrix(left, np.array(report.confusion), classes)
    low, high = report.balanced_accuracy_interval
    left.set_title(
        f"Balanced accuracy {report.balanced_accuracy:.3f} [{low:.3f}–{high:.3f}], "
        f"{report.n_cells:,} cells of {report.n_tracks:,} tracks",
        fontsize=8,
        loc="left",
    )
    _draw_rates(right, report.classes)
    return figure


def draw_matrix(
    axes: Axes,
    matrix: NDArray[Any],
    rows: Sequence[str],
    columns: Sequence[str] | None = None,
) -> None:
    """Draw counts in squares, shaded by their share of the row.

    Parameters
    ----------
    axes : Axes
    matrix : int array (R, C)
        Rows are what cells are, columns what they are called.
    rows, columns : sequence of str
        Names; columns are called like rows by default.
    """
    columns = rows if columns is None else columns
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
    for (i, j), count in np.ndenumerate(matrix):
        color = "white" if share[i, j] > 0.6 else INK if count else FAINT
        axes.text(j, i, f"{count:,}", ha="center", va="center", color=color, fontsize=7)
    axes.set_xticks(range(len(columns)), columns, rotation=40, ha="right")
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0, labelsize=7, labelcolor=INK)
    axes.set_xlabel("called", fontsize=8, color=FAINT)
    axes.set_ylabel("labelled", fontsize=8, color=FAINT)
    axes.spines[:].set_visible(False)


def _draw_rates(axes: Axes, classes: Sequence[ClassResult]) -> None:
    """Draw recall and precision of every class with their 95% intervals."""
    looks = (
        ("recall", "o", "#0072B2", -0.15, "interval"),
        ("precision", "D", "#D55E00", 0.15, "precision_interval"),
    )
    for name, marker, color, shift, bounds in looks:
        for i, result in enumerate(classes):
            value = getattr(result, name)
            low, high = getattr(result, bounds)
            if not np.isfinite(value):
                continue
            axes.plot([low, high], [i + shift] * 2, color=color, linewidth=1)
            axes.plot(
                value,
                i + shift,
                marker=marker,
                color=color,
                markersize=4,
                label=name if i == 0 else None,
            )
    axes.set(xlim=(0, 1.02), ylim=(len(classes) - 0.5, -0.5), yticks=[])
    axes.tick_params(labelsize=7, colors=FAINT)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.legend(
        frameon=False, fontsize=7, loc="lower left", bbox_to_anchor=(0, 1), ncols=2
    )
