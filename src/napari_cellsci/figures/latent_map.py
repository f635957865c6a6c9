"""Figures of latents: the map of all cells, and the classes along each latent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.disk import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_cellsci.project import Project
    from napari_cellsci.representation.atlas import LatentAtlas
    from napari_cellsci.representation.encoder import Encoder
    from napari_cellsci.representation.separation import Densities, Separation

DPI = 200
PER_ROW = 4
MOST_ROWS = 4
FILLED = 3
"""Up to so many classes the areas under their curves are filled."""
_WIDTH = 7.0
_SIGN, _LETTER = 0.55, 0.07
"""Width of a figure, and of an entry of its key without and per letter (inches)."""
_FEW = 20_000
"""Up to so many points a vector figure keeps them as vectors."""


@dataclass(frozen=True, eq=False)
class MapFigure:
    """A map of cells.

    Parameters
    ----------
    xy : array (n, 2)
    colors : array (n, 4)
    order : array (m,) of int
        Which cells are drawn, in this order.
    titles : tuple of str
        Of the axes.
    key : sequence of (str, str)
        Words and colours of the key; empty for none.
    scale : tuple, optional
        (lowest, highest, list of colours, title) of a colour bar instead.
    path : array (k, 2), optional
        The way of a track through the map.
    guests : array (k, 2), optional
        Pictures that are no cells: marked and named.
    guest_names : sequence of str
    """

    xy: NDArray[Any]
    colors: NDArray[Any]
    order: NDArray[np.int64]
    titles: tuple[str, str]
    key: Sequence[tuple[str, str]] = ()
    scale: tuple[float, float, list[str], str] | None = None
    path: NDArray[Any] | None = None
    guests: NDArray[Any] | None = None
    guest_names: Sequence[str] = ()


@dataclass(frozen=True, eq=False)
class DensityFigure:
    """The classes along latents, in the order in which they are drawn.

    Parameters
    ----------
    labels : sequence of str
        Of all latents, z0 first.
    densities : Densities
    separation : Separation
    names, colors : sequence of str
        Of the classes.
    """

    labels: Sequence[str]
    densities: Densities
    separation: Separation
    names: Sequence[str]
    colors: Sequence[str]


def describe_classes(
    project: Project, encoder: Encoder, atlas: LatentAtlas
) -> DensityFigure | None:
    """Return how the labelled classes lie along an encoder's latents.

    None where fewer than two classes have two labelled cells.

    Parameters
    ----------
    project : Project
    encoder : Encoder
    atlas : LatentAtlas
        Of that encoder: says what its latents are called.
    """
    from napari_cellsci.representation.separation import class_densities, separation

    labels = project.labels.as_series()
    counts = labels.value_counts()
    known = [one for one in project.labels.classes if counts.get(one.name, 0) > 1]
    if len(known) < 2:
        return None
    numbers = {one.name: number for number, one in enumerate(known)}
    codes = np.full(len(project), -1, np.int64)
    codes[labels.index] = [numbers.get(name, -1) for name in labels]
    z = np.asarray(project.latents(encoder))
    return DensityFigure(
        atlas.labels,
        class_densities(z, codes, len(known)),
        separation(z, codes, project.groups),
        [one.name for one in known],
        [one.colour for one in known],
    )


def save_map(
    path: Path, shown: MapFigure, classes: DensityFigure | None = None
) -> None:
    """Write a map, and below it the classes along the latents, if given.

    Parameters
    ----------
    path : Path
        Ends in .png, .pdf or .svg.
    shown : MapFigure
    classes : DensityFigure, optional

    Raises
    ------
    ProjectError
        If the place cannot be written.
    """
    from matplotlib.figure import Figure

    rows = 0 if classes is None else _rows_of(classes)
    figure = Figure(figsize=(_WIDTH, 6 + 1.3 * rows), layout="constrained")
    if classes is None:
        draw_map(figure.add_subplot(), shown)
    else:
        halves: Any = figure.subfigures(2, 1, height_ratios=(6, 1.3 * rows))
        above, below = halves
        draw_map(above.add_subplot(), shown)
        draw_densities(below, classes)
    _save(figure, path)


def save_densities(path: Path, shown: DensityFigure) -> None:
    """Write the classes along the latents that separate them best."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, 1.3 * _rows_of(shown) + 0.4), layout="constrained")
    draw_densities(figure, shown)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    path = Path(path)
    kind = path.suffix.lstrip(".").lower() or "png"
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format=kind)


def draw_map(axes: Axes, shown: MapFigure) -> None:
    """Draw a map of cells."""
    xy, colors = shown.xy[shown.order], shown.colors[shown.order]
    size = 10 if len(xy) < 3000 else 4 if len(xy) < _FEW else 1
    axes.scatter(
        xy[:, 0],
        xy[:, 1],
        s=size,
        c=colors,
        alpha=0.7,
        linewidths=0,
        rasterized=len(xy) > _FEW,
    )
    if shown.path is not None and len(shown.path) > 1:
        axes.plot(
            shown.path[:, 0], shown.path[:, 1], color="black", linewidth=0.6, alpha=0.6
        )
    _mark_guests(axes, shown)
    axes.set_xlabel(shown.titles[0])
    axes.set_ylabel(shown.titles[1])
    axes.spines[["top", "right"]].set_visible(False)
    if shown.scale is not None:
        _draw_bar(axes, shown.scale)
    for words, color in shown.key:
        axes.scatter([], [], s=20, color=color, label=words)
    if shown.key:
        axes.legend(frameon=False, loc="upper right", handletextpad=0.2)


def _mark_guests(axes: Axes, shown: MapFigure) -> None:
    """Mark and name pictures that are no cells, names one above the other."""
    if shown.guests is None or not len(shown.guests):
        return
    x, y = shown.guests.T
    axes.scatter(x, y, s=34, marker="D", c="white", edgecolors="black", zorder=4)
    order = np.argsort(shown.guests[:, 1])
    for rank, place in enumerate(order.tolist()):
        axes.annotate(
            shown.guest_names[place],
            shown.guests[place],
            xytext=(0.99, 0.8 * (rank + 0.5) / len(order)),  # below the key
            textcoords="axes fraction",
            fontsize=8,
            ha="right",
            va="center",
            bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1.5},
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "linewidth": 0.5, "color": "0.4"},
            zorder=5,
        )


def _draw_bar(axes: Axes, scale: tuple[float, float, list[str], str]) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    low, high, colors, title = scale
    between = LinearSegmentedColormap.from_list("bar", colors)
    values = ScalarMappable(Normalize(low, high), between)
    figure: Any = axes.figure
    figure.colorbar(values, ax=axes, label=title, shrink=0.6, aspect=30)


def _rows_of(shown: DensityFigure) -> int:
    return min(-(-len(shown.labels) // PER_ROW), MOST_ROWS)


def _style(shown: DensityFigure, k: int) -> str:
    """Return how the curve of a class is drawn: dashed where its colour was used."""
    return "--" if shown.colors[k] in list(shown.colors)[:k] else "-"


def _key_columns(names: Sequence[str]) -> int:
    """Return how many names stand side by side in a key."""
    longest = max(map(len, names), default=0)
    return max(1, min(len(names), int(_WIDTH / (_SIGN + _LETTER * longest))))


def draw_densities(figure: Any, shown: DensityFigure) -> None:
    """Draw the density of every class along the latents, best separating first.

    Parameters
    ----------
    figure : Figure or SubFigure
    shown : DensityFigure
    """
    found = shown.densities
    known = [k for k in range(len(shown.names)) if found.counts[k] > 1]
    chosen = shown.separation.ranked()[: PER_ROW * MOST_ROWS]
    columns = min(PER_ROW, len(chosen))
    panes = figure.subplots(_rows_of(shown), columns, squeeze=False)
    for pane in panes.flat:
        pane.set_axis_off()
    for pane, latent in zip(panes.flat, chosen, strict=False):
        pane.set_axis_on()
        for k, color in enumerate(shown.colors):
            if found.counts[k] > 1:
                curve, style = found.values[k, latent], _style(shown, k)
                if len(known) <= FILLED:
                    pane.fill_between(
                        found.grid[latent], curve, color=color, alpha=0.25
                    )
                pane.plot(found.grid[latent], curve, style, color=color, linewidth=1)
        area = shown.separation.auroc[latent]
        measure = f"  AUROC {area:.2f}" if np.isfinite(area) else ""
        pane.set_title(f"{shown.labels[latent]}{measure}", fontsize=8, loc="left")
        pane.set_yticks([])
        pane.tick_params(labelsize=7)
        pane.spines[["top", "right", "left"]].set_visible(False)
        pane.set_ylim(bottom=0)
    handles = [
        panes.flat[0].plot(
            [], [], _style(shown, k), color=shown.colors[k], label=shown.names[k]
        )[0]
        for k in known
    ]
    if handles:
        figure.legend(
            handles=handles,
            frameon=False,
            fontsize=8,
            loc="outside lower center",
            ncols=_key_columns([shown.names[k] for k in known]),
        )
