"""Filtering cells out and taking them back, as actions of the label log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.labels.cells import CellIndex, CellName
from napari_cellsci.labels.journal import Database, append

if TYPE_CHECKING:
    from napari_cellsci.labels.state import LabelState


class LeavingOut:
    """What `Labels` knows of cells that are filtered out; mixed into it.

    A cell that is filtered out keeps its label, its scores and its place: it is only
    marked, so that training can pass it over. Undo and redo work as for labels.
    """

    _database: Database
    _state: LabelState
    who: str

    def _cell_index(self) -> CellIndex:
        raise NotImplementedError

    def _catch_up(self, touched: Sequence[int] = ()) -> int:
        raise NotImplementedError

    @property
    def left_out(self) -> NDArray[np.int64]:
        """Row ids of the cells that are filtered out, sorted."""
        return np.array(self._state.left_out.cells, dtype=np.int64)

    @property
    def judged_by_hand(self) -> dict[int, bool]:
        """Whether a cell is filtered out, of those cells that a person judged last."""
        return self._state.left_out.decided_by_hand()

    def leave_out(
        self, cells: Iterable[CellName], *, how: str = "bulk", said: str = ""
    ) -> None:
        """Filter `cells` out, as one action that is undone as one.

        Parameters
        ----------
        cells : iterable of int or tuple
            As `Labels.set` takes them.
        how : str
            "filter" where a filter judged and not a person.
        said : str
            Why, for the history.

        Raises
        ------
        InputError
            If a cell is unknown.
        """
        self._filter(self._cell_index().rows(cells).tolist(), [], how, said)

    def take_back(
        self, cells: Iterable[CellName], *, how: str = "bulk", said: str = ""
    ) -> None:
        """Let `cells` that were filtered out count again, as one action."""
        self._filter([], self._cell_index().rows(cells).tolist(), how, said)

    def apply_filter(
        self, usable: NDArray[np.bool_], *, said: str = ""
    ) -> tuple[int, int]:
        """Filter cells out, and take others back, as a filter says: one action.

        Cells that a person filtered out or took back stay as they are.

        Parameters
        ----------
        usable : bool array (n,)
            One value per cell of the project.
        said : str
            What filter it was, for the history.

        Returns
        -------
        out, back : int
            How many cells were filtered out and taken back.
        """
        now = np.zeros(len(usable), bool)
        now[self.left_out] = True
        wanted = ~np.asarray(usable, bool)
        for row, verdict in self.judged_by_hand.items():
            wanted[row] = verdict
        out = np.flatnonzero(wanted & ~now).tolist()
        back = np.flatnonzero(now & ~wanted).tolist()
        self._filter(out, back, "filter", said)
        return len(out), len(back)

    def _filter(self, out: list[int], back: list[int], how: str, said: str) -> None:
        rows = sorted({*out, *back})
        if not rows:
            return
        with self._database.transaction() as inside:
            append(
                inside,
                who=self.who,
                how=how,
                kind="filter",
                cells=rows,
                said=said,
                back=back,
            )
        self._catch_up()
