"""What the Network panel shows, and what it says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qtpy.QtGui import QImage

from napari_cellsci.explain.codebook import CodeBook, Reading
from napari_cellsci.explain.effects import InputEffect, direction_in_words
from napari_cellsci.explain.streams import SubNetwork, stream_of, stream_through
from napari_cellsci.explain.topology import Floats, Node, Topology, neuron_name
from napari_cellsci.figures.network import in_short
from napari_cellsci.panels._theme import Theme, mix
from napari_cellsci.panels.network.matters import Row
from napari_cellsci.panels.network.multiples import Stamp
from napari_cellsci.viewer import colors
from napari_cellsci.viewer.colors import ScoreScale

if TYPE_CHECKING:
    from napari_cellsci.panels.network.service import OpenNetworks
    from napari_cellsci.viewer.session import Session

SIGNS = ("●", "▲")
_NAMED = 4
"""Latents that are named one by one; more are counted."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """What the drawing shows.

    Parameters
    ----------
    reading : Reading
    book : CodeBook
    classes : tuple of str
        Below and above 0.
    colors : tuple of str
        Of these two classes.
    scale : ScoreScale
        Colours of the output.
    pictures : list of list of QImage
        Along every latent, from low to high.
    """

    reading: Reading
    book: CodeBook
    classes: tuple[str, ...]
    colors: tuple[str, str]
    scale: ScoreScale
    pictures: list[list[QImage]]

    @property
    def topology(self) -> Topology:
        """The network."""
        return self.reading.topology

    @property
    def sides(self) -> tuple[str, str]:
        """Names of the two sides of the score."""
        if len(self.classes) == 2:
            return self.classes[0], self.classes[1]
        return "f < 0", "f ≥ 0"

    def name(self, node: Node) -> str:
        """Return what a neuron or input is called."""
        if node.layer == 0:
            return self.book.label(node.number)
        return neuron_name(node, self.topology.last)

    def stream(self, node: Node) -> SubNetwork:
        """Return the stream from an input, or through a neuron."""
        if node.layer == 0:
            return stream_of(self.topology, [node.number])
        return stream_through(self.topology, node)


def assemble(session: Session, opened: OpenNetworks, member: int, most: int) -> Drawn:
    """Put together what is drawn of one network, `most` weights of it."""
    names, ends = opened.bundle.classes, (colors.NEGATIVE, colors.POSITIVE)
    if len(names) == 2:
        palette = session.palette
        ends = (palette.get(names[0], ends[0]), palette.get(names[1], ends[1]))
    low, high = opened.spread(member, opened.topology(member).output)
    return Drawn(
        opened.reading(member, most),
        opened.book,
        names,
        ends,
        ScoreScale(max(abs(low), abs(high)) or 1.0, *ends),
        opened.pictures,
    )


def stamp_of(opened: OpenNetworks, member: int) -> Stamp:
    """Return the small drawing of a network and its tip."""
    reading = opened.reading(member)
    latents = _listed([opened.book.label(index) for index in reading.strongest])
    tip = f"model {member}: {in_short(reading)}\n{latents}"
    return Stamp(reading.layout, tip.strip())


def row_of(drawn: Drawn, effect: InputEffect, theme: Theme) -> Row:
    """Return what is said of one input."""
    book, sides = drawn.book, drawn.sides
    words = direction_in_words(effect.direction, sides, *book.ends_of(effect.index))
    cause, _, result = words.partition(" → ")
    side = int(result == sides[1])
    color = drawn.colors[side]
    return Row(
        effect.index,
        book.names[effect.index],
        f"z{effect.index}",
        effect.share,
        effect.direction,
        cause,
        f"{SIGNS[side]} {result}" if result else "",
        mix(color, "#FFFFFF", 0.35) if theme.dark else color,
        effect.curve_y,
    )


def stream_in_words(drawn: Drawn, node: Node | None) -> str:
    """Say what stands out in the drawing, or what can be done with it."""
    if node is None:
        if drawn.topology.is_constant:
            return (
                "This network is constant: no latent is left in it, every cell gets "
                "the same score."
            )
        return "Click a neuron to follow its stream."
    stream = drawn.stream(node)
    said = f"{drawn.name(node)}: a stream of {stream.n_edges} weights"
    if node.layer:
        latents = _listed([drawn.book.label(index) for index in stream.inputs])
        bias = f"{drawn.topology.bias(node):+.3g}".replace("-", "−")
        said += f" from {latents or 'no latent'}, bias {bias}"
    return f"{said}. The cells that drive it most:"


def _listed(labels: list[str]) -> str:
    more = len(labels) - _NAMED
    return ", ".join(labels[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def tip_of(drawn: Drawn, node: Node, activity: list[Floats] | None) -> str:
    """Say what is known of a neuron or input when it is hovered."""
    topology = drawn.topology
    lines = [drawn.name(node)]
    if activity is not None:
        value = float(activity[node.layer][0, node.number])
        lines.append(f"{number(value)} for the selected cell")
    effect = drawn.reading.effect(node.number) if node.layer == 0 else None
    if effect is not None:
        ends = drawn.book.ends_of(node.number)
        words = direction_in_words(effect.direction, drawn.sides, *ends)
        lines.append(f"{effect.share:.0%} of all effects; {words}")
        lines.append("Click: an axis of the response map")
    elif node.layer:
        lines.append(f"bias {number(topology.bias(node))}")
        if topology.passes_through(node):
            lines.append("one input, one listener: it only bends")
        elif topology.role(node) == "constant":
            lines.append("constant: it depends on no latent")
        lines.append("Click: the stream through it")
    return "\n".join(lines)


def number(value: float) -> str:
    """Write a number with three digits."""
    return f"{value:.3g}".replace("-", "−")


def in_one_digit(value: float) -> str:
    """Write a number with one digit behind the point."""
    text = f"{value:.1f}".replace("-", "−")
    return "0.0" if text == "−0.0" else text
