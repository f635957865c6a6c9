"""`Labels`: what people say the cells are, with undo, redo and provenance."""

from __future__ import annotations

import getpass
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from psygnal import Signal

from napari_cellsci.disk import whole_file
from napari_cellsci.errors import InputError
from napari_cellsci.io.labels_csv import read_labels_csv
from napari_cellsci.labels.cells import CellIndex, CellName
from napari_cellsci.labels.classes import LabelClass, add_classes, read_classes
from napari_cellsci.labels.importing import ImportReport, match_rows
from napari_cellsci.labels.journal import Database, append, read_after
from napari_cellsci.labels.state import Action, Kind, LabelState

HOWS = ("key", "click", "bulk", "import", "api", "suggestion")
"""How a label can have been given."""
HISTORY_COLUMNS = ["when", "who", "how", "kind", "n_cells", "class", "target", "undone"]


class Labels:
    """The labels of one project, kept as an append-only log of actions.

    Each action is committed to disk before it shows. Other windows and commands may
    write to the same log; their actions appear at the next action or `refresh`.

    Parameters
    ----------
    database : Database
        The project's database.
    cells : callable
        Returns the project's table of cells.
    who : str, optional
        The annotator; the login name by default.

    Attributes
    ----------
    changed : Signal
        Emits the row ids (int64 array) whose label may have changed, in the thread
        that made the change.
    """

    changed = Signal(np.ndarray)

    def __init__(
        self,
        database: Database,
        cells: Callable[[], pd.DataFrame],
        who: str | None = None,
    ) -> None:
        self._database = database
        self._cells = cells
        self._index: CellIndex | None = None
        self.who = who or login_name()
        self._state = LabelState()
        self._lock = threading.RLock()
        self._seen = -1
        self._classes: tuple[LabelClass, ...] = ()
        self.refresh()

    @property
    def classes(self) -> tuple[LabelClass, ...]:
        """All classes: the trained ones in their order, then those only kept."""
        return self._classes

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all classes."""
        return tuple(known.name for known in self._classes)

    def set(self, cell: CellName, cls: str, *, how: str = "api") -> None:
        """Say that `cell` is a `cls`.

        Parameters
        ----------
        cell : int or tuple
            Row id, ``(track_id, t)`` where there is one movie, or
            ``(movie, track_id, t)``.
        cls : str
            Name of one of the project's classes.
        how : str
            One of `HOWS`.

        Raises
        ------
        InputError
            If the cell or the class is unknown.
        ProjectError
            If the label could not be written; nothing has changed then.
        """
        self._write("set", [cell], cls, how)

    def set_many(
        self, cells: Iterable[CellName], cls: str, *, how: str = "bulk"
    ) -> None:
        """Say that all `cells` are a `cls`, as one action that is undone as one."""
        self._write("set", cells, cls, how)

    def clear(self, cell: CellName, *, how: str = "api") -> None:
        """Take the label of `cell` away; the log keeps what it was."""
        self._write("clear", [cell], None, how)

    def clear_many(self, cells: Iterable[CellName], *, how: str = "bulk") -> None:
        """Take the labels of all `cells` away, as one action."""
        self._write("clear", cells, None, how)

    def undo(self) -> Action | None:
        """Take back this annotator's last action; return it, or None at the start."""
        return self._reverse("undo")

    def redo(self) -> Action | None:
        """Bring back the action last undone; return it, or None if there is none."""
        return self._reverse("redo")

    @property
    def can_undo(self) -> bool:
        """Whether this annotator has an action to take back."""
        return self._state.next_undo(self.who) is not None

    @property
    def can_redo(self) -> bool:
        """Whether this annotator has an action to bring back."""
        return self._state.next_redo(self.who) is not None

    def get(self, cell: CellName) -> str | None:
        """Return the class of `cell`, or None where it has no label."""
        value = self._state.values.get(self._cell_index().row(cell))
        return None if value is None else self._name_of()[value]

    def __len__(self) -> int:
        return len(self._state.values)

    def as_series(self) -> pd.Series[str]:
        """Return the class names of the labelled cells, by row id."""
        values = dict(self._state.values)
        rows = np.fromiter(sorted(values), dtype=np.int64, count=len(values))
        names = self._name_of()
        return pd.Series(
            [names[values[row]] for row in rows.tolist()],
            index=pd.Index(rows, dtype=np.int64, name="cell"),
            name="class",
            dtype=object,
        )

    def counts(self) -> dict[str, int]:
        """Return the number of labelled cells of every class, also where it is 0."""
        ids, counts = np.unique(
            list(dict(self._state.values).values()), return_counts=True
        )
        found = dict(zip(ids.tolist(), counts.tolist(), strict=True))
        return {known.name: found.get(known.id, 0) for known in self._classes}

    def history(self) -> pd.DataFrame:
        """Return the log, oldest first.

        Returns
        -------
        DataFrame
            Index = action id; columns when, who, how, kind, n_cells, class (empty
            where several or none), target, undone.
        """
        names = self._name_of()
        rows = [
            {
                "when": action.at,
                "who": action.who,
                "how": action.how,
                "kind": action.kind,
                "n_cells": len(action.cells),
                "class": _one_name(action, names),
                "target": action.target,
                "undone": self._state.is_undone(action.id),
            }
            for action in list(self._state.actions.values())
        ]
        index = pd.Index(list(self._state.actions), name="action", dtype=np.int64)
        return pd.DataFrame(rows, columns=HISTORY_COLUMNS, index=index)

    def add_class(self, name: str) -> None:
        """Add a class that is kept but not used in training."""
        with self._database.transaction() as inside:
            add_classes(inside, [name.strip()], trained=False)
        self._classes = read_classes(self._database)

    def refresh(self) -> int:
        """Take in what other windows or commands logged; return how many actions."""
        version = self._database.data_version()
        if version == self._seen:
            return 0
        self._seen = version
        return self._catch_up()

    def import_csv(
        self,
        path: str | os.PathLike[str],
        max_distance: float = 8.0,
        *,
        add_classes: bool = False,
    ) -> ImportReport:
        """Read labels from a table, as one action.

        Parameters
        ----------
        path : path
            CSV with the columns track_id, t, class, optionally movie, y, x. A row
            without a track (empty, negative, or 0 where no track is called 0) goes to
            the nearest tracked cell of that frame.
        max_distance : float
            How far that cell may be (px).
        add_classes : bool
            Accept a table none of whose classes is known yet. Unknown classes beside
            known ones are always kept; they take no part in training.

        Raises
        ------
        InputError
            If columns, classes or cells are wrong; nothing is imported then.
        """
        rows = read_labels_csv(Path(path))
        unknown = sorted(set(rows["class"]) - set(self.names))
        if unknown and not add_classes and len(unknown) == rows["class"].nunique():
            raise InputError(
                f"None of the classes in {path} ({', '.join(unknown)}) is a class of "
                f"this project ({', '.join(self.names)}): correct the table, or add "
                "its classes, which are then kept but not trained (--add-classes)."
            )
        matches, unmatched = match_rows(rows, self._cell_index(), max_distance, path)
        self._import(matches, unknown)
        trained = {known.name for known in self._classes if known.position is not None}
        unused = matches.loc[~matches["class"].isin(trained), "class"]
        return ImportReport(
            matched=len(matches),
            unmatched=unmatched,
            unused={str(k): int(v) for k, v in unused.value_counts().items()},
        )

    def export_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the labels as a table that `import_csv` reads back."""
        labels = self.as_series()
        cells = self._cells().loc[labels.index, ["movie", "track_id", "t", "y", "x"]]
        with whole_file(Path(path)) as temporary:
            cells.assign(**{"class": labels}).to_csv(temporary, index=False)

    def _import(self, matches: pd.DataFrame, unknown: Sequence[str]) -> None:
        with self._database.transaction() as inside:
            add_classes(inside, unknown, trained=False)
            ids = {known.name: known.id for known in read_classes(self._database)}
            append(
                inside,
                who=self.who,
                how="import",
                kind="set",
                cells=[int(cell) for cell in matches["cell"]],
                classes=[ids[name] for name in matches["class"]],
            )
        self._catch_up()

    def _write(
        self, kind: Kind, cells: Iterable[CellName], cls: str | None, how: str
    ) -> None:
        if how not in HOWS:
            raise InputError(f"Labels are given by {', '.join(HOWS)}, not {how!r}.")
        value = None if cls is None else self._id_of(cls)
        rows = self._cell_index().rows(cells).tolist()
        if not rows:
            return
        with self._database.transaction() as inside:
            append(
                inside,
                who=self.who,
                how=how,
                kind=kind,
                cells=rows,
                classes=[value] * len(rows),
            )
        self._catch_up()

    def _reverse(self, kind: Kind) -> Action | None:
        with self._database.transaction() as inside:
            # What there is to undo is read under the write lock, so that two windows
            # never undo the same action twice.
            touched = self._take_in()
            following = (
                self._state.next_undo if kind == "undo" else self._state.next_redo
            )
            target = following(self.who)
            if target is not None:
                append(inside, who=self.who, how="api", kind=kind, target=target)
        self._tell(touched)
        self._catch_up()
        return None if target is None else self._state.actions[target]

    def _catch_up(self) -> int:
        before = len(self._state.actions)
        self._tell(self._take_in())
        return len(self._state.actions) - before

    def _take_in(self) -> list[int]:
        """Apply what the log holds beyond what we know; return the touched cells."""
        self._classes = read_classes(self._database)
        actions = read_after(self._database, self._state.last_id)
        with self._lock:  # another thread may have taken in the same actions
            new = [action for action in actions if action.id > self._state.last_id]
            return [cell for action in new for cell in self._state.apply(action)]

    def _tell(self, touched: Sequence[int]) -> None:
        if touched:
            self.changed.emit(np.unique(np.asarray(touched, dtype=np.int64)))

    def _cell_index(self) -> CellIndex:
        cells = self._cells()
        if self._index is None or self._index.cells is not cells:
            self._index = CellIndex(cells)
        return self._index

    def _name_of(self) -> dict[int, str]:
        return {known.id: known.name for known in self._classes}

    def _id_of(self, name: str) -> int:
        for known in self._classes:
            if known.name == name:
                return known.id
        raise InputError(
            f"{name!r} is not a class of this project: choose one of "
            f"{', '.join(self.names)}."
        )


def login_name() -> str:
    """Return who is at the keyboard, as far as the system knows."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


def _one_name(action: Action, names: dict[int, str]) -> str:
    values = set(action.classes)
    value = values.pop() if len(values) == 1 else None
    return "" if value is None else names[value]
