"""The trials of a search: accuracy against weights, and the front nothing beats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QEvent, QObject, QPointF, QSize
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_cellsci.panels._parts import WrapLabel
from napari_cellsci.panels._theme import STEP, Theme, mix
from napari_cellsci.panels.train.chart_view import HEIGHT
from napari_cellsci.panels.train.charts import BLUE, VERMILION, Chart, front

_NEAR = 14.0


class CloudView(QWidget):
    """Trials as points; those stopped early are hollow, the newest is the brightest."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._chart: Chart | None = None
        self._trials: Sequence[dict[str, Any]] = ()
        self.plot = pg.PlotWidget(enableMenu=False)
        self.plot.hideButtons()
        menu = self.plot.getPlotItem().ctrlMenu
        menu.setParent(self.plot)
        menu.hide()
        for name in ("left", "bottom"):
            self.plot.getAxis(name).enableAutoSIPrefix(False)
        self.plot.setFixedHeight(HEIGHT + 30)
        self.plot.setMinimumWidth(1)
        self.plot.setAccessibleName("Trials of the search")
        self.plot.viewport().installEventFilter(self)
        self.plot.viewport().setMouseTracking(True)
        self._front = pg.PlotDataItem()
        self._points = pg.ScatterPlotItem(size=7)
        self.plot.addItem(self._front)
        self.plot.addItem(self._points)
        self.hint = WrapLabel(name="muted")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(STEP)
        layout.addWidget(self.plot, 1)
        layout.addWidget(self.hint)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.set_theme(theme)

    def sizeHint(self) -> QSize:
        """Return a usual size."""
        return QSize(320, HEIGHT + 40)

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        self.plot.setBackground(None)
        for name, words in (
            ("left", "balanced accuracy"),
            ("bottom", "active weights"),
        ):
            axis = self.plot.getAxis(name)
            axis.setPen(pg.mkPen(theme.line))
            axis.setTextPen(pg.mkPen(theme.muted))
            axis.setStyle(tickLength=-4, tickTextOffset=3)
            self.plot.setLabel(name, words, color=theme.muted)
        # By itself the axis is too low for the letters that reach below the line.
        self.plot.getAxis("bottom").setHeight(2 * self.fontMetrics().height() + STEP)
        self._front.setPen(pg.mkPen(self._ink(VERMILION), width=2))
        if self._chart is not None:
            self.show_trials(self._chart, self._trials)

    def _ink(self, color: str) -> str:
        return mix(color, "#FFFFFF", 0.3) if self._theme.dark else color

    def show_trials(self, chart: Chart, trials: Sequence[dict[str, Any]]) -> None:
        """Show the trials so far."""
        self._chart, self._trials = chart, trials
        best = front(trials)
        edge = np.array([[t["weights"], t["accuracy"]] for t in best]).reshape(-1, 2)
        self._front.setData(edge[:, 0], edge[:, 1])
        n, spots = len(trials), []
        for place, trial in enumerate(trials):
            age = 0.65 * (1 - (place + 1) / n)
            color = mix(self._ink(BLUE), self._theme.background, age)
            hollow = bool(trial.get("stopped"))
            spots.append(
                {
                    "pos": (trial["weights"], trial["accuracy"]),
                    "brush": None if hollow else pg.mkBrush(color),
                    "pen": pg.mkPen(color) if hollow else None,
                }
            )
        self._points.setData(spots)
        self.hint.setText(chart.good if trials else f"{chart.good} (No trials yet.)")

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Tell of the trial under the mouse."""
        if event.type() == QEvent.Type.MouseMove:
            trial = self._at(event.position())  # type: ignore[attr-defined]
            if trial is not None:
                self.hint.setText(trial_words(trial))
        elif event.type() == QEvent.Type.Leave and self._chart is not None:
            self.hint.setText(self._chart.good)
        return bool(super().eventFilter(watched, event))

    def _at(self, position: QPointF) -> dict[str, Any] | None:
        box = self.plot.getPlotItem().vb
        best, least = None, _NEAR
        for trial in self._trials:
            scene = box.mapViewToScene(QPointF(trial["weights"], trial["accuracy"]))
            gap = QPointF(self.plot.mapFromScene(scene)) - position
            distance = float(np.hypot(gap.x(), gap.y()))
            if distance < least:
                best, least = trial, distance
        return best


def trial_words(trial: dict[str, Any]) -> str:
    """Say what a trial is and does."""
    shown = ("sparsity", "interval", "alpha", "l1_prox")
    settings = ", ".join(f"{k} {trial[k]:.3g}" for k in shown if k in trial)
    stopped = ", stopped early" if trial.get("stopped") else ""
    return (
        f"Trial {trial['number']}: {trial['accuracy']:.1%}, {trial['weights']:.1f} "
        f"weights ({settings}){stopped}."
    )
