"""Figures of probes: what is taken for what, and how often that is right."""

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

    from napari_cellsci.project.probing import ProbeResult

SUFFIXES = (".svg", ".pdf", ".png")
DPI = 200
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#8C8C8C"
_LONG = 5
"""Names of classes longer than this stand at a slant under a matrix."""


def checked_suffix(path: Path) -> Path:
    """Return `path` if a figure can be written as that.

    Raises
    ------
    InputError
        If the suffix is another one than .svg, .pdf or .png.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"Figures are drawn as .svg, .pdf or .png, not {path.suffix!r}."
        )
    return path


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure, whole or not at all.

    Raises
    ------
    InputError
        If the suffix is another one than .svg, .pdf or .png.
    ProjectError
        If the place cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    path = checked_suffix(Path(path))
    FigureCanvasAgg(figure)
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=DPI)


def save_probe(path: Path, found: ProbeResult) -> None:
    """Write the confusion matrix of a probe, and its accuracy beside a linear probe's.

    Raises
    ------
    InputError, ProjectError
        As `save_figure`.
    """
    from matplotlib.figure import Figure

    edge = 2.2 + 0.42 * len(found.classes)
    figure = Figure(figsize=(edge + 3.4, edge), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(edge, 2.6))
    draw_confusion(left, found.confusion, found.classes)
    left.set_title(f"MLP probe on the latents of {found.encoder}", fontsize=9)
    rows = [
        ("MLP probe", found.mlp.balanced_accuracy, found.mlp.interval, BLUE),
        ("linear probe", found.linear.balanced_accuracy, found.linear.interval, GREY),
    ]
    draw_rates(right, rows, found.chance)
    save_figure(figure, path)


def draw_confusion(
    axes: Axes, matrix: NDArray[np.int64], classes: Sequence[str]
) -> None:
    """Draw a confusion matrix: shade and percentage by row, counts below them."""
    total = np.maximum(matrix.sum(1, keepdims=True), 1)
    share = matrix / total
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    many = len(classes) > 10
    for row, column in np.ndindex(*matrix.shape):
        if matrix[row, column] and not many:
            axes.text(
                column,
                row,
                f"{share[row, column]:.0%}\n{matrix[row, column]}",
                ha="center",
                va="center",
                fontsize=6.5,
                color="white" if share[row, column] > 0.55 else "black",
            )
    slanted = max(map(len, classes), default=0) > _LONG
    axes.set_xticks(
        range(len(classes)),
        classes,
        rotation=45 if slanted else 0,
        ha="right" if slanted else "center",
        rotation_mode="anchor" if slanted else None,
        fontsize=8,
    )
    axes.set_yticks(range(len(classes)), classes, fontsize=8)
    axes.set(xlabel="called", ylabel="label")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def draw_rates(
    axes: Axes,
    rows: Sequence[tuple[str, float, tuple[float, float], Any]],
    chance: float,
) -> None:
    """Draw balanced accuracies with their 95% intervals, and chance as a line."""
    for place, (_, rate, (low, high), color) in enumerate(rows):
        axes.plot([place, place], [low, high], color=color, linewidth=2)
        axes.plot([place], [rate], "o", color=color, markersize=7)
        axes.annotate(
            f"{rate:.2f}",
            (place, rate),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.axhline(chance, color=GREY, linewidth=0.8, linestyle="--")
    axes.annotate(
        "chance",
        (len(rows) - 0.5, chance),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right",
        fontsize=7,
        color=GREY,
    )
    axes.set_xticks(range(len(rows)), [row[0] for row in rows], fontsize=8)
    axes.set(xlim=(-0.5, len(rows) - 0.4), ylim=(0, 1.02))
    axes.set_ylabel("balanced accuracy (95% interval)", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
