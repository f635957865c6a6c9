"""What the label log says: labels, counts, history, and who agrees with whom."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from napari_cellsci.errors import InputError
from napari_cellsci.labels import class_log
from napari_cellsci.labels.agreement import Agreement, agreement_of
from napari_cellsci.labels.cells import CellIndex, CellName
from napari_cellsci.labels.class_state import LabelClass
from napari_cellsci.labels.state import Action, LabelState
from napari_cellsci.labels.tables import history_table, in_words


class Reading:
    """What `Labels` tells without changing anything; mixed into it."""

    _state: LabelState
    _rows: tuple[LabelClass, ...]
    _known: dict[int, LabelClass]
    _counts_as: dict[int, int]
    _classes: tuple[LabelClass, ...]

    def _cell_index(self) -> CellIndex:
        raise NotImplementedError

    @property
    def classes(self) -> tuple[LabelClass, ...]:
        """All classes: the trained ones in their order, then those only kept."""
        return self._classes

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all classes."""
        return tuple(known.name for known in self._classes)

    def get(self, cell: CellName) -> str | None:
        """Return the class of `cell`, or None where it has no label."""
        return self._called(self._state.values.get(self._cell_index().row(cell)))

    def of_rows(self, rows: Iterable[int]) -> list[str | None]:
        """Return the classes of cells by row id, None where a cell has no label."""
        values = self._state.values
        return [self._called(values.get(row)) for row in rows]

    def __len__(self) -> int:
        return sum(self.counts().values())

    def as_series(self) -> pd.Series[str]:
        """Return the class names of the labelled cells, by row id."""
        return self._series(dict(self._state.values))

    def counts(self) -> dict[str, int]:
        """Return the number of labelled cells of every class, also where it is 0."""
        found = dict.fromkeys(self.names, 0)
        ids, counts = np.unique(
            list(dict(self._state.values).values()), return_counts=True
        )
        for value, count in zip(ids.tolist(), counts.tolist(), strict=True):
            if name := self._called(value):
                found[name] += count
        return found

    def history(self, last: int | None = None) -> pd.DataFrame:
        """Return the log, oldest first.

        Parameters
        ----------
        last : int, optional
            Only so many of the latest actions; all by default.

        Returns
        -------
        DataFrame
            Index = action id; columns when (UTC), who, how, kind, n_cells, class
            (empty where several or none), target, undone, and what it did in words.
        """
        return history_table(self._state, self._all_names(), last)

    def told(self, action: Action) -> str:
        """Return what an action did, in words: "3 cells → metaphase"."""
        return in_words(action, self._state, self._all_names())

    def _all_names(self) -> dict[int, str]:
        return {known.id: known.name for known in self._known.values()}

    def origin(self, row: int) -> Action | None:
        """Return the action that gave the cell of a row its label, or None."""
        return self._state.origin(row)

    @property
    def annotators(self) -> tuple[str, ...]:
        """Everyone who ever labelled a cell here, in the order of their first label."""
        actions = list(self._state.actions.values())
        acted = [a.who for a in actions if a.cells and a.kind != "filter"]
        return tuple(dict.fromkeys(acted))

    def given_by(self, who: str) -> pd.Series[str]:
        """Return the classes one annotator last gave, whatever others gave since."""
        return self._series(self._state.given_by(who))

    def agreement(self, one: str, other: str) -> Agreement:
        """Compare what two annotators said of the cells both labelled.

        Raises
        ------
        InputError
            If one of them labelled nothing.
        """
        for who in (one, other):
            if who not in self.annotators:
                known = ", ".join(self.annotators) or "nobody"
                raise InputError(f"{who!r} has labelled nothing here; {known} has.")
        return agreement_of(self.given_by(one), self.given_by(other), one, other)

    def called_now(self, name: str) -> str:
        """Return the present name of a class that once was called `name`."""
        if name in self.names:
            return name
        names_of = {
            row.id: {row.name} | self._state.edits.names(row.id) for row in self._rows
        }
        return class_log.present_name(name, self._known, self._counts_as, names_of)

    def _called(self, value: int | None) -> str | None:
        # A label comes back with its class, if the adding of that was undone.
        known = None if value is None else self._known[self._counts_as[value]]
        return known.name if known is not None and known.present else None

    def _series(self, values: dict[int, int]) -> pd.Series[str]:
        found = {row: self._called(values[row]) for row in sorted(values)}
        named = {row: name for row, name in found.items() if name is not None}
        index = pd.Index(list(named), dtype=np.int64, name="cell")
        return pd.Series(list(named.values()), index, object, name="class")
