"""What is shown beside the mouse when it rests on a cell of a map."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QPointF, Qt
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_cellsci.panels._theme import STEP

EDGE = 72
GAP = 14


class HoverCard(QFrame):
    """A crop with a few words, beside a place of the widget it lies on.

    Parameters
    ----------
    parent : QWidget
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("hover")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.picture = QLabel()
        self.picture.setFixedSize(EDGE, EDGE)
        self.words = QLabel()
        layout = QHBoxLayout(self)
        layout.setSizeConstraint(QHBoxLayout.SizeConstraint.SetFixedSize)
        layout.setContentsMargins(STEP, STEP, 2 * STEP, STEP)
        layout.setSpacing(2 * STEP)
        layout.addWidget(self.picture)
        right = QVBoxLayout()
        right.addWidget(self.words)
        right.addStretch()
        layout.addLayout(right)
        self.hide()

    def tell(self, at: QPointF, pixmap: QPixmap, lines: Sequence[str]) -> None:
        """Show a cell beside a place of the parent, where there is room."""
        smooth = Qt.TransformationMode.SmoothTransformation
        keep = Qt.AspectRatioMode.KeepAspectRatio
        self.picture.setPixmap(pixmap.scaled(EDGE, EDGE, keep, smooth))
        self.words.setText("\n".join(lines))
        self.ensurePolished()
        self.words.ensurePolished()
        layout = self.layout()
        if layout is not None:
            layout.activate()
        parent = self.parentWidget()
        left, top = at.x() + GAP, at.y() + GAP
        if left + self.width() > parent.width():
            left = at.x() - GAP - self.width()
        if top + self.height() > parent.height():
            top = at.y() - GAP - self.height()
        left = max(0.0, min(left, parent.width() - self.width()))
        self.move(round(left), round(max(0.0, top)))
        self.raise_()
        self.show()
