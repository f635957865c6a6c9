"""The history of a network's connections: play it, or drag along it."""

from __future__ import annotations

import numpy as np
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QHBoxLayout, QSizePolicy, QSlider, QVBoxLayout, QWidget

from napari_cellsci.heads.history import Film
from napari_cellsci.panels._icons import IconButton
from napari_cellsci.panels._parts import WrapLabel, whole_number
from napari_cellsci.panels._theme import STEP, Theme

FRAME_MS = 90
_HEIGHT = 46


class HistoryPlot(QWidget):
    """Active weights and accuracy over the updates; click or drag to choose one.

    Signals
    -------
    asked : int
        The update under the mouse.
    """

    asked = Signal(int)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._weights = np.empty(0)
        self._accuracy = np.empty(0)
        self._now = 0
        self.setFixedHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        self.update()

    def show_film(self, film: Film) -> None:
        """Draw another history."""
        self._weights = film.masks.sum(1).astype(float)
        self._accuracy = film.accuracy
        self.update()

    def show_now(self, now: int) -> None:
        """Move the mark."""
        self._now = now
        self.update()

    def _x(self, place: float) -> float:
        n = max(len(self._weights) - 1, 1)
        return 4 + place / n * (self.width() - 8)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint both curves and the mark."""
        if not len(self._weights):
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        log = np.log(np.maximum(self._weights, 1))
        self._paint_line(
            painter, log, self._theme.muted, Qt.PenStyle.SolidLine, step=True
        )
        if np.isfinite(self._accuracy).any():
            self._paint_line(
                painter, self._accuracy, "#009E73", Qt.PenStyle.SolidLine, step=False
            )
        x = self._x(self._now)
        painter.setPen(QPen(QColor(self._theme.accent), 2))
        painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))
        self._paint_legend(painter)

    def _paint_line(
        self,
        painter: QPainter,
        values: np.ndarray,
        color: str,
        style: Qt.PenStyle,
        *,
        step: bool,
    ) -> None:
        known = np.isfinite(values)
        low, high = float(values[known].min()), float(values[known].max())
        span = (high - low) or 1.0
        points: list[QPointF] = []
        for place in np.flatnonzero(known).tolist():
            y = self.height() - 4 - (values[place] - low) / span * (self.height() - 20)
            if step and points:
                points.append(QPointF(self._x(place), points[-1].y()))
            points.append(QPointF(self._x(place), float(y)))
        painter.setPen(QPen(QColor(color), 1.6, style))
        painter.drawPolyline(QPolygonF(points))

    def _paint_legend(self, painter: QPainter) -> None:
        font = painter.font()
        font.setPointSizeF(7)
        painter.setFont(font)
        right = int(Qt.AlignmentFlag.AlignRight.value)
        place = QRectF(0, 0, self.width() - 4, 14)
        painter.setPen(QColor(self._theme.muted))
        painter.drawText(place, right, "━ weights (log)")
        if np.isfinite(self._accuracy).any():
            painter.setPen(QColor("#009E73"))
            painter.drawText(place.adjusted(0, 0, -84, 0), right, "━ accuracy")

    def _ask(self, event: QMouseEvent) -> None:
        n = len(self._weights)
        if n:
            part = (event.position().x() - 4) / max(self.width() - 8, 1)
            self.asked.emit(int(np.clip(round(part * (n - 1)), 0, n - 1)))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose an update."""
        self._ask(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Choose an update while dragging."""
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._ask(event)


class HistoryBar(QWidget):
    """Play and pause, a slider, the two curves, and what is seen in words.

    Signals
    -------
    moved : int
        Another frame is to be shown; the last one is the network as it is.
    """

    moved = Signal(int)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._film: Film | None = None
        self._inputs = 0
        self.plot = HistoryPlot(theme)
        self.play = IconButton("play", "Play how the connections came and went")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setMinimumWidth(40)
        self.slider.setToolTip(
            "Updates of the connections, from the dense beginning to the final network"
        )
        self.words = WrapLabel(name="muted")
        self._timer = QTimer(self)
        self._timer.setInterval(FRAME_MS)
        self._timer.timeout.connect(self._advance)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(STEP)
        row.addWidget(self.play)
        row.addWidget(self.slider, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(STEP)
        layout.addWidget(self.plot)
        layout.addLayout(row)
        layout.addWidget(self.words)
        self.play.clicked.connect(self.toggle)
        self.slider.valueChanged.connect(self._on_value)
        self.plot.asked.connect(self._on_asked)
        self.set_theme(theme)

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self.play.set_color(theme.text)
        self.plot.set_theme(theme)

    def show_film(self, film: Film | None, inputs: int) -> None:
        """Take another history, and show its end.

        Parameters
        ----------
        film : Film or None
        inputs : int
            Inputs of the network, in use or not.
        """
        self.stop()
        self._film, self._inputs = film, inputs
        self.setVisible(film is not None)
        if film is None:
            return
        last = len(film.steps) - 1
        self.slider.blockSignals(True)
        self.slider.setRange(0, last)
        self.slider.setValue(last)
        self.slider.blockSignals(False)
        self.plot.show_film(film)
        self.plot.show_now(last)
        self.words.setText(self._in_words(last))

    @property
    def film(self) -> Film | None:
        """The history that is shown."""
        return self._film

    @property
    def playing(self) -> bool:
        """Whether it plays."""
        return self._timer.isActive()

    @property
    def at_end(self) -> bool:
        """Whether the final network is shown."""
        return self._film is None or self.slider.value() == self.slider.maximum()

    def toggle(self) -> None:
        """Play from here, or from the beginning if this is the end; or pause."""
        if self.playing:
            self.stop()
            return
        if self._film is None:
            return
        if self.at_end:
            self.slider.setValue(0)
        self.play.set_icon("pause")
        self._timer.start()

    def stop(self) -> None:
        """Pause."""
        self._timer.stop()
        self.play.set_icon("play")

    def _advance(self) -> None:
        if self.at_end or not self.isVisible():
            self.stop()
        else:
            self.slider.setValue(self.slider.value() + 1)

    def _on_asked(self, frame: int) -> None:
        self.stop()
        self.slider.setValue(frame)

    def _on_value(self, frame: int) -> None:
        self.plot.show_now(frame)
        self.words.setText(self._in_words(frame))
        self.moved.emit(frame)

    def _in_words(self, frame: int) -> str:
        film = self._film
        if film is None:
            return ""
        mask = film.masks[frame]
        last = len(film.steps) - 1
        what = {0: "Dense beginning", last: "Final network"}.get(
            frame, f"Update {frame} of {last}"
        )
        said = (
            f"{what}, step {whole_number(int(film.steps[frame]))}: "
            f"{whole_number(int(mask.sum()))} of {whole_number(mask.size)} weights"
        )
        accuracy = film.accuracy[frame]
        if np.isfinite(accuracy):
            said += f", accuracy {accuracy:.3f} on training cells"
        return f"{said}."

    def sizeHint(self) -> QSize:
        """Return a low, wide size."""
        return QSize(300, 90)
