"""Latents in writing: the name, and its symbol small beside it."""

from __future__ import annotations

from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QPainter

from napari_cellsci.panels.latents.service import Code

SMALL = 0.82
_GAP = 5


def name_of(code: Code, index: int) -> str:
    """Return a latent's name, "" if it has none."""
    return "" if code.atlas is None else code.atlas[index].name or ""


def draw_label(
    painter: QPainter,
    place: QRectF,
    name: str,
    symbol: str,
    ink: str,
    muted: str,
) -> float:
    """Write ``size`` and, small, ``z29``; the symbol alone if there is no name.

    Returns
    -------
    float
        Width that was taken (px).
    """
    font = QFont(painter.font())
    flags = int((Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter).value)
    painter.setPen(QColor(ink))
    if not name:
        painter.drawText(place, flags, symbol)
        return QFontMetricsF(font).horizontalAdvance(symbol)
    small = QFont(font)
    small.setPointSizeF(font.pointSizeF() * SMALL)
    beside = QFontMetricsF(small).horizontalAdvance(symbol) + _GAP
    metrics = QFontMetricsF(font)
    room = max(place.width() - beside, 8)
    words = metrics.elidedText(name, Qt.TextElideMode.ElideRight, room)
    painter.drawText(place, flags, words)
    wide = metrics.horizontalAdvance(words)
    painter.setFont(small)
    painter.setPen(QColor(muted))
    # Both stand on the same line.
    shift = (metrics.ascent() - metrics.descent()) / 2
    drop = (QFontMetricsF(small).ascent() - QFontMetricsF(small).descent()) / 2
    left = place.adjusted(wide + _GAP, shift - drop, 0, shift - drop)
    painter.drawText(left, flags, symbol)
    painter.setFont(font)
    return wide + beside
