"""Curves of one chart: zoom, logarithmic axis, values under the mouse."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QEvent, QObject, QPointF, QSize, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_cellsci.panels._icons import IconButton
from napari_cellsci.panels._parts import WrapLabel, plain_button
from napari_cellsci.panels._theme import STEP, Theme, mix
from napari_cellsci.panels.train.charts import Chart, Drawn, smoothed
from napari_cellsci.project.run_log import Change

HEIGHT = 190
_SMOOTH = 15
_MANY = 4
"""Thin lines beyond this number share one entry in the key."""


class ChartView(QWidget):
    """A plot with its key above and, below, what good looks like.

    Drag to move, wheel to zoom, double click to see everything. While the mouse is on
    the plot the line below tells the values there.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._chart: Chart | None = None
        self._curves: list[Drawn] = []
        self._changes: Sequence[Change] = ()
        self._stages: Sequence[float] = ()
        self._items: list[pg.PlotDataItem] = []
        self._marks: list[pg.GraphicsObject] = []
        self._key = WrapLabel()
        self._key.setTextFormat(Qt.TextFormat.RichText)
        self.hint = WrapLabel(name="muted")
        self._build_plot()
        self._build_tools()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(STEP)
        foot = QHBoxLayout()
        foot.setSpacing(STEP)
        foot.addWidget(self.hint, 1)
        foot.addWidget(self.log_button, 0, Qt.AlignmentFlag.AlignTop)
        foot.addWidget(self.fit_button, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self._key)
        layout.addWidget(self.plot, 1)
        layout.addLayout(foot)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.set_theme(theme)

    def sizeHint(self) -> QSize:
        """Return a usual size."""
        return QSize(320, HEIGHT + 60)

    def _build_plot(self) -> None:
        self.plot = pg.PlotWidget(enableMenu=False)
        self.plot.hideButtons()
        # pyqtgraph makes its menu without a parent: it would outlive the window.
        menu = self.plot.getPlotItem().ctrlMenu
        menu.setParent(self.plot)
        menu.hide()
        for name in ("left", "bottom"):
            self.plot.getAxis(name).enableAutoSIPrefix(False)
        self.plot.setFixedHeight(HEIGHT)
        self.plot.setMinimumWidth(1)
        self.plot.setAccessibleName("Curves of the run")
        self.plot.viewport().installEventFilter(self)
        self.plot.viewport().setMouseTracking(True)
        self._cursor = pg.InfiniteLine(0, angle=90)
        self._cursor.setVisible(False)
        self.plot.addItem(self._cursor, ignoreBounds=True)
        self.plot.scene().sigMouseClicked.connect(self._on_click)

    def _build_tools(self) -> None:
        self.log_button = plain_button("log", "Logarithmic vertical axis")
        self.log_button.setCheckable(True)
        self.log_button.toggled.connect(self._on_log)
        self.fit_button = IconButton("fit", "See the whole curves (double click)")
        self.fit_button.clicked.connect(self.fit)

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        self.plot.setBackground(None)
        for name in ("left", "bottom"):
            axis = self.plot.getAxis(name)
            axis.setPen(pg.mkPen(theme.line))
            axis.setTextPen(pg.mkPen(theme.muted))
            axis.setStyle(tickLength=-4, tickTextOffset=3)
        self._cursor.setPen(pg.mkPen(theme.accent, width=1))
        self.fit_button.set_color(theme.text)
        self._show_again()

    def _show_again(self) -> None:
        if self._chart is not None:
            self.show_chart(self._chart, self._curves, self._changes, self._stages)

    def show_chart(
        self,
        chart: Chart,
        curves: Sequence[Drawn],
        changes: Sequence[Change] = (),
        stages: Sequence[float] = (),
    ) -> None:
        """Show the curves of a chart; the view stays where the user has put it."""
        fresh = self._chart is None or self._chart.key != chart.key
        self._chart, self._curves = chart, list(curves)
        self._changes = changes if chart.changes else ()
        self._stages = stages
        if fresh:
            self.log_button.blockSignals(True)
            self.log_button.setChecked(chart.log)
            self.log_button.blockSignals(False)
        known = any(len(curve.x) for curve in curves)
        self.plot.setLogMode(y=known and self.log_button.isChecked())
        self.plot.setLabel("left", chart.unit, color=self._theme.muted)
        self._draw()
        self._show_key()
        self.hint.setText(chart.good if curves else f"{chart.good} (No values yet.)")
        if fresh:
            self.fit()

    def _draw(self) -> None:
        while len(self._items) < len(self._curves):
            item = pg.PlotDataItem(connect="finite")
            self.plot.addItem(item)
            self._items.append(item)
        for item, curve in zip(self._items, self._curves, strict=False):
            color = QColor(self.ink(curve.color))
            color.setAlpha(255 if curve.main else 110)
            item.setPen(pg.mkPen(color, width=2 if curve.main else 1))
            item.setZValue(2 if curve.main else 1)
            # A curve of one value is a dot.
            single = len(curve.x) == 1
            item.setSymbol("o" if single else None)
            item.setSymbolBrush(color)
            y = smoothed(curve.y, _SMOOTH) if not curve.main else curve.y
            if self.log_button.isChecked():
                y = np.where(y > 0, y, np.nan)
            item.setData(curve.x, y)
        for item in self._items[len(self._curves) :]:
            item.setData([], [])
        for mark in self._marks:
            self.plot.removeItem(mark)
        self._marks = [self._stage_line(x) for x in self._stages]
        self._marks += self._change_marks()
        for mark in self._marks:
            self.plot.addItem(mark, ignoreBounds=True)

    def _stage_line(self, x: float) -> pg.InfiniteLine:
        pen = pg.mkPen(self._theme.muted, width=1, style=Qt.PenStyle.DashLine)
        return pg.InfiniteLine(x, angle=90, pen=pen)

    def _change_marks(self) -> list[pg.GraphicsObject]:
        """Return a mark for every time connections were dropped or grown."""
        if not self._changes or not self._curves:
            return []
        mean = self._curves[-1]
        marks: list[pg.GraphicsObject] = []
        for name, symbol, color in (
            ("dropped", "t", "#D55E00"),
            ("grown", "t1", "#009E73"),
        ):
            some = [c for c in self._changes if getattr(c, name) > 0]
            if some and len(mean.x):
                x = np.array([change.x for change in some])
                known = ~np.isnan(mean.y)
                y = np.interp(x, mean.x[known], mean.y[known])
                y = np.log10(np.maximum(y, 1e-9)) if self.log_button.isChecked() else y
                ink = pg.mkBrush(self.ink(color))
                marks.append(
                    pg.ScatterPlotItem(x, y, symbol=symbol, size=6, brush=ink, pen=None)
                )
        return marks

    def ink(self, color: str) -> str:
        """Return a colour that can be seen on the theme's background."""
        towards = "#FFFFFF" if self._theme.dark else "#000000"
        if not self._theme.dark and color in ("#F0E442", "#56B4E9", "#E69F00"):
            return mix(color, towards, 0.35)
        return mix(color, towards, 0.3 if self._theme.dark else 0.0)

    def _show_key(self) -> None:
        thin = [curve for curve in self._curves if not curve.main]
        shown = [curve for curve in self._curves if curve.main]
        if len(thin) <= _MANY:
            shown += thin
        parts = [
            f'<span style="color:{self.ink(curve.color)}">━</span>&nbsp;'
            f"{_whole(curve.title)}{_last(curve)}"
            for curve in shown
        ]
        if len(thin) > _MANY:
            color = self.ink(thin[0].color)
            parts.append(
                f'<span style="color:{color}">─</span>&nbsp;{len(thin)}&nbsp;models'
            )
        self._key.setText(" &ensp;".join(parts))

    def fit(self) -> None:
        """Show the whole curves."""
        self.plot.getPlotItem().enableAutoRange()

    def _on_log(self, on: bool) -> None:
        self._show_again()

    def _on_click(self, event: object) -> None:
        if getattr(event, "double", bool)():
            self.fit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Tell the values under the mouse."""
        if event.type() == QEvent.Type.MouseMove:
            self._tell_at(event.position())  # type: ignore[attr-defined]
        elif event.type() == QEvent.Type.Leave:
            self._cursor.setVisible(False)
            if self._chart is not None:
                self.hint.setText(self._chart.good)
        return bool(super().eventFilter(watched, event))

    def _tell_at(self, position: QPointF) -> None:
        box = self.plot.getPlotItem().vb
        x = box.mapSceneToView(self.plot.mapToScene(position.toPoint())).x()
        words = self.words_at(x)
        if words:
            self._cursor.setValue(x)
            self._cursor.setVisible(True)
            self.hint.setText(words)

    def words_at(self, x: float) -> str:
        """Return the values of all curves at the step nearest to `x`."""
        with_values = [curve for curve in self._curves if len(curve.x)]
        if not with_values:
            return ""
        nearest = min(
            (float(curve.x[np.abs(curve.x - x).argmin()]) for curve in with_values),
            key=lambda value: abs(value - x),
        )
        told = [curve for curve in with_values if curve.main]
        told += [c for c in with_values if not c.main][: _MANY if told else 10]
        values = [
            f"{curve.title} {curve.y[np.abs(curve.x - nearest).argmin()]:.3g}"
            for curve in told
        ]
        return f"Step {nearest:,.0f}: " + ", ".join(values)

    def legend_words(self) -> QLabel:
        """Return the key above the plot."""
        return self._key


def _whole(title: str) -> str:
    """Return a title that is not broken in the middle, for rich text."""
    return escape(title).replace(" ", "&nbsp;").replace("-", "&#8209;")


def _last(curve: Drawn) -> str:
    known = curve.y[~np.isnan(curve.y)]
    return f"&nbsp;<b>{known[-1]:.3g}</b>" if len(known) else ""
