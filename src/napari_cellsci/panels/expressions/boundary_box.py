"""The decision boundary drawn, with decoded pictures along its axes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QSignalBlocker, QTimer
from qtpy.QtWidgets import QCheckBox, QFormLayout, QVBoxLayout, QWidget

from napari_cellsci.panels._choice import Choice, ChoiceBox
from napari_cellsci.panels._parts import WrapLabel, new_form
from napari_cellsci.panels._theme import STEP, Theme
from napari_cellsci.panels.expressions.boundary import (
    Held,
    axes_of,
    boundary,
    limit_of,
    node_of,
    said_of,
    span_of,
    usual,
)
from napari_cellsci.panels.network.response_box import HeldSlider
from napari_cellsci.panels.network.response_picture import ResponsePicture
from napari_cellsci.panels.network.response_view import ResponseView
from napari_cellsci.representation.traversals import traverse_many
from napari_cellsci.viewer.colors import ScoreScale

if TYPE_CHECKING:
    from qtpy.QtGui import QImage

    from napari_cellsci.panels.expressions.bench import Written
    from napari_cellsci.panels.expressions.service import Opened
    from napari_cellsci.panels.expressions.subject import Floats

_CELLS = 300
_PICTURES = 7
_WAIT_MS = 30
_NOTHING = ""


class BoundaryBox(QWidget):
    """Two latents to choose, sliders for the others, and the map."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._shown: tuple[Opened, Written] | None = None
        self._cell: Floats | None = None
        self._axes: tuple[str, ...] = ()
        self._held: list[HeldSlider] = []
        self._under: Floats | None = None
        self.view = ResponseView(theme)
        self.words = WrapLabel(name="muted")
        self.first = ChoiceBox("The latent along the horizontal axis")
        self.second = ChoiceBox("The latent along the vertical axis; none for a curve")
        self.as_cell = QCheckBox("Others as in the selected cell")
        self.form = new_form()
        self.form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        self.form.addRow("along", self.first)
        self.form.addRow("and", self.second)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(STEP)
        layout.addWidget(self.view)
        layout.addWidget(self.words)
        layout.addLayout(self.form)
        layout.addWidget(self.as_cell)
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(_WAIT_MS)
        self._wait.timeout.connect(self._decode_hover)
        self.first.chosen.connect(self._on_boxes)
        self.second.chosen.connect(self._on_boxes)
        self.as_cell.toggled.connect(self._on_cell)
        self.view.hovered.connect(self._on_hover)

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self.view.set_theme(theme)

    def show_written(
        self, opened: Opened | None, written: Written | None, cell: int | None
    ) -> None:
        """Show a formula; `cell` is the row of the selected cell."""
        if opened is None or written is None or not written.expression.names:
            self._shown = None
            self.view.show_picture(None)
            self.words.setText("A constant has no boundary." if written else "")
            self._fill_sliders()
            return
        self._cell = None
        if cell is not None:
            self._cell = np.asarray(opened.book.latents[cell], np.float64)
        self.as_cell.setEnabled(cell is not None)
        tip = "" if cell is not None else "Select a cell first, on the movie or below"
        self.as_cell.setToolTip(tip)
        self._shown = opened, written
        curve = len(self._axes) == 1
        axes = axes_of(written.subject, written.expression, self._axes)
        self._axes = axes[:1] if curve and self._axes[0] in axes else axes
        self._fill_boxes()
        self._fill_sliders()
        self.compute()

    def _fill_boxes(self) -> None:
        assert self._shown is not None
        written = self._shown[1]
        label = written.subject.label
        latents = [Choice(name, label(name)) for name in written.expression.names]
        nothing = Choice(_NOTHING, "nothing else")
        self.first.offer([latents], self._axes[0])
        second = self._axes[1] if len(self._axes) > 1 else _NOTHING
        self.second.offer([[nothing, *latents]], second)

    def _fill_sliders(self) -> None:
        written = None if self._shown is None else self._shown[1]
        names = () if written is None else written.expression.names
        wanted = [node_of(name) for name in names if name not in self._axes]
        if [slider.node for slider in self._held] == wanted:
            return
        for slider in self._held:
            self.form.removeRow(slider)
        self._held = []
        if written is None:
            return
        middle = usual(written.subject, written.expression)
        for node in wanted:
            symbol = f"z{node.number}"
            span = span_of(written.subject, symbol)
            slider = HeldSlider(node, span, middle[symbol])
            slider.changed.connect(self.compute)
            self.form.addRow(written.subject.label(symbol), slider)
            self._held.append(slider)

    def _on_boxes(self) -> None:
        first, second = self.first.currentData(), self.second.currentData()
        self._axes = (first,) if second in (_NOTHING, first) else (first, second)
        self._fill_boxes()
        self._fill_sliders()
        self.compute()

    def _on_cell(self) -> None:
        if self.as_cell.isChecked() and self._cell is not None:
            for slider in self._held:
                blocker = QSignalBlocker(slider)
                slider.slider.setValue(round(self._cell[slider.node.number] * 100))
                del blocker
        self.compute()

    def _at(self, opened: Opened) -> Floats:
        """Return a whole code: the usual or the selected cell's, sliders as set."""
        chosen = self.as_cell.isChecked() and self._cell is not None
        at = np.array(self._cell if chosen else opened.book.usual, np.float64)
        for slider in self._held:
            at[slider.node.number] = slider.value
        return at

    def compute(self) -> None:
        """Compute and show the boundary."""
        if self._shown is None:
            return
        opened, written = self._shown
        at, subject = self._at(opened), written.subject
        others = {
            name: float(at[int(name[1:])])
            for name in written.expression.names
            if name not in self._axes
        }
        response = boundary(subject, written.expression, Held(self._axes, others))
        self.words.setText(said_of(response, subject.classes))
        if not np.isfinite(response.total).any():
            self.view.show_picture(None)
            return
        columns = [int(name[1:]) for name in self._axes]
        rows = np.linspace(0, len(subject) - 1, min(len(subject), _CELLS)).astype(int)
        # Where there is no value the map is as grey as where f = 0.
        painted = replace(response, values=np.nan_to_num(response.values))
        picture = ResponsePicture(
            painted,
            tuple(subject.label(name) for name in self._axes),
            "score",
            tuple(self._strip(opened, name, at) for name in self._axes),
            ScoreScale(limit_of(written.scores)),
            None,
            opened.book.latents[np.ix_(rows, columns)].astype(np.float64),
            None if self._cell is None else self._cell[columns],
        )
        self.view.show_picture(picture)

    def _strip(self, opened: Opened, symbol: str, at: Floats) -> list[QImage]:
        assert self._shown is not None
        low, high = span_of(self._shown[1].subject, symbol)
        strips = traverse_many(
            opened.bundle.encoder,
            [int(symbol[1:])],
            anchor=at,
            low=low,
            high=high,
            steps=_PICTURES,
        )
        return opened.images(strips[0])

    def _on_hover(self, values: Floats | None) -> None:
        self._under = values
        if values is not None:
            self._wait.start()

    def _decode_hover(self) -> None:
        """Show what a cell with the values under the mouse would look like."""
        if self._shown is None or self._under is None:
            return
        opened, written = self._shown
        at = self._at(opened)
        for name, value in zip(self._axes, self._under, strict=False):
            at[int(name[1:])] = value
        names = written.expression.names
        score = float(written.expression({name: at[int(name[1:])] for name in names}))
        label = written.subject.label
        lines = [f"{label(n)} {at[int(n[1:])]:+.2f}" for n in self._axes]
        lines.append(f"score {score:+.3g}")
        picture = opened.bundle.encoder.decode(at[None].astype(np.float32))
        self.view.show_hover(
            opened.images(picture)[0], "\n".join(lines).replace("-", "−")
        )
