"""The key of the map: what its colours and shapes mean, in one line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QPointF, QRect, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_cellsci.panels.score.legend import draw_sign, gradient
from napari_cellsci.viewer import map_colors, painted
from napari_cellsci.viewer.colors import ScoreScale
from napari_cellsci.viewer.map_colors import VIRIDIS, MapColor

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session

BAR, SIGN = 10, 11


@dataclass(frozen=True, slots=True)
class KeyState:
    """What the key explains.

    Parameters
    ----------
    ends : tuple of str
        Words at both ends of a colour bar; "" where there is none.
    scale : ScoreScale, optional
        Colours of a bar of scores; without it the bar runs through time.
    palette : mapping of str to str
        Colours by class name, where there is no bar; under a bar the classes beside the
        two at its ends, whose shapes alone are meant.
    shapes : mapping of str to str
        Sign of a class by its name.
    note : str
        A sentence instead.
    """

    ends: tuple[str, str] = ("", "")
    scale: ScoreScale | None = None
    palette: Mapping[str, str] = field(default_factory=dict)
    shapes: Mapping[str, str] = field(default_factory=dict)
    note: str = ""


class ColorKey(QWidget):
    """A colour bar with words at its ends, or named colours; further classes below."""

    def __init__(self) -> None:
        super().__init__()
        self._state = KeyState()
        self._ink, self._muted = QColor("#FFFFFF"), QColor("#999999")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Return the height of its lines."""
        return QSize(200, self._line() * (2 if self._is_twofold() else 1))

    def _line(self) -> int:
        return self.fontMetrics().height() + 4

    def _is_twofold(self) -> bool:
        return any(self._state.ends) and bool(self._state.palette)

    def minimumSizeHint(self) -> QSize:
        """Leave the width free."""
        return QSize(1, self.sizeHint().height())

    def set_ink(self, color: str, muted: str) -> None:
        """Set the colours of words."""
        self._ink, self._muted = QColor(color), QColor(muted)
        self.update()

    def explain(self, state: KeyState) -> None:
        """Show another key."""
        self._state = state
        self.updateGeometry()
        self.setToolTip(state.note or self._tip())
        self.update()

    def _tip(self) -> str:
        words = "Cells that are not selected step back"
        if self._state.shapes:
            words = f"Filled: labelled by a person; pale inside: predicted. {words}"
        if self._is_twofold():
            words += f". Other classes: {', '.join(self._state.palette)}"
        return words

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the key."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        state = self._state
        if state.note:
            painter.setPen(self._muted)
            words = self.fontMetrics().elidedText(
                state.note, Qt.TextElideMode.ElideRight, self.width()
            )
            painter.drawText(self.rect(), _middle(), words)
        elif any(state.ends):
            self._paint_bar(painter, state)
            painter.translate(0, self._line())
            self._paint_classes(painter, state)
        else:
            self._paint_classes(painter, state)

    def _paint_bar(self, painter: QPainter, state: KeyState) -> None:
        metrics, height = self.fontMetrics(), self._line()
        left = metrics.horizontalAdvance(state.ends[0]) + 6
        right = self.width() - metrics.horizontalAdvance(state.ends[1]) - 6
        painter.setPen(self._ink)
        place = QRect(0, 0, self.width(), height)
        painter.drawText(place, _middle(), state.ends[0])
        flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(place, int(flags.value), state.ends[1])
        if right - left < 20:
            return
        painter.setPen(Qt.PenStyle.NoPen)
        if state.scale is not None:
            painter.setBrush(gradient(state.scale, left, right))
        else:
            painter.setBrush(_through_time(left, right))
        bar = QRectF(left, (height - BAR) / 2, right - left, BAR)
        painter.drawRoundedRect(bar, 2, 2)

    def _paint_classes(self, painter: QPainter, state: KeyState) -> None:
        x, metrics, height = 0.0, self.fontMetrics(), self._line()
        for i, (name, color) in enumerate(state.palette.items(), start=1):
            wide = metrics.horizontalAdvance(name)
            more = 0 if i == len(state.palette) else metrics.horizontalAdvance(" …")
            if x and x + SIGN + 4 + wide + more > self.width():
                painter.setPen(self._muted)
                painter.drawText(QPointF(x, (height + metrics.ascent()) / 2 - 1), "…")
                return
            place = QRectF(x, (height - SIGN) / 2, SIGN, SIGN)
            shown = self._ink.name() if any(state.ends) else color
            draw_sign(painter, place, state.shapes.get(name, "disc"), shown, True)
            painter.setPen(self._ink)
            words = QRectF(x + SIGN + 4, 0, self.width() - x, height)
            painter.drawText(words, _middle(), name)
            x += SIGN + 14 + wide


def _middle() -> int:
    return int((Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter).value)


def _through_time(left: float, right: float) -> QLinearGradient:
    blend = QLinearGradient(left, 0, right, 0)
    for i, color in enumerate(VIRIDIS):
        blend.setColorAt(i / (len(VIRIDIS) - 1), QColor(color))
    return blend


def key_of(session: Session, by: MapColor) -> KeyState:
    """Return what the colours of a map mean."""
    by = map_colors.usable(session, by)
    if by == "score" and session.scores is not None:
        ends = session.scores.names[:2]
        palette, shapes = _classes(session)
        others = {name: color for name, color in palette.items() if name not in ends}
        named = (f"● {ends[0]}", f"{ends[1]} ▲")
        return KeyState(named, session.scale, palette=others, shapes=shapes)
    if by == "time":
        return KeyState(_first_and_last(session))
    if by == "track":
        return KeyState(note="Each track has its own colour")
    if by == "movie":
        return KeyState(palette=map_colors.movie_palette(session))
    palette, shapes = _classes(session)
    note = "" if palette else "No cell is labelled yet"
    return KeyState(palette=palette, shapes=shapes, note=note)


def _classes(session: Session) -> tuple[dict[str, str], dict[str, str]]:
    """Return the colours of the classes that are there, and the signs of all."""
    signs = {"triangle_up": "triangle", "x": "blank"}
    shapes = [signs.get(name, name) for name in painted.CLASS_SYMBOLS]
    names = tuple(session.palette)
    present = np.unique(painted.codes_shown(session))
    palette = {
        names[code]: session.palette[names[code]] for code in present if code >= 0
    }
    return palette, {name: shapes[i % len(shapes)] for i, name in enumerate(names)}


def _first_and_last(session: Session) -> tuple[str, str]:
    table = session.table
    last = 0 if table is None else int(table.t.max(initial=0))
    clock = session.clock()
    return clock.words(0), clock.words(last)
