"""A head drawn as a network, as in figure 5 of arXiv 2402.03115."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.disk import whole_file
from napari_cellsci.errors import InputError
from napari_cellsci.explain.codebook import CodeBook, Reading, read_network
from napari_cellsci.explain.effects import (
    InputEffect,
    cause_in_words,
    direction_in_words,
)
from napari_cellsci.explain.layout import MOST_EDGES
from napari_cellsci.explain.topology import Node
from napari_cellsci.labels.classes import OKABE_ITO
from napari_cellsci.project.scoring import find_bundle
from napari_cellsci.tasks import CancelToken, OnEvent, ignore

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from napari_cellsci.project import Project

POSITIVE, NEGATIVE = "#3D5AFE", "#E0245E"
"""Colours of positive and negative weights; brighter ones for dark surfaces."""
POSITIVE_DARK, NEGATIVE_DARK = "#8195FF", "#FF5C8A"
THINNEST, THICKEST = 0.6, 5.0
"""Widths (pt) of a weight of nothing and of the largest one."""
SUFFIXES = (".svg", ".pdf", ".png")
INK, FAINT = "#202124", "#767980"
_ROW, _SLOT, _HEAD, _FOOT = 0.95, 1.05, 1.75, 1.0
"""Inches: between layers, of an input at most, above the inputs, below the output."""
_FIRST = 3
"""Inputs named for every class."""
_MANY = 24
"""Inputs from which their pictures are left out."""


@dataclass(frozen=True, eq=False)
class NetworkPicture:
    """What is drawn.

    Parameters
    ----------
    reading : Reading
    book : CodeBook
    classes : tuple of str
        Below and above 0, or one per output.
    title : str
    colors : tuple of str
        Of the classes; those of Okabe and Ito in their order by default.
    """

    reading: Reading
    book: CodeBook
    classes: tuple[str, ...]
    title: str
    colors: tuple[str, ...] = ()

    def color(self, code: int) -> str:
        """Return the colour of a class by its place."""
        chosen = self.colors or OKABE_ITO
        return chosen[code % len(chosen)]

    @property
    def many(self) -> bool:
        """Whether there is an output for every class."""
        return len(self.reading.by_output) > 1

    def about(self) -> dict[str, Any]:
        """Return what the drawing says in words, as JSON values.

        Of several outputs, every input comes once for every ``class``.
        """
        whose = self.classes if self.many else ("",)
        return {
            "title": self.title,
            "classes": list(self.classes),
            "inputs": [
                {
                    **({"class": name} if name else {}),
                    "latent": effect.index,
                    "label": self.book.label(effect.index),
                    "strength": effect.strength,
                    "share": effect.share,
                    "direction": effect.direction,
                    "low": self.book.ends_of(effect.index)[0],
                    "high": self.book.ends_of(effect.index)[1],
                }
                for name, effects in zip(whose, self.reading.by_output, strict=True)
                for effect in effects
            ],
        }


def describe(
    project: Project,
    bundle: Any = None,
    member: int = 0,
    *,
    most: int = MOST_EDGES,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> NetworkPicture:
    """Read one head of a bundle of a project; see `Project.network`."""
    found = find_bundle(project._bench, bundle, on_event)
    topology = project.network(found, member)
    book = project.codebook(found, on_event=on_event, token=token)
    title = f"{found.name}, model {member} of {found.n_members} (scheme {found.scheme})"
    reading = read_network(topology, book, most=most)
    colors = project_colors(project, found.classes)
    return NetworkPicture(reading, book, found.classes, title, colors)


def project_colors(project: Project, names: Sequence[str]) -> tuple[str, ...]:
    """Return the colours that classes have in a project, which may not know them."""
    known = {item.name: item.colour for item in project.labels.classes}
    usual = zip(names, cycle(OKABE_ITO), strict=False)
    return tuple(known.get(name, colour) for name, colour in usual)


def save_network(shown: NetworkPicture, path: Path) -> None:
    """Write the drawing as .svg, .pdf or .png, or the network as .json.

    Raises
    ------
    InputError
        If the suffix is another one.
    ProjectError
        If the place cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        shown.reading.topology.save_json(path, shown.about())
        return
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(
            f"A network is written as .svg, .pdf, .png or .json, not {path.suffix!r}."
        )
    figure = draw(shown)
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=200)


def draw(shown: NetworkPicture) -> Figure:
    """Draw the network; no window and no global state are involved."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    layout = shown.reading.layout
    layers = len(layout.topology.sizes) - 1
    width = float(np.clip(layout.widest * _SLOT, 5.0, 12.0))
    height = _HEAD + layers * _ROW + _FOOT + _more(shown)
    figure = Figure(figsize=(width, height), facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    board = _Board(axes, width, height)
    board.edges(shown)
    board.neurons(shown)
    board.inputs(shown)
    board.words(shown)
    return figure


def _more(shown: NetworkPicture) -> float:
    """Return the height of names below several outputs, and of a line for each."""
    return 0.2 + 0.13 * max(len(shown.classes) - 3, 0) if shown.many else 0.0


class _Board:
    """A drawing surface in inches, y downwards."""

    def __init__(self, axes: Axes, width: float, height: float) -> None:
        self.axes, self.width, self.height = axes, width, height

    def place(self, shown: NetworkPicture, node: Node) -> tuple[float, float]:
        x, layer = shown.reading.layout.places[node]
        return 0.2 + x * (self.width - 0.4), _HEAD + layer * _ROW

    def edges(self, shown: NetworkPicture) -> None:
        from matplotlib.collections import LineCollection

        layout = shown.reading.layout
        lines = [
            (self.place(shown, edge.source), self.place(shown, edge.target))
            for edge in layout.edges
        ]
        weights = np.array([edge.weight for edge in layout.edges])
        sizes = np.abs(weights) / layout.strongest
        self.axes.add_collection(
            LineCollection(
                lines,
                linewidths=THINNEST + sizes * (THICKEST - THINNEST),
                colors=[POSITIVE if w > 0 else NEGATIVE for w in weights],
                capstyle="round",
                zorder=1,
            )
        )

    def neurons(self, shown: NetworkPicture) -> None:
        topology = shown.reading.topology
        for node in shown.reading.layout.places:
            x, y = self.place(shown, node)
            is_class = shown.many and node.layer == topology.last
            self.axes.plot(
                *([x], [y]),
                marker="o",
                markersize=11 if node.layer else 9,
                markerfacecolor="white",
                markeredgecolor=shown.color(node.number) if is_class else INK,
                markeredgewidth=2 if is_class else 1,
                zorder=2,
            )
            if node.layer:
                bias = f"{topology.bias(node):+.2g}".replace("-", "−")
                self._say(x + 0.12, y, bias, FAINT, 6, ha="left", halo=True)

    def inputs(self, shown: NetworkPicture) -> None:
        drawn = shown.reading.layout.layer(0)
        slot = (self.width - 0.4) / max(len(drawn), 1)
        for node in drawn:
            x, y = self.place(shown, node)
            name, symbol = shown.book.names[node.number], f"z{node.number}"
            small = slot < 0.7
            if small:
                label = shown.book.label(node.number)
                self._say(x, y - 0.16, label, INK, 9, rotation=90, va="bottom")
            elif name:
                self._say(x, y - 0.3, name, INK, 9, va="bottom")
                self._say(x, y - 0.16, symbol, FAINT, 7, va="bottom")
            else:
                self._say(x, y - 0.2, symbol, INK, 9, va="bottom")
            if len(drawn) < _MANY:
                top = y - (1.3 if small else 0.52)
                self._pair(shown, node.number, x, top, min(slot * 0.44, 0.46))

    def _pair(
        self, shown: NetworkPicture, index: int, x: float, y: float, edge: float
    ) -> None:
        """Draw the low and the high picture of a latent above a place."""
        strip = shown.book.strips[index]
        effect = shown.reading.effect(index)
        if not len(strip) or effect is None:
            return
        low, high = np.percentile(shown.book.strips[:, :, 0], (0.5, 99.7))
        leanings = shown.reading.leanings(index)
        for sign, picture, code in (
            (-1, strip[0, 0], leanings[0]),
            (1, strip[-1, 0], leanings[1]),
        ):
            left = x - edge - 0.01 if sign < 0 else x + 0.01
            colour = FAINT if code is None else shown.color(code)
            self._picture(picture, (left, y - edge, edge), (low, high), colour)
            mark = "−" if sign < 0 else "+"
            self._say(left + edge / 2, y - edge - 0.02, mark, FAINT, 7, va="bottom")

    def _picture(
        self,
        picture: NDArray[Any],
        place: tuple[float, float, float],
        limits: tuple[float, float],
        colour: str,
    ) -> None:
        from matplotlib.patches import Rectangle

        left, top, edge = place
        self.axes.imshow(
            picture,
            cmap="gray",
            vmin=limits[0],
            vmax=limits[1],
            extent=(left, left + edge, top + edge, top),
            aspect="auto",
            zorder=3,
        )
        frame = Rectangle(
            (left, top), edge, edge, fill=False, edgecolor=colour, linewidth=2, zorder=4
        )
        self.axes.add_patch(frame)

    def words(self, shown: NetworkPicture) -> None:
        """Write the title, the two sides of the output, and what is left out."""
        layout = shown.reading.layout
        self._say(0.12, 0.12, shown.title, INK, 9, ha="left", va="top")
        self._say(
            *(self.width - 0.12, 0.12, extent(shown), FAINT, 8),
            ha="right",
            va="top",
        )
        if shown.many:
            self._name_outputs(shown)
        elif len(shown.classes) == 2:
            x, y = self.place(shown, layout.topology.output)
            self._say(
                *(x - 0.3, y, f"● {shown.classes[0]}  f < 0", shown.color(0), 9),
                ha="right",
                va="center",
            )
            self._say(
                *(x + 0.45, y, f"f ≥ 0  {shown.classes[1]} ▲", shown.color(1), 9),
                ha="left",
                va="center",
            )
        lines = matters(shown.reading, shown.book, shown.classes)
        foot, most = self.height - 0.1, len(lines) if shown.many else 3
        self._say(0.12, foot, "\n".join(lines[:most]), INK, 7, ha="left", va="bottom")
        self._legend(foot)

    def _name_outputs(self, shown: NetworkPicture) -> None:
        """Write the class below every output, aslant where they are close."""
        layout = shown.reading.layout
        row = layout.layer(layout.topology.last)
        slot = (self.width - 0.4) / len(row)
        longest = max(map(len, shown.classes)) * 0.075
        aslant = {"rotation": 20, "ha": "right", "rotation_mode": "anchor"}
        how: dict[str, Any] = {} if longest < slot else aslant
        for node in row:
            x, y = self.place(shown, node)
            name, colour = shown.classes[node.number], shown.color(node.number)
            self._say(x, y + 0.16, name, colour, 9 if not how else 8, va="top", **how)

    def _legend(self, y: float) -> None:
        for i, (words, colour) in enumerate(
            (("positive weight", POSITIVE), ("negative weight", NEGATIVE))
        ):
            right, height = self.width - 0.12, y - 0.18 * (1 - i) - 0.06
            self.axes.plot(
                [right - 0.25, right], [height, height], color=colour, linewidth=2.5
            )
            self._say(right - 0.32, height, words, FAINT, 7, ha="right", va="center")

    def _say(
        self,
        x: float,
        y: float,
        text: str,
        colour: str,
        size: float,
        *,
        halo: bool = False,
        **how: Any,
    ) -> None:
        from matplotlib.patheffects import withStroke

        style = {"ha": "center", "va": "center", **how}
        if halo:
            style["path_effects"] = [withStroke(linewidth=2, foreground="white")]
        self.axes.text(x, y, text, color=colour, fontsize=size, zorder=5, **style)


def in_short(reading: Reading) -> str:
    """Say how large a network is and what of it is drawn."""
    layout, topology = reading.layout, reading.topology
    inputs, used = topology.sizes[0], len(topology.inputs)
    if not used:
        return f"constant: none of {inputs} latents is used"
    said = f"{used} of {inputs} latents, {topology.n_active:,} weights"
    if layout.whole:
        return said
    some = layout.output is not None or layout.hidden_inputs
    if some or len(layout.edges) < topology.n_active // 2:
        drawn, total = len(layout.edges), topology.n_active
        return f"{used} of {inputs} latents, {drawn:,} of {total:,} weights drawn"
    return f"{said}; {topology.n_active - len(layout.edges)} lead nowhere"


def extent(shown: NetworkPicture) -> str:
    """Say how much of a network is drawn, and to which class it leads."""
    output = shown.reading.layout.output
    towards = "" if output is None else f", to {shown.classes[output]}"
    return in_short(shown.reading) + towards


def matters(reading: Reading, book: CodeBook, classes: tuple[str, ...]) -> list[str]:
    """Say how much inputs matter and in which direction.

    Of one output, a line for every input in use; of several, one for every class with
    the inputs that matter most to it.
    """
    if len(reading.by_output) > 1:
        return [
            f"{name}: {_first(effects, book)}"
            for name, effects in zip(classes, reading.by_output, strict=True)
        ]
    if len(classes) != 2:
        classes = ("f < 0", "f ≥ 0")
    return [
        f"{book.label(effect.index)}  {effect.share:.0%}  "
        + direction_in_words(effect.direction, classes, *book.ends_of(effect.index))
        for effect in reading.effects
    ]


def _first(effects: Sequence[InputEffect], book: CodeBook) -> str:
    said = [
        f"{book.label(effect.index)} {effect.share:.0%} "
        f"({cause_in_words(effect.direction, *book.ends_of(effect.index))})"
        for effect in effects[:_FIRST]
    ]
    return ", ".join(said) or "no latent matters"
