"""What can be done with one cell of the gallery, at a right click."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QApplication, QMenu, QWidget

from napari_cellsci.panels.label.service import LabelService
from napari_cellsci.viewer.navigation import Navigator

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session


class CellMenu:
    """The menu of a cell.

    Parameters
    ----------
    owner : QWidget
        The panel above which it opens.
    session : Session
    """

    def __init__(self, owner: QWidget, session: Session) -> None:
        self._owner, self._session = owner, session

    def offer(self, row: int, place: QPoint) -> None:
        """Show the menu at a place of the screen, and do what is chosen."""
        table, session = self._session.table, self._session
        service = session.service(LabelService)
        menu = QMenu(self._owner)
        zoom = menu.addAction("Zoom to the cell")
        track = menu.addAction("Select its whole track")
        image = "" if table is None else table.image_of(row)
        copy = menu.addAction(
            "Copy its name" if image else "Copy its movie, track and frame"
        )
        track.setVisible(not image)
        menu.addSeparator()
        out = menu.addAction("Take back" if session.left_out[row] else "Filter out")
        label = {menu.addAction(f"Label as {name}"): name for name in service.names}
        picked = menu.exec(place)
        menu.deleteLater()
        if picked is zoom:
            self.zoom_to(row)
        elif picked is track:
            self.select_track(row)
        elif picked is copy:
            self.copy_name(row)
        elif picked is out or picked in label:
            if row not in session.selected:
                session.select(row)
            service.filter_out() if picked is out else service.label(label[picked])

    def zoom_to(self, row: int) -> None:
        """Show a cell in the middle of the movie, with its surroundings."""
        session = self._session
        project, table = session.project, session.table
        if project is None or table is None:
            return
        session.movie = table.movies[table.movie[row]]
        shown = session.shown
        if shown is None:
            return
        width = project.spec.window(shown.info.pixel_size)
        session.service(Navigator).zoom_to(row, 4 * width)

    def select_track(self, row: int) -> None:
        """Select a cell and all other cells of its track."""
        table = self._session.table
        if table is not None:
            self._session.select_many(table.rows_of_track(row), row)

    def copy_name(self, row: int) -> None:
        """Copy how a cell is named in tables: movie, track_id, t, or its image."""
        table = self._session.table
        if table is not None:
            movie = table.movies[table.movie[row]]
            named = f"{movie},{table.track[row]},{table.t[row]}"
            words = table.image_of(row) or named
            QApplication.clipboard().setText(words)
