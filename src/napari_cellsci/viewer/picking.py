"""Mouse on our layers: hover tells about a cell, click selects it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_cellsci.viewer import readout, tags
from napari_cellsci.viewer.geometry import Affine
from napari_cellsci.viewer.navigation import Navigator

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_cellsci.viewer.session import Session

CLICK_PX = 5
"""A press that moved less than this on screen is a click, more is a drag."""
REACH = 1.6
"""A cell is hit within this many marker radii of its centroid…"""
CLICK_RADIUS = 8.0
"""…and at least within this many px of the movie."""


class Picker:
    """Selects and reads out cells under the mouse, on layers of the shown movie.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    look_up : callable, optional
        Returns the row whose mask lies at (frame, y, x); without one, or off every
        mask, the nearest centroid counts.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._hovered: int | None = None
        self.look_up: Callable[[int, float, float], int | None] | None = None

    def attach(self, layer: Layer | None) -> None:
        """Listen to the mouse on a layer, once."""
        if layer is None:
            return
        if self.on_drag not in layer.mouse_drag_callbacks:
            layer.mouse_drag_callbacks.append(self.on_drag)
        if self.on_move not in layer.mouse_move_callbacks:
            layer.mouse_move_callbacks.append(self.on_move)
        if tags.role_of(layer) != "masks":  # there napari's own polygons need the key
            layer.bind_key("Escape", self.on_escape, overwrite=True)

    def on_escape(self, layer: Layer) -> None:
        """Clear the selection."""
        self._session.select(None)

    def cell_at(self, position: Any) -> int | None:
        """Return the cell at a place in world coordinates on the present frame."""
        session, shown = self._session, self._session.shown
        navigator = session.service(Navigator)
        anchor = navigator.anchor()
        viewer = session.viewer
        if anchor is None or shown is None or viewer is None:
            return None
        if viewer.dims.ndisplay > 2:
            return None  # a place on a tilted volume names no pixel
        world = np.asarray(position, dtype=np.float64)[np.newaxis, -anchor.ndim :]
        if world.shape[1] < anchor.ndim:
            return None
        y, x = Affine.to_world(anchor).inverse()(world)[0, -2:]
        if self.look_up is not None:
            row = self.look_up(navigator.frame, float(y), float(x))
            if row is not None:
                return row
        radius = REACH * session.display.marker_size / 2
        place = (float(y), float(x))
        return shown.table.nearest(
            shown.name, navigator.frame, place, max(radius, CLICK_RADIUS)
        )

    def on_drag(self, layer: Layer, event: Any) -> Iterator[None]:
        """Select the cell where the mouse is pressed and released.

        With Shift the cell joins the selection or leaves it, and a drag takes all
        cells of the frame within the rectangle.
        """
        modifiers = {str(getattr(m, "name", m)) for m in event.modifiers}
        if event.button != 1 or not _is_idle(layer) or modifiers - {"Shift"}:
            return
        start, began = np.asarray(event.pos), event.position
        far = False
        yield
        while event.type == "mouse_move":
            far = far or np.abs(np.asarray(event.pos) - start).max() > CLICK_PX
            yield
        if far:
            if modifiers:
                self._select_within(began, event.position)
            return
        row = self.cell_at(event.position)
        if row is None:
            return
        if modifiers:
            rows = np.setxor1d(self._session.selected, [row])
            self._session.select_many(rows, row if row in rows else None)
        else:
            self._session.select(row)

    def _select_within(self, one: Any, other: Any) -> None:
        """Select the cells of the present frame between two places of the world."""
        session, shown = self._session, self._session.shown
        navigator = session.service(Navigator)
        anchor, viewer = navigator.anchor(), session.viewer
        if anchor is None or shown is None or viewer is None:
            return
        if viewer.dims.ndisplay > 2:
            return
        world = np.array([one, other], np.float64)[:, -anchor.ndim :]
        corners = Affine.to_world(anchor).inverse()(world)[:, -2:]
        low, high = corners.min(0), corners.max(0)
        table = shown.table
        rows = table.rows_at(shown.name, navigator.frame)
        place = np.stack([table.y[rows], table.x[rows]], axis=1)
        inside = ((place >= low) & (place <= high)).all(1)
        session.select_many(np.union1d(session.selected, rows[inside]))

    def on_move(self, layer: Layer, event: Any) -> None:
        """Tell about the cell under the mouse, beside it and in the status bar."""
        row = self.cell_at(event.position)
        if row == self._hovered:
            return
        self._hovered = row
        text = "" if row is None else readout.line(self._session, row)
        layer.help = text
        _show_tooltip(
            "" if row is None else "\n".join(readout.describe(self._session, row))
        )


def _is_idle(layer: Layer) -> bool:
    """Whether a click means nothing else to the layer (painting, adding, editing)."""
    return str(getattr(layer, "mode", "pan_zoom")) == "pan_zoom"


def _show_tooltip(text: str) -> None:
    from qtpy.QtGui import QCursor
    from qtpy.QtWidgets import QToolTip

    if text:
        QToolTip.showText(QCursor.pos(), text)
    else:
        QToolTip.hideText()
