"""What the encoder makes of some cells, sharpening as it learns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QFont, QImage, QPainter, QPaintEvent
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_cellsci.panels._parts import whole_number
from napari_cellsci.panels._pictures import to_image
from napari_cellsci.panels._theme import STEP, Theme
from napari_cellsci.panels.train.pictures import grey_or_colour
from napari_cellsci.project.run_log import Picture
from napari_cellsci.representation.pictures import Pictures

_GAP, _LEFT, _EDGE, _BETWEEN = 2, 54, 64, 6
ROWS = ("cells", "learnt")
DRAWN = "new"
"""Cells that a GAN draws from nothing."""


class PictureGrid(QWidget):
    """Held-out cells above their reconstructions, then strips along three latents."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._rows: list[tuple[str, list[QImage]]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Top: cells held out from training, and what the encoder makes of them. "
            "Below: the mean cell while one latent moves, for the three latents that "
            "say most"
        )
        self.setAccessibleName("Reconstructions and traversals")

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self._theme = theme
        self.update()

    def show_pictures(self, pictures: Pictures | None) -> None:
        """Show pictures, or nothing."""
        self._rows = []
        if pictures is not None:
            for title, crops in zip(
                ROWS, (pictures.crops, pictures.recon), strict=True
            ):
                self._rows.append((title, _images(crops)))
            if len(pictures.drawn):
                self._rows.append((DRAWN, _images(pictures.drawn)))
            for latent, strip in zip(pictures.latents, pictures.strips, strict=True):
                self._rows.append((f"z{latent}", _images(strip)))
        self.updateGeometry()
        self.update()

    @property
    def titles(self) -> list[str]:
        """What stands beside the rows."""
        return [title for title, _ in self._rows]

    def _columns(self) -> int:
        return max((len(images) for _, images in self._rows), default=7)

    def _side(self, width: int) -> float:
        columns = self._columns()
        return min(_EDGE, (width - _LEFT - _GAP * (columns - 1)) / columns)

    def heightForWidth(self, width: int) -> int:
        """Return the height of the rows at a width."""
        rows = max(len(self._rows), 5)
        return round(rows * (self._side(width) + _GAP) + _BETWEEN)

    def hasHeightForWidth(self) -> bool:
        """Say that the height follows the width."""
        return True

    def sizeHint(self) -> QSize:
        """Return the size at the present width."""
        return QSize(320, self.heightForWidth(max(self.width(), 240)))

    def minimumSizeHint(self) -> QSize:
        """Leave the width to the layout."""
        return QSize(1, self.heightForWidth(max(self.width(), 240)))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the rows with their titles."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        font = QFont(self.font())
        font.setPointSizeF(max(font.pointSizeF() * 0.85, 6.5))
        painter.setFont(font)
        painter.setPen(QColor(self._theme.muted))
        side = self._side(self.width())
        align = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        if not self._rows:
            painter.drawText(
                self.rect(),
                int(Qt.AlignmentFlag.AlignCenter.value)
                | int(Qt.TextFlag.TextWordWrap.value),
                "Pictures appear at the first look at held-out cells.",
            )
        for row, (title, images) in enumerate(self._rows):
            top = row * (side + _GAP) + (_BETWEEN if row > 1 else 0)
            painter.drawText(QRectF(0, top, _LEFT - 6, side), int(align.value), title)
            for column, image in enumerate(images):
                place = QRectF(_LEFT + column * (side + _GAP), top, side, side)
                painter.drawImage(place, image)


def _images(crops: object) -> list[QImage]:
    return [to_image(picture) for picture in grey_or_colour(crops)]


class LooksView(QWidget):
    """The pictures of a run at one of its looks; the slider goes back in time."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._looks: Sequence[Picture] = ()
        self._path: Path | None = None
        self.grid = PictureGrid(theme)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setToolTip(
            "Back to earlier steps; at the right end, always the last"
        )
        self.slider.setAccessibleName("Step of the pictures")
        self.slider.valueChanged.connect(self._show)
        self.words = QLabel()
        self.words.setObjectName("muted")
        row = QHBoxLayout()
        row.setSpacing(2 * STEP)
        row.addWidget(self.slider, 1)
        row.addWidget(self.words)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(STEP)
        layout.addWidget(self.grid)
        layout.addLayout(row)

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self.grid.set_theme(theme)

    def show_looks(self, looks: Sequence[Picture]) -> None:
        """Offer the looks of a run; stay at the last one if it was shown."""
        at_end = self.slider.value() >= self.slider.maximum()
        same_run = bool(
            looks and self._looks and looks[0].path.parent == self._looks[0].path.parent
        )
        self._looks = list(looks)
        self.slider.blockSignals(True)
        self.slider.setRange(0, max(len(looks) - 1, 0))
        if at_end or not same_run:
            self.slider.setValue(len(looks) - 1)
        self.slider.blockSignals(False)
        self.slider.setEnabled(len(looks) > 1)
        self._show()

    def _show(self) -> None:
        look = self._looks[self.slider.value()] if self._looks else None
        path = None if look is None else look.path
        self.words.setText("" if look is None else f"step {whole_number(look.step)}")
        if path == self._path:
            return
        self._path = path
        pictures = None
        if path is not None:
            try:
                pictures = Pictures.load(path)
            except (OSError, ValueError, KeyError):
                self.words.setText("the pictures of this step are gone")
        self.grid.show_pictures(pictures)
