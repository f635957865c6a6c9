"""What the overlay paints: looks of markers, labels by score, and colours of tracks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.viewer.colors import (
    FloatArray,
    ScoreScale,
    colors_of_codes,
    rgba,
)

if TYPE_CHECKING:
    from napari_cellsci.viewer.cell_table import CellTable
    from napari_cellsci.viewer.session import ColorBy, Session

CLASS_SYMBOLS = ("disc", "triangle_up", "diamond", "square", "cross")
"""● for the first class, ▲ for the second, then others."""
OUTSIDE_SYMBOL = "ring"
BLANK_SYMBOL = "x"
FILLED_ALPHA = 0.85
OUT_ALPHA = 0.25
"""Opacity of cells that are filtered out."""


def codes_shown(session: Session) -> NDArray[np.int64]:
    """Return each cell's class in the palette: its label, else its prediction."""
    labels = session.label_codes()
    return np.where(labels >= 0, labels, session.predicted_codes())


def paint(
    session: Session, rows: Any = slice(None), by: ColorBy | None = None
) -> FloatArray:
    """Return the colours of cells, (n, 4).

    Parameters
    ----------
    session : Session
    rows : array of int, optional
        Which cells; all by default.
    by : {"score", "prediction", "label"}, optional
        Meaning of the colours; by default the session's `color_by`.
    """
    by = session.display.color_by if by is None else by
    if by == "score" and session.scores is not None:
        colors = session.scale.colors(session.scores.score[rows])
    else:
        codes = session.label_codes()
        if by == "prediction":
            codes = session.predicted_codes()
        colors = colors_of_codes(codes[rows], tuple(session.palette.values()))
    colors[session.left_out[rows], 3] = OUT_ALPHA
    return colors


def fill(session: Session, rows: Any = slice(None)) -> FloatArray:
    """Return the inside of markers: their label's colour, else nothing."""
    codes = session.label_codes()[rows]
    colors = colors_of_codes(codes, tuple(session.palette.values()), FILLED_ALPHA)
    colors[codes < 0] = 0
    colors[session.left_out[rows] & (codes >= 0), 3] = OUT_ALPHA
    return colors


def symbols(session: Session, rows: Any = slice(None)) -> NDArray[np.object_]:
    """Return the symbols of cells.

    Labelled cells have their label's, others their prediction's; out-of-distribution
    and blank cells without a label have symbols of their own.
    """
    table = np.array(CLASS_SYMBOLS, dtype=object)
    codes = codes_shown(session)[rows]
    found = table[np.where(codes < 0, 0, codes) % len(table)]
    if session.scores is not None:
        free = session.label_codes()[rows] < 0
        found[free & session.scores.outside[rows]] = OUTSIDE_SYMBOL
        found[free & session.scores.blank[rows]] = BLANK_SYMBOL
    return found


def bins(session: Session) -> tuple[NDArray[np.uint8], FloatArray]:
    """Return a small number per cell and the colours of these numbers.

    Returns
    -------
    bins : array (n,) of uint8
        0 where there is nothing to show.
    colors : array (256, 4)
    """
    by = session.display.color_by
    if by == "score" and session.scores is not None:
        return session.scale.bins(session.scores.score), session.scale.bin_colors()
    codes = session.predicted_codes() if by == "prediction" else session.label_codes()
    colors = np.zeros((256, 4), np.float32)
    palette = [rgba(color) for color in session.palette.values()]
    colors[1 : len(palette) + 1] = palette
    return (codes + 1).astype(np.uint8), colors


@dataclass(frozen=True, eq=False, slots=True)
class CodeScale:
    """Colours of the classes, for layers that colour numbers."""

    colors_by_code: FloatArray

    def map(self, values: NDArray[Any]) -> FloatArray:
        """Return the colours of class codes given as floats; −1 is unlabelled."""
        codes = np.rint(np.asarray(values)).astype(np.int64)
        return self.colors_by_code[codes]


def feature_scales(session: Session) -> dict[ColorBy, Any]:
    """Return for each `color_by` the object that maps its column to colours."""
    palette = tuple(session.palette.values())
    # Index −1 of the table is the last row: the colour of cells without a class.
    codes = np.append(np.arange(len(palette)), -1)
    by_class = CodeScale(colors_of_codes(codes, palette))
    return {
        "score": ScoreMap(session.scale),
        "prediction": by_class,
        "label": by_class,
    }


@dataclass(frozen=True, slots=True)
class ScoreMap:
    """A `ScoreScale` in the form of a napari colormap that is not normalised."""

    scale: ScoreScale
    name: str = "score"

    def map(self, values: NDArray[Any]) -> FloatArray:
        """Return the colours of scores."""
        return self.scale.colors(np.asarray(values, dtype=np.float32))


@dataclass(frozen=True, eq=False, slots=True)
class FrameCells:
    """The cells of one frame and their objects.

    Parameters
    ----------
    rows : array (k,) of int
    ids : array (k,) of int or None
        Object of each cell; None where only the pixels tell.
    y, x : array (k,) of int
        Pixels of the centroids, within the frame.
    """

    rows: NDArray[np.int64]
    ids: NDArray[np.int64] | None
    y: NDArray[np.int64]
    x: NDArray[np.int64]

    def objects(self, picture: NDArray[Any]) -> NDArray[np.int64]:
        """Return the object of each cell; under the centroid where none is known."""
        found = picture[self.y, self.x] if self.ids is None else self.ids
        return np.asarray(found, dtype=np.int64)


def outline_of(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the pixels within 2 px of another label, along rows and columns."""
    edge = np.zeros(labels.shape, bool)
    for step in (1, 2):
        for axis in (0, 1):
            there, here = [slice(None)] * 2, [slice(None)] * 2
            there[axis], here[axis] = slice(step, None), slice(None, -step)
            differs = labels[tuple(there)] != labels[tuple(here)]
            edge[tuple(there)] |= differs
            edge[tuple(here)] |= differs
    return edge


class PaintedMasks:
    """Outlines of masks, in the bin of their cell at their own frame.

    napari slices it like any array; only the frame on screen is computed, so that a
    recolouring costs no more than one frame. (The contours that napari itself draws
    cost ten times as much as these.)

    Parameters
    ----------
    masks : array-like (T, Y, X) of int
        Label images; read lazily.
    frames : list of FrameCells
    ndim : int
        Axes of the layer; axes between time and y have length 1.
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self,
        masks: Any,
        frames: list[FrameCells],
        ndim: int = 3,
    ) -> None:
        self._masks = masks
        self._frames = frames
        self._bins: NDArray[np.uint8] = np.zeros(0, np.uint8)
        self._read: tuple[int, NDArray[Any]] | None = None
        t, y, x = masks.shape
        self.shape = (t, *[1] * (ndim - 3), y, x)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def paint(self, by_row: NDArray[np.uint8]) -> None:
        """Give every row of the project its bin."""
        self._bins = by_row

    def _picture(self, t: int) -> NDArray[Any]:
        """Return the masks of one frame; the one read last is kept."""
        read = self._read
        if read is None or read[0] != t:
            read = self._read = (t, np.asarray(self._masks[t]))
        return read[1]

    def row_at(self, t: int, y: float, x: float) -> int | None:
        """Return the cell whose object lies at a place (px) of a frame, or None."""
        row, column = round(y), round(x)
        height, width = self.shape[-2:]
        if not (0 <= t < len(self) and 0 <= row < height and 0 <= column < width):
            return None
        picture, cells = self._picture(t), self._frames[t]
        here = picture[row, column]
        found = cells.rows[cells.objects(picture) == here] if here > 0 else ()
        return int(found[0]) if len(found) else None

    def frame(self, t: int) -> NDArray[np.uint8]:
        """Return one painted frame (Y, X)."""
        picture = self._picture(t)
        cells = self._frames[t]
        ids = cells.objects(picture)
        lut = np.zeros(int(ids.max(initial=0)) + 1, np.uint8)
        if self._bins.size:
            lut[ids] = self._bins[cells.rows]
        lut[0] = 0
        painted = np.zeros(picture.shape, np.uint8)
        places = np.flatnonzero(outline_of(picture))
        values = picture.ravel()[places]
        known = values < len(lut)
        painted.ravel()[places[known]] = lut[values[known]]
        return painted

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        keys = key if isinstance(key, tuple) else (key,)
        if Ellipsis in keys:
            at = keys.index(Ellipsis)
            missing = (slice(None),) * (self.ndim - len(keys) + 1)
            keys = (*keys[:at], *missing, *keys[at + 1 :])
        keys = (*keys, *(slice(None),) * (self.ndim - len(keys)))
        first, rest = keys[0], keys[1:]
        one = not isinstance(first, slice)
        times = [int(first)] if one else range(len(self))[first]
        shape = self.shape[1:]
        frames = np.stack([self.frame(t).reshape(shape)[rest] for t in times])
        return frames[0] if one else frames

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or self.dtype)


def frames_of(
    table: CellTable,
    movie: str,
    shape: tuple[int, int, int],
    ids: NDArray[np.int64] | None,
) -> list[FrameCells]:
    """Return the cells of every frame of a movie.

    Parameters
    ----------
    table : CellTable
    movie : str
    shape : tuple of int
        Of the masks, (T, Y, X).
    ids : array (n,) of int or None
        Object of every row, 0 where a cell has none; None where they are not known.
    """
    frames = []
    for t in range(shape[0]):
        rows = table.rows_at(movie, t)
        if ids is not None:
            rows = rows[ids[rows] > 0]
        y, x = (
            np.clip(np.rint(values[rows]), 0, size - 1).astype(np.int64)
            for values, size in ((table.y, shape[1]), (table.x, shape[2]))
        )
        frames.append(FrameCells(rows, None if ids is None else ids[rows], y, x))
    return frames
