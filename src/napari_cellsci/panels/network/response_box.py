"""Choosing what moves and what responds, and reading the response."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSignalBlocker, Qt, QTimer, Signal
from qtpy.QtGui import QImage
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QLabel,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_cellsci.explain.activity import activations
from napari_cellsci.explain.response import HIGH, LOW, Response, arrows, respond
from napari_cellsci.explain.streams import stream_of, stream_through
from napari_cellsci.explain.topology import Floats, Node, neuron_name
from napari_cellsci.explain.wording import in_words
from napari_cellsci.panels._parts import WrapLabel, heading, new_form
from napari_cellsci.panels._theme import STEP, Theme
from napari_cellsci.panels.network.response_picture import ResponsePicture
from napari_cellsci.panels.network.response_view import ResponseView
from napari_cellsci.representation.traversals import traverse_many
from napari_cellsci.viewer.colors import ScoreScale

if TYPE_CHECKING:
    from napari_cellsci.panels.network.drawn import Drawn
    from napari_cellsci.panels.network.service import OpenNetworks

MEDIANS, CELL = "medians", "cell"
CELLS_SHOWN = 300
ARROWS = 8
"""Along each side of a map: more would hide it."""
_FINE = 100
"""Steps of a slider per unit."""
_HOVER_MS = 25
Choice = tuple[tuple[Node, ...], Node]


@dataclass(frozen=True, eq=False, slots=True)
class Subject:
    """The network that responds.

    Parameters
    ----------
    opened : OpenNetworks
    member : int
    drawn : Drawn
    cell : array (D,), optional
        Latents of the selected cell.
    """

    opened: OpenNetworks
    member: int
    drawn: Drawn
    cell: NDArray[np.float32] | None


class HeldSlider(QWidget):
    """A slider for an input that is neither axis of the map.

    Signals
    -------
    changed
        The input is held elsewhere.
    """

    changed = Signal()

    def __init__(self, node: Node, span: tuple[float, float], value: float) -> None:
        super().__init__()
        self.node = node
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setMinimumWidth(40)
        low, high = (round(end * _FINE) for end in span)
        self.slider.setRange(low, max(high, low + 1))
        self.slider.setValue(round(value * _FINE))
        self.number = QLabel()
        self.number.setObjectName("muted")
        wide = self.number.fontMetrics().horizontalAdvance("−0.000")
        self.number.setFixedWidth(wide)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.slider, 0, 0)
        grid.addWidget(self.number, 0, 1)
        self.slider.valueChanged.connect(self._on_value)
        self._tell()

    @property
    def value(self) -> float:
        """Where the input is held."""
        return self.slider.value() / _FINE

    def _on_value(self) -> None:
        self._tell()
        self.changed.emit()

    def _tell(self) -> None:
        self.number.setText(f"{self.value:+.2f}".replace("-", "−"))


class ResponseBox(QWidget):
    """How a neuron responds to one, two or more inputs.

    Signals
    -------
    chosen
        Other inputs or another target were chosen here.
    """

    chosen = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._subject: Subject | None = None
        self._inputs: tuple[Node, ...] = ()
        self._target: Node | None = None
        self._held: list[HeldSlider] = []
        self.view = ResponseView(theme)
        self.words = WrapLabel()
        self.hint = WrapLabel(name="muted")
        self.first, self.second, self.target_box = (QComboBox() for _ in range(3))
        self.others = QComboBox()
        self._build()
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(_HOVER_MS)
        self._wait.timeout.connect(self._decode_hover)
        self._under: Floats | None = None
        self.view.hovered.connect(self._on_hover)

    def _build(self) -> None:
        for box, tip in (
            (self.first, "The latent along the horizontal axis"),
            (self.second, "The latent along the vertical axis; none for a curve"),
            (self.target_box, "Whose response is shown: the score, or a neuron"),
            (
                self.others,
                "Where all other latents stay: at their medians, or as in the cell",
            ),
        ):
            box.setMinimumWidth(1)
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            box.setMinimumContentsLength(6)
            box.setToolTip(tip)
        self.others.addItem("medians", MEDIANS)
        self.others.addItem("selected cell", CELL)
        self.form = new_form()
        self.form.addRow("Response of", self.target_box)
        self.form.addRow("along", self.first)
        self.form.addRow("and", self.second)
        self.sliders = QVBoxLayout()
        self.sliders.setContentsMargins(0, 0, 0, 0)
        self.sliders.setSpacing(STEP)
        self.form.addRow("Others at", self.others)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(STEP)
        layout.addWidget(heading("Response"))
        layout.addWidget(self.words)
        layout.addWidget(self.view)
        layout.addLayout(self.form)
        layout.addLayout(self.sliders)
        layout.addWidget(self.hint)
        for box in (self.first, self.second, self.target_box):
            box.currentIndexChanged.connect(self._on_boxes)
        self.others.currentIndexChanged.connect(self.compute)

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self.view.set_theme(theme)

    @property
    def choice(self) -> Choice | None:
        """The inputs that move, axes first, and the neuron that responds."""
        return None if self._target is None else (self._inputs, self._target)

    def show_subject(self, subject: Subject | None) -> None:
        """Take another network, or another cell of the same."""
        old = self._subject
        self._subject = subject
        if subject is None:
            self._inputs, self._target = (), None
            self.view.show_picture(None)
            return
        same = (
            old is not None
            and old.opened is subject.opened
            and old.member == subject.member
        )
        self.others.model().item(1).setEnabled(subject.cell is not None)
        if subject.cell is None and self.others.currentData() == CELL:
            self.others.setCurrentIndex(0)
        if same and self._target is not None:
            self.choose(self._inputs, self._target)
        else:
            self.choose((), None)

    def choose(self, inputs: tuple[Node, ...], target: Node | None) -> None:
        """Move these inputs and watch this neuron.

        Inputs that do not reach the neuron are passed over; without any, the two
        strongest that do are taken.
        """
        subject = self._subject
        if subject is None:
            return
        target = subject.drawn.output if target is None else target
        upstream = self._upstream(target)
        inputs = tuple(
            node for node in inputs if node.layer < target.layer and node in upstream
        )
        if not inputs:
            strongest = [Node(0, index) for index in subject.drawn.reading.strongest]
            inputs = tuple([node for node in strongest if node in upstream][:2])
        self._inputs, self._target = inputs, target
        self._fill_boxes()
        self._fill_sliders()
        self.compute()

    def _upstream(self, target: Node) -> frozenset[Node]:
        """Return what a neuron depends on; the lead of a class, on all inputs."""
        assert self._subject is not None
        topology = self._subject.drawn.topology
        if target.layer == topology.last:
            return stream_of(topology, topology.inputs).nodes
        return stream_through(topology, target).nodes

    def _fill_boxes(self) -> None:
        subject = self._subject
        assert subject is not None
        topology = subject.drawn.topology
        latents = [Node(0, index) for index in subject.drawn.reading.strongest]
        hidden = list(topology.nodes("hidden"))
        assert self._target is not None
        upstream = self._upstream(self._target)
        axes = [node for node in latents if node in upstream]
        axes += [node for node in self._inputs[:2] if node.layer]
        for box, options, shown in (
            (self.first, axes, self._inputs[:1]),
            (self.second, [None, *axes], self._inputs[1:2]),
            (self.target_box, [*topology.nodes("output"), *hidden], (self._target,)),
        ):
            blocker = QSignalBlocker(box)
            box.clear()
            for node in options:
                box.addItem("nothing else" if node is None else self._name(node), node)
            wanted = shown[0] if shown else None
            box.setCurrentIndex(options.index(wanted) if wanted in options else 0)
            del blocker
        self.setEnabled(not topology.is_constant)

    def _fill_sliders(self) -> None:
        for slider in self._held:
            self.form.removeRow(slider)
        self._held = []
        for node in self._inputs[2:]:
            slider = HeldSlider(node, self._range(node), self._usual(node))
            slider.changed.connect(self.compute)
            self.form.insertRow(self.form.rowCount() - 1, self._name(node), slider)
            self._held.append(slider)
        self.hint.setText(
            "Click a latent in the drawing to move it, a neuron to watch it; hold Ctrl "
            "to move several."
        )

    @property
    def held(self) -> list[HeldSlider]:
        """The sliders of inputs that are neither axis."""
        return self._held

    def _name(self, node: Node) -> str:
        assert self._subject is not None
        if node.layer == 0:
            return self._subject.opened.book.label(node.number)
        drawn = self._subject.drawn
        if node.layer == drawn.topology.last:
            return f"score of {drawn.name(node)}" if drawn.many else "score f"
        return f"neuron {neuron_name(node, self._subject.drawn.topology.last)}"

    def _range(self, node: Node) -> tuple[float, float]:
        if node.layer == 0:
            return LOW, HIGH
        assert self._subject is not None
        low, high = self._subject.opened.spread(self._subject.member, node)
        return (low, high) if high - low > 1e-6 else (low - 0.5, high + 0.5)

    def _usual(self, node: Node) -> float:
        assert self._subject is not None
        values = self._subject.opened.sampled(self._subject.member)
        return float(np.median(values[node.layer][:, node.number]))

    def _at(self) -> Floats:
        subject = self._subject
        assert subject is not None
        if self.others.currentData() == CELL and subject.cell is not None:
            return np.asarray(subject.cell, np.float64)
        return subject.opened.book.usual

    def _on_boxes(self) -> None:
        first, second = self.first.currentData(), self.second.currentData()
        target = self.target_box.currentData()
        inputs = [first] if first is not None else []
        if second is not None and second != first:
            inputs.append(second)
        inputs += [node for node in self._inputs[2:] if node not in inputs]
        self.choose(tuple(inputs), target)
        self.chosen.emit()

    def compute(self) -> None:
        """Compute and show the response."""
        subject = self._subject
        if subject is None or self._target is None:
            return
        drawn = subject.drawn
        topology, many = drawn.topology, drawn.many
        axes = self._inputs[:2]
        if not axes:
            self.view.show_picture(None)
            what = "scores" if many else "score"
            value = "" if many else f", {topology.bias(topology.output):+.3g}"
            self.words.setText(
                f"This network is constant: it gives every cell the same {what}{value}."
            )
            return
        at = self._at()
        held = {slider.node: slider.value for slider in self._held}
        ranges = [self._range(node) for node in axes]
        response = respond(
            topology, axes, self._target, at=at, ranges=ranges, held=held
        )
        pointed = None
        if len(axes) == 2:
            pointed = arrows(topology, response, at=at, held=held, count=ARROWS)
        names = tuple(self._name(node) for node in axes)
        name = self._name(self._target)
        self.words.setText(
            in_words(
                response,
                names,
                _called(response, name, many),
                self._sides(self._target),
            )
        )
        self.words.setToolTip(
            "How far its output leads the best other one; 0 or more where it is called"
            if response.is_output and many
            else f"Bias and all paths from elsewhere add {response.offset:+.3g}"
        )
        self.view.show_picture(
            ResponsePicture(
                response,
                names,
                name,
                self._strips(axes, at),
                self._scale(response.total, self._target),
                pointed,
                self._cells(axes),
                self._here(axes),
            )
        )

    def _drawn_at(self, target: Node) -> Drawn | None:
        """Return what is drawn with the target looked at, None for a hidden neuron."""
        assert self._subject is not None
        drawn = self._subject.drawn
        if target.layer != drawn.topology.last:
            return None
        return replace(drawn, reading=drawn.reading.looking_at(target.number))

    def _sides(self, target: Node) -> tuple[str, ...]:
        drawn = self._drawn_at(target)
        return () if drawn is None else drawn.sides

    def _scale(self, total: Floats, target: Node) -> ScoreScale:
        limit = float(np.quantile(np.abs(total), 0.98)) or 1.0
        drawn = self._drawn_at(target)
        if drawn is not None:
            return replace(drawn.scales[target.number], limit=limit)
        from napari_cellsci.figures.network import NEGATIVE, POSITIVE

        return ScoreScale(limit, NEGATIVE, POSITIVE)

    def _strips(self, axes: tuple[Node, ...], at: Floats) -> tuple[list[QImage], ...]:
        subject = self._subject
        assert subject is not None
        opened = subject.opened
        if any(node.layer for node in axes):
            return tuple([] for _ in axes)
        numbers = [node.number for node in axes]
        if at is opened.book.usual:
            return tuple(opened.pictures[number] for number in numbers)
        strips = traverse_many(
            opened.bundle.encoder, numbers, anchor=at, steps=opened.book.strips.shape[1]
        )
        return tuple(opened.images(strip) for strip in strips)

    def _cells(self, axes: tuple[Node, ...]) -> Floats:
        assert self._subject is not None
        values = self._subject.opened.sampled(self._subject.member)
        found = np.stack([values[n.layer][:, n.number] for n in axes], axis=1)
        few = CELLS_SHOWN if len(axes) == 2 else len(found)
        rows = np.linspace(0, len(found) - 1, min(len(found), few)).astype(int)
        return np.asarray(found[rows])

    def _here(self, axes: tuple[Node, ...]) -> Floats | None:
        subject = self._subject
        if subject is None or subject.cell is None:
            return None
        values = activations(subject.drawn.topology, subject.cell[None])
        return np.array([values[n.layer][0, n.number] for n in axes])

    def _on_hover(self, values: Floats | None) -> None:
        self._under = values
        if values is not None:
            self._wait.start()

    def _decode_hover(self) -> None:
        """Show what a cell with the values under the mouse would look like."""
        subject, picture = self._subject, self.view.picture
        if subject is None or picture is None or self._under is None:
            return
        axes, at = self._inputs[:2], self._at().copy()
        held = dict(zip(axes, self._under.tolist(), strict=False))
        held |= {slider.node: slider.value for slider in self._held}
        value = _value_at(picture, self._under)
        lines = [
            f"{name} {number:+.2f}".replace("-", "−")
            for name, number in zip(picture.names, self._under, strict=False)
        ]
        lines.append(f"{picture.target} {value:+.2f}".replace("-", "−"))
        image = None
        encoder = subject.opened.bundle.encoder
        if encoder is not None and not any(node.layer for node in held):
            for node, number in held.items():
                at[node.number] = number
            decoded = encoder.decode(at[None].astype(np.float32))
            image = subject.opened.images(decoded)[0]
        self.view.show_hover(image, "\n".join(lines))


def _called(response: Response, name: str, many: bool) -> str:
    if not response.is_output:
        return f"the sum of {name}"
    return f"the {name}" if many else "the score"


def _value_at(picture: ResponsePicture, values: Floats) -> float:
    """Return the response at the nearest place of the grid."""
    places = tuple(
        int(np.argmin(np.abs(axis - value)))
        for axis, value in zip(picture.response.axes, values, strict=False)
    )
    return float(picture.response.total[places[::-1]])
