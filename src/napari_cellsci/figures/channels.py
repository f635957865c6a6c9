"""Figures about channels: what each tells, what they share, and what one adds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.figures.probing import GREY, save_figure
from napari_cellsci.labels.classes import OKABE_ITO
from napari_cellsci.project.ablation_table import system_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from napari_cellsci.project.ablation_table import Ablation
    from napari_cellsci.project.channel_prediction import ChannelPrediction
    from napari_cellsci.project.shared_information import SharedInformation

_SHOWN = 6
"""Cells of which pictures are drawn."""
_BULK = (0.005, 0.995)
"""Quantiles of a picture between which its greys lie: noise does not flatten them."""


def save_ablation(path: Path, found: Ablation) -> None:
    """Write balanced accuracy by channels and system, with intervals.

    Raises
    ------
    InputError, ProjectError
        As `figures.probing.save_figure`.
    """
    from matplotlib.figure import Figure

    sets = list(found.channel_names)
    figure = Figure(figsize=(2.2 + 1.7 * len(sets), 4), layout="constrained")
    axes = figure.add_subplot()
    step = 0.7 / max(len(found.systems), 1)
    for number, system in enumerate(found.systems):
        color = OKABE_ITO[number % len(OKABE_ITO)]
        for place, channels in enumerate(sets):
            judged = found.entry(system, channels).judged
            x = place + (number - (len(found.systems) - 1) / 2) * step
            axes.plot([x, x], judged.interval, color=color, linewidth=2)
            label = system_title(system) if place == 0 else None
            axes.plot([x], [judged.balanced_accuracy], "o", color=color, label=label)
    axes.axhline(found.chance, color=GREY, linewidth=0.8, linestyle="--")
    axes.annotate(
        "chance",
        (len(sets) - 0.5, found.chance),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right",
        fontsize=7,
        color=GREY,
    )
    axes.set_xticks(range(len(sets)), list(found.channel_names.values()), fontsize=8)
    axes.set(xlim=(-0.5, len(sets) - 0.5), ylim=(0, 1.02))
    axes.set_ylabel("balanced accuracy (95% interval)", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(
        frameon=False, fontsize=8, loc="outside upper center", ncols=len(found.systems)
    )
    save_figure(figure, path)


def save_shared(path: Path, found: SharedInformation) -> None:
    """Write the information of every pair of latents as a heat map.

    Raises
    ------
    InputError, ProjectError
        As `figures.probing.save_figure`.
    """
    from matplotlib.figure import Figure

    pairs = found.found.pairs
    height, width = (1.6 + 0.24 * n for n in pairs.shape)
    figure = Figure(figsize=(max(width, 4.5) + 1.2, height + 0.4), layout="constrained")
    axes = figure.add_subplot()
    shown = axes.imshow(pairs, cmap="viridis", vmin=0, aspect="equal")
    rows, columns = found.labels
    axes.set_yticks(range(len(rows)), rows, fontsize=7)
    axes.set_xticks(range(len(columns)), columns, fontsize=7, rotation=90)
    for which, place in (("ylabel", 0), ("xlabel", 1)):
        channels = ", ".join(map(str, found.channels[place]))
        words = f"{found.encoders[place]} (channel {channels})"
        axes.set(**{which: words})
    bar = figure.colorbar(shown, ax=axes, shrink=0.7, label="mutual information (nats)")
    bar.ax.axhline(found.found.chance, color="white", linewidth=1)
    bar.ax.annotate(
        "chance",
        (0, found.found.chance),
        xytext=(-3, 0),
        textcoords="offset points",
        fontsize=7,
        ha="right",
        va="center",
    )
    low, high = found.found.interval
    axes.set_title(
        f"together {found.found.total:.2f} nats [{low:.2f}–{high:.2f}]", fontsize=9
    )
    save_figure(figure, path)


def choose_cells(residual: NDArray[Any], n: int = _SHOWN) -> NDArray[np.int64]:
    """Return cells from the best to the worst predicted, evenly by rank."""
    known = np.flatnonzero(np.isfinite(residual))
    ordered = known[np.argsort(residual[known], kind="stable")]
    places = np.linspace(0, len(ordered) - 1, min(n, len(ordered))).round()
    return np.asarray(ordered[places.astype(np.int64)], np.int64)


def save_prediction(
    path: Path,
    found: ChannelPrediction,
    rows: NDArray[np.int64],
    source: NDArray[Any],
    predicted: NDArray[Any],
    seen: NDArray[Any],
) -> None:
    """Write some cells with what is predicted of them and what is left.

    Parameters
    ----------
    path : Path
    found : ChannelPrediction
    rows : int array (k,)
    source, predicted, seen : array (k, S, S)
        The channel that is read, what is predicted from it, and what is there.

    Raises
    ------
    InputError, ProjectError
        As `figures.probing.save_figure`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.15 * len(rows) + 1.2, 5.2), layout="constrained")
    panes = figure.subplots(4, len(rows), squeeze=False)
    model = found.model
    titles = (
        f"channel {model.source}",
        f"channel {model.target}",
        "predicted",
        "residual",
    )
    residual = seen - predicted
    limit = float(np.quantile(np.abs(residual), 0.995)) or 1.0
    for column in range(len(rows)):
        low, high = np.quantile(seen[column], _BULK).tolist()
        _picture(panes[0, column], source[column], "gray")
        _picture(panes[1, column], seen[column], "gray", low, high)
        _picture(panes[2, column], predicted[column], "gray", low, high)
        _picture(panes[3, column], residual[column], "RdBu_r", -limit, limit)
        share = float(found.residual[rows[column]])
        panes[0, column].set_title(f"missed {share:.0%}", fontsize=7)
    for pane, title in zip(panes[:, 0], titles, strict=True):
        pane.set_ylabel(title, fontsize=8)
    report = model.report
    figure.suptitle(
        f"R² {report.unet.r2:.2f} [{report.unet.interval[0]:.2f}–"
        f"{report.unet.interval[1]:.2f}], a line per pixel {report.linear.r2:.2f}, "
        f"mean image {report.mean_image.r2:.2f}",
        fontsize=9,
    )
    save_figure(figure, path)


def _picture(
    axes: Axes,
    picture: NDArray[Any],
    colors: str,
    low: float | None = None,
    high: float | None = None,
) -> None:
    axes.imshow(picture, cmap=colors, vmin=low, vmax=high, interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
