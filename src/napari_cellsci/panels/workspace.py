"""*Open workspace*: the panels laid out around the movie."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QSize, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QTabBar

from napari_cellsci.viewer.session import Session, get_session, unwrapped

if TYPE_CHECKING:
    import napari.viewer

PLUGIN = "napari-cellsci"
TABS = (
    *("Cells", "Label", "Train", "Score"),
    *("Latents", "Latent map", "Network", "Expressions", "Compare", "Robustness"),
)
SIDE = tuple((name, "right") for name in TABS)
BELOW = (("Gallery", "bottom"), ("Cell", "bottom"))
ALONE = (("Cells table", "bottom"),)
"""Opened when they are asked for."""
KINDS = {
    "Cells": "cells.panel:CellsPanel",
    "Train": "train.panel:TrainPanel",
    "Score": "score.panel:ScorePanel",
    "Latents": "latents.panel:LatentsPanel",
    "Latent map": "latent_map.panel:LatentMapPanel",
    "Network": "network.panel:NetworkPanel",
    "Expressions": "expressions.panel:ExpressionsPanel",
    "Compare": "compare.panel:ComparePanel",
    "Label": "label.panel:LabelPanel",
    "Cells table": "table.panel:TablePanel",
    "Robustness": "robustness.panel:RobustnessPanel",
    "Gallery": "gallery.panel:GalleryPanel",
    "Cell": "cell_strip.panel:CellStripPanel",
}
"""Where each panel is defined, by its title."""
SIDE_WIDTH, SIDE_NARROW, WIDE = 360, 328, 1420
"""Width of the side column; narrower in windows below `WIDE`, for the movie's half."""
SMALLEST, USUAL = (1366, 768), (1600, 960)
"""Size of the window below which it is enlarged, and to what."""
HIGH = 900
"""Height (px) from which the strips span the whole window and are higher.

Below it the columns at the sides reach the bottom: their forms need the height more
than the strips need the width.
"""
HEIGHTS_LOW, HEIGHTS_HIGH = (114, 136), (182, 156)
"""Gallery and cell strip: one row of thumbnails, or two."""


def open_workspace(
    viewer: napari.viewer.Viewer,
    project: str | os.PathLike[str] | None = None,
    score: bool = True,
) -> None:
    """Open all panels: tabs beside the movie, Gallery and Cell below it.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    project : path, optional
        A project to open at once.
    score : bool
        Also score its cells at once, with its newest classifier or the one that comes
        with the plugin.
    """
    viewer = unwrapped(viewer)  # Qt takes no proxies of its docks
    first = _find(viewer, SIDE[0][0]) is None
    docks = {name: _dock(viewer, name, area) for name, area in (*SIDE, *BELOW)}
    window = next(iter(docks.values())).parent()
    if isinstance(window, QMainWindow):
        _make_room(window)
        front = "Score" if score and project is not None else "Cells"
        session = get_session(viewer) if first else None
        _Arrangement(window, docks, docks[front], session)
    if project is not None:
        open_project(viewer, project, score=score)


def show_panel(viewer: napari.viewer.Viewer, name: str) -> None:
    """Bring a panel to the front, opened if it is not there yet.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
    name : str
        Its title, for example ``"Score"``.
    """
    viewer = unwrapped(viewer)
    areas = dict((*SIDE, *BELOW, *ALONE))
    known = _find(viewer, name)
    dock = _dock(viewer, name, areas[name])
    beside = None if known else _find(viewer, SIDE[0][0])
    window = dock.parent()
    if beside is not None and beside is not dock and isinstance(window, QMainWindow):
        window.tabifyDockWidget(beside, dock)
    dock.show()
    dock.raise_()


def open_project(
    viewer: napari.viewer.Viewer,
    project: str | os.PathLike[str],
    *,
    score: bool = True,
) -> None:
    """Open a project in the session of a viewer and show its first movie.

    Raises
    ------
    ProjectError
        If it cannot be opened.
    """
    from napari_cellsci.panels.score.service import ScoreService
    from napari_cellsci.project import Project
    from napari_cellsci.viewer.overlay import Overlay

    session = get_session(viewer)
    session.service(Overlay)
    service = session.service(ScoreService)
    session.project = Project.open(Path(project))
    if score:
        service.run()


def _dock(viewer: Any, name: str, area: str) -> QDockWidget:
    """Return the dock of a panel, opened if it is not there yet."""
    known = _find(viewer, name)
    if known is not None:
        return known
    kind = _panel(name)
    # The very name under which napari's Plugins menu would open and find it.
    dock: QDockWidget = viewer.window.add_dock_widget(
        kind(viewer), name=f"{name} ({PLUGIN})", area=area
    )
    dock.setWindowTitle(name)
    return dock


def _find(viewer: Any, name: str) -> QDockWidget | None:
    for widget in viewer.window.dock_widgets.values():
        if getattr(widget, "title", None) == name:
            return _dock_of(widget)
    return None


def _dock_of(widget: Any) -> QDockWidget:
    parent = widget.parent()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent


def _panel(name: str) -> Any:
    module, kind = KINDS[name].split(":")
    return getattr(import_module(f"napari_cellsci.panels.{module}"), kind)


def _make_room(window: QMainWindow) -> None:
    """Enlarge a small window as far as its screen allows."""
    small = window.width() < SMALLEST[0] or window.height() < SMALLEST[1]
    if small and not (window.isMaximized() or window.isFullScreen()):
        screen = window.screen().availableGeometry().size()
        window.resize(screen.boundedTo(QSize(*USUAL)))


class _Arrangement(QObject):
    """Tabs the side column, stacks the strips below, gives the movie its half.

    Sizes can only be given once the docks have been laid out, a turn of the event loop
    later, and the movie fitted a turn after that; the object lives that long.

    Parameters
    ----------
    window : QMainWindow
    docks : dict of str to QDockWidget
    front : QDockWidget
        The tab that is seen.
    session : Session or None
        Whose movie is fitted into the room that is left, None to leave it as it is.
    """

    def __init__(
        self,
        window: QMainWindow,
        docks: dict[str, QDockWidget],
        front: QDockWidget,
        session: Session | None,
    ) -> None:
        super().__init__(window)
        self._window, self._docks, self._front = window, docks, front
        self._session = session
        self._high = window.height() >= HIGH
        self._stack()
        self._later(self._resize)

    def _later(self, step: Callable[[], None]) -> None:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.timeout.connect(step)
        timer.start(0)

    def _stack(self) -> None:
        window, docks = self._window, self._docks
        area, corner = Qt.DockWidgetArea, Qt.Corner
        for where, side in (
            (corner.BottomLeftCorner, area.LeftDockWidgetArea),
            (corner.BottomRightCorner, area.RightDockWidgetArea),
        ):
            window.setCorner(where, area.BottomDockWidgetArea if self._high else side)
        side = [docks[name] for name, _ in SIDE]
        for before, after in pairwise(side):
            window.tabifyDockWidget(before, after)
        window.splitDockWidget(docks["Gallery"], docks["Cell"], Qt.Orientation.Vertical)

    def _resize(self) -> None:
        window, docks = self._window, self._docks
        side = SIDE_WIDTH if window.width() >= WIDE else SIDE_NARROW
        self._front.raise_()
        # Tabs keep their whole words; those that find no room are scrolled to.
        for bar in window.findChildren(
            QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly
        ):
            bar.setElideMode(Qt.TextElideMode.ElideNone)
            bar.setUsesScrollButtons(True)
        window.resizeDocks([docks["Cells"]], [side], Qt.Orientation.Horizontal)
        window.resizeDocks(
            [docks["Gallery"], docks["Cell"]],
            list(HEIGHTS_HIGH if self._high else HEIGHTS_LOW),
            Qt.Orientation.Vertical,
        )
        self._later(self._fit)

    def _fit(self) -> None:
        if self._session is not None and self._session.viewer is not None:
            self._session.viewer.reset_view()
        self.deleteLater()
