"""The code on the desk: where it started, what was changed, and what it is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_cellsci.panels.latents.service import Code, LatentService

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session

Floats = NDArray[np.float32]
REACH = 3.0
"""How far latents are moved either way while no encoder says otherwise."""


class Desk:
    """One code that can be changed latent by latent; kept while the panel is closed.

    It starts from zero or from the selected cell. Once something was changed it stays
    where it is when another cell is selected.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    base_changed : Signal
        It starts from elsewhere.
    changed : Signal
        Another value of a latent, or all of them.
    """

    base_changed = Signal()
    changed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._latents = session.service(LatentService)
        self._from_cell = False
        self.row: int | None = None
        self.base: Floats = np.zeros(0, np.float32)
        self.z: Floats = np.zeros(0, np.float32)
        self.ends: tuple[int | None, int | None] = (None, None)
        self.part = 0.0
        self._latents.changed.connect(self._on_code)
        session.current_changed.connect(self._on_current)
        self._start()

    @property
    def code(self) -> Code | None:
        """The latents of all cells."""
        return self._latents.code

    @property
    def reach(self) -> float:
        """Latents are moved between minus and plus this (sd of the prior)."""
        return REACH if self.code is None else self.code.encoder.reach

    @property
    def from_cell(self) -> bool:
        """Whether it starts from a cell, else from zero."""
        return self._from_cell

    @property
    def edited(self) -> bool:
        """Whether anything differs from the start."""
        return not np.array_equal(self.z, self.base)

    def start_from(self, cell: bool) -> None:
        """Start from the selected cell, or from zero."""
        self._from_cell = cell
        self._start()

    def set_value(self, latent: int, value: float) -> None:
        """Give a latent a value, within the reach of the encoder."""
        if not 0 <= latent < len(self.z):
            return
        value = float(np.clip(value, -self.reach, self.reach))
        if value != self.z[latent]:
            self.z = self.z.copy()
            self.z[latent] = value
            self.changed.emit()

    def reset(self, latent: int | None = None) -> None:
        """Go back to the start, with one latent or with all."""
        if latent is None:
            self._start()
        elif 0 <= latent < len(self.z):
            self.set_value(latent, float(self.base[latent]))

    def set_end(self, which: int, row: int | None) -> None:
        """Choose one of the two cells between which `blend` leads."""
        ends = list(self.ends)
        ends[which] = row
        self.ends = (ends[0], ends[1])
        self.part = 0.0
        self.changed.emit()

    @property
    def way(self) -> tuple[Floats, Floats] | None:
        """Latents of the two cells of `ends`, None while one is missing."""
        first, last = self.ends
        if self.code is None or first is None or last is None:
            return None
        return self.code.latents[first], self.code.latents[last]

    def blend(self, part: float) -> None:
        """Go a part (0 to 1) of the straight way from one cell to the other."""
        way = self.way
        if way is None:
            return
        self.part = float(np.clip(part, 0, 1))
        moved = self._row_changed(self.ends[0], way[0])
        self.z = (way[0] + self.part * (way[1] - way[0])).astype(np.float32)
        if moved:
            self.base_changed.emit()
        self.changed.emit()

    def _row_changed(self, row: int | None, base: Floats) -> bool:
        moved = row != self.row or not np.array_equal(base, self.base)
        self._from_cell, self.row, self.base = True, row, base.copy()
        return moved

    def differences(self, most: int = 3) -> list[tuple[int, float]]:
        """Return the latents in which the two cells differ most, and by how much."""
        way = self.way
        if way is None:
            return []
        change = way[1] - way[0]
        order = np.argsort(-np.abs(change), kind="stable")[:most]
        return [(int(i), float(change[i])) for i in order]

    def changes(self, most: int = 3) -> list[tuple[int, float]]:
        """Return the latents that were changed most, and their values."""
        moved = np.abs(self.z - self.base)
        order = np.argsort(-moved, kind="stable")[:most]
        return [(int(i), float(self.z[i])) for i in order if moved[i] > 0]

    def score(self, z: Floats) -> float | None:
        """Return what the classifier in use says of a code, if it reads this code."""
        bundle, code = self._session.bundle, self.code
        if bundle is None or code is None or bundle.encoder is None:
            return None
        heads = bundle.heads
        if bundle.encoder.hash != code.encoder.hash or heads.input != "latents":
            return None
        members = heads.scores(z[np.newaxis])
        return float(members.mean()) if members.shape[-1] == 1 else None

    def _on_code(self) -> None:
        self.ends, self.part = (None, None), 0.0
        self._start()

    def _on_current(self, row: int | None) -> None:
        if self._from_cell and not self.edited and row is not None and row != self.row:
            self._start()

    def _start(self) -> None:
        code, row = self.code, self._session.current
        size = 0 if code is None else code.size
        self.row = None
        self.base = np.zeros(size, np.float32)
        if self._from_cell and code is not None and row is not None:
            self.row, self.base = row, code.latents[row].copy()
        self.z = self.base.copy()
        self.base_changed.emit()
        self.changed.emit()
