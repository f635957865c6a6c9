"""The *Latent map* panel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import (
    QBoxLayout,
    QHBoxLayout,
    QLabel,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from napari_cellsci.panels._base import PanelBase
from napari_cellsci.panels._choice import Choice, ChoiceBox
from napari_cellsci.panels._jobs import JobState
from napari_cellsci.panels._parts import RunLine, whole_number
from napari_cellsci.panels._theme import STEP
from napari_cellsci.panels.gallery.thumbnails import Thumbnails
from napari_cellsci.panels.latent_map import output
from napari_cellsci.panels.latent_map.axes import (
    axes_of,
    coordinate,
    is_umap,
    latent_key,
)
from napari_cellsci.panels.latent_map.classes_page import ClassesPage
from napari_cellsci.panels.latent_map.controls import ToolBar
from napari_cellsci.panels.latent_map.guests import Guests, failing_guests
from napari_cellsci.panels.latent_map.hover import HoverCard
from napari_cellsci.panels.latent_map.key import ColorKey, key_of
from napari_cellsci.panels.latent_map.marks import MANY, marks_of
from napari_cellsci.panels.latent_map.plot import MapPlot
from napari_cellsci.panels.latent_map.service import MapService
from napari_cellsci.panels.latents.service import Code, LatentService
from napari_cellsci.panels.latents.standing import Standing
from napari_cellsci.panels.robustness.service import RobustnessService
from napari_cellsci.representation.embedding import Components, principal_components
from napari_cellsci.viewer import map_colors, readout
from napari_cellsci.viewer.lasso import PlanePoints
from napari_cellsci.viewer.navigation import Navigator

if TYPE_CHECKING:
    import napari.viewer

NARROW, WIDE = 300, 680
"""From this width (px) the map and the classes stand side by side."""
MAP, CLASSES = 0, 1


class LatentMapPanel(PanelBase):
    """All cells in a plane of two latents; select with a lasso, compare classes."""

    title = "Latent map"
    data_filter = "CSV (*.csv)"
    figure_filter = "PNG (*.png);;PDF (*.pdf);;SVG (*.svg)"

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self.latents = self.session.service(LatentService)
        self.service = self.session.service(MapService)
        self.standing = Standing(self.session, self.card)
        self.thumbnails = Thumbnails(self.session)
        self.parts: Components | None = None
        self.xy: NDArray[np.float32] = np.zeros((0, 2), np.float32)
        self._code: Code | None = None
        self._drawn: tuple[str, str] = ("", "")
        self._colors: NDArray[np.float32] = np.zeros((0, 4), np.float32)
        self._build_map()
        self.classes_page = ClassesPage(self.session)
        self._build_frame()
        self._connect()
        self.on_theme()
        self.refresh()

    def _build_map(self) -> None:
        self.y_box = ChoiceBox("What the y axis shows")
        self.x_box = ChoiceBox("What the x axis shows")
        self.color_box = ChoiceBox("What the colours mean")
        self.plot = MapPlot()
        self.hover = HoverCard(self.plot)
        self.key = ColorKey()
        self.tools = ToolBar()
        self.tools.show_tool(self.service.choice.tool)
        self.plot.tool = self.service.choice.tool
        top, bottom = QHBoxLayout(), QHBoxLayout()
        for row in (top, bottom):
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(STEP)
        top.addWidget(QLabel("Y"))
        top.addWidget(self.y_box, 3)
        top.addSpacing(STEP)
        self.colour_word = QLabel("Colour")
        top.addWidget(self.colour_word)
        top.addWidget(self.color_box, 2)
        bottom.addWidget(self.tools)
        bottom.addWidget(QLabel("X"))
        bottom.addWidget(self.x_box, 1)
        self.map_page = QWidget()
        layout = QVBoxLayout(self.map_page)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(STEP)
        layout.addLayout(top)
        layout.addWidget(self.plot, 1)
        layout.addLayout(bottom)
        layout.addWidget(self.key)

    def _build_frame(self) -> None:
        self.tabs = QTabBar()
        self.tabs.setObjectName("sections")
        self.tabs.setExpanding(False)
        self.tabs.setDrawBase(False)
        for words, tip in (
            ("Map", "All cells in a plane"),
            ("Classes", "How the classes lie along each latent, best one first"),
        ):
            self.tabs.setTabToolTip(self.tabs.addTab(words), tip)
        self.pages = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self.pages.setSpacing(4 * STEP)
        self.pages.addWidget(self.map_page, 3)
        self.pages.addWidget(self.classes_page, 2)
        self.body.setSpacing(STEP)
        self.body.addWidget(self.tabs)
        self.body.addLayout(self.pages, 1)
        self.encode_line = RunLine("Encode", self.latents.job, self.standing.encode)
        self.umap_line = RunLine("Lay out", self.service.umap_job, self._start_umap)
        self.foot.addWidget(self.encode_line)
        self.foot.addWidget(self.umap_line)

    def _connect(self) -> None:
        session = self.session
        self._on(session.project_changed, self._on_project)
        self._on(session.scores_changed, self.mark_dirty)
        self._on(session.labels_changed, self._on_labels)
        self._on(session.classes_changed, self.mark_dirty)
        self._on(session.current_changed, self._on_current)
        self._on(session.selection_changed, self._on_selection)
        self._on(self.latents.changed, self.mark_dirty)
        self._on(self.latents.atlas_changed, self.mark_dirty)
        self._on(self.latents.job.changed, self._on_job)
        self._on(session.service(RobustnessService).changed, self.mark_dirty)
        self._on(self.service.umap_changed, self.mark_dirty)
        self._on(self.service.umap_job.changed, self._on_job)
        self._on(self.service.classes_changed, self._on_classes)
        self._on(self.service.axes_changed, self._axes_changed)
        self.x_box.chosen.connect(self.choose_x)
        self.y_box.chosen.connect(self.choose_y)
        self.color_box.chosen.connect(self._on_color)
        self.tools.chosen.connect(self._on_tool)
        self.tools.fit.clicked.connect(self.plot.fit)
        self.tools.swap.clicked.connect(self._swap)
        self.tabs.currentChanged.connect(self._arrange)
        self.plot.picked.connect(self._on_picked)
        self.plot.opened.connect(self._on_opened)
        self.plot.enclosed.connect(self._on_enclosed)
        self.plot.hovered.connect(self._on_hovered)
        self.plot.stepped.connect(self._on_stepped)
        self.plot.cleared.connect(self._on_cleared)
        self.classes_page.chosen.connect(self._on_listed)

    def on_show(self) -> None:
        """Make the canvas when the panel is first seen, and encode the cells."""
        self.plot.open_canvas()
        self.latents.ensure()

    def refresh(self) -> None:
        """Bring map and classes up to date."""
        if self.isVisible():
            self.latents.ensure()
        ready = self.standing.tell()
        for part in (self.tabs, self.map_page, self.classes_page):
            part.setEnabled(ready)
        self._show_jobs()
        self._arrange()
        code = self.latents.code
        if not ready or code is None:
            self._show_nothing()
            return
        if self._code is None or self._code.encoder is not code.encoder:
            self.parts = code.parts or principal_components(code.latents)
            self._drawn = ("", "")
        self._code = code
        self._fill_boxes(code)
        self._show_points(code)
        self.classes_page.show_code(code)
        self._tell()

    def _show_nothing(self) -> None:
        self._code, self.parts = None, None
        self.xy = np.zeros((0, 2), np.float32)
        self._drawn = ("", "")
        self._show_guests()
        self.plot.say("The map of all cells appears here once they are encoded.")
        self.key.setVisible(False)
        self.classes_page.show_code(None)

    def _fill_boxes(self, code: Code) -> None:
        assert self.parts is not None
        choice, scored = self.service.choice, self.session.scores is not None
        groups = axes_of(code, self.parts, scored)
        self.x_box.offer(groups, self.service.axes[0])
        self.y_box.offer(groups, self.service.axes[1])
        why_not = "" if scored else "Score the cells first"
        ways = [
            Choice(way.key, way.title, way.tip, why_not if way.needs_scores else "")
            for way in map_colors.MAP_COLORS
        ]
        if map_colors.is_lead(self.session):
            why_not = "Of several classes it only tells how far the best one leads"
            ways[0] = replace(ways[0], why_not=why_not)
        shown = map_colors.usable(self.session, choice.color)
        self.color_box.offer([ways], shown)

    def _show_points(self, code: Code) -> None:
        """Draw all cells, or say what is still missing."""
        session, choice = self.session, self.service.choice
        assert self.parts is not None
        keys = self.service.axes
        scores = None if session.scores is None else session.scores.score
        plane = self.service.plane
        columns = [coordinate(key, code, self.parts, plane, scores) for key in keys]
        self.xy = np.stack(columns, axis=1)
        self._show_guests()
        if any(map(is_umap, keys)) and plane is None:
            self._ask_for_umap()
            self._drawn = ("", "")
            return
        self.plot.say("")
        self._colors = map_colors.colors(session, choice.color)
        marks = marks_of(session, choice.color, self.xy, self._colors)
        fresh = keys != self._drawn
        self.plot.show_points(marks, PlanePoints(self.xy), fit=fresh)
        self._drawn = keys
        self._show_guests()
        self.key.setVisible(True)
        self.key.explain(key_of(session, choice.color))
        self._on_selection()
        self._on_current()

    @property
    def guests(self) -> Guests:
        """Failing pictures that Robustness shows, with their place in the map."""
        if self._code is None or self.parts is None:
            return Guests()
        return failing_guests(self.session, self._code, self.parts, self.service.axes)

    def _show_guests(self) -> None:
        self.plot.show_guests(self.guests)

    def _ask_for_umap(self) -> None:
        job = self.service.umap_job
        if job.state is JobState.FAILED and job.failure is not None:
            self.plot.say(job.failure.message)
        elif job.state.busy:
            self.plot.say("Laying out the cells…")
        elif job.message:
            self.plot.say(job.message)
        else:
            self.service.lay_out()

    def _start_umap(self) -> None:
        self.service.lay_out()

    def _tell(self) -> None:
        session = self.session
        n = len(session.selected)
        words = f"{whole_number(session.n_cells)} cells"
        boxes = (self.x_box.currentText(), self.y_box.currentText())
        atlas = self._code.atlas if self._code is not None else None
        waiting = self.latents.atlas_job.state.busy and atlas is None
        reason = "Finding out what the latents mean…" if waiting else ""
        if all(self.service.axes):
            words += f" on {boxes[0]} and {boxes[1]}"
        if n > 1:
            words += f"; {whole_number(n)} selected"
        self.card.tell(f"{words}.", reason=reason)

    def _on_project(self) -> None:
        self.thumbnails.clear()
        self.service.choose(x=None, y=None)
        self.mark_dirty()

    def _on_labels(self) -> None:
        by = map_colors.usable(self.session, self.service.choice.color)
        # Among very many cells a label is seen by its colour alone.
        if by == "label" or self.session.n_cells <= MANY:
            self.mark_dirty()

    def _on_job(self) -> None:
        if not self.isVisible():
            self._dirty = True
            return
        self._show_jobs()
        jobs = (self.latents.job, self.service.umap_job)
        if not any(job.state.busy for job in jobs):
            self.mark_dirty()

    def _show_jobs(self) -> None:
        for line, job in (
            (self.encode_line, self.latents.job),
            (self.umap_line, self.service.umap_job),
        ):
            line.setVisible(job.state.busy)
            line.refresh()

    def choose_x(self, key: str) -> None:
        """Put something on the x axis."""
        self.service.put("x", key)

    def choose_y(self, key: str) -> None:
        """Put something on the y axis."""
        self.service.put("y", key)

    def _axes_changed(self) -> None:
        if any(map(is_umap, self.service.axes)):
            self.service.umap_job.reset()
        self.mark_dirty()

    def _swap(self) -> None:
        x, y = self.service.axes
        self.service.choose(x=y, y=x)
        self._axes_changed()

    def _on_color(self, key: str) -> None:
        self.service.choose(color=key)
        self.mark_dirty()

    def _on_tool(self, tool: str) -> None:
        self.service.choose(tool=tool)
        self.plot.tool = self.service.choice.tool

    def _on_listed(self, latent: int, axis: str) -> None:
        (self.choose_x if axis == "x" else self.choose_y)(latent_key(latent))

    def _on_selection(self) -> None:
        """Ring what is selected, wherever that was done."""
        if not self.isVisible():
            self._dirty = True
            return
        rows = self.session.selected
        if len(self.xy) == self.session.n_cells and self._code is not None:
            self.plot.show_selected(rows)
            self._tell()

    def _on_current(self) -> None:
        """Draw the way of the selected cell's track, and where it is now."""
        if not self.isVisible():
            self._dirty = True
            return
        row, table = self.session.current, self.session.table
        known = self._code is not None and len(self.xy) == self.session.n_cells
        rows = np.empty(0, np.int64)
        if known and row is not None and table is not None:
            rows = table.rows_of_track(row)
        now = np.flatnonzero(rows == row)
        place = int(now[0]) if now.size else None
        self._show_guests()
        self.plot.show_path(self.xy[rows], self._colors[rows], place)

    def _on_picked(self, row: int, joining: str) -> None:
        if joining == "replace":
            self.session.select(row, go=True)
        else:
            self._join(np.array([row]), joining, row)

    def _on_opened(self, row: int) -> None:
        project, shown = self.session.project, self.session.shown
        if project is not None and shown is not None:
            width = project.spec.window(shown.info.pixel_size)
            self.session.service(Navigator).zoom_to(row, 4 * width)

    def _on_enclosed(self, rows: NDArray[np.int64], joining: str) -> None:
        self._join(rows, joining, None)

    def _join(self, rows: NDArray[np.int64], joining: str, current: int | None) -> None:
        session = self.session
        if joining == "add":
            rows = np.union1d(session.selected, rows)
        elif joining == "remove":
            rows, current = np.setdiff1d(session.selected, rows), None
        if len(rows):
            session.select_many(rows, current)
        else:
            session.select(None)

    def _on_hovered(self, row: int | None) -> None:
        if row is None:
            self.hover.hide()
            return
        lines = readout.describe(self.session, row)
        picture = self.thumbnails.pixmap(row)
        self.hover.tell(self.plot.place_of(row), picture, lines)

    def _on_stepped(self, by: int) -> None:
        row, table = self.session.current, self.session.table
        if row is None or table is None:
            return
        rows = table.rows_of_track(row)
        place = int(np.searchsorted(table.t[rows], table.t[row])) + by
        if 0 <= place < len(rows):
            self.session.select(int(rows[place]), go=True)

    def _on_cleared(self) -> None:
        self.session.select(None)

    def _on_classes(self) -> None:
        if self.isVisible():
            self.classes_page.refresh()
        else:
            self._dirty = True

    def _arrange(self) -> None:
        """Show one page, or both where there is room."""
        wide = self.width() >= WIDE
        self.tabs.setVisible(not wide)
        current = self.tabs.currentIndex()
        self.map_page.setVisible(wide or current == MAP)
        self.classes_page.setVisible(wide or current == CLASSES)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the pages side by side, or one at a time."""
        super().resizeEvent(event)
        self.colour_word.setVisible(self.width() >= NARROW)
        self._arrange()

    def on_theme(self) -> None:
        """Follow the theme."""
        theme = self.theme
        self.plot.set_theme(theme)
        self.key.set_ink(theme.text, theme.muted)
        self.tools.set_color(theme.text)
        self.classes_page.set_theme(theme)

    def dispose(self) -> None:
        """Let go of the canvas."""
        self.classes_page.stop()
        self.plot.close_canvas()
        super().dispose()

    def has_data(self) -> bool:
        """Whether there is a map."""
        return self._code is not None

    def save_data(self, path: str) -> None:
        """Write the place of every cell in the map as CSV."""
        output.save_table(self.session, self.service, self.xy, path, self.titles)

    def save_figure(self, path: str) -> None:
        """Write the map and the densities as a figure."""
        if self._code is None:
            super().save_figure(path)
            return
        output.save_figure(
            self.session,
            self.service,
            self._code,
            self.xy,
            path,
            self.titles,
            self.guests,
        )

    @property
    def titles(self) -> tuple[str, str]:
        """What the axes show, in words."""
        return self.x_box.currentText(), self.y_box.currentText()

    def python_code(self) -> str | None:
        """Return the lines that make the coordinates of the map."""
        if self._code is None:
            return None
        return output.python_code(self.session, self._code, self.service.axes)
