"""A row of crops, painted as large as fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray
from qtpy.QtCore import QRectF, QSize, Qt, Signal
from qtpy.QtGui import (
    QColor,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QTextOption,
)
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_cellsci.panels._pictures import to_image, to_pixels

GAP = 3


class CropStrip(QWidget):
    """Crops in rows, each as large as the width allows, with optional coloured feet.

    Signals
    -------
    picked : int
        Position of the crop that was clicked.
    """

    picked = Signal(int)

    def __init__(self, columns: int = 6, rows: int = 2, edge: int = 72) -> None:
        super().__init__()
        self._columns, self._rows, self._edge = columns, rows, edge
        self._images: list[QImage] = []
        self._words = ""
        self._ink = QColor("#888888")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_crops(self, crops: NDArray[Any]) -> None:
        """Show crops (n, C, S, S), each in its own contrast, as models see them."""
        pixels = to_pixels(crops) if len(crops) else []
        self._images = [to_image(picture) for picture in pixels]
        self._words = ""
        self.update()

    def show_images(self, images: Sequence[QImage]) -> None:
        """Show pictures that are painted already; empty frames where there are none."""
        self._images, self._words = list(images), ""
        self.update()

    def say(self, words: str) -> None:
        """Show a sentence instead of crops."""
        self._images, self._words = [], words
        self.update()

    def set_ink(self, color: str) -> None:
        """Set the colour of the sentence and of empty places."""
        self._ink = QColor(color)
        self.update()

    @property
    def images(self) -> Sequence[QImage]:
        """The pictures that are shown."""
        return self._images

    def _side(self) -> float:
        wide = (self.width() - GAP * (self._columns - 1)) / self._columns
        return min(float(self._edge), wide)

    def heightForWidth(self, width: int) -> int:
        """Return the height of the rows at a width."""
        side = min(self._edge, (width - GAP * (self._columns - 1)) / self._columns)
        return round(self._rows * side + GAP * (self._rows - 1))

    def hasHeightForWidth(self) -> bool:
        """Say that the height follows the width."""
        return True

    def sizeHint(self) -> QSize:
        """Return the size at full thumbnails."""
        width = self._columns * self._edge + GAP * (self._columns - 1)
        return QSize(width, self.heightForWidth(self.width() or width))

    def minimumSizeHint(self) -> QSize:
        """Return the height at the present width; the width is free."""
        return QSize(1, self.heightForWidth(max(self.width(), 120)))

    def resizeEvent(self, event: Any) -> None:
        """Follow the width with the height."""
        super().resizeEvent(event)
        self.updateGeometry()

    def _place(self, i: int) -> QRectF:
        side = self._side()
        row, column = divmod(i, self._columns)
        return QRectF(column * (side + GAP), row * (side + GAP), side, side)

    def _places(self) -> list[QRectF]:
        return [self._place(i) for i in range(self._columns * self._rows)]

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the crops, or the sentence within empty frames."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._images:
            for i, image in enumerate(self._images[: self._columns * self._rows]):
                painter.drawImage(self._place(i), image)
            return
        faint = QColor(self._ink)
        faint.setAlpha(60)
        painter.setPen(QPen(faint, 1))
        # One frame around the sentence, or an empty frame for every crop to come.
        frames = [QRectF(self.rect())] if self._words else self._places()
        for frame in frames:
            painter.drawRoundedRect(frame.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
        painter.setPen(self._ink)
        place = QRectF(self.rect().adjusted(8, 0, -8, 0))
        painter.drawText(place, self._words, QTextOption(Qt.AlignmentFlag.AlignCenter))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Tell which crop was clicked."""
        for i in range(len(self._images)):
            if self._place(i).contains(event.position()):
                self.picked.emit(i)
                return
