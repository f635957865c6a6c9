"""A formula painted as mathematics, fitted to the width there is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QImage, QPainter, QPaintEvent, QResizeEvent
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_cellsci.figures.formula_text import SetFormula, set_formula
from napari_cellsci.formulas import Expression
from napari_cellsci.panels._theme import STEP, Theme

POINTS = 13.0
_DPI = 96.0


def tinted(found: SetFormula, color: str) -> QImage:
    """Return a set formula in a colour ``#rrggbb``, on nothing."""
    ink = QColor(color)
    height, width = found.ink.shape
    pixels = np.empty((height, width, 4), np.uint8)
    pixels[..., :3] = (ink.red(), ink.green(), ink.blue())
    pixels[..., 3] = found.ink
    kind = QImage.Format.Format_RGBA8888
    return QImage(pixels.data, width, height, 4 * width, kind).copy()


def fitted(
    expression: Expression,
    names: Mapping[str, str],
    width: float,
    ratio: float,
    points: float = POINTS,
) -> SetFormula | None:
    """Set a formula for a place of a width on a screen of a pixel ratio."""
    return set_formula(
        expression, names, width * ratio, points=points, dpi=_DPI * ratio
    )


class FormulaLabel(QWidget):
    """One formula; its height follows its width."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._what: tuple[Expression, Mapping[str, str]] | None = None
        self._found: SetFormula | None = None
        self._image: QImage | None = None
        self._plain = ""
        self._faint = False
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Formula")
        self._fit()

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        self._fit()

    def show_formula(
        self, expression: Expression | None, names: Mapping[str, str]
    ) -> None:
        """Show a formula with names of latents, or none."""
        self._what = None if expression is None else (expression, dict(names))
        self._fit()

    def step_back(self, faint: bool) -> None:
        """Paint it faintly: it is not what is being typed."""
        if faint != self._faint:
            self._faint = faint
            self.update()

    @property
    def named(self) -> bool:
        """Whether latents stand there by name."""
        return self._found is None or self._found.named

    def _fit(self) -> None:
        self._found = self._image = None
        self._plain = ""
        if self._what is not None and self.width() > 8:
            expression, names = self._what
            ratio = self.devicePixelRatioF()
            self._found = fitted(expression, names, self.width() - 2 * STEP, ratio)
            if self._found is None:
                self._plain = expression.pretty(names=names)
            else:
                self._image = tinted(self._found, self._theme.text)
            self.setToolTip(expression.pretty(names=names))
        self.setFixedHeight(max(self._height() + 2 * STEP, 30))
        self.update()

    def _height(self) -> int:
        if self._image is None:
            return self.fontMetrics().height() * 2
        scale = min(1.0, self._room() / self._image.width())
        return round(self._image.height() * scale)

    def _room(self) -> float:
        return (self.width() - 2 * STEP) * self.devicePixelRatioF()

    def sizeHint(self) -> QSize:
        """Return the height; the width is free."""
        return QSize(300, self.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Set it anew at another width."""
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self._fit()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the formula at the left, in the middle of the height."""
        painter = QPainter(self)
        painter.setOpacity(0.45 if self._faint else 1.0)
        if self._image is None:
            painter.setPen(QColor(self._theme.text))
            place = QRectF(self.rect().adjusted(STEP, 0, -STEP, 0))
            flags = Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(place, int(flags), self._plain)
            return
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        ratio = self.devicePixelRatioF()
        scale = min(1.0, self._room() / self._image.width()) / ratio
        wide, high = self._image.width() * scale, self._image.height() * scale
        place = QRectF(STEP, (self.height() - high) / 2, wide, high)
        painter.drawImage(place, self._image)
