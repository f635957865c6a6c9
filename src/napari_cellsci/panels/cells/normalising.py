"""What normalisation does to the cells of a movie, before a project exists; no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.cells.fitting import fit_spec
from napari_cellsci.cells.normalise import normalised
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.cells.steps import Background, Dots, Pipeline, ZScore
from napari_cellsci.errors import InputError
from napari_cellsci.tasks import CancelToken

Floats = NDArray[np.float32]
BINS = 64
FITTED = 240
"""Cells that the preview is fitted to, at most."""
SHOWN = 6
"""Cells whose crops are shown before and after."""
PIXELS = 20_000
_TAIL = 0.002
"""Share of the raw pixels on either side that the histogram leaves out."""
_TELLING = 0.02
"""Share of clipped pixels that is told."""


@dataclass(frozen=True, eq=False, slots=True)
class Histogram:
    """How often pixels have which value: counts (n,) between edges (n + 1,)."""

    counts: NDArray[np.int64]
    edges: NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class ChannelView:
    """One channel before and after.

    Parameters
    ----------
    channel : int
        Of the movie.
    raw, made : array (n, 1, S, S)
        Some crops.
    before, after : Histogram
        Of the pixels of all crops that were looked at.
    limits : (float, float)
        Bounds of normalised pixels.
    words : str
        What was fitted, and how many pixels are clipped.
    """

    channel: int
    raw: NDArray[Any]
    made: Floats
    before: Histogram
    after: Histogram
    limits: tuple[float, float]
    words: str


@dataclass(frozen=True, eq=False, slots=True)
class NormalisingView:
    """All channels before and after, or why that cannot be shown."""

    channels: tuple[ChannelView, ...] = ()
    n_crops: int = 0
    trouble: str = ""

    @classmethod
    def of(
        cls, crops: NDArray[Any], spec: CropSpec, token: CancelToken | None = None
    ) -> NormalisingView:
        """Fit a normalisation to raw crops (n, C, S, S) and look at what it does."""
        try:
            fitted = fit_spec(spec, crops, pixels=PIXELS, token=token)
        except InputError as error:
            return cls(trouble=str(error))
        made = normalised(crops, fitted)
        some = np.unique(np.linspace(0, len(crops) - 1, SHOWN).astype(int))
        views = []
        for place, channel in enumerate(spec.channels):
            raw, after = crops[:, place], made[:, place]
            limits = fitted.limits[place]
            views.append(
                ChannelView(
                    channel,
                    raw[some, None],
                    after[some, None],
                    _histogram(raw, *np.quantile(raw, (_TAIL, 1 - _TAIL))),
                    _histogram(after, *limits),
                    limits,
                    told(fitted.pipelines[place]) + _lost(after, limits),
                )
            )
        return cls(tuple(views), len(crops))


class Preview(NamedTuple):
    """A few crops (n, C, S, S), and how many cells and tracks there are.

    Of images of single cells, how many there are and how many cannot be read.
    `normalising` is what normalisation makes of some hundred cells.
    """

    crops: NDArray[Any]
    n_cells: int
    n_tracks: int
    normalising: NormalisingView


def _histogram(values: NDArray[Any], low: float, high: float) -> Histogram:
    span = (low, high if high > low else low + 1)
    counts, edges = np.histogram(np.clip(values, *span), BINS, span)
    return Histogram(counts, edges.astype(np.float64))


def told(pipeline: Pipeline) -> str:
    """Say what the fitted steps of a channel have found."""
    words = []
    logs = any(step.kind == "log" for step in pipeline)
    for step in pipeline:
        if isinstance(step, Background) and step.deviation is not None:
            words.append(
                f"cells lie on {step.cells.mean():.0%} of the positions, where crops "
                f"vary by {_grey(step.found)} or more"
            )
        if isinstance(step, Dots) and step.means is not None:
            means = np.exp(step.means) if logs else np.array(step.means)
            found = ", ".join(map(_grey, means))
            words.append(f"components at {found}; the last becomes the middle")
        if isinstance(step, ZScore):
            words.append("each crop by its own mean and deviation")
    return "; ".join(words)


def _lost(made: Floats, limits: tuple[float, float]) -> str:
    """Say which share of the pixels is clipped, where that is more than a few."""
    shares = {
        "below": float((made <= limits[0]).mean()),
        "above": float((made >= limits[1]).mean()),
    }
    said = [f"{s:.0%} {side}" for side, s in shares.items() if s >= _TELLING]
    return f"; clipped: {' and '.join(said)}" if said else ""


def _grey(value: float) -> str:
    """Write grey levels; of a camera's large ones every digit tells."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
