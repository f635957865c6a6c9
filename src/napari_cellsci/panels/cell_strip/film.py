"""A film strip of the crops of one track, with the current frame marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QWheelEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

FOOT = 4
GAP = 3
LEAST = 84
"""Least height of the parts of the strip (px)."""


@dataclass(frozen=True, eq=False, slots=True)
class Frame:
    """One cell of the film: its row, picture, colour and time in words."""

    row: int
    image: QImage
    color: QColor
    words: str


def window_around(rows: NDArray[np.int64], current: int, room: int) -> slice:
    """Return which part of a track fits, with the current cell near the middle.

    Parameters
    ----------
    rows : array of int
        Rows of the track in the order of time.
    current : int
        Row of the current cell.
    room : int
        How many frames fit.
    """
    found = np.flatnonzero(rows == current)
    at = int(found[0]) if found.size else 0
    start = min(max(at - room // 2, 0), max(len(rows) - room, 0))
    return slice(start, min(start + room, len(rows)))


class FilmStrip(QWidget):
    """Crops side by side, each with a coloured foot and its time.

    Signals
    -------
    picked : int
        Row of the cell that was clicked.
    stepped : int
        Frames the wheel asks to move, forwards or backwards.
    """

    picked = Signal(int)
    stepped = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._frames: Sequence[Frame] = ()
        self._current = -1
        self._ink, self._accent = QColor("#999999"), QColor("#FFFFFF")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(120, LEAST)
        self.setToolTip("The cell's track; click a frame to go there")

    def sizeHint(self) -> QSize:
        """Return a usual size."""
        return QSize(420, 96)

    def set_colors(self, ink: str, accent: str) -> None:
        """Set the colours of words and of the current frame."""
        self._ink, self._accent = QColor(ink), QColor(accent)
        self.update()

    def room(self) -> int:
        """Return how many crops fit."""
        return max(1, int((self.width() + GAP) // (self._side() + GAP)))

    def show_frames(self, frames: Sequence[Frame], current: int) -> None:
        """Show crops; `current` is the row of the marked one."""
        self._frames, self._current = frames, current
        self.update()

    @property
    def rows(self) -> list[int]:
        """Rows of the cells shown."""
        return [frame.row for frame in self._frames]

    def _side(self) -> float:
        line = self.fontMetrics().height()
        return max(24.0, min(96.0, self.height() - line - FOOT - 6))

    def _place(self, i: int) -> QRectF:
        side = self._side()
        return QRectF(i * (side + GAP) + 2, 2, side, side)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the frames."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        here = next(
            (i for i, f in enumerate(self._frames) if f.row == self._current), 0
        )
        every = self._words_every()
        for i, frame in enumerate(self._frames):
            place = self._place(i)
            if frame.row == self._current:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(self._accent)
                painter.drawRoundedRect(place.adjusted(-2, -2, 2, FOOT + 3), 3, 3)
            painter.drawImage(place, frame.image)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(frame.color)
            foot = QRectF(place.left(), place.bottom() + 1, place.width(), FOOT)
            painter.drawRect(foot)
            if (i - here) % every == 0:
                self._paint_words(painter, foot, frame.words)

    def _words_every(self) -> int:
        """Return how many frames share one time, so that times do not overlap."""
        widest = max(
            (self.fontMetrics().horizontalAdvance(f.words) for f in self._frames),
            default=0,
        )
        return 1 + int((widest + 2) // (self._side() + GAP))

    def _paint_words(self, painter: QPainter, foot: QRectF, words: str) -> None:
        line = self.fontMetrics().height()
        wide = self.fontMetrics().horizontalAdvance(words) + 4
        left = foot.center().x() - wide / 2
        left = min(max(left, 0), self.width() - wide)
        place = QRectF(left, foot.bottom() + 2, wide, line)
        painter.setPen(self._ink)
        painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter.value), words)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Pick the frame under the mouse."""
        for i, frame in enumerate(self._frames):
            if self._place(i).adjusted(0, 0, 0, 20).contains(event.position()):
                self.picked.emit(frame.row)
                return

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Step through the track."""
        delta = event.angleDelta().y() or event.angleDelta().x()
        if delta:
            self.stepped.emit(-1 if delta > 0 else 1)
        event.accept()
