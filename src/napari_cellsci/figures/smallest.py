"""Smallest changes drawn: the share of cells that have changed their class by ε."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_cellsci.explain.smallest import SmallestChanges
from napari_cellsci.figures.comparison import FAINT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINES = ("-", "--", ":", "-.")
"""How the lines of several classifiers are told apart; colours are those of classes."""


def draw_smallest(
    axes: Axes,
    groups: Sequence[SmallestChanges],
    colours: Mapping[str, str],
    most: float,
    line: str = "-",
) -> None:
    """Draw one line for every class, in its colour, with a dot where half changed."""
    for one in groups:
        colour = colours.get(one.start, FAINT)
        x, share = one.steps(most)
        axes.plot(x, share, line, color=colour, linewidth=1.6, label=one.words)
        half = one.quartiles[1]
        if np.isfinite(half):
            axes.plot([half], [0.5], "o", color=colour, markersize=4)


def finish(axes: Axes, most: float, noise: float | None, unit: str) -> None:
    """Name the axes and mark the camera's noise."""
    if noise is not None:
        axes.axvline(noise, color=FAINT, linewidth=1, linestyle=":")
    axes.set_xlim(0, most)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(f"smallest ε ({unit})", color=INK)
    axes.set_ylabel("cells that change their class", color=INK)
    axes.grid(alpha=0.25, linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
