"""Where everything of a drawn network lies, in pixels of its view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from napari_cellsci.explain.topology import Node

MARGIN, RADIUS = 6.0, 7.0
_TOP, FOOT = 20.0, 46.0
"""Heights of the line of words above the inputs, and of those below one output."""
_LARGEST, _SMALLEST = 34.0, 14.0
"""Edges of a picture."""
UPRIGHT = 54.0
"""Width of an input below which its label is written upwards."""
_STACKED = 44.0
"""Width of an input below which its two pictures stand one above the other."""
LEAST_ROW = 32.0


def slot_of(width: float, inputs: int) -> float:
    """Return the width that each of some inputs has in a view of some width."""
    return (width - 2 * MARGIN) / max(inputs, 1)


@dataclass(frozen=True, slots=True)
class Geometry:
    """Sizes in a view of some width and height (px).

    Parameters
    ----------
    width, height : float
    inputs : int
        Inputs drawn.
    last : int
        Number of the output layer.
    line : float
        Height of a line of text.
    label : float
        Height of the labels of the inputs.
    foot : float
        Height of what is written below the outputs.
    """

    width: float
    height: float
    inputs: int
    last: int
    line: float
    label: float
    foot: float = FOOT

    @property
    def slot(self) -> float:
        """Width that each input has."""
        return slot_of(self.width, self.inputs)

    @property
    def upright(self) -> bool:
        """Whether labels of inputs are written upwards."""
        return self.slot < UPRIGHT

    @property
    def stacked(self) -> bool:
        """Whether the two pictures of an input stand one above the other."""
        return self.slot < _STACKED

    @property
    def picture(self) -> float:
        """Edge of a picture, 0 where there is no room for one."""
        if not self.inputs:
            return 0.0
        room = self.slot - 4 if self.stacked else (self.slot - 8) / 2
        return 0.0 if room < _SMALLEST else min(room, _LARGEST)

    @property
    def pictures_height(self) -> float:
        """Height of the pictures of an input with what parts them."""
        edge = self.picture
        return 0.0 if not edge else (2 * edge + 6 if self.stacked else edge + 4)

    @property
    def head(self) -> float:
        """Where the inputs lie."""
        return _TOP + self.pictures_height + self.label + RADIUS + 4

    @property
    def row(self) -> float:
        """Distance of neighbouring layers."""
        return max((self.height - self.head - self.foot) / max(self.last, 1), 1.0)

    @property
    def least_height(self) -> float:
        """Height below which the layers come too close."""
        return self.head + self.last * LEAST_ROW + self.foot

    def place(
        self, places: Mapping[Node, tuple[float, float]], node: Node
    ) -> tuple[float, float]:
        """Return where a neuron lies."""
        x, layer = places[node]
        return MARGIN + x * (self.width - 2 * MARGIN), self.head + layer * self.row
