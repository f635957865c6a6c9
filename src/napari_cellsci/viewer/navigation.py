"""Time and camera: moving to a cell, and following the current cell through time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_cellsci.viewer import tags
from napari_cellsci.viewer.geometry import Affine

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_cellsci.viewer.session import Session

_MARGIN = 0.1
"""A cell nearer than this part of the view to its border is moved to the middle."""


class Navigator:
    """Keeps the frame on screen and the session's current cell together.

    Attributes
    ----------
    frame_changed : Signal
        Another frame of the shown movie is on screen; carries its number.
    """

    frame_changed = Signal(int)

    def __init__(self, session: Session) -> None:
        self._session = session
        self._frame = 0
        self._wanted: int | None = None
        # Another frame costs napari more than all panels together: they go first, and
        # of cells that are run through only the last is gone to.
        self._soon = QTimer()
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self.arrive)
        viewer = session.viewer
        if viewer is not None:
            viewer.dims.events.current_step.connect(self.sync)
        session.go_requested.connect(self.go_soon)

    @property
    def frame(self) -> int:
        """Frame of the shown movie that is on screen."""
        return self._frame

    def anchor(self) -> Layer | None:
        """Return a layer whose coordinates are the shown movie's pixels."""
        session = self._session
        if session.viewer is None or session.project is None or session.movie is None:
            return None
        for role in ("image", "markers"):
            layer = tags.find(session.viewer, session.project.path, session.movie, role)
            if layer is not None:
                return layer
        return None

    def show_frame(self, t: int) -> None:
        """Put frame `t` of the shown movie on screen."""
        self._wanted = None
        layer, viewer = self.anchor(), self._session.viewer
        if layer is None or viewer is None:
            return
        there = Affine.to_world(layer)
        axis = viewer.dims.ndim - layer.ndim
        time = there.offset[0] + there.matrix[0, 0] * t
        viewer.dims.set_point(axis, float(time))

    def go_soon(self, row: int) -> None:
        """Go to the cell `row` once whatever is under way has been shown."""
        self._wanted = row
        self._soon.start()

    def arrive(self) -> None:
        """Go now where `go_soon` was asked to, if it was."""
        row, self._wanted = self._wanted, None
        if row is not None:
            self.go(row)

    def go(self, row: int) -> None:
        """Show the cell `row`: its movie, its time, and its place if it is off view."""
        table = self._session.table
        if table is None or not 0 <= row < len(table):
            return
        self._session.movie = table.movies[table.movie[row]]
        self.show_frame(int(table.t[row]))
        if self._session.follow_camera:
            self._look_at(row)

    def zoom_to(self, row: int, width: float) -> None:
        """Show the cell `row` in the middle, `width` px of the movie across."""
        self.go(row)
        viewer, layer = self._session.viewer, self.anchor()
        if viewer is None or layer is None:
            return
        scale = abs(float(np.asarray(layer.scale)[-1]))
        viewer.scene.camera.zoom = min(viewer.canvas.size) / (width * scale)
        self._look_at(row, always=True)

    def _look_at(self, row: int, always: bool = False) -> None:
        viewer, layer, table = (
            self._session.viewer,
            self.anchor(),
            self._session.table,
        )
        if viewer is None or layer is None or table is None or viewer.dims.ndisplay > 2:
            return
        point = np.zeros((1, layer.ndim))
        point[0, -2:] = table.y[row], table.x[row]
        place = Affine.to_world(layer)(point)[0, -2:]
        camera = viewer.scene.camera
        half = np.asarray(viewer.canvas.size) / camera.zoom / 2
        away = np.abs(place - np.asarray(camera.center)[-2:])
        if always or np.any(away > half * (1 - 2 * _MARGIN)):
            camera.center = (*camera.center[:-2], *place)

    def sync(self) -> None:
        """Take over the frame on screen."""
        frame = self._frame_on_screen()
        if frame is None or frame == self._frame:
            return
        self._frame = frame
        self._wanted = None  # whoever changed the frame since wants to be here
        self._follow(frame)
        self.frame_changed.emit(frame)

    def _frame_on_screen(self) -> int | None:
        layer, viewer = self.anchor(), self._session.viewer
        if layer is None or viewer is None or viewer.dims.ndim < layer.ndim:
            return None
        point = np.asarray(viewer.dims.point)[-layer.ndim :]
        return round(float(layer.world_to_data(point)[0]))

    def _follow(self, frame: int) -> None:
        session = self._session
        if not session.follow_track or session.current is None or not session.table:
            return
        if len(session.selected) > 1:
            return
        row = session.table.at_time(session.current, frame)
        if row is not None and row != session.current:
            session.select(row)
