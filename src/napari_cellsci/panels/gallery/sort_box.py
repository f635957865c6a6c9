"""The orders that the gallery can have, as a list to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox

from napari_cellsci.panels.gallery.order import ORDERS, Order, latent_orders, usable

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session


class SortBox(QComboBox):
    """Orders that are always there, then one per latent of the code looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.setToolTip("Order of the cells")
        self._add(ORDERS)

    def fill(self, session: Session, key: str) -> None:
        """Offer what the session has; show `key`, or what stands in for it."""
        self._fill_latents(session)
        self.setCurrentIndex(self.findData(usable(session, key)))
        for i, order in enumerate(ORDERS):
            allowed = not order.needs_scores or session.scores is not None
            item = self.model().item(i)
            item.setEnabled(allowed)
            item.setToolTip(order.tip if allowed else "Score the cells first")
        scores = session.scores
        many = scores is not None and scores.n_classes > 2
        self.setItemText(0, "by class" if many else "by score")

    def _fill_latents(self, session: Session) -> None:
        orders = latent_orders(session)
        known = [
            (self.itemData(i), self.itemText(i))
            for i in range(len(ORDERS), self.count())
        ]
        if known == [(order.key, f"by {order.title}") for order in orders]:
            return
        while self.count() > len(ORDERS):
            self.removeItem(len(ORDERS))
        self._add(orders)

    def _add(self, orders: tuple[Order, ...] | list[Order]) -> None:
        for order in orders:
            self.addItem(f"by {order.title}", order.key)
            place, tip = self.count() - 1, Qt.ItemDataRole.ToolTipRole
            self.setItemData(place, order.tip, tip)
