"""Which cells are filtered out: a fold over the actions of the label log."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple


class Verdict(NamedTuple):
    """What one action said of one cell."""

    action: int
    out: bool
    by_hand: bool


class LeftOut:
    """The cells that the last action about them, if not undone, filtered out."""

    def __init__(self) -> None:
        self._of_cell: dict[int, list[Verdict]] = {}
        self._now: dict[int, Verdict] = {}

    def add(
        self, action: int, cells: Iterable[int], back: Iterable[int], by_hand: bool
    ) -> None:
        """Take in the next action.

        Parameters
        ----------
        action : int
            Its number.
        cells : iterable of int
            The cells it is about.
        back : iterable of int
            Those of them that it takes back; the others it filters out.
        by_hand : bool
            Whether a person looked at the cells, and not a filter.
        """
        usable = set(back)
        for cell in cells:
            verdict = Verdict(action, cell not in usable, by_hand)
            self._of_cell.setdefault(cell, []).append(verdict)
            self._now[cell] = verdict

    def look_again(self, cells: Iterable[int], undone: Collection[int]) -> None:
        """Find out how cells stand after an action was taken back or brought back."""
        for cell in cells:
            said = [v for v in self._of_cell[cell] if v.action not in undone]
            if said:
                self._now[cell] = said[-1]
            else:
                self._now.pop(cell, None)

    @property
    def cells(self) -> list[int]:
        """Cells that are filtered out, in order."""
        return sorted(cell for cell, verdict in self._now.items() if verdict.out)

    def decided_by_hand(self) -> dict[int, bool]:
        """Return for each cell that a person judged whether it is filtered out."""
        return {cell: v.out for cell, v in self._now.items() if v.by_hand}

    def why(self, cell: int) -> int | None:
        """Return the action that filtered a cell out, None where it is in use."""
        verdict = self._now.get(cell)
        return verdict.action if verdict is not None and verdict.out else None
