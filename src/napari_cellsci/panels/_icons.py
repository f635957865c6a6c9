"""Our own icons, in the colour of the theme's text."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from qtpy.QtCore import QByteArray, Qt
from qtpy.QtGui import QIcon, QPainter, QPixmap
from qtpy.QtSvg import QSvgRenderer
from qtpy.QtWidgets import QToolButton

FOLDER = Path(__file__).parent / "icons"
EDGE, SHARP = 16, 2
_INK = "#000"
"""The colour of the lines in the files, which the theme's takes the place of."""


@lru_cache(maxsize=128)
def icon(name: str, color: str) -> QIcon:
    """Return the icon of a name in a colour ``#rrggbb``."""
    text = (FOLDER / f"{name}.svg").read_text(encoding="utf-8").replace(_INK, color)
    picture = QPixmap(EDGE * SHARP, EDGE * SHARP)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    QSvgRenderer(QByteArray(text.encode())).render(painter)
    painter.end()
    picture.setDevicePixelRatio(SHARP)
    return QIcon(picture)


class IconButton(QToolButton):
    """A flat button with one of our icons.

    Parameters
    ----------
    name : str
        Of the icon.
    tip : str
        What it does, in words.
    checkable : bool
    """

    def __init__(self, name: str, tip: str, *, checkable: bool = False) -> None:
        super().__init__()
        self.setObjectName("icon")
        self._name, self._color = name, "#888888"
        self.setToolTip(tip)
        self.setAccessibleName(tip)
        self.setCheckable(checkable)
        self._show()

    def set_icon(self, name: str) -> None:
        """Show another icon."""
        self._name = name
        self._show()

    def set_color(self, color: str) -> None:
        """Take over the theme's colour."""
        self._color = color
        self._show()

    def _show(self) -> None:
        self.setIcon(icon(self._name, self._color))
