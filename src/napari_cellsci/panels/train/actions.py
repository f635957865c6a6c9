"""What can be done with a run from the list: the menu on right click."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QPoint
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QApplication, QInputDialog, QMenu

from napari_cellsci.panels.train.words import title_of
from napari_cellsci.project.run_state import RunState
from napari_cellsci.project.runs import RunInfo

if TYPE_CHECKING:
    from napari_cellsci.panels.train.panel import TrainPanel


class RunActions(QObject):
    """Renames, notes, duplicates, copies, deletes the chosen runs of a panel."""

    def __init__(self, panel: TrainPanel) -> None:
        super().__init__(panel)
        self._panel = panel

    def menu(self) -> QMenu:
        """Return the menu for the chosen runs."""
        menu = QMenu(self._panel)
        menu.setToolTipsVisible(True)
        runs = self._panel.chosen
        one = runs[0] if len(runs) == 1 else None
        if one is not None:
            self._add(menu, "Duplicate with changes…", self.duplicate)
            self._add(menu, "Rename…", self.ask_name)
            self._add(menu, "Note…", self.ask_note)
            menu.addSeparator()
            self._add(menu, "Copy as Python", self.copy_python)
            self._add(menu, "Copy as command", self.copy_command)
            menu.addSeparator()
            if one.request is None:
                for action in menu.actions():
                    if action.text().startswith(("Dup", "Copy")):
                        action.setEnabled(False)
                        action.setToolTip("An older version did not keep what it was")
        delete = self._add(menu, "Delete (to the bin)", self.delete)
        busy = [run for run in runs if run.state.busy]
        if busy:
            delete.setEnabled(False)
            delete.setToolTip("Cancel it first")
        if self._panel.service.bin():
            self._add(menu, "Restore the last deleted", self.restore)
        return menu

    def show(self, place: QPoint) -> None:
        """Show the menu at a place of the screen."""
        self.menu().exec_(place)

    def _add(self, menu: QMenu, words: str, slot: object) -> QAction:
        action = QAction(words, menu)
        action.triggered.connect(slot)
        menu.addAction(action)
        return action

    @property
    def _run(self) -> RunInfo | None:
        runs = self._panel.chosen
        return runs[0] if runs else None

    def duplicate(self) -> None:
        """Set up a new run like the chosen one."""
        run = self._run
        if run is not None:
            self._panel.set_up_like(run)

    def ask_name(self) -> None:
        """Ask for another name."""
        run = self._run
        if run is not None:
            name, said = QInputDialog.getText(
                self._panel, "Rename the run", "Name", text=title_of(run)
            )
            if said:
                self.rename(name)

    def rename(self, name: str) -> None:
        """Give the chosen run another name."""
        run = self._run
        if run is not None:
            self._panel.attempt(partial(self._panel.service.rename, run, name))

    def ask_note(self) -> None:
        """Ask for a note."""
        run = self._run
        if run is not None:
            text, said = QInputDialog.getText(
                self._panel, "Note beside the run", "Note", text=run.note
            )
            if said:
                self.note(text)

    def note(self, text: str) -> None:
        """Write a note beside the chosen run."""
        run = self._run
        if run is not None:
            self._panel.attempt(partial(self._panel.service.note, run, text))

    def delete(self) -> None:
        """Put the chosen runs in the bin."""
        for run in self._panel.chosen:
            if run.state is not RunState.RUNNING:
                self._panel.attempt(partial(self._panel.service.delete, run))

    def restore(self) -> None:
        """Take the run that was deleted last out of the bin."""
        binned = self._panel.service.bin()
        if binned:
            self._panel.attempt(partial(self._panel.service.restore, binned[0]))

    def copy_python(self) -> None:
        """Copy the Python lines that repeat the chosen run."""
        QApplication.clipboard().setText(self._panel.python_code() or "")

    def copy_command(self) -> None:
        """Copy the command that repeats the chosen run."""
        QApplication.clipboard().setText(self._panel.command_line() or "")
