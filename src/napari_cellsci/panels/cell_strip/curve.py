"""The score of one track over time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QBrush, QColor, QResizeEvent
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_cellsci.panels._theme import Theme
from napari_cellsci.panels.cell_strip.film import LEAST
from napari_cellsci.viewer.clock import Clock

_ROOMY = 110
_SHADES = 32
"""Steps of each colour of a dot: pyqtgraph paints every new brush anew."""


class ScoreCurve(QWidget):
    """Score against time with the spread of the models; click to go to a time.

    Signals
    -------
    picked : int
        Position along the track of the point nearest to the click.
    """

    picked = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._x: NDArray[np.float64] = np.empty(0)
        self._factor = 1.0
        self.plot = pg.PlotWidget(enableMenu=False)
        self.plot.hideButtons()
        # pyqtgraph makes its menu without a parent: it would outlive the window.
        menu = self.plot.getPlotItem().ctrlMenu
        menu.setParent(self.plot)
        menu.hide()
        for name in ("left", "bottom"):
            # A score of 0.05 is 0.05, not "50 (×0.001)".
            self.plot.getAxis(name).enableAutoSIPrefix(False)
        self.plot.setMouseEnabled(x=True, y=False)
        self.plot.setMinimumSize(120, LEAST)
        self.plot.setToolTip(
            "Score along the track: above 0 the second class. The band is the spread "
            "of the models. Click to go there"
        )
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)
        empty = np.empty(0)
        self._low = pg.PlotDataItem(empty, empty, pen=None)
        self._high = pg.PlotDataItem(empty, empty, pen=None)
        self._band = pg.FillBetweenItem(self._low, self._high)
        self._line = pg.PlotDataItem(empty, empty, connect="finite")
        self._dots = pg.ScatterPlotItem(size=6, pen=None)
        self._smooth = pg.PlotDataItem(empty, empty, connect="finite")
        self._brushes: dict[tuple[int, ...], QBrush] = {}
        self._zero = pg.InfiniteLine(0, angle=0)
        self._now = pg.InfiniteLine(0, angle=90)
        for item in (self._band, self._zero, self._now, self._line, self._dots):
            self.plot.addItem(item)
        self.plot.addItem(self._smooth)
        self.plot.scene().sigMouseClicked.connect(self._on_click)

    def sizeHint(self) -> QSize:
        """Return a low, wide size."""
        return QSize(360, 96)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Name the axes where there is room for it."""
        super().resizeEvent(event)
        self._name_axes()

    def _name_axes(self) -> None:
        roomy = self.height() >= _ROOMY
        for name in ("left", "bottom"):
            self.plot.getAxis(name).showLabel(roomy)

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self.plot.setBackground(None)
        for name in ("left", "bottom"):
            axis = self.plot.getAxis(name)
            axis.setPen(pg.mkPen(theme.line))
            axis.setTextPen(pg.mkPen(theme.muted))
            axis.setStyle(tickLength=-4, tickTextOffset=3)
        self._line.setPen(pg.mkPen(theme.muted, width=1))
        dotted = Qt.PenStyle.DotLine
        self._smooth.setPen(pg.mkPen(theme.text, width=2, style=dotted))
        self._zero.setPen(pg.mkPen(theme.muted, width=1, style=Qt.PenStyle.DashLine))
        self._now.setPen(pg.mkPen(theme.accent, width=2))
        band = QColor(theme.text)
        band.setAlpha(28)
        self._band.setBrush(pg.mkBrush(band))

    def show_track(
        self,
        frames: NDArray[np.int64],
        scores: NDArray[np.float32],
        spread: NDArray[np.float32],
        colors: NDArray[np.float32],
        clock: Clock,
    ) -> None:
        """Draw the scores of a track.

        Parameters
        ----------
        frames : array (k,) of int
        scores, spread : array (k,)
            NaN where a cell has none.
        colors : array (k, 4)
        clock : Clock
        """
        self._factor = clock.per_frame
        self._x = frames * self._factor
        low, high = scores - np.nan_to_num(spread), scores + np.nan_to_num(spread)
        known = np.isfinite(scores)
        self._low.setData(self._x[known], low[known])
        self._high.setData(self._x[known], high[known])
        self._line.setData(self._x, scores)
        self._dots.setData(
            x=self._x[known], y=scores[known], brush=self._brushes_of(colors[known])
        )
        self.plot.setLabel("bottom", f"time ({clock.unit})")
        self.plot.setLabel("left", "score")
        self._name_axes()
        self._fit(low[known], high[known])

    def _brushes_of(self, colors: NDArray[np.float32]) -> list[QBrush]:
        """Return the brushes of colours (k, 4), the same one for like colours."""
        shades = np.rint(np.clip(colors, 0, 1) * _SHADES).astype(int)
        found = []
        for shade in map(tuple, shades.tolist()):
            if shade not in self._brushes:
                color = QColor.fromRgbF(*(part / _SHADES for part in shade))
                self._brushes[shade] = QBrush(color)
            found.append(self._brushes[shade])
        return found

    def show_smoothed(self, scores: NDArray[np.float64] | None) -> None:
        """Draw smoothed scores of the same track as a dotted line, or none."""
        empty = np.empty(0)
        if scores is None:
            self._smooth.setData(empty, empty)
        else:
            self._smooth.setData(self._x, scores)

    def _fit(self, low: NDArray[np.float32], high: NDArray[np.float32]) -> None:
        if not len(self._x):
            return
        left, right = float(self._x[0]), float(self._x[-1])
        edge = max((right - left) * 0.02, 1e-3)
        self.plot.setXRange(left - edge, right + edge, padding=0)
        bottom = min(float(low.min(initial=0)), -0.5)
        top = max(float(high.max(initial=0)), 0.5)
        self.plot.setYRange(bottom, top, padding=0.06)

    def show_time(self, frame: int | None) -> None:
        """Mark the current frame."""
        self._now.setVisible(frame is not None)
        if frame is not None and len(self._x):
            self._now.setValue(frame * self._factor)

    def clear(self) -> None:
        """Draw no track."""
        self._x = empty = np.empty(0)
        for item in (self._low, self._high, self._line, self._smooth):
            item.setData(empty, empty)
        self._dots.setData(x=empty, y=empty)
        self._now.setVisible(False)

    def pick(self, x: float) -> None:
        """Tell which point of the track is nearest to a time of the axis."""
        if len(self._x):
            self.picked.emit(int(np.argmin(np.abs(self._x - x))))

    def _on_click(self, event: Any) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            point = self.plot.getViewBox().mapSceneToView(event.scenePos())
            self.pick(point.x())
