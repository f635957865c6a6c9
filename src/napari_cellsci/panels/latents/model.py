"""The list of latents: active ones first, the inactive ones folded away."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QAbstractListModel, QModelIndex, Qt, Signal

from napari_cellsci.panels.latents import words
from napari_cellsci.panels.latents.naming import name_of
from napari_cellsci.panels.latents.service import Code
from napari_cellsci.representation.atlas import LatentInfo

LatentRole = int(Qt.ItemDataRole.UserRole)
FOLD = -1
"""In place of a latent: the row that shows or hides the inactive ones."""
_NOWHERE = QModelIndex()


class LatentsModel(QAbstractListModel):
    """Latents in the order of their activity.

    Signals
    -------
    named : (int, str)
        A person called a latent something.
    """

    named = Signal(int, str)

    def __init__(self) -> None:
        super().__init__()
        self.code: Code | None = None
        self.unfolded = False
        self._rows: list[int] = []
        self._inactive = 0

    def show(self, code: Code | None) -> None:
        """Show a code; where only names have changed, rows stay."""
        rows = [] if code is None else self._rows_of(code)
        self.code = code
        if rows == self._rows:
            if rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, 0))
            return
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def _rows_of(self, code: Code) -> list[int]:
        order = code.order()
        active = [index for index in order if code.is_active(index)]
        inactive = [index for index in order if not code.is_active(index)]
        self._inactive = len(inactive)
        if not inactive or not active:
            return order
        return [*active, FOLD, *(inactive if self.unfolded else [])]

    def toggle_fold(self) -> None:
        """Show or hide the inactive latents."""
        self.unfolded = not self.unfolded
        self.show(self.code)

    @property
    def latents(self) -> list[int]:
        """Latents in the order shown, `FOLD` among them."""
        return self._rows

    @property
    def n_inactive(self) -> int:
        """Number of latents that carry nothing."""
        return self._inactive

    def info(self, index: QModelIndex) -> LatentInfo | None:
        """Return what is known of the latent of a row, if anything is."""
        if not index.isValid() or self.code is None or self.code.atlas is None:
            return None
        latent = self._rows[index.row()]
        return None if latent == FOLD else self.code.atlas[latent]

    def waiting(self, index: QModelIndex) -> str | None:
        """Return the name of a row's latent that waits for a person's word, if any."""
        info = self.info(index)
        if info is None or self.code is None or self.code.atlas is None:
            return None
        return self.code.atlas.proposals.get(info.index)

    def rowCount(self, parent: QModelIndex = _NOWHERE) -> int:
        """Return the number of rows."""
        return 0 if parent.isValid() else len(self._rows)

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Let latents be renamed once something is known of them."""
        found = super().flags(index)
        if self.info(index) is not None:
            found |= Qt.ItemFlag.ItemIsEditable
        return found

    def data(self, index: QModelIndex, role: int = 0) -> Any:
        """Return number, name or words of a latent."""
        if not index.isValid() or self.code is None:
            return None
        latent = self._rows[index.row()]
        if role == LatentRole:
            return latent
        if latent == FOLD:
            return self.fold_words() if role == Qt.ItemDataRole.DisplayRole else None
        if role == Qt.ItemDataRole.EditRole:
            return name_of(self.code, latent)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            info = self.info(index)
            if info is None:
                return f"z{latent}"
            return words.describe(info, self.waiting(index))
        return None

    def fold_words(self) -> str:
        """Return what the folding row says."""
        sign = "▾" if self.unfolded else "▸"
        what = "latent carries" if self._inactive == 1 else "latents carry"
        return f"{sign} {self._inactive} {what} nothing"

    def setData(self, index: QModelIndex, value: Any, role: int = 0) -> bool:
        """Hand on a name that was typed."""
        info = self.info(index)
        if role != Qt.ItemDataRole.EditRole or info is None:
            return False
        if str(value).strip() != (info.name or ""):
            self.named.emit(info.index, str(value).strip())
        return True
