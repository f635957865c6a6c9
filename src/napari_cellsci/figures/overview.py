"""One picture of a scored movie: a frame with its cells marked, and their crops."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.disk import whole_file
from napari_cellsci.figures.network import project_colors
from napari_cellsci.labels.classes import OKABE_ITO

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure

    from napari_cellsci.project import Project, Scores

BACKGROUND = "#1B1D22"
TEXT = "#E8E8E8"
FAINT = "#9A9CA3"
NEUTRAL = "#C4C4C4"
PER_ROW = 8
CLIP_QUANTILE = 0.98
MARKER = 0.34
"""Radius of a marker as a part of the crop's width."""


@dataclass(frozen=True)
class Overview:
    """What the picture shows.

    Parameters
    ----------
    frame : array (Y, X)
        Pixels of one frame.
    cells : DataFrame
        Its cells: y, x (px), score, ood.
    montage : sequence of (title, crops (k, S, S), rows (k,))
        Rows of crops, lowest scores first, and which cells they are.
    scores : array (n,)
        Of all cells; of more than two classes the lead of the best.
    codes : array (n,) of int
        Their predicted class, −1 for none.
    classes : tuple of str
        Below and above 0, or more than two.
    colors : tuple of str
        Of the classes.
    title : str
    radius : float
        Of the markers (px).
    pixel_size : float, optional
        µm per px, for the scale bar.
    """

    frame: NDArray[Any]
    cells: pd.DataFrame
    montage: list[tuple[str, NDArray[Any], NDArray[np.int64]]]
    scores: NDArray[np.float64]
    codes: NDArray[np.int64]
    classes: tuple[str, ...]
    colors: tuple[str, ...]
    title: str
    radius: float
    pixel_size: float | None = None

    @property
    def many(self) -> bool:
        """Whether cells have the colours of their classes, and not of scores."""
        return len(self.classes) > 2


def describe(project: Project, scores: Scores, per_row: int = PER_ROW) -> Overview:
    """Choose what to show of the scores of a project.

    The frame is the one with most cells that score 0 or more; the crops are those with
    the lowest scores, those next to 0, and those with the highest. Of more than two
    classes, the frame has most cells of all but the commonest, and there is a row of
    crops for each, the surest ones, after those that hardly lead.
    """
    table, classes = scores.table, scores.classes
    codes = table["prediction"].map({name: i for i, name in enumerate(classes)})
    codes = codes.fillna(-1).astype(np.int64)
    rare = table["score"] >= 0
    if len(classes) > 2:
        rare = (codes >= 0) & (codes != codes.mode().iloc[0])
    positive = table[rare] if rare.any() else table
    busiest = positive.groupby(["movie", "t"]).size().argmax()
    first = positive.groupby(["movie", "t"]).head(1).sort_values(["movie", "t"])
    movie, t = str(first["movie"].iloc[busiest]), int(first["t"].iloc[busiest])
    info = next(info for info in project.movies if info.name == movie)
    spec = project.spec
    frame = project.movie(movie).frame(t, spec.channels[:1], spec.z)[0]
    shown = table[(table["movie"] == movie) & (table["t"] == t)]
    rows = _rows(table, codes, classes, per_row)
    crops = project.crops()
    return Overview(
        frame=frame,
        cells=shown,
        montage=[(name, crops[chosen, 0], chosen) for name, chosen in rows.items()],
        scores=table["score"].to_numpy(),
        codes=np.asarray(codes, np.int64),
        classes=classes,
        colors=project_colors(project, classes),
        title=f"{movie}, frame {t}{_time(t, info.frame_interval)}",
        radius=MARKER * spec.window(info.pixel_size),
        pixel_size=info.pixel_size,
    )


def _rows(
    table: pd.DataFrame, codes: pd.Series[int], classes: tuple[str, ...], count: int
) -> dict[str, NDArray[np.int64]]:
    """Return which crops to show, by title."""
    value = table.loc[table["prediction"] != "blank", "score"]
    unsure = {"least certain": _leading(table, value.abs(), count)}
    if len(classes) > 2:
        return unsure | {
            f"most {name}": _leading(table, -value[codes[value.index] == code], count)
            for code, name in enumerate(classes)
        }
    return {
        f"most {classes[0]}": _leading(table, value, count),
        **unsure,
        f"most {classes[1]}": _leading(table, -value, count),
    }


def _leading(
    table: pd.DataFrame, rank: pd.Series[float], count: int
) -> NDArray[np.int64]:
    """Return the rows of lowest rank, one per track, in the order of their scores."""
    ordered = table.loc[rank.sort_values(kind="stable").index]
    chosen = ordered.drop_duplicates(["movie", "track_id"]).head(count)
    rows = chosen.sort_values("score", kind="stable").index
    return rows.to_numpy(dtype=np.int64)


def _time(t: int, interval: float | None) -> str:
    if interval is None:
        return ""
    minutes = t * interval / 60
    return f" ({minutes:.0f} min)" if minutes < 120 else f" ({minutes / 60:.1f} h)"


def save_overview(project: Project, scores: Scores, path: Path) -> None:
    """Draw the overview of a project's scores and write it (.png, .pdf, .svg).

    Raises
    ------
    ProjectError
        If the place cannot be written.
    """
    figure = draw(describe(project, scores))
    with whole_file(Path(path)) as temporary:
        figure.savefig(temporary, dpi=150, facecolor=BACKGROUND)


def draw(shown: Overview) -> Figure:
    """Draw the overview; no window and no global state are involved."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgba_array
    from matplotlib.figure import Figure

    colours = LinearSegmentedColormap.from_list(
        "score", [OKABE_ITO[0], NEUTRAL, OKABE_ITO[1]]
    )
    limit = float(np.nanquantile(np.abs(shown.scores), CLIP_QUANTILE)) or 1.0
    scale = Normalize(-limit, limit, clip=True)
    painted = colours(scale(shown.scores))
    if shown.many:
        painted = to_rgba_array([*shown.colors, NEUTRAL])[shown.codes]
    extra = max(len(shown.montage) - 3, 0)
    figure = Figure(figsize=(14, 7.6 + 1.3 * extra), facecolor=BACKGROUND)
    FigureCanvasAgg(figure)
    halves = figure.add_gridspec(
        1,
        2,
        left=0.012,
        right=0.988,
        top=0.94,
        bottom=0.07,
        wspace=0.03,
        width_ratios=(1, 1.02),
    )
    _draw_frame(figure.add_subplot(halves[0]), shown, painted)
    rows = halves[1].subgridspec(len(shown.montage) + 1, 1, hspace=0.28)
    for number, (name, crops, chosen) in enumerate(shown.montage):
        places = rows[number].subgridspec(1, max(len(crops), 1), wspace=0.06)
        for place, (crop, row) in enumerate(zip(crops, chosen, strict=True)):
            axes = figure.add_subplot(places[place])
            _draw_crop(axes, crop, shown.scores[row], painted[row])
            if place == 0:
                axes.set_title(name, color=TEXT, fontsize=11, loc="left", pad=5)
    last = figure.add_subplot(rows[len(shown.montage)])
    if shown.many:
        _draw_counts(last, shown)
    else:
        _draw_histogram(last, shown, colours, scale)
    return figure


def _draw_frame(axes: Axes, shown: Overview, painted: NDArray[np.float64]) -> None:
    from matplotlib.collections import EllipseCollection
    from matplotlib.colors import PowerNorm

    from napari_cellsci.explain.ood import OOD_THRESHOLD

    low, high = np.percentile(shown.frame, (1, 99.7))
    # Dim cells are cells too: a power below 1 lifts them.
    brightness = PowerNorm(0.6, vmin=low, vmax=max(high, low + 1), clip=True)
    axes.imshow(shown.frame, cmap="gray", norm=brightness)
    strange = shown.cells["ood"].to_numpy() > OOD_THRESHOLD
    for chosen, style in ((~strange, "-"), (strange, ":")):
        cells = shown.cells[chosen]
        width = np.full(len(cells), 2 * shown.radius)
        rings = EllipseCollection(
            width,
            width,
            np.zeros(len(cells)),
            units="xy",
            offsets=cells[["x", "y"]].to_numpy(),
            transOffset=axes.transData,
            facecolors="none",
            edgecolors=painted[cells.index.to_numpy()],
            linewidths=1.5,
            linestyles=style,
        )
        axes.add_collection(rings)
    height, width = shown.frame.shape
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    axes.set_title(shown.title, color=TEXT, fontsize=11, loc="left", pad=6)
    if strange.any():
        hint = "dotted: out of distribution"
        axes.set_title(hint, color=FAINT, fontsize=9, loc="right", pad=6)
    axes.axis("off")
    axes.set_anchor("N")
    if shown.pixel_size is not None:
        _draw_scale_bar(axes, width, height, shown.pixel_size)


def _draw_scale_bar(axes: Axes, width: int, height: int, pixel_size: float) -> None:
    steps = np.array([1, 2, 5, 10, 20, 50, 100, 200, 500, 1000])
    fitting = steps[steps <= 0.25 * width * pixel_size]
    length = int(fitting[-1]) if fitting.size else 1
    right, y = 0.97 * width, 0.96 * height
    axes.plot(
        [right - length / pixel_size, right],
        [y, y],
        color="white",
        linewidth=3,
        solid_capstyle="butt",
    )
    axes.text(
        right - length / pixel_size / 2,
        y - 0.015 * height,
        f"{length} µm",
        color="white",
        ha="center",
        va="bottom",
        fontsize=9,
    )


def _draw_crop(axes: Axes, crop: NDArray[Any], score: float, colour: Any) -> None:
    low, high = np.percentile(crop, (0.5, 99.8))
    axes.imshow(crop, cmap="gray", vmin=low, vmax=max(high, low + 1e-6))
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color=colour, linewidth=2.5)
    axes.set_xlabel(f"{score:+.1f}", color=FAINT, fontsize=8, labelpad=2)


def _draw_histogram(
    axes: Axes, shown: Overview, colours: Colormap, scale: Normalize
) -> None:
    counts, edges = np.histogram(shown.scores, bins=60)
    middles = (edges[1:] + edges[:-1]) / 2
    axes.bar(
        middles, counts, width=np.diff(edges), color=colours(scale(middles)), log=True
    )
    axes.axvline(0, color=TEXT, linewidth=0.8, linestyle="--")
    axes.set_facecolor(BACKGROUND)
    axes.set_xlabel(
        f"{shown.classes[0]}  ◄   score f   ►  {shown.classes[1]}",
        color=TEXT,
        fontsize=10,
        labelpad=3,
    )
    axes.set_title(
        f"{len(shown.scores):,} cells", color=TEXT, fontsize=11, loc="left", pad=5
    )
    axes.tick_params(colors=FAINT, labelsize=8)
    axes.tick_params(axis="y", which="both", left=False, labelleft=False)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom")
        spine.set_color(FAINT)


def _draw_counts(axes: Axes, shown: Overview) -> None:
    """Draw how many cells are called what; the key to the colours."""
    counts = [int((shown.codes == code).sum()) for code in range(len(shown.classes))]
    places = range(len(counts))
    axes.barh(places, counts, color=shown.colors, height=0.75)
    for place, name, count in zip(places, shown.classes, counts, strict=True):
        axes.text(-0.01, place, name, color=TEXT, **_beside(axes, "right"))
        axes.text(1.01, place, f"{count:,}", color=FAINT, **_beside(axes, "left"))
    axes.invert_yaxis()
    axes.set_facecolor(BACKGROUND)
    axes.set(xticks=[], yticks=[], xlim=(0, max(*counts, 1)))
    axes.set_title(
        f"{len(shown.scores):,} cells", color=TEXT, fontsize=11, loc="left", pad=5
    )
    for spine in axes.spines.values():
        spine.set_visible(False)
    box = axes.get_position()
    axes.set_position((box.x0 + 0.09, box.y0, box.width - 0.13, box.height))


def _beside(axes: Axes, side: str) -> dict[str, Any]:
    transform = axes.get_yaxis_transform()
    return {"ha": side, "va": "center", "fontsize": 8, "transform": transform}
