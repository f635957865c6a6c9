"""Choosing how each channel is normalised, with what that does to the cells."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_cellsci.cells.steps import WORDS
from napari_cellsci.errors import InputError
from napari_cellsci.panels._parts import Section, WrapLabel, new_form
from napari_cellsci.panels._pictures import to_image, to_pixels
from napari_cellsci.panels._strip import CropStrip
from napari_cellsci.panels._theme import STEP, Theme
from napari_cellsci.panels.cells.fields import channel_numbers
from napari_cellsci.panels.cells.normalising import (
    SHOWN,
    ChannelView,
    Histogram,
    NormalisingView,
)

TITLES = {
    "zscore": "z-score",
    "brightfield": "bright field",
    "fluorescence": "fluorescence",
    "log+zscore": "logarithm, then z-score",
}
SIZINGS = {
    "noise like their border's": "noise",
    "the mean of their border": "mean",
    "grey level 20": "constant",
    "none: scaled to the crop": "resize",
}
HEADS = (
    ("Before", "Grey levels as the camera gave them, in one contrast for all cells"),
    ("After", "Pixels as a model sees them, from their least to their greatest value"),
)
HEIGHT = 64
LETTER = 10
"""Room for a digit below a histogram (px)."""


class NormaliseBox(QWidget):
    """A choice per channel; below it crops and histograms, before and after.

    Signals
    -------
    changed
        Another normalisation was chosen.
    """

    changed = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.combos: list[QComboBox] = []
        self.views: list[ChannelBox] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(2 * STEP)
        self.section = Section("Pixels", self)
        self.note = WrapLabel(name="muted")
        self._layout.addWidget(self._build_sizing())
        self._layout.addWidget(self.note)
        self.set_channels((0,))
        self.offer_sizing(False)

    def _build_sizing(self) -> QWidget:
        self.sizing = QComboBox()
        for words, value in SIZINGS.items():
            self.sizing.addItem(words, value)
        self.sizing.setToolTip(
            "What surrounds images that are smaller than a crop; larger ones lose "
            "their edges, unless they are scaled"
        )
        self.sizing.setMinimumContentsLength(8)
        self.sizing.currentIndexChanged.connect(self._on_combo)
        self._sizing_line = QWidget()
        form = new_form()
        form.addRow("Small images", self.sizing)
        self._sizing_line.setLayout(form)
        return self._sizing_line

    def offer_sizing(self, offered: bool) -> None:
        """Offer to choose how images of any size become crops, or not."""
        self._sizing_line.setVisible(offered)

    @property
    def chosen(self) -> tuple[str, ...]:
        """The normalisation of each channel, as `Project.create` takes it."""
        return tuple(box.currentData() for box in self.combos)

    @property
    def asked(self) -> tuple[str, ...]:
        """All that is chosen."""
        return (*self.chosen, self.sizing.currentData())

    def arguments(self) -> dict[str, str]:
        """Return arguments of `Project.create` for images, those that matter."""
        found = {}
        names = set(self.chosen)
        if names != {"zscore"}:
            found["normalise"] = (
                names.pop() if len(names) == 1 else ",".join(self.chosen)
            )
        if self.sizing.currentIndex():
            found["sizing"] = self.sizing.currentData()
        return found

    def read_channels(self, text: str) -> None:
        """Offer a choice for each of the channels a user typed, if they are numbers."""
        with suppress(InputError):
            self.set_channels(channel_numbers(text))

    def set_channels(self, channels: tuple[int, ...]) -> None:
        """Offer a choice for each of some channels; what was chosen stays."""
        while len(self.views) > len(channels):
            self.combos.pop()
            view = self.views.pop()
            view.hide()
            view.deleteLater()
        while len(self.views) < len(channels):
            view = ChannelBox(self._theme)
            if self.combos:  # what was chosen for one counts for all
                view.combo.setCurrentIndex(self.combos[-1].currentIndex())
            view.combo.currentIndexChanged.connect(self._on_combo)
            self._layout.insertWidget(len(self.views), view)
            self.combos.append(view.combo)
            self.views.append(view)
        for view, channel in zip(self.views, channels, strict=True):
            view.title.setText(f"Channel {channel}")

    def show_view(self, view: NormalisingView) -> None:
        """Show what the chosen normalisation does, or why it cannot be used."""
        if view.channels:
            self.set_channels(tuple(found.channel for found in view.channels))
        for box, found in zip(self.views, view.channels, strict=False):
            box.show_channel(found)
        if view.trouble:
            for box in self.views:
                box.clear()
            self.note.setText(view.trouble)
            return
        self.note.setText(
            f"Fitted to {view.n_crops} of the cells for this preview; training fits "
            "it to all cells it learns from and keeps it with the model."
        )

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        for view in self.views:
            view.set_theme(theme)

    def _on_combo(self) -> None:
        self.changed.emit()


class ChannelBox(QWidget):
    """One channel: the choice, its crops and histograms."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.title = QLabel()
        self.combo = QComboBox()
        for name, words in TITLES.items():
            self.combo.addItem(words, name)
            tip = WORDS.get(name, "The logarithm, then each crop by its own z-score")
            place = self.combo.count() - 1
            self.combo.setItemData(place, tip, Qt.ItemDataRole.ToolTipRole)
        self.combo.setToolTip("How the pixels of this channel are normalised")
        self.combo.setSizePolicy(
            QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred
        )
        self.combo.setMinimumContentsLength(8)
        self.strips = (CropStrip(SHOWN // 2, 2, 56), CropStrip(SHOWN // 2, 2, 56))
        self.plots = (HistogramPlot(theme), HistogramPlot(theme))
        self.words = WrapLabel(name="muted")
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(3 * STEP)
        grid.setVerticalSpacing(STEP)
        choice = QHBoxLayout()
        choice.setSpacing(2 * STEP)
        choice.addWidget(self.title)
        choice.addWidget(self.combo, 1)
        grid.addLayout(choice, 0, 0, 1, 2)
        for column, (head, tip) in enumerate(HEADS):
            label = QLabel(head)
            label.setObjectName("muted")
            label.setToolTip(tip)
            # Both columns are equally wide, whatever stands above them.
            label.setSizePolicy(
                QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred
            )
            grid.addWidget(label, 1, column)
            grid.addWidget(self.strips[column], 2, column)
            grid.addWidget(self.plots[column], 3, column)
            grid.setColumnStretch(column, 1)
        grid.addWidget(self.words, 4, 0, 1, 2)
        self.set_theme(theme)

    def show_channel(self, view: ChannelView) -> None:
        """Show crops in one contrast for all, so that differences between them stay."""
        low, high = view.before.edges[[0, -1]]
        self._show(0, view.raw, (low, high), view.before)
        self._show(1, view.made, view.limits, view.after)
        words = view.words
        self.words.setText(f"{words[:1].upper()}{words[1:]}." if words else "")

    def _show(
        self,
        column: int,
        crops: NDArray[Any],
        limits: tuple[float, float],
        histogram: Histogram,
    ) -> None:
        pixels = to_pixels(crops, np.array([limits], np.float32))
        self.strips[column].show_images([to_image(one) for one in pixels])
        self.plots[column].show_histogram(histogram)

    def clear(self) -> None:
        """Show nothing."""
        for strip, plot in zip(self.strips, self.plots, strict=True):
            strip.show_images([])
            plot.clear_histogram()
        self.words.setText("")

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        for strip, plot in zip(self.strips, self.plots, strict=True):
            strip.set_ink(theme.muted)
            plot.set_theme(theme)


def round_numbers(low: float, high: float) -> list[float]:
    """Return two to four round numbers from `low` to `high`."""
    half = (high - low) / 2 * (1 + 1e-9)
    power = 10.0 ** np.floor(np.log10(half))
    step = max(power * f for f in (1, 2, 2.5, 4, 5) if power * f <= half)
    first = int(np.ceil(low / step - 1e-9))
    last = int(np.floor(high / step + 1e-9))
    return [float(f"{k * step:.6g}") for k in range(first, last + 1)]


class HistogramPlot(pg.PlotWidget):
    """A small filled histogram whose horizontal axis is all that is labelled."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(enableMenu=False)
        self.hideButtons()
        # pyqtgraph makes its menu without a parent: it would outlive the window.
        menu = self.getPlotItem().ctrlMenu
        menu.setParent(self)
        menu.hide()
        self.setMouseEnabled(False, False)
        self.hideAxis("left")
        self.getAxis("bottom").enableAutoSIPrefix(False)
        self.setFixedHeight(HEIGHT)
        self.setMinimumWidth(1)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Histogram of pixels")
        self._marks: list[float] = []
        self._span = 1.0
        self._curve = pg.PlotCurveItem([0, 1], [0], stepMode="center", fillLevel=0)
        self.addItem(self._curve)
        self.set_theme(theme)

    def sizeHint(self) -> QSize:
        """Return a usual size."""
        return QSize(120, HEIGHT)

    def show_histogram(self, histogram: Histogram) -> None:
        """Show counts; the highest bars, of clipped pixels, may leave the plot."""
        counts, edges = histogram.counts, histogram.edges
        inner = counts[1:-1]
        top = max(1.15 * float(inner.max(initial=0)), 0.05 * float(counts.max()), 1.0)
        self._curve.setData(edges, counts)
        self.setXRange(float(edges[0]), float(edges[-1]), padding=0.06)
        self.setYRange(0, top, padding=0)
        self._marks = round_numbers(float(edges[0]), float(edges[-1]))
        self._span = 1.12 * float(edges[-1] - edges[0])
        self._write_marks()

    def _write_marks(self) -> None:
        """Write the numbers below, fewer where they would touch."""
        marks = self._marks
        longest = max((len(f"{mark:g}") for mark in marks), default=0)
        room = (longest + 1) * LETTER * self._span / max(self.width(), 1)
        while len(marks) > 1 and marks[1] - marks[0] < room:
            marks = marks[::2]
        self.getAxis("bottom").setTicks([[(mark, f"{mark:g}") for mark in marks]])

    def resizeEvent(self, event: Any) -> None:
        """Follow the width."""
        super().resizeEvent(event)
        if hasattr(self, "_marks"):  # pyqtgraph resizes before it is built
            self._write_marks()

    def clear_histogram(self) -> None:
        """Show nothing."""
        self._curve.setData([0, 1], [0])

    def wheelEvent(self, event: Any) -> None:
        """Leave the wheel to the panel, which scrolls."""
        event.ignore()

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self.setBackground(None)
        axis = self.getAxis("bottom")
        axis.setPen(pg.mkPen(theme.line))
        axis.setTextPen(pg.mkPen(theme.muted))
        axis.setStyle(tickLength=-3, tickTextOffset=2, maxTickLevel=0)
        self._curve.setPen(pg.mkPen(theme.accent, width=1))
        brush = pg.mkColor(theme.accent)
        brush.setAlpha(90)
        self._curve.setBrush(brush)
