"""Who lives when: stages of every cell at every frame, and who its mother is."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from napari_cellsci.cells.simulator.config import SimulationConfig

STAGES = ("interphase", "prometaphase", "metaphase", "anaphase", "junk")
INTERPHASE, PROMETAPHASE, METAPHASE, ANAPHASE, JUNK = range(5)


@dataclass(slots=True)
class Lineage:
    """One row per cell and frame, sorted by (track, t); all arrays (rows,).

    Attributes
    ----------
    track, t : ndarray of int64
        Track id (from 1) and frame.
    stage : ndarray of int64
        Index into `STAGES`.
    progress : ndarray of float
        Position within the stage, 0 to 1; in interphase, the age of the cell.
    age : ndarray of int64
        Frames since birth, also of cells born before the movie.
    remaining : ndarray of int64
        Frames to the start of the cell's prometaphase, negative after it.
    paired : ndarray of bool
        The mother's anaphase, its two plates still one object.
    parent, family : ndarray of int64, shape (tracks,)
        Mother of track ``i + 1`` (0 = none) and the founder it descends from.
    """

    track: np.ndarray
    t: np.ndarray
    stage: np.ndarray
    progress: np.ndarray
    age: np.ndarray
    remaining: np.ndarray
    paired: np.ndarray
    parent: np.ndarray
    family: np.ndarray

    @property
    def n_tracks(self) -> int:
        """Number of tracks."""
        return len(self.parent)

    def graph(self) -> dict[int, list[int]]:
        """Return child → [mother], as napari's Tracks layer wants it."""
        return {i + 1: [int(p)] for i, p in enumerate(self.parent) if p}


@dataclass(slots=True)
class _Cell:
    track: int
    parent: int
    family: int
    birth: int
    lengths: tuple[int, int, int, int, int]  # anaphase … unsplit anaphase, in frames


def _lengths(
    rng: np.random.Generator, config: SimulationConfig, *, founder: bool
) -> tuple[int, int, int, int, int]:
    interphase = config.cycle_length * rng.lognormal(-0.005, 0.1)
    return (
        0 if founder else int(rng.integers(1, 3)),
        max(3, round(interphase)),
        int(rng.choice([1, 2, 3], p=[0.45, 0.4, 0.15])),
        int(rng.choice([1, 2, 3, 4], p=[0.2, 0.35, 0.3, 0.15])),
        int(rng.random() < config.unsplit_anaphase),
    )


def _cell_rows(cell: _Cell, frames: int) -> list[np.ndarray]:
    """Columns of the cell's `Lineage` rows, for the frames of the movie alone."""
    order = np.array([ANAPHASE, INTERPHASE, PROMETAPHASE, METAPHASE, ANAPHASE])
    lengths = np.array(cell.lengths)
    ends = np.cumsum(lengths)
    t = np.arange(max(cell.birth, 0), min(cell.birth + int(ends[-1]), frames))
    age = t - cell.birth
    part = np.searchsorted(ends, age, side="right")
    progress = (age - (ends - lengths)[part] + 0.5) / lengths[part]
    track = np.full(len(t), cell.track)
    return [track, t, order[part], progress, age, ends[1] - age, part == 4]


def grow_lineage(config: SimulationConfig) -> Lineage:
    """Let `config.cells` founders live and divide for `config.frames` frames.

    Founders start at stratified ages of a steadily growing population (density 2^-age
    over the cycle), so the number of mitoses varies little between seeds.
    """
    rng = config.rng("lineage")
    age = -np.log2(
        1 - (np.arange(config.cells) + rng.random(config.cells)) / 2 / config.cells
    )
    queue: deque[_Cell] = deque()
    for i, fraction in enumerate(rng.permutation(age)):
        lengths = _lengths(rng, config, founder=True)
        birth = -min(int(fraction * sum(lengths)), sum(lengths) - 1)
        queue.append(_Cell(i + 1, 0, i, birth, lengths))
    cells: list[_Cell] = []
    next_track = config.cells + 1
    while queue:
        cell = queue.popleft()
        cells.append(cell)
        end = cell.birth + sum(cell.lengths)
        if end >= config.frames:
            continue
        for _ in range(2):
            lengths = _lengths(rng, config, founder=False)
            queue.append(_Cell(next_track, cell.track, cell.family, end, lengths))
            next_track += 1
    rows = [_cell_rows(cell, config.frames) for cell in cells]
    columns = [np.concatenate(parts) for parts in zip(*rows, strict=True)]
    columns.append(np.array([cell.parent for cell in cells]))
    columns.append(np.array([cell.family for cell in cells]))
    return Lineage(*columns)
