"""One picture of a benchmark of encoders: who was screened, and how finalists did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_cellsci.disk import whole_file
from napari_cellsci.labels.classes import OKABE_ITO
from napari_cellsci.representation.benchmark.cells import NAMED
from napari_cellsci.representation.benchmark.methods import method_named
from napari_cellsci.representation.benchmark.report import finals_by_method, ranked
from napari_cellsci.representation.benchmark.runs import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FAINT = "#B8B8B8"
GOAL = 0.8
"""R² from which on a factor counts as explained."""


def save_benchmark(path: Path, results: Results) -> None:
    """Write the picture (.png, .pdf, .svg).

    Raises
    ------
    ProjectError
        If the place cannot be written.
    """
    figure = draw_benchmark(results)
    kind = Path(path).suffix.lstrip(".").lower() or "png"
    with whole_file(Path(path)) as temporary:
        figure.savefig(temporary, dpi=150, format=kind)


def draw_benchmark(results: Results) -> Figure:
    """Draw the screening and, if there are any, the finals."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    finals = finals_by_method(results)
    height = 1.4 + 0.3 * max(len(results.screening), 8)
    size = (11 if finals else 6, height)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    columns = figure.subplots(1, 2 if finals else 1, squeeze=False)[0]
    draw_screening(columns[0], results)
    if finals:
        draw_finals(columns[1], results)
    return figure


def draw_screening(axes: Axes, results: Results) -> None:
    """Draw two scores of every method, best on top, coloured by route."""
    colors = _colors(results)
    runs = ranked(results.screening)[::-1]
    for row, record in enumerate(runs):
        color = colors[record["route"]]
        scores = record.get("scores")
        if scores is None:
            axes.text(0.01, row, "failed", va="center", color=color)
            continue
        named, pair = scores["named"], max(scores["pair"], 0)
        axes.plot([named, pair], [row, row], color=FAINT, linewidth=1.5, zorder=1)
        axes.scatter(pair, row, s=26, facecolors="white", edgecolors=color, zorder=2)
        axes.scatter(named, row, s=34, color=color, zorder=3)
    axes.set_yticks(range(len(runs)), [record["method"] for record in runs])
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.7, len(runs) - 0.3)
    axes.set_xlabel("named (filled) and R² from the best pair (open)")
    axes.set_title(f"Screening: one seed, {results.plan.steps:,} steps", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)


def draw_finals(axes: Axes, results: Results) -> None:
    """Draw R² of every factor from its best pair, one dot per seed."""
    finals = finals_by_method(results)
    colors = _colors(results)
    width = 0.8 / len(finals)
    for i, (method, scores) in enumerate(finals.items()):
        color = colors[method_named(method).route]
        for k, name in enumerate(NAMED):
            values = [max(s["factors"][name]["pair"], 0) for s in scores]
            at = k + (i - (len(finals) - 1) / 2) * width
            jitter = np.linspace(-0.25, 0.25, len(values)) * width
            axes.bar(at, np.mean(values), width * 0.9, color=color, alpha=0.3)
            axes.scatter(at + jitter, values, s=14, color=color)
        axes.bar(0, 0, color=color, label=method)
    axes.axhline(GOAL, color=FAINT, linewidth=1, linestyle="--", zorder=0)
    axes.set_xticks(range(len(NAMED)), NAMED)
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("R² from the best pair of latents")
    seeds, steps = results.plan.seeds, results.plan.final_steps
    axes.set_title(f"Finals: {seeds} seeds, {steps:,} steps", fontsize=10)
    axes.legend(
        frameon=False,
        fontsize=8,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.06),
        ncols=min(len(finals), 2),
    )
    axes.spines[["top", "right"]].set_visible(False)


def _colors(results: Results) -> dict[str, str]:
    """Return one colour for each route."""
    routes = dict.fromkeys(record["route"] for record in results.screening)
    return {route: OKABE_ITO[i % len(OKABE_ITO)] for i, route in enumerate(routes)}
