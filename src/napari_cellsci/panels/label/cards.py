"""A list of cells as cards: a picture, what it is, and why it is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QAbstractListModel, QModelIndex, QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QFont, QPainter
from qtpy.QtWidgets import (
    QListView,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from napari_cellsci.panels._theme import STEP, Theme
from napari_cellsci.panels.gallery.thumbnails import Thumbnails

EDGE, LINES = 44, 3
"""Of a picture (px), and the lines of text: the title and two more."""
_CARD = int(Qt.ItemDataRole.UserRole)
_NOWHERE = QModelIndex()


@dataclass(frozen=True, slots=True)
class Card:
    """One line of the list.

    Parameters
    ----------
    row : int
        The cell, −1 for a line that is about none.
    title, detail : str
    color : str
        Of the bar at its left, "" for none.
    struck : bool
        Whether it no longer counts.
    """

    row: int
    title: str
    detail: str
    color: str = ""
    struck: bool = False


class _Cards(QAbstractListModel):
    def __init__(self) -> None:
        super().__init__()
        self.cards: Sequence[Card] = ()

    def rowCount(self, parent: QModelIndex = _NOWHERE) -> int:
        return 0 if parent.isValid() else len(self.cards)

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        if not index.isValid() or index.row() >= len(self.cards):
            return None
        card = self.cards[index.row()]
        if role == _CARD:
            return card
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{card.title}\n{card.detail}".strip()
        return None

    def fill(self, cards: Sequence[Card]) -> None:
        self.beginResetModel()
        self.cards = cards
        self.endResetModel()


class _Delegate(QStyledItemDelegate):
    def __init__(self, thumbnails: Thumbnails) -> None:
        super().__init__()
        self._thumbnails = thumbnails
        self.theme: Theme | None = None
        self.current: int | None = None

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        card: Card = index.data(_CARD)
        lines = LINES * option.fontMetrics.lineSpacing()
        return QSize(100, max(lines, EDGE if card.row >= 0 else 0) + 2 * STEP)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex
    ) -> None:
        card, theme = index.data(_CARD), self.theme
        if card is None or theme is None:
            return
        rect: QRect = option.rect
        over = option.state & QStyle.StateFlag.State_MouseOver
        if card.row >= 0 and card.row == self.current:
            painter.fillRect(rect, QColor(theme.primary))
        elif over:
            painter.fillRect(rect, QColor(theme.card))
        if card.color:
            painter.fillRect(
                rect.adjusted(0, 2, 3 - rect.width(), -2), QColor(card.color)
            )
        left = rect.left() + 2 * STEP
        if card.row >= 0:
            picture = self._thumbnails.pixmap(card.row)
            painter.drawPixmap(left, rect.top() + STEP, EDGE, EDGE, picture)
            left += EDGE + 2 * STEP
        words = QRect(
            left, rect.top() + STEP, rect.right() - left - STEP, rect.height()
        )
        self._write(painter, words, card, theme)

    def _write(self, painter: QPainter, place: QRect, card: Card, theme: Theme) -> None:
        line = painter.fontMetrics().lineSpacing()
        font = QFont(painter.font())
        font.setStrikeOut(card.struck)
        painter.save()
        painter.setFont(font)
        flag, sides = Qt.AlignmentFlag, Qt.TextFlag
        left = int((flag.AlignLeft | flag.AlignTop).value)
        painter.setPen(QColor(theme.muted if card.struck else theme.text))
        elide = Qt.TextElideMode.ElideRight
        title = painter.fontMetrics().elidedText(card.title, elide, place.width())
        painter.drawText(place, left, title)
        rest = QRect(
            place.left(), place.top() + line, place.width(), (LINES - 1) * line
        )
        painter.setPen(QColor(theme.muted))
        painter.setClipRect(rest)
        painter.drawText(rest, left | int(sides.TextWordWrap.value), card.detail)
        painter.restore()


class CardList(QListView):
    """Cards below each other; only those in view get a picture.

    Parameters
    ----------
    thumbnails : Thumbnails

    Signals
    -------
    picked : int
        The cell of a card that was clicked.
    """

    picked = Signal(int)

    def __init__(self, thumbnails: Thumbnails) -> None:
        super().__init__()
        self._cards = _Cards()
        self._delegate = _Delegate(thumbnails)
        self.setModel(self._cards)
        self.setItemDelegate(self._delegate)
        self.setObjectName("plain")
        self.setMouseTracking(True)
        self.setUniformItemSizes(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumHeight(3 * (EDGE + 2 * STEP))
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.clicked.connect(self._on_clicked)

    @property
    def cards(self) -> Sequence[Card]:
        """The cards shown."""
        return self._cards.cards

    def show_cards(self, cards: Sequence[Card], current: int | None) -> None:
        """Show cards, and mark that of the current cell."""
        if tuple(cards) != tuple(self._cards.cards):
            self._cards.fill(cards)
        self.show_current(current)

    def show_current(self, current: int | None) -> None:
        """Mark the card of the current cell."""
        self._delegate.current = current
        self.viewport().update()

    def set_theme(self, theme: Theme) -> None:
        """Follow the theme."""
        self._delegate.theme = theme
        self.viewport().update()

    def _on_clicked(self, index: QModelIndex) -> None:
        card: Card = index.data(_CARD)
        if card.row >= 0:
            self.picked.emit(card.row)
