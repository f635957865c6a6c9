"""Sheets of latents: what each draws from low to high, and where it acts."""

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
    from napari_cellsci.representation.atlas import LatentAtlas, LatentInfo
    from napari_cellsci.representation.encoder import Encoder

ANCHORS = 16
"""Cells whose pictures are changed for an effect map."""
MOST = 40
"""Latents on a sheet; further ones carry next to nothing."""
DPI = 150
FAINT = "#6B6B6B"
WORDS = 3.1
"""Width of the words beside a strip (inches)."""
CELL = 0.72
"""Width of a picture of a strip (inches)."""
MAP = 1.6
"""Width of an effect map (inches)."""
HEAD = 0.55
"""Height of the title (inches)."""
_PER_ROW = 6


@dataclass(frozen=True, eq=False)
class LatentSheet:
    """What the sheets show of k latents.

    Parameters
    ----------
    latents : tuple of LatentInfo
        Most active first.
    strips : array (k, steps, C, S, S)
        Decoded along each latent, the others at 0.
    values : array (steps,)
        The latent's value in each picture.
    effects : array (k, C, S, S)
        Change of the picture, averaged over cells.
    channels : tuple of str
        Names of the C channels; one empty name for a single one.
    title : str
    """

    latents: tuple[LatentInfo, ...]
    strips: NDArray[np.float32]
    values: NDArray[np.float64]
    effects: NDArray[np.float32]
    channels: tuple[str, ...]
    title: str


def describe_sheet(
    project: Project, encoder: Encoder, atlas: LatentAtlas, most: int = MOST
) -> LatentSheet:
    """Decode what the sheets of a project's latents show."""
    from napari_cellsci.representation.traversals import (
        STEPS,
        effect_map,
        traverse_many,
    )

    shown = atlas.active[:most]
    indices = [info.index for info in shown]
    latents = np.asarray(project.latents(encoder))
    rows = np.linspace(0, len(latents) - 1, min(len(latents), ANCHORS)).astype(int)
    anchors = latents[rows]
    spec = encoder.spec
    blank = np.zeros((0, spec.n_channels, spec.size, spec.size), np.float32)
    effects = [effect_map(encoder, index, anchors) for index in indices]
    active, silent = len(atlas.active), len(atlas.inactive)
    some = "" if active == len(shown) else f", the first {len(shown)} are shown"
    return LatentSheet(
        latents=shown,
        strips=traverse_many(encoder, indices),
        values=np.linspace(-encoder.reach, encoder.reach, STEPS),
        effects=np.stack(effects) if effects else blank,
        channels=_channels(project, spec.n_channels),
        title=f"{project.name}: {active} active latents{some}; {silent} inactive",
    )


def _channels(project: Project, count: int) -> tuple[str, ...]:
    if count == 1:
        return ("",)
    known = project.movies[0].channel_names
    return tuple(
        known[channel] if channel < len(known) else f"channel {channel}"
        for channel in project.spec.channels
    )


def save_traversals(sheet: LatentSheet, path: Path) -> None:
    """Write every latent's strip with its effect map (.png, .pdf, .svg).

    Raises
    ------
    ProjectError
        If the place cannot be written.
    """
    _save(draw_traversals(sheet), path)


def save_effects(sheet: LatentSheet, path: Path) -> None:
    """Write every latent's effect map (.png, .pdf, .svg).

    Raises
    ------
    ProjectError
        If the place cannot be written.
    """
    _save(draw_effects(sheet), path)


def _save(figure: Figure, path: Path) -> None:
    path = Path(path)
    kind = path.suffix.lstrip(".").lower() or "png"
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format=kind)


def draw_traversals(sheet: LatentSheet) -> Figure:
    """Draw a row per latent and channel: words, strip, effect map."""
    rows = [
        [*gray[channel], effect[channel]]
        for gray, effect in zip(_in_gray(sheet), _in_colour(sheet), strict=True)
        for channel in range(len(sheet.channels))
    ]
    columns = len(sheet.values) + 1
    width, height = WORDS + CELL * columns, HEAD + CELL * max(len(rows), 1)
    figure, axes = _canvas(sheet, width, height, left=WORDS)
    _show(axes, rows, columns)
    titles = [*map(_signed, sheet.values), "effect"]
    for column, title in enumerate(titles):
        axes.text(column + 0.5, -0.12, title, fontsize=8, ha="center", va="bottom")
    scale = WORDS / CELL
    for row in range(len(rows)):
        place, channel = divmod(row, len(sheet.channels))
        _write(axes, sheet.latents[place], sheet.channels[channel], row, channel, scale)
    return figure


def draw_effects(sheet: LatentSheet) -> Figure:
    """Draw the effect maps side by side, each channel below the other."""
    count, channels = len(sheet.latents), len(sheet.channels)
    columns = min(_PER_ROW, max(count, 1))
    maps = _in_colour(sheet)
    rows = []
    for start in range(0, count, columns):
        some = maps[start : start + columns]
        rows += [[effect[channel] for effect in some] for channel in range(channels)]
        rows.append([])  # room for the titles of the next ones
    lines = max(len(rows) - 1, 1)
    figure, axes = _canvas(
        sheet, MAP * columns + 0.2, HEAD + 0.2 + MAP * lines, left=0.1, unit=MAP
    )
    _show(axes, rows, columns)
    options: dict[str, Any] = {"fontsize": 7, "parse_math": False}
    for place, info in enumerate(sheet.latents):
        line, column = divmod(place, columns)
        top = line * (channels + 1)
        axes.text(
            column + 0.5,
            top - 0.04,
            _shortened(info.label),
            ha="center",
            va="bottom",
            **options,
        )
        for channel, name in enumerate(sheet.channels):
            if name:
                bottom = top + channel + 0.95
                axes.text(column + 0.05, bottom, name, color="white", **options)
    return figure


def _in_gray(sheet: LatentSheet) -> list[NDArray[np.float32]]:
    """Return the strips of each latent as colours (C, steps, S, S, 3).

    A channel has one scale for all latents.
    """
    strips = np.moveaxis(sheet.strips, 2, 1)
    if not strips.size:
        return []
    low, high = np.percentile(strips, (0.5, 99.5), axis=(0, 2, 3, 4))
    shape = (-1, 1, 1, 1)
    range_ = np.maximum(high - low, 1e-6).reshape(shape)
    shown = np.clip((strips - low.reshape(shape)) / range_, 0, 1)
    return list(np.repeat(shown[..., None], 3, axis=-1))


def _in_colour(sheet: LatentSheet) -> list[NDArray[np.float32]]:
    """Return the effect maps of each latent as colours (C, S, S, 3).

    A latent has one scale for all channels.
    """
    from matplotlib import colormaps

    colours = colormaps["magma"]
    return [
        np.asarray(colours(effect / max(float(effect.max()), 1e-12)))[..., :3]
        for effect in sheet.effects
    ]


def _show(axes: Axes, rows: Sequence[Sequence[NDArray[Any]]], columns: int) -> None:
    """Show pictures (S, S, 3) on a grid of unit squares, in one image."""
    lines = max(len(rows), 1)
    axes.set(xlim=(0, columns), ylim=(lines, 0))
    axes.set_axis_off()
    pictures = [picture for row in rows for picture in row]
    if not pictures:
        return
    size = pictures[0].shape[0]
    gap = max(size // 20, 1)
    step = size + 2 * gap
    canvas = np.ones((lines * step, columns * step, 3))
    for line, row in enumerate(rows):
        for column, picture in enumerate(row):
            top, left = line * step + gap, column * step + gap
            canvas[top : top + size, left : left + size] = picture
    axes.imshow(
        canvas, extent=(0, columns, lines, 0), interpolation="nearest", aspect="auto"
    )


def _signed(value: float) -> str:
    text = f"{value:+.2g}".replace("-", "−")
    return "0" if float(value) == 0 else text


def _shortened(words: str, most: int = 30) -> str:
    """Shorten a label in its middle: its end is the latent's number."""
    if len(words) <= most:
        return words
    name, _, symbol = words.rpartition(" ")
    return f"{name[: most - len(symbol) - 2]}… {symbol}"


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"


def _canvas(
    sheet: LatentSheet, width: float, height: float, left: float, unit: float = CELL
) -> tuple[Figure, Axes]:
    """Return a figure (inches) with its title, and axes below it for unit squares."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width + 0.1, height + 0.1), facecolor="white")
    FigureCanvasAgg(figure)
    wide, high = figure.get_size_inches()
    head = HEAD if unit == CELL else HEAD + 0.2
    axes = figure.add_axes(
        (
            left / wide,
            0.1 / high,
            (wide - left - 0.1) / wide,
            (high - head - 0.1) / high,
        )
    )
    figure.text(
        0.1 / wide,
        1 - 0.2 / high,
        sheet.title,
        fontsize=9,
        va="center",
        parse_math=False,
    )
    return figure, axes


def _write(
    axes: Axes, info: LatentInfo, channel: str, row: int, number: int, scale: float
) -> None:
    """Say beside a row what the latent is, and which channel it shows."""
    options: dict[str, Any] = {"va": "center", "parse_math": False, "fontsize": 7}
    if number == 0:
        left = 0.1 - scale
        axes.text(
            left, row + 0.28, _shortened(info.label, 38), **{**options, "fontsize": 8.5}
        )
        about = info.origin or info.reading
        said = f"{info.category}, {info.kl:.1f} nats" + (f", {about}" if about else "")
        axes.text(left, row + 0.57, _cut(said, 56), color=FAINT, **options)
        if info.low and info.high:
            ends = f"{info.low} → {info.high}"
            axes.text(left, row + 0.82, ends, color=FAINT, **options)
    if channel:
        axes.text(-0.08, row + 0.5, channel, color=FAINT, ha="right", **options)
