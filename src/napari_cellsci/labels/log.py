"""`Labels`: what people say the cells are, with undo, redo and provenance."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from psygnal import Signal

from napari_cellsci.disk import whole_file
from napari_cellsci.errors import InputError
from napari_cellsci.io.labels_csv import read_labels_csv
from napari_cellsci.labels import class_log
from napari_cellsci.labels.cells import CellIndex, CellName
from napari_cellsci.labels.class_state import ClassEdit, LabelClass, resolve, trouble
from napari_cellsci.labels.class_state import visible as visible_classes
from napari_cellsci.labels.classes import (
    checked_colour,
    checked_name,
    insert_class,
    read_rows,
)
from napari_cellsci.labels.importing import ImportReport, match_rows
from napari_cellsci.labels.journal import Database, append, read_after
from napari_cellsci.labels.leaving_out import LeavingOut
from napari_cellsci.labels.reading import Reading
from napari_cellsci.labels.state import Action, Kind, LabelState
from napari_cellsci.labels.tables import label_table
from napari_cellsci.labels.who import annotator

HOWS = ("key", "click", "bulk", "import", "api", "suggestion")
"""How a label can have been given."""


class Labels(Reading, LeavingOut):
    """The labels of one project, kept as an append-only log of actions.

    Each action is committed to disk before it shows. Other windows and commands may
    write to the same log; their actions appear at the next action or `refresh`.

    Parameters
    ----------
    database : Database
    cells : callable
        Returns the project's table of cells.
    who : str, optional
        The annotator; by default the name last given on this computer, or the login
        name.

    Attributes
    ----------
    who : str
        In whose name labels are given and taken back from now on.
    changed : Signal
        Emits the row ids (int64 array) whose label may have changed, or which were
        filtered out or taken back, in the thread that made the change.
    classes_changed : Signal
        Names, colours, merges or the use of classes changed; likewise.
    """

    changed = Signal(np.ndarray)
    classes_changed = Signal()

    def __init__(
        self,
        database: Database,
        cells: Callable[[], pd.DataFrame],
        who: str | None = None,
    ) -> None:
        self._database = database
        self._cells = cells
        self._index: CellIndex | None = None
        self.who = who or annotator()
        self._state = LabelState()
        self._lock = threading.RLock()
        self._seen = -1
        self._rows: tuple[LabelClass, ...] = ()
        self._known: dict[int, LabelClass] = {}
        self._counts_as: dict[int, int] = {}
        self._classes: tuple[LabelClass, ...] = ()
        self._told: tuple[tuple[LabelClass, ...], dict[int, int | None]] | None = None
        self.refresh()

    def set(self, cell: CellName, cls: str, *, how: str = "api") -> None:
        """Say that `cell` is a `cls`.

        Parameters
        ----------
        cell : int or tuple
            Row id, ``(track_id, t)`` where there is one movie,
            ``(movie, track_id, t)``, or ``(image, 0, 0)``.
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
        self._label("set", [cell], cls, how)

    def set_many(
        self, cells: Iterable[CellName], cls: str, *, how: str = "bulk"
    ) -> None:
        """Say that all `cells` are a `cls`, as one action that is undone as one."""
        self._label("set", cells, cls, how)

    def clear(self, cell: CellName, *, how: str = "api") -> None:
        """Take the label of `cell` away; the log keeps what it was."""
        self._label("clear", [cell], None, how)

    def clear_many(self, cells: Iterable[CellName], *, how: str = "bulk") -> None:
        """Take the labels of all `cells` away, as one action."""
        self._label("clear", cells, None, how)

    def undo(self, *, how: str = "api") -> Action | None:
        """Take back this annotator's last action; return it, or None at the start.

        Raises
        ------
        InputError
            If what others did since forbids it (a class's name was taken).
        """
        return self._reverse("undo", how)

    def redo(self, *, how: str = "api") -> Action | None:
        """Bring back the action last undone; return it, or None if there is none."""
        return self._reverse("redo", how)

    @property
    def can_undo(self) -> bool:
        """Whether this annotator has an action to take back."""
        return self._state.next_undo(self.who) is not None

    @property
    def can_redo(self) -> bool:
        """Whether this annotator has an action to bring back."""
        return self._state.next_redo(self.who) is not None

    def add_class(
        self, name: str, *, colour: str | None = None, trained: bool = False
    ) -> None:
        """Add a class.

        Parameters
        ----------
        name : str
        colour : str, optional
            ``#RRGGBB``; by default the next of Okabe and Ito's.
        trained : bool
            Whether classifiers learn it; else its labels are only kept.

        Raises
        ------
        InputError
            If there is such a class already.
        """
        with self._database.transaction() as inside:
            touched = self._take_in()
            name = class_log.free_name(self._classes, name)
            edits = self._new_class(inside, name, colour, trained)
            self._append_class(inside, edits, f"class {name} added")
        self._catch_up(touched)

    def rename_class(self, old: str, new: str) -> None:
        """Give a class another name; its labels follow."""
        self._edit(class_log.renaming, old, new)

    def recolour_class(self, name: str, colour: str) -> None:
        """Give a class another colour, ``#RRGGBB``."""
        self._edit(class_log.recolouring, name, colour)

    def merge_classes(self, name: str, into: str) -> None:
        """Let all cells labelled `name` count as `into`; undo parts them again."""
        self._edit(class_log.merging, name, into)

    def use_class(self, name: str, trained: bool) -> None:
        """Take a class into training, or keep it out."""
        self._edit(class_log.using, name, trained)

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
        who: str | None = None,
    ) -> ImportReport:
        """Read labels from a table, as one action.

        Parameters
        ----------
        path : path
            CSV with the columns track_id, t, class, optionally movie, y, x. A row
            without a track (empty, negative, or 0 where no track is called 0) goes to
            the nearest tracked cell of that frame. For images: image or index, class.
        max_distance : float
            How far that cell may be (px).
        add_classes : bool
            Accept a table none of whose classes is known yet. Unknown classes beside
            known ones are always kept; they take no part in training.
        who : str, optional
            Whose labels they are; this annotator's by default.

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
        self.import_cells(matches, who or self.who)
        trained = {known.name for known in self._classes if known.position is not None}
        unused = matches.loc[~matches["class"].isin(trained), "class"]
        return ImportReport(
            matched=len(matches),
            unmatched=unmatched,
            unused={str(k): int(v) for k, v in unused.value_counts().items()},
        )

    def export_csv(
        self, path: str | os.PathLike[str], rows: Iterable[int] | None = None
    ) -> int:
        """Write the labels as a table that `import_csv` reads back.

        Parameters
        ----------
        path : path
        rows : iterable of int, optional
            Only the labels of these cells.

        Returns
        -------
        int
            How many labels were written.
        """
        labels = self.as_series()
        if rows is not None:
            labels = labels[labels.index.isin(list(rows))]
        table = label_table(labels, self._cells(), self._state)
        with whole_file(Path(path)) as temporary:
            table.to_csv(temporary, index=False)
        return len(table)

    def import_cells(self, matches: pd.DataFrame, who: str) -> None:
        """Label cells (columns cell, class) as one import of `who`."""
        with self._database.transaction() as inside:
            touched = self._take_in()
            ids = {known.name: known.id for known in self._classes}
            edits: list[ClassEdit] = []
            for name in sorted(set(matches["class"]) - set(ids)):
                new = self._new_class(inside, name, None, False)
                ids[name] = new[0].id
                edits += new
            append(
                inside,
                who=who,
                how="import",
                kind="set",
                cells=[int(cell) for cell in matches["cell"]],
                classes=[ids[name] for name in matches["class"]],
                edits=edits,
            )
        self._catch_up(touched)

    def _new_class(
        self, inside: sqlite3.Connection, name: str, colour: str | None, trained: bool
    ) -> list[ClassEdit]:
        checked = None if colour is None else checked_colour(colour)
        class_id = insert_class(inside, checked_name(name), checked)
        return class_log.adding(class_id, name, self._classes, trained)

    def _edit(
        self,
        edits_of: Callable[..., tuple[list[ClassEdit], str]],
        *arguments: object,
    ) -> None:
        with self._database.transaction() as inside:
            touched = self._take_in()
            edits, said = edits_of(self._classes, *arguments)
            if edits:
                self._refuse(self._state.undone, edits)
                self._append_class(inside, edits, said)
        self._catch_up(touched)

    def _append_class(
        self, inside: sqlite3.Connection, edits: Sequence[ClassEdit], said: str
    ) -> None:
        append(inside, who=self.who, how="api", kind="class", edits=edits, said=said)

    def _refuse(self, undone: frozenset[int], coming: Sequence[ClassEdit] = ()) -> None:
        """Refuse classes that could not be told apart or trained."""
        classes = self._state.edits.over(self._rows, undone, coming)
        why = trouble(classes, self._state.used(undone))
        if why:
            raise InputError(why)

    def _label(
        self, kind: Kind, cells: Iterable[CellName], cls: str | None, how: str
    ) -> None:
        if how not in HOWS:
            raise InputError(f"Labels are given by {', '.join(HOWS)}, not {how!r}.")
        if cls is not None and cls not in self.names:
            self.refresh()  # another window may have renamed it
        value = None if cls is None else class_log.find(self._classes, cls).id
        rows = self._cell_index().rows(cells).tolist()
        if not rows:
            return
        with self._database.transaction() as inside:
            values = [value] * len(rows)
            append(inside, who=self.who, how=how, kind=kind, cells=rows, classes=values)
        self._catch_up()

    def _reverse(self, kind: Kind, how: str) -> Action | None:
        with self._database.transaction() as inside:
            # What there is to undo is read under the write lock, so that two windows
            # never undo the same action twice.
            touched = self._take_in()
            state = self._state
            following = state.next_undo if kind == "undo" else state.next_redo
            target = following(self.who)
            if target is not None:
                if state.actions[target].edits:
                    self._refuse(state.undone_after(kind, target))
                append(inside, who=self.who, how=how, kind=kind, target=target)
        self._catch_up(touched)
        return None if target is None else self._state.actions[target]

    def _catch_up(self, touched: Sequence[int] = ()) -> int:
        """Take in what is new, and tell of it and of `touched` cells."""
        before = len(self._state.actions)
        found = {*touched, *self._take_in()}
        meant = {
            value: goal if self._known[goal].present else None
            for value, goal in self._counts_as.items()
        }
        told, self._told = self._told, (self._classes, meant)
        if told is not None and told[1] != meant:
            values = list(self._state.values.items())
            moved = {value for value in meant if told[1].get(value) != meant[value]}
            found |= {cell for cell, value in values if value in moved}
        if told is not None and told[0] != self._classes:
            self.classes_changed.emit()
        if found:
            self.changed.emit(np.array(sorted(found), dtype=np.int64))
        return len(self._state.actions) - before

    def _take_in(self) -> list[int]:
        """Apply what the log holds beyond what we know; return the touched cells."""
        actions = read_after(self._database, self._state.last_id)
        with self._lock:  # another thread may have taken in the same actions
            new = [action for action in actions if action.id > self._state.last_id]
            touched = [cell for action in new for cell in self._state.apply(action)]
            if not self._known or any(self._on_classes(action) for action in new):
                self._rows = read_rows(self._database)
                self._look_at_classes()
        return touched

    def _on_classes(self, action: Action) -> bool:
        target = self._state.actions.get(action.target or 0)
        return bool(action.edits or (target is not None and target.edits))

    def _look_at_classes(self) -> None:
        state = self._state
        self._known = state.edits.over(self._rows, state.undone)
        self._counts_as = resolve(self._known)
        self._classes = visible_classes(self._known)

    def _cell_index(self) -> CellIndex:
        cells = self._cells()
        if self._index is None or self._index.cells is not cells:
            self._index = CellIndex(cells)
        return self._index
