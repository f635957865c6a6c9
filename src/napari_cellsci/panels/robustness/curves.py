"""Accuracy against ε, a line with its spread for every classifier."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_cellsci.explain.smallest import by_class
from napari_cellsci.figures.comparison import shade
from napari_cellsci.panels._theme import Theme
from napari_cellsci.project.robustness import MOST, Robustness

_HEIGHT = 190
DASHES = {
    "image": Qt.PenStyle.SolidLine,
    "latent": Qt.PenStyle.SolidLine,
    "around": Qt.PenStyle.DashLine,
    "own": Qt.PenStyle.DotLine,
}

LINES = (
    Qt.PenStyle.SolidLine,
    Qt.PenStyle.DashLine,
    Qt.PenStyle.DotLine,
    Qt.PenStyle.DashDotLine,
)
"""How smallest changes of several classifiers are told apart, as in the figure."""


class CurvePlot(QWidget):
    """Accuracy of classifiers under attack.

    Parameters
    ----------
    theme : Theme
    kinds : tuple of str
        Which curves are drawn: "image", or those of latents.
    label : str
        Of the ε axis.
    """

    upright = "accuracy"

    def __init__(self, theme: Theme, kinds: tuple[str, ...], label: str) -> None:
        super().__init__()
        self._kinds, self._label = kinds, label
        self._found: Robustness | None = None
        self.plot = pg.PlotWidget(enableMenu=False)
        self.plot.hideButtons()
        menu = self.plot.getPlotItem().ctrlMenu
        menu.setParent(self.plot)  # else it would outlive the window
        menu.hide()
        for name in ("left", "bottom"):
            self.plot.getAxis(name).enableAutoSIPrefix(False)
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.setFixedHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)
        self.set_theme(theme)

    def sizeHint(self) -> QSize:
        """Return a usual size."""
        return QSize(260, _HEIGHT)

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        self.plot.setBackground(theme.background)
        for name, words in (("left", self.upright), ("bottom", self._label)):
            axis = self.plot.getAxis(name)
            axis.setPen(QColor(theme.line))
            axis.setTextPen(QColor(theme.muted))
            axis.setLabel(words, color=theme.muted, **{"font-size": "8pt"})
        self.show_found(self._found)

    def show_found(self, found: Robustness | None) -> None:
        """Draw the curves of what was found."""
        self._found = found
        self.plot.clear()
        if found is None:
            return
        right = 0.0
        for number, model in enumerate(found.models):
            for kind in self._kinds:
                curve = model.curves.get(kind)
                if curve is None:
                    continue
                x, mean, sd = np.array(curve.epsilons), curve.mean, curve.sd
                right = max(right, float(x[-1]))
                color = QColor(shade(number))
                if kind in ("image", "latent"):
                    faint = QColor(color)
                    faint.setAlpha(50)
                    low = pg.PlotDataItem(x, mean - sd, pen=None)
                    high = pg.PlotDataItem(x, np.minimum(mean + sd, 1), pen=None)
                    self.plot.addItem(pg.FillBetweenItem(low, high, brush=faint))
                pen = pg.mkPen(color, width=2, style=DASHES[kind])
                self.plot.addItem(pg.PlotDataItem(x, mean, pen=pen))
        if self._kinds == ("image",):
            self._mark_noise(found)
        self.plot.setXRange(0, right or 1, padding=0.02)
        self.plot.setYRange(0, 1, padding=0.03)

    def _mark_noise(self, found: Robustness) -> None:
        if found.noise is not None:
            pen = pg.mkPen(QColor(self._theme.accent), width=2)
            self.plot.addItem(pg.InfiniteLine(found.noise, 90, pen=pen))


class SmallestPlot(CurvePlot):
    """The share of cells of every class that have changed it by ε, in its colour."""

    upright = "cells changed"

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, ("image",), "smallest ε of the picture")

    def show_found(self, found: Robustness | None) -> None:
        """Draw a line for every class and classifier, with a dot at half."""
        self._found = found
        self.plot.clear()
        if found is None:
            return
        for number, model in enumerate(found.models):
            for one in by_class(model.smallest):
                color = QColor(found.colours.get(one.start, self._theme.muted))
                pen = pg.mkPen(color, width=2, style=LINES[number % len(LINES)])
                self.plot.addItem(pg.PlotDataItem(*one.steps(MOST), pen=pen))
                half = one.quartiles[1]
                if np.isfinite(half):
                    self.plot.addItem(
                        pg.ScatterPlotItem([half], [0.5], size=8, brush=color, pen=None)
                    )
        self._mark_noise(found)
        self.plot.setXRange(0, MOST, padding=0.02)
        self.plot.setYRange(0, 1, padding=0.03)
