"""Pictures of a cell with words below them, as many in a row as there is room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QImage, QPainter, QPaintEvent, QResizeEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_cellsci.panels._pictures import to_image, to_pixels
from napari_cellsci.panels._theme import RADIUS, Theme, readable

_GAP, _LEAST, _MOST, _LINE = 6, 74, 132, 14


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: its image, a title, and two lines below, the first coloured."""

    image: QImage
    title: str
    first: str = ""
    color: str = ""
    second: str = ""


def grey_image(pixels: NDArray[np.float32], like: NDArray[np.float32]) -> QImage:
    """Return a crop (C, S, S) with the contrast that another one has."""
    low = np.percentile(like, 0.5, axis=(1, 2))
    high = np.maximum(np.percentile(like, 99.7, axis=(1, 2)), low + 1e-6)
    limits = np.stack([low, high], axis=1).astype(np.float32)
    return to_image(to_pixels(pixels[None], limits)[0])


def diverging_image(change: NDArray[np.float32], most: float) -> QImage:
    """Return a change (C, S, S), magenta where darker and green where brighter."""
    value = np.clip(change.mean(0) / max(most, 1e-9), -1, 1)[..., None]
    low, middle, high = (
        np.array(c, np.float32)
        for c in ((197, 27, 125), (247, 247, 247), (77, 146, 33))
    )
    mixed = np.where(
        value < 0, middle + (middle - low) * value, middle + (high - middle) * value
    )
    return to_image(mixed.clip(0, 255).astype(np.uint8))


class PictureRow(QWidget):
    """Pictures in rows, each with its title and what is said of it."""

    def __init__(self, theme: Theme, lines: int = 3) -> None:
        super().__init__()
        self._theme, self._lines = theme, lines
        self._shots: Sequence[Shot] = ()
        policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    @property
    def shots(self) -> Sequence[Shot]:
        """What is shown."""
        return self._shots

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        self.update()

    def show_shots(self, shots: Sequence[Shot]) -> None:
        """Show pictures."""
        many = len(shots) != len(self._shots)
        self._shots = shots
        if many:
            self.updateGeometry()
        self.setAccessibleDescription(
            "; ".join(f"{one.title}: {one.first} {one.second}" for one in shots)
        )
        self.update()

    def _grid(self, width: int) -> tuple[int, float]:
        """Return columns and edge of a picture."""
        n = max(len(self._shots), 1)
        columns = max(min(n, (width + _GAP) // (_LEAST + _GAP)), 1)
        rows = -(-n // columns)
        columns = -(-n // rows)  # as even as it goes
        edge = (width - _GAP * (columns - 1)) / columns
        return columns, min(edge, _MOST)

    def heightForWidth(self, width: int) -> int:
        """Return the height of all rows."""
        if not self._shots:
            return 1
        columns, edge = self._grid(width)
        rows = -(-len(self._shots) // columns)
        return round(rows * (edge + self._lines * _LINE + _GAP))

    def hasHeightForWidth(self) -> bool:
        """Say that the height follows the width."""
        return True

    def sizeHint(self) -> QSize:
        """Return the size at the present width."""
        return QSize(240, self.heightForWidth(max(self.width(), 120)))

    def minimumSizeHint(self) -> QSize:
        """Return the height at the present width; the width is free."""
        return QSize(1, self.heightForWidth(max(self.width(), 120)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Follow the width with the height."""
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self.updateGeometry()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint titles, pictures and words."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = QFont(self.font())
        font.setPointSizeF(max(font.pointSizeF() * 0.82, 6.5))
        painter.setFont(font)
        columns, edge = self._grid(self.width())
        for i, shot in enumerate(self._shots):
            row, column = divmod(i, columns)
            left = column * (edge + _GAP)
            top = row * (edge + self._lines * _LINE + _GAP)
            self._paint(painter, shot, left, top, edge)

    def _paint(
        self, painter: QPainter, shot: Shot, left: float, top: float, edge: float
    ) -> None:
        flags = int((Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter).value)
        metrics = painter.fontMetrics()
        place = QRectF(left, top + _LINE, edge, edge)
        painter.drawImage(place, shot.image)
        painter.setPen(QColor(self._theme.line))
        painter.drawRoundedRect(place, RADIUS / 2, RADIUS / 2)
        below = top + _LINE + edge
        ink = readable(shot.color, self._theme) if shot.color else self._theme.text
        for words, color, y in (
            (shot.title, self._theme.muted, top),
            (shot.first, ink, below),
            (shot.second, self._theme.text, below + _LINE),
        ):
            painter.setPen(QColor(color))
            short = metrics.elidedText(words, Qt.TextElideMode.ElideRight, int(edge))
            painter.drawText(QRectF(left, y, edge + 2, _LINE), flags, short)
