"""How one latent is painted: name, category, activity, strip with slider, effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from qtpy.QtCore import QEvent, QModelIndex, QPointF, QRect, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QHelpEvent, QImage, QPainter, QPen
from qtpy.QtWidgets import (
    QLineEdit,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolTip,
    QWidget,
)

from napari_cellsci.panels._icons import icon
from napari_cellsci.panels._theme import STEP, Theme, mix
from napari_cellsci.panels.latents import words
from napari_cellsci.panels.latents.desk import REACH, Desk
from napari_cellsci.panels.latents.model import FOLD, LatentsModel
from napari_cellsci.panels.latents.naming import draw_label, name_of
from napari_cellsci.representation.atlas import LatentInfo
from napari_cellsci.representation.traversals import STEPS

GAP, LINE, SLIDER, ACCEPT = 2, 20, 12, 16
"""Gap between pictures; heights of the words, of the slider, of the button (px)."""
APART = 8
"""Between the strip and the effect map."""
BAR = 44
CHIP, DOT = 104.0, 14.0
"""Widths (px) of the category in words, and of its dot where the name takes all."""
LARGEST = 64
"""Largest edge of the pictures (px)."""
CATEGORY_COLORS = {
    "morphology": "#009E73",
    "position": "#56B4E9",
    "neighbourhood": "#E69F00",
    "inactive": "#8C8C8C",
}


@dataclass(frozen=True, slots=True)
class Zones:
    """Where the parts of a row are."""

    name: QRectF
    accept: QRectF
    chip: QRectF
    bar: QRectF
    strip: QRectF
    slider: QRectF
    effect: QRectF
    reach: float = REACH

    @property
    def edge(self) -> float:
        """Edge of a picture."""
        return self.effect.width()

    def picture(self, step: int) -> QRectF:
        """Return where a picture of the strip is."""
        left = self.strip.left() + step * (self.edge + GAP)
        return QRectF(left, self.strip.top(), self.edge, self.edge)

    def x_of(self, value: float) -> float:
        """Return where a value of the latent is on the slider."""
        pitch = self.edge + GAP
        per_unit = pitch * (STEPS - 1) / (2 * self.reach)
        return self.strip.left() + self.edge / 2 + (value + self.reach) * per_unit

    def value_at(self, x: float) -> float:
        """Return the value at a place of the slider, within its ends."""
        first, last = self.x_of(-self.reach), self.x_of(self.reach)
        part = (x - first) / max(last - first, 1e-6)
        return (2 * float(np.clip(part, 0, 1)) - 1) * self.reach


def edge_for(width: int) -> float:
    """Return the edge of the pictures in a row of some width."""
    room = width - 2 * STEP - APART - (STEPS - 1) * GAP
    return float(min(max(room // (STEPS + 1), 12), LARGEST))


def zones_of(rect: QRect, name_width: float, reach: float = REACH) -> Zones:
    """Return where the parts of a row are."""
    edge, left, top = edge_for(rect.width()), rect.left() + STEP, rect.top() + STEP
    right = rect.right() - STEP
    bar = QRectF(right - BAR, top + 4, BAR, LINE - 8)
    beside = bar.left() - STEP - left - ACCEPT - STEP
    chip = CHIP if name_width + CHIP <= beside else DOT
    category = QRectF(bar.left() - STEP - chip, top, chip, LINE)
    room = beside - chip
    name = QRectF(left, top, max(min(name_width, room), 24), LINE)
    accept = QRectF(name.right() + STEP, top + 2, ACCEPT, ACCEPT)
    y = top + LINE
    strip = QRectF(left, y, STEPS * edge + (STEPS - 1) * GAP, edge)
    slider = QRectF(left, y + edge, strip.width(), SLIDER)
    effect = QRectF(strip.right() + APART, y, edge, edge)
    return Zones(name, accept, category, bar, strip, slider, effect, reach)


class LatentDelegate(QStyledItemDelegate):
    """Paints latents; pictures come from two dictionaries by latent.

    Parameters
    ----------
    model : LatentsModel
    desk : Desk
    """

    def __init__(self, model: LatentsModel, desk: Desk) -> None:
        super().__init__()
        self._model, self._desk = model, desk
        self.theme: Theme | None = None
        self.strips: dict[int, list[QImage]] = {}
        self.effects: dict[int, QImage] = {}
        self.most_active = 1.0

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """Return the size of a row."""
        width = option.widget.viewport().width() if option.widget else 320
        if self._latent(index) == FOLD:
            return QSize(width, LINE + 2 * STEP)
        height = LINE + edge_for(width) + SLIDER + 2 * STEP
        return QSize(width, round(height))

    def _latent(self, index: QModelIndex) -> int:
        return self._model.latents[index.row()]

    def zones(self, rect: QRect, index: QModelIndex) -> Zones:
        """Return where the parts of a row are."""
        return zones_of(rect, self._name_width(index), self._desk.reach)

    def _name_width(self, index: QModelIndex) -> float:
        from qtpy.QtGui import QFontMetricsF
        from qtpy.QtWidgets import QApplication

        latent, code = self._latent(index), self._model.code
        name = "" if code is None or latent == FOLD else self._shown_name(latent)
        metrics = QFontMetricsF(QApplication.font())
        return metrics.horizontalAdvance(f"{name} z{latent}") * 1.12 + 2

    def _shown_name(self, latent: int) -> str:
        """Return the name, or in its place what it might be called."""
        code = self._model.code
        if code is None:
            return ""
        found = name_of(code, latent)
        if found or code.atlas is None:
            return found
        waiting = code.atlas.proposals.get(latent)
        return f"{waiting}?" if waiting else ""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Paint one latent, or the row that folds the inactive ones."""
        theme, code = self.theme, self._model.code
        if theme is None or code is None:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        latent = self._latent(index)
        state = QStyle.StateFlag
        if option.state & (state.State_Selected | state.State_HasFocus):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(mix(theme.card, theme.background, 0.35)))
            painter.drawRoundedRect(option.rect.adjusted(0, 1, 0, -1), STEP, STEP)
        if latent == FOLD:
            painter.setPen(QColor(theme.muted))
            place = option.rect.adjusted(STEP, 0, 0, 0)
            flags = int(Qt.AlignmentFlag.AlignVCenter.value)
            painter.drawText(place, flags, self._model.fold_words())
        else:
            zones = self.zones(option.rect, index)
            self._paint_words(painter, zones, latent, theme)
            self._paint_pictures(painter, zones, latent, theme)
            self._paint_slider(painter, zones, latent, theme)
        painter.restore()

    def _paint_words(
        self, painter: QPainter, zones: Zones, latent: int, theme: Theme
    ) -> None:
        code, index = self._model.code, self._index(latent)
        info, waiting = self._model.info(index), self._model.waiting(index)
        assert code is not None
        active = code.is_active(latent)
        certain = bool(name_of(code, latent))
        ink = theme.text if active and certain else theme.muted
        usual = QFont(painter.font())
        if not certain and waiting:
            slanted = QFont(usual)
            slanted.setItalic(True)
            painter.setFont(slanted)
        name = self._shown_name(latent)
        ink = ink if name else theme.text
        draw_label(painter, zones.name, name, f"z{latent}", ink, theme.muted)
        painter.setFont(usual)
        if info is None:
            return
        if waiting:
            icon("accept", theme.muted).paint(painter, zones.accept.toRect())
        self._paint_chip(painter, zones, info, theme)
        self._paint_activity(painter, zones, info, theme)

    def _index(self, latent: int) -> QModelIndex:
        return self._model.index(self._model.latents.index(latent), 0)

    def _paint_chip(
        self, painter: QPainter, zones: Zones, info: LatentInfo, theme: Theme
    ) -> None:
        chip, metrics = zones.chip, painter.fontMetrics()
        word = info.category if chip.width() > DOT else ""
        wide = metrics.horizontalAdvance(word)
        left = chip.right() - wide - 12
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(CATEGORY_COLORS[info.category]))
        painter.drawEllipse(QPointF(left + 4, chip.center().y()), 3.5, 3.5)
        painter.setPen(QColor(theme.muted))
        place = QRectF(left + 12, chip.top(), wide + 4, chip.height())
        painter.drawText(place, int(Qt.AlignmentFlag.AlignVCenter.value), word)

    def _paint_activity(
        self, painter: QPainter, zones: Zones, info: LatentInfo, theme: Theme
    ) -> None:
        """Draw two bars: information above, variance below."""
        painter.setPen(Qt.PenStyle.NoPen)
        half = zones.bar.height() / 2
        parts = (info.kl / max(self.most_active, 1e-9), min(info.variance, 1.0))
        for i, (part, color) in enumerate(
            zip(parts, (theme.accent, theme.muted), strict=True)
        ):
            track = QRectF(
                zones.bar.left(),
                zones.bar.top() + i * half + 1,
                zones.bar.width(),
                half - 2,
            )
            painter.setBrush(QColor(theme.line))
            painter.drawRoundedRect(track, 1.5, 1.5)
            track.setWidth(max(track.width() * min(max(part, 0), 1), 1.5))
            painter.setBrush(QColor(color))
            painter.drawRoundedRect(track, 1.5, 1.5)

    def _paint_pictures(
        self, painter: QPainter, zones: Zones, latent: int, theme: Theme
    ) -> None:
        strip, effect = self.strips.get(latent), self.effects.get(latent)
        for step in range(STEPS):
            place = zones.picture(step)
            if strip is None:
                _paint_empty(painter, place, theme)
            else:
                painter.drawImage(place, strip[step])
        if effect is None:
            _paint_empty(painter, zones.effect, theme)
        else:
            painter.drawImage(zones.effect, effect)

    def _paint_slider(
        self, painter: QPainter, zones: Zones, latent: int, theme: Theme
    ) -> None:
        desk = self._desk
        if latent >= len(desk.z):
            return
        y = zones.slider.center().y() + 1
        reach = zones.reach
        left, right = zones.x_of(-reach), zones.x_of(reach)
        painter.setPen(QPen(QColor(theme.line), 2))
        painter.drawLine(QPointF(left, y), QPointF(right, y))
        base = zones.x_of(float(np.clip(desk.base[latent], -reach, reach)))
        value = zones.x_of(float(np.clip(desk.z[latent], -reach, reach)))
        moved = abs(value - base) > 0.5
        painter.setPen(QPen(QColor(theme.muted), 1.5))
        painter.drawLine(QPointF(base, y - 4), QPointF(base, y + 4))
        if moved:
            painter.setPen(QPen(QColor(theme.accent), 2))
            painter.drawLine(QPointF(base, y), QPointF(value, y))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.accent if moved else theme.muted))
        painter.drawEllipse(QPointF(value, y), 4.5, 4.5)

    def createEditor(
        self, parent: QWidget, option: QStyleOptionViewItem, index: QModelIndex
    ) -> QWidget:
        """Return a line in which the name is changed."""
        line = QLineEdit(parent)
        line.setPlaceholderText("no name")
        return line

    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        """Put the line where the name is."""
        zones = self.zones(option.rect, index)
        place = zones.name.toRect().adjusted(-STEP, -3, 0, 3)
        place.setRight(int(zones.chip.left()))
        editor.setGeometry(place)

    def helpEvent(
        self,
        event: QHelpEvent,
        view: Any,
        option: QStyleOptionViewItem,
        index: QModelIndex,
    ) -> bool:
        """Explain the part of the row under the mouse."""
        if event.type() != QEvent.Type.ToolTip or not index.isValid():
            return False
        QToolTip.showText(event.globalPos(), self.tip(index, option.rect, event.pos()))
        return True

    def tip(self, index: QModelIndex, rect: QRect, at: Any) -> str:
        """Return what the part of a row at a place means."""
        latent, info = self._latent(index), self._model.info(index)
        if latent == FOLD:
            return "Latents that are the same for all cells; the encoder left them free"
        zones, point = self.zones(rect, index), QPointF(at)
        if zones.strip.contains(point) or zones.slider.contains(point):
            low, high = ("−", "+")
            if self._model.code is not None and self._model.code.atlas is not None:
                low, high = self._model.code.atlas.low_high(latent)
            return (
                f"What changes from −3 ({low}) to +3 ({high}), all else staying. "
                "Drag to change the cell above; a double click takes it back"
            )
        if zones.effect.contains(point):
            return "Where the picture changes with this latent: bright is much"
        if info is None:
            return ""
        if zones.chip.contains(point):
            return f"{info.category}: {words.CATEGORY_TIPS[info.category]}"
        if zones.bar.adjusted(-2, -4, 2, 4).contains(point):
            return words.activity(info)
        return words.describe(info, self._model.waiting(index))


def _paint_empty(painter: QPainter, place: QRectF, theme: Theme) -> None:
    painter.setPen(QPen(QColor(theme.line), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(place.adjusted(0.5, 0.5, -0.5, -0.5))
