"""What the Network panel shows, and what it says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtGui import QImage

from napari_cellsci.explain.activity import class_scores
from napari_cellsci.explain.codebook import CodeBook, Reading
from napari_cellsci.explain.effects import (
    InputEffect,
    cause_in_words,
    direction_in_words,
)
from napari_cellsci.explain.streams import SubNetwork, stream_of, stream_through
from napari_cellsci.explain.topology import Floats, Node, Topology, neuron_name
from napari_cellsci.figures.network import in_short
from napari_cellsci.labels.classes import OKABE_ITO
from napari_cellsci.panels._theme import Theme, readable
from napari_cellsci.panels.network.matters import Row
from napari_cellsci.panels.network.multiples import Stamp
from napari_cellsci.panels.score.summary import SIGNS, sign_of
from napari_cellsci.viewer import colors
from napari_cellsci.viewer.colors import ScoreScale

if TYPE_CHECKING:
    from napari_cellsci.panels.network.service import OpenNetworks
    from napari_cellsci.viewer.session import Session

NOT, NEITHER = "○", "·"
"""Signs of all classes but one, and of none in particular."""
_NAMED = 4
"""Latents that are named one by one; more are counted."""


@dataclass(frozen=True, slots=True)
class ClassLook:
    """How a class is shown.

    Parameters
    ----------
    name, sign, color : str
    """

    name: str
    sign: str
    color: str


@dataclass(frozen=True, eq=False)
class Drawn:
    """What the drawing shows.

    Parameters
    ----------
    reading : Reading
        The effects it speaks of are those on the output that is looked at.
    book : CodeBook
    classes : tuple of ClassLook
        Of one output below and above 0, else one per output.
    scales : tuple of ScoreScale
        Colours of every output.
    pictures : list of list of QImage
        Along every latent, from low to high.
    """

    reading: Reading
    book: CodeBook
    classes: tuple[ClassLook, ...]
    scales: tuple[ScoreScale, ...]
    pictures: list[list[QImage]]

    @property
    def topology(self) -> Topology:
        """The network."""
        return self.reading.topology

    @property
    def many(self) -> bool:
        """Whether there is an output for every class."""
        return self.topology.sizes[-1] > 1

    @property
    def output(self) -> Node:
        """The output that is looked at."""
        return Node(self.topology.last, self.reading.output)

    @property
    def looks(self) -> tuple[ClassLook, ClassLook]:
        """How both sides of the score that is looked at are shown."""
        if not self.many:
            return self.classes[0], self.classes[1]
        one = self.classes[self.reading.output]
        return ClassLook(f"not {one.name}", NOT, colors.UNLABELLED), one

    @property
    def sides(self) -> tuple[str, str]:
        """Names of the two sides of the score that is looked at."""
        return self.looks[0].name, self.looks[1].name

    def end_looks(self, index: int) -> tuple[ClassLook, ClassLook]:
        """Return how the classes are shown that the ends of a latent speak for."""
        neither = ClassLook("no class", NEITHER, colors.UNLABELLED)
        low, high = (
            neither if code is None else self.classes[code]
            for code in self.reading.leanings(index)
        )
        return low, high

    def name(self, node: Node) -> str:
        """Return what a neuron or input is called."""
        if node.layer == 0:
            return self.book.label(node.number)
        if self.many and node.layer == self.topology.last:
            return self.classes[node.number].name
        return neuron_name(node, self.topology.last)

    def stream(self, node: Node) -> SubNetwork:
        """Return the stream from an input, or through a neuron."""
        if node.layer == 0:
            return stream_of(self.topology, [node.number])
        return stream_through(self.topology, node)


def assemble(
    session: Session, opened: OpenNetworks, member: int, most: int, output: int = 0
) -> Drawn:
    """Put together what is drawn of one network, `most` weights of it.

    `output` is the one that is looked at.
    """
    classes = looks_of(session, opened.bundle.classes)
    topology = opened.topology(member)
    spread = class_scores(opened.sampled(member)[-1])
    limits = np.abs(np.percentile(spread, (1, 99), axis=0)).max(0).tolist()
    if topology.sizes[-1] == 1:
        ends = [(classes[0].color, classes[1].color)]
    else:
        ends = [(colors.UNLABELLED, look.color) for look in classes]
    return Drawn(
        opened.reading(member, most, output),
        opened.book,
        classes,
        tuple(
            ScoreScale(limit or 1.0, *pair)
            for limit, pair in zip(limits, ends, strict=True)
        ),
        opened.pictures,
    )


def looks_of(session: Session, names: Sequence[str]) -> tuple[ClassLook, ...]:
    """Return how classes are shown everywhere in this session."""
    palette = session.palette
    usual = dict(zip(names, cycle(OKABE_ITO), strict=False))
    signs = dict(zip(names, cycle(SIGNS), strict=False))
    return tuple(
        ClassLook(
            name,
            sign_of(name, palette) if name in palette else signs[name],
            palette.get(name, usual[name]),
        )
        for name in names
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
    look = drawn.looks[int(result == sides[1])]
    return Row(
        effect.index,
        book.names[effect.index],
        f"z{effect.index}",
        effect.share,
        effect.direction,
        cause,
        f"{look.sign} {result}" if result else "",
        readable(look.color, theme),
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
        if drawn.reading.layout.output is None:
            return "Click a neuron to follow its stream."
        return (
            f"Drawn are the strongest paths to {drawn.name(drawn.output)}. Click the "
            "name of another class to see its own, a neuron to follow its stream."
        )
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
    elif node.layer == topology.last and drawn.many:
        lines += _about_class(drawn, node.number)
    elif node.layer:
        lines.append(f"bias {number(topology.bias(node))}")
        if topology.passes_through(node):
            lines.append("one input, one listener: it only bends")
        elif topology.role(node) == "constant":
            lines.append("constant: it depends on no latent")
        lines.append("Click: the stream through it")
    return "\n".join(lines)


def _about_class(drawn: Drawn, output: int) -> list[str]:
    """Say what speaks for a class."""
    book, effects = drawn.book, drawn.reading.by_output[output]
    lines = [
        f"{effect.share:.0%} {book.label(effect.index)}: "
        + cause_in_words(effect.direction, *book.ends_of(effect.index))
        for effect in effects[:_NAMED]
    ]
    if len(effects) > _NAMED:
        lines.append(f"and {len(effects) - _NAMED} more")
    return [*lines, "Click: what speaks for this class"]


def number(value: float) -> str:
    """Write a number with three digits."""
    return f"{value:.3g}".replace("-", "−")


def in_one_digit(value: float) -> str:
    """Write a number with one digit behind the point."""
    text = f"{value:.1f}".replace("-", "−")
    return "0.0" if text == "−0.0" else text
