"""Pictures that are no cells of the project, placed on the map: failing ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPolygonF
from qtpy.QtWidgets import QWidget

from napari_cellsci.panels._theme import Theme
from napari_cellsci.panels.latent_map.axes import placed_on
from napari_cellsci.panels.robustness.service import RobustnessService
from napari_cellsci.project.failing import ORIGINAL, title_of
from napari_cellsci.viewer.plane import PlaneView

if TYPE_CHECKING:
    from napari_cellsci.panels.latents.service import Code
    from napari_cellsci.representation.embedding import Components
    from napari_cellsci.viewer.session import Session

HALF, GAP = 5.0, 4.0
"""Half the width of a mark (px), and how far its name lies from it."""


def _no_points() -> NDArray[np.float32]:
    return np.zeros((0, 2), np.float32)


@dataclass(frozen=True, eq=False, slots=True)
class Guests:
    """Named points.

    Parameters
    ----------
    names : tuple of str
    xy : array (k, 2)
    """

    names: tuple[str, ...] = ()
    xy: NDArray[np.float32] = field(default_factory=_no_points)


def failing_guests(
    session: Session, code: Code, parts: Components, axes: tuple[str, str]
) -> Guests:
    """Return where the failing pictures of the selected cell lie, if they are shown.

    No points where the axes have no place for them (UMAP knows cells alone), or where
    their classifier reads another encoder's code.
    """
    service = session.service(RobustnessService)
    found, opened = service.failures, service.opened
    if found is None or opened is None or found.cell != session.current:
        return Guests()
    encoder, known = opened.bundle.encoder, found.codes.get(opened.bundle.name)
    if not known or encoder is None or encoder.hash != code.encoder.hash:
        return Guests()
    names = [name for name in known if name != ORIGINAL]
    z = np.stack([known[name] for name in names])
    answers = found.answers[opened.bundle.name]
    scores = np.array([answers[name].score for name in names], np.float32)
    columns = [placed_on(key, z, parts, scores) for key in axes]
    if any(column is None for column in columns):
        return Guests()
    xy = np.stack(columns, axis=1).astype(np.float32)  # type: ignore[arg-type]
    seen = np.isfinite(xy).all(axis=1)
    titles = tuple(title_of(n) for n, ok in zip(names, seen, strict=True) if ok)
    return Guests(titles, xy[seen])


class GuestMarks(QWidget):
    """Diamonds with names above a canvas; the mouse does not notice them."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.guests = Guests()
        self.view: PlaneView | None = None
        self._theme: Theme | None = None

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        self.update()

    def show_guests(self, guests: Guests, view: PlaneView) -> None:
        """Draw points as a part of the plane shows them."""
        self.guests, self.view = guests, view
        self.setVisible(bool(guests.names))
        self.raise_()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint marks and names; those out of view at the border they lie beyond."""
        theme, view = self._theme, self.view
        if theme is None or view is None or not self.guests.names:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        taken: list[QRectF] = []
        places = view.to_pixels(self.guests.xy)
        for name, (x, y) in zip(self.guests.names, places, strict=True):
            self._paint(painter, theme, name, QPointF(x, y), taken)

    def _paint(
        self,
        painter: QPainter,
        theme: Theme,
        name: str,
        at: QPointF,
        taken: list[QRectF],
    ) -> None:
        room = QRectF(self.rect()).adjusted(HALF, HALF, -HALF, -HALF)
        beyond = not room.contains(at)
        at = QPointF(
            min(max(at.x(), room.left()), room.right()),
            min(max(at.y(), room.top()), room.bottom()),
        )
        words = f"{name} (beyond)" if beyond else name
        metrics = self.fontMetrics()
        wide, high = metrics.horizontalAdvance(words) + 4, metrics.height()
        left = at.x() + HALF + GAP
        if left + wide > room.right():
            left = at.x() - HALF - GAP - wide
        place = QRectF(left, at.y() - high / 2, wide, high)
        place = _free(place, taken, room)
        taken.append(place)
        veil = QColor(theme.background)
        veil.setAlpha(190)
        painter.setPen(QColor(theme.text))
        painter.drawLine(at, QPointF(_near(at.x(), place), place.center().y()))
        painter.fillRect(place, veil)
        painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter), words)
        painter.setBrush(QColor(theme.background))
        painter.drawPolygon(
            QPolygonF(
                [
                    at + QPointF(0, -HALF),
                    at + QPointF(HALF, 0),
                    at + QPointF(0, HALF),
                    at + QPointF(-HALF, 0),
                ]
            )
        )


def _near(x: float, place: QRectF) -> float:
    return place.left() if x < place.left() else place.right()


def _free(place: QRectF, taken: list[QRectF], room: QRectF) -> QRectF:
    """Return a place as near as can be that covers no other name."""
    high = place.height()
    for step in (0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5):
        tried = place.translated(0, step * high)
        inside = tried.top() >= room.top() - high and tried.bottom() <= room.bottom()
        if (inside or not step) and not any(tried.intersects(one) for one in taken):
            return tried
    return place
