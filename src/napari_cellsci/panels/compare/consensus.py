"""How often each latent is read by the sparse models."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_cellsci.figures.comparison import shade
from napari_cellsci.panels._theme import Theme

MOST = 10
_BAR, _GAP, _NUMBER = 9, 6, 38
Item = tuple[str, list[tuple[int, float]]]


class ConsensusBars(QWidget):
    """A line for every latent, a bar for every classifier that reads it."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._items: list[Item] = []
        self._left = 0
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Consensus")

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        self.update()

    def show_items(self, items: Sequence[Item]) -> None:
        """Show other latents; the most read come first."""
        self._items = list(items[:MOST])
        self._left = len(items) - len(self._items)
        height = sum(self._height(item) for item in self._items)
        self.setFixedHeight(max(height + (18 if self._left else 0), 1))
        self.setAccessibleDescription(
            "; ".join(f"{name} {max(s for _, s in bars):.0%}" for name, bars in items)
        )
        self.update()

    @property
    def items(self) -> list[Item]:
        """What is shown."""
        return self._items

    def sizeHint(self) -> QSize:
        """Return the height of all lines."""
        return QSize(240, self.height())

    def _height(self, item: Item) -> int:
        return max(len(item[1]) * (_BAR + 2), 14) + _GAP

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the lines."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics = painter.fontMetrics()
        widths = [metrics.horizontalAdvance(name) for name, _ in self._items]
        label = min(max(widths, default=0) + 8, int(self.width() * 0.52))
        side = Qt.AlignmentFlag
        top = 0.0
        for name, bars in self._items:
            height = self._height((name, bars))
            painter.setPen(QColor(self._theme.text))
            place = QRectF(4, top, label - 4, height - _GAP)
            words = metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, label - 8)
            left = int((side.AlignLeft | side.AlignVCenter).value)
            painter.drawText(place, left, words)
            self._paint_bars(painter, bars, QRectF(label, top, 0, height - _GAP))
            top += height
        if self._left:
            painter.setPen(QColor(self._theme.muted))
            rest = f"and {self._left} more"
            painter.drawText(QRectF(4, top, self.width(), 16), 0, rest)

    def _paint_bars(
        self, painter: QPainter, bars: list[tuple[int, float]], place: QRectF
    ) -> None:
        width = self.width() - place.left() - _NUMBER - 4
        y = place.top() + (place.height() - len(bars) * (_BAR + 2) + 2) / 2
        side = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        usual = painter.font()
        small = QFont(usual)
        small.setPointSizeF(max(usual.pointSizeF() * 0.8, 6.5))
        painter.setFont(small)
        for number, share in bars:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(self._theme.line))
            full = QRectF(place.left(), y, width, _BAR)
            painter.drawRoundedRect(full, 2, 2)
            painter.setBrush(QColor(shade(number)))
            painter.drawRoundedRect(QRectF(full.left(), y, width * share, _BAR), 2, 2)
            painter.setPen(QColor(self._theme.muted))
            words = QRectF(full.right() + 4, y - 3, _NUMBER, _BAR + 6)
            painter.drawText(words, int(side.value), f"{share:.0%}")
            y += _BAR + 2
        painter.setFont(usual)
