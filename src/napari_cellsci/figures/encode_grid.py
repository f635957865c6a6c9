"""Grids of cells: as they are, redrawn from their code, and drawn from nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.disk import whole_file
from napari_cellsci.errors import InputError
from napari_cellsci.project import generations
from napari_cellsci.representation.data import read_rows, sample_rows
from napari_cellsci.representation.kinds import KINDS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from napari_cellsci.project import Project
    from napari_cellsci.representation.encoder import Encoder

Floats = NDArray[np.float32]
CELLS = 36
"""Cells of each grid: six rows of six."""
DPI = 150
_PERCENTILES = (0.5, 99.7)
_WIDTH = 2.6
"""Of one grid (inches)."""
_LINE, _GAP = 0.3, 0.1
"""Height of a title, and what lies between grids (inches)."""
_TITLES = ("original", "reconstructed", "generated")


@dataclass(frozen=True, eq=False)
class EncodeGrid:
    """What three grids show.

    Parameters
    ----------
    original, reconstructed, generated : array (n, C, S, S)
        Normalised crops; the second redraws the first, cell by cell, the third is drawn
        from the prior.
    channels : tuple of str
        Names of the C channels.
    title : str
    """

    original: Floats
    reconstructed: Floats
    generated: Floats
    channels: tuple[str, ...]
    title: str


def describe_grid(
    project: Project, encoder: Encoder, *, cells: int = CELLS, seed: int = 0
) -> EncodeGrid:
    """Redraw some cells of a project and draw as many new ones.

    Parameters
    ----------
    project : Project
    encoder : Encoder
        Of any kind.
    cells : int
        How many; evenly spread over the project.
    seed : int
        Of the new ones.
    """
    spec = generations.satisfy(project._bench, encoder.spec, "The encoder")
    crops = project.crops(spec)
    rows = sample_rows(len(crops), cells)
    raw = read_rows(crops, rows)
    error = float(encoder.encode_with_error(raw)[1].mean())
    kind = KINDS[encoder.config.kind].title
    return EncodeGrid(
        original=encoder.normalise(raw).cpu().numpy(),
        reconstructed=encoder.reconstruct(raw),
        generated=encoder.decode(encoder.sample(len(raw), seed)),
        channels=tuple(f"channel {c}" for c in spec.channels),
        title=f"{project.name}: {kind}, error {error:.2f} per normalised pixel",
    )


def save_grid(grid: EncodeGrid, path: Path) -> None:
    """Write the grids (.png, .pdf, .svg).

    Raises
    ------
    InputError
        If there are no cells.
    ProjectError
        If the place cannot be written.
    """
    if not len(grid.original):
        raise InputError("There are no cells to draw.")
    figure: Figure = draw_grid(grid)
    kind = path.suffix.removeprefix(".") or "png"
    with whole_file(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=DPI)


def draw_grid(grid: EncodeGrid) -> Figure:
    """Draw a row of three grids for each channel, in the contrast of the originals."""
    from matplotlib.figure import Figure

    count = grid.original.shape[1]
    row, wide = _WIDTH + _LINE, 3 * _WIDTH + 4 * _GAP
    high = count * row + _LINE + _GAP
    figure = Figure((wide, high), facecolor="white")
    top = 1 - 0.5 * _LINE / high
    figure.suptitle(grid.title, y=top, va="center", fontsize=9, parse_math=False)
    every = (grid.original, grid.reconstructed, grid.generated)
    for channel in range(count):
        low, high_ = np.percentile(grid.original[:, channel], _PERCENTILES)
        beside = f", {grid.channels[channel]}" if count > 1 else ""
        bottom = (count - 1 - channel) * row + _GAP
        for place, (crops, title) in enumerate(zip(every, _TITLES, strict=True)):
            left = _GAP + place * (_WIDTH + _GAP)
            box = (left / wide, bottom / high, _WIDTH / wide, _WIDTH / high)
            axes = figure.add_axes(box)
            picture = tiled(crops[:, channel])
            axes.imshow(picture, cmap="gray", vmin=low, vmax=max(high_, low + 1e-6))
            axes.set_title(title + beside, fontsize=8)
            axes.set_axis_off()
    return figure


def tiled(crops: NDArray[np.float32]) -> Floats:
    """Lay crops (n, S, S) out in rows, nearly a square; what is left is NaN."""
    n, size = len(crops), crops.shape[-1]
    columns = max(1, int(np.ceil(np.sqrt(n))))
    rows = -(-n // columns)
    step = size + 1
    out = np.full((rows * step - 1, columns * step - 1), np.nan, np.float32)
    for place, crop in enumerate(crops):
        top, left = (step * k for k in divmod(place, columns))
        out[top : top + size, left : left + size] = crop
    return out
