"""What the inputs of a network are called, look like, and usually are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.explain.effects import InputEffect, effects_by_output
from napari_cellsci.explain.layout import MOST_EDGES, Layout, lay_out
from napari_cellsci.explain.topology import Floats, Topology
from napari_cellsci.representation.traversals import traverse_many

if TYPE_CHECKING:
    from napari_cellsci.representation.atlas import LatentAtlas
    from napari_cellsci.representation.encoder import Encoder

SAMPLED = 3000
"""Cells on which effects are measured, spread evenly over all."""
PICTURES = 7


@dataclass(frozen=True, eq=False)
class CodeBook:
    """The latents of a project's cells, as the inputs of networks.

    Parameters
    ----------
    encoder : str
        The encoder's hash.
    latents : array (n, D)
        Of all cells.
    strips : array (D, steps, C, S, S)
        Decoded pictures along each latent, all others at their medians.
    values : array (steps,)
        Values of the latents in the pictures.
    names : tuple of str
        "" for latents without one.
    ends : tuple of (str, str)
        What low and high values are like; "" where that is not known.
    """

    encoder: str
    latents: NDArray[np.float32]
    strips: NDArray[np.float32]
    values: Floats
    names: tuple[str, ...]
    ends: tuple[tuple[str, str], ...]

    @property
    def size(self) -> int:
        """Number of latents."""
        return int(self.latents.shape[1])

    @cached_property
    def sample(self) -> Floats:
        """Cells to measure on, spread evenly over all (k, D)."""
        rows = np.linspace(0, len(self.latents) - 1, min(len(self.latents), SAMPLED))
        return np.asarray(self.latents[rows.round().astype(int)], np.float64)

    @cached_property
    def usual(self) -> Floats:
        """The median of every latent (D,)."""
        return np.asarray(np.median(self.sample, axis=0), np.float64)

    def label(self, index: int) -> str:
        """Return ``size z29``, or ``z29`` for a latent without a name."""
        name = self.names[index]
        return f"{name} z{index}" if name else f"z{index}"

    def ends_of(self, index: int) -> tuple[str, str]:
        """Return words for low and high values: "smaller", or just "low"."""
        low, high = self.ends[index]
        return low or "low", high or "high"

    def called(self, atlas: LatentAtlas) -> CodeBook:
        """Return the same with the names of an atlas."""
        infos = [atlas[index] for index in range(self.size)]
        return replace(
            self,
            names=tuple(info.name or "" for info in infos),
            ends=tuple((info.low or "", info.high or "") for info in infos),
        )


def open_codebook(
    encoder: Encoder, latents: NDArray[Any], atlas: LatentAtlas | None = None
) -> CodeBook:
    """Decode pictures along all latents and take the names from an atlas.

    Parameters
    ----------
    encoder : Encoder
    latents : array (n, D)
        Of all cells of a project, at least one.
    atlas : LatentAtlas, optional
        Without one, latents have no names.
    """
    size = encoder.config.latent
    values = np.linspace(-3.0, 3.0, PICTURES)
    book = CodeBook(
        encoder.hash,
        np.asarray(latents, np.float32),
        np.empty((size, 0, 1, 1, 1), np.float32),
        values,
        ("",) * size,
        (("", ""),) * size,
    )
    strips = traverse_many(
        encoder,
        range(size),
        anchor=book.usual,
        low=float(values[0]),
        high=float(values[-1]),
        steps=PICTURES,
    )
    book = replace(book, strips=strips)
    return book if atlas is None else book.called(atlas)


@dataclass(frozen=True, eq=False)
class Reading:
    """One network read with a codebook.

    Parameters
    ----------
    topology : Topology
    layout : Layout
    by_output : tuple of tuple of InputEffect
        For every output, those of the inputs in use, the strongest first.
    output : int
        The one that is looked at.
    """

    topology: Topology
    layout: Layout
    by_output: tuple[tuple[InputEffect, ...], ...]
    output: int = 0

    @property
    def effects(self) -> tuple[InputEffect, ...]:
        """Of the inputs in use on the output that is looked at, the strongest first."""
        return self.by_output[self.output]

    def looking_at(self, output: int) -> Reading:
        """Return the same, with another output looked at."""
        return replace(self, output=output)

    def towards(self, output: int, *, most: int = MOST_EDGES) -> Reading:
        """Return the same, with what leads to one output drawn if not all can be.

        Inputs that matter to this output come first.
        """
        found = self.looking_at(output)
        if self.layout.whole or len(self.by_output) == 1:
            return found
        matter = _strengths([found.effects])
        layout = lay_out(self.topology, most=most, matter=matter, output=output)
        return replace(found, layout=layout)

    def effect(self, index: int) -> InputEffect | None:
        """Return the effect of an input, None for one that is not used."""
        return next((item for item in self.effects if item.index == index), None)

    def leanings(self, index: int) -> tuple[int | None, int | None]:
        """Return the classes that low and high values of an input speak for most.

        Parameters
        ----------
        index : int
            Number of an input.

        Returns
        -------
        pair of int or None
            Of a single output 0 or 1 by the sign of the effect. Of several, the one
            that gains most; None where none gains, or the input is not used.
        """
        if len(self.by_output) == 1:
            effect = self.effect(index)
            if effect is None or effect.direction == "none":
                return 1, 1
            return int(effect.low >= 0), int(effect.high >= 0)
        found = [
            next((item for item in effects if item.index == index), None)
            for effects in self.by_output
        ]
        known = [item for item in found if item is not None]
        if len(known) < len(found):
            return None, None
        lows, highs = [item.low for item in known], [item.high for item in known]
        return _gaining(lows), _gaining(highs)

    @property
    def strongest(self) -> Sequence[int]:
        """Numbers of the inputs in use, the strongest on any output first."""
        totals = _strengths(self.by_output)
        return sorted(totals, key=lambda index: (-totals[index], index))


def _gaining(changes: Sequence[float]) -> int | None:
    best = int(np.argmax(changes))
    return best if changes[best] > 0 else None


def _strengths(by_output: Sequence[Sequence[InputEffect]]) -> dict[int, float]:
    """Return how much every input matters to all outputs together."""
    totals: dict[int, float] = {}
    for effects in by_output:
        for item in effects:
            totals[item.index] = totals.get(item.index, 0.0) + item.strength
    return totals


def read_network(
    topology: Topology, book: CodeBook, *, most: int = MOST_EDGES, output: int = 0
) -> Reading:
    """Measure what the inputs of a network do, and lay it out accordingly.

    Inputs whose high values raise a single score are drawn to the right of those whose
    high values lower it, where the crossings leave the choice. Of a network that is too
    large to draw, paths from inputs that matter come first.
    """
    by_output = effects_by_output(topology, book.sample)
    lean = {}
    if len(by_output) == 1:
        lean = {item.index: item.high - item.low for item in by_output[0]}
    layout = lay_out(topology, most=most, lean=lean, matter=_strengths(by_output))
    return Reading(topology, layout, by_output, output)
