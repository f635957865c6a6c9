"""The *Gallery* panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QModelIndex, QPoint, Qt
from qtpy.QtGui import QColor, QResizeEvent
from qtpy.QtWidgets import (
    QComboBox,
    QLabel,
    QSizePolicy,
    QSlider,
    QToolButton,
)

from napari_cellsci.panels._base import PanelBase
from napari_cellsci.panels._parts import whole_number
from napari_cellsci.panels._theme import STEP
from napari_cellsci.panels.gallery.cell_menu import CellMenu
from napari_cellsci.panels.gallery.delegate import FRAME, GalleryDelegate, Looks
from napari_cellsci.panels.gallery.filters import FILTERED_OUT, USABLE, FilterBar
from napari_cellsci.panels.gallery.model import GalleryModel, RowRole
from napari_cellsci.panels.gallery.order import sorted_rows, usable
from napari_cellsci.panels.gallery.sort_box import SortBox
from napari_cellsci.panels.gallery.spectrum import ClassShare, SpectrumStrip
from napari_cellsci.panels.gallery.thumbnails import Thumbnails
from napari_cellsci.panels.gallery.view import GalleryView
from napari_cellsci.panels.label.service import LabelService
from napari_cellsci.panels.latents.service import LatentService
from napari_cellsci.panels.score.legend import shapes_of
from napari_cellsci.viewer.asked import Asked

if TYPE_CHECKING:
    import napari.viewer

    from napari_cellsci.viewer.scores import ScoreColumns

NARROW = 640
"""Width (px) below which the tools take two lines."""
SMALLEST, LARGEST, USUAL = 40, 160, 64


class GalleryPanel(PanelBase):
    """Every crop of the project; click one to go to the cell."""

    title = "Gallery"

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, scrolls=False)
        self.thumbnails = Thumbnails(self.session)
        self.looks = Looks(self.session)
        self.model = GalleryModel(self.session, self.thumbnails)
        self.delegate = GalleryDelegate(self.looks)
        self.thumbnails.edge = USUAL - 2 * FRAME
        self.view = GalleryView()
        self.view.setModel(self.model)
        self.view.setItemDelegate(self.delegate)
        self.spectrum = SpectrumStrip()
        self.cell_menu = CellMenu(self, self.session)
        self._syncing = self._narrow = False
        self._key = "score"
        self._descending = False
        self._order_stale = True
        self._build_tools()
        self.filters = FilterBar()
        self.filters.hide()
        self.body.addWidget(self.filters)
        self.body.addWidget(self.view, 1)
        self._connect()
        self.on_theme()
        self.refresh()

    def _build_tools(self) -> None:
        self.sort = SortBox()
        self.reverse = QToolButton()
        self.reverse.setObjectName("menu")
        self.reverse.setText("⇄")
        self.reverse.setCheckable(True)
        self.reverse.setToolTip("The other way round")
        self.contrast = QComboBox()
        self.contrast.addItem("movie contrast", "movie")
        self.contrast.addItem("crop contrast", "crop")
        self.contrast.setToolTip(
            "Brightness comparable over the movie, or each crop as clear as possible"
        )
        self.size_slider = QSlider(Qt.Orientation.Horizontal)
        self.size_slider.setRange(SMALLEST, LARGEST)
        self.size_slider.setValue(USUAL)
        self.size_slider.setFixedWidth(72)
        self.size_slider.setToolTip("Size of the thumbnails")
        self.filter_button = QToolButton()
        self.filter_button.setObjectName("menu")
        self.filter_button.setText("▽")
        self.filter_button.setCheckable(True)
        self.filter_button.setToolTip("Show some of the cells only")
        self.filter_button.setAccessibleName("Filter")
        for tool in (self.sort, self.reverse, self.filter_button, self.contrast):
            tool.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.count = QLabel()
        self.count.setObjectName("muted")
        self.count.setSizePolicy(
            QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred
        )
        self.tools = (
            *(self.sort, self.reverse, self.filter_button),
            *(self.contrast, self.size_slider),
            *(self.spectrum, self.count),
        )
        for i, tool in enumerate(self.tools):
            self.header.insertWidget(i, tool, 1 if tool is self.spectrum else 0)

    def full_height(self) -> int:
        """Return the height of a line of tools and one row of thumbnails."""
        tools = max(tool.sizeHint().height() for tool in self.tools)
        spectrum = self.spectrum.height() + STEP if self._narrow else 0
        filters = self.filters.sizeHint().height() + STEP
        spectrum += filters if self.filter_button.isChecked() else 0
        return tools + spectrum + self.view.minimumHeight() + 3 * STEP

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give the spectrum a line of its own where it is narrow."""
        super().resizeEvent(event)
        narrow = self.width() < NARROW
        if narrow != self._narrow:
            self._narrow = narrow
            self.count.setVisible(not narrow and self.session.project is not None)
            if narrow:
                self.header.removeWidget(self.spectrum)
                self.body.insertWidget(0, self.spectrum)
            else:
                self.body.removeWidget(self.spectrum)
                self.header.insertWidget(5, self.spectrum, 1)

    def _connect(self) -> None:
        session = self.session
        self._on(session.project_changed, self._on_project)
        self._on(session.scores_changed, self._on_scores)
        self._on(session.labels_changed, self._on_labels)
        self._on(session.classes_changed, self._on_classes)
        self._on(session.display_changed, self._on_looks)
        self._on(session.selection_changed, self._on_selection)
        self._on(session.current_changed, self._on_selection)
        self._on(session.asked_changed, self._on_asked)
        latents = session.service(LatentService)
        self._on(latents.changed, self.mark_dirty)
        self._on(latents.atlas_changed, self.mark_dirty)
        self.filter_button.toggled.connect(self._on_filter_button)
        self.filters.changed.connect(self._on_filter)
        self.view.key_pressed.connect(session.service(LabelService).perform)
        self.sort.currentIndexChanged.connect(self._on_sort)
        self.reverse.toggled.connect(self._on_sort)
        self.contrast.currentIndexChanged.connect(self._on_contrast)
        self.size_slider.valueChanged.connect(self._on_size)
        self.spectrum.asked.connect(self.show_score)
        self.spectrum.asked_class.connect(self._ask_class)
        self.view.scrolled.connect(self._show_span)
        self.view.cleared.connect(self._clear)
        self.view.toggled.connect(self._toggle)
        self.view.doubleClicked.connect(self._zoom)
        self.view.clicked.connect(self._go)
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._offer)
        self.view.selectionModel().selectionChanged.connect(self._on_picked)

    def refresh(self) -> None:
        """Sort and draw anew."""
        session = self.session
        has_cells = session.project is not None
        self.view.setVisible(has_cells)
        self.card.setVisible(not has_cells)
        for tool in self.tools:
            tool.setVisible(has_cells and not (self._narrow and tool is self.count))
        if not has_cells:
            self.card.tell(
                "No cells yet.",
                reason="Make or open a project in Cells: all its crops appear here.",
            )
        self._syncing = True
        self.sort.fill(self.session, self._key)
        self._syncing = False
        self.filters.fill(session)
        self.filters.setVisible(has_cells and self.filter_button.isChecked())
        if self._order_stale:
            self._order_stale = False
            self.model.set_rows(self._rows())
            self._start_place()
        self.looks.forget()
        self._show_spectrum()
        self._sync_selection(scroll=session.current is not None)
        self._show_span()
        self.view.viewport().update()
        shown = self.model.rowCount()
        some = f"{whole_number(shown)} of " if shown < session.n_cells else ""
        said = f"{some}{whole_number(session.n_cells)} cells" if has_cells else ""
        self.count.setText(said)

    def _rows(self) -> NDArray[np.int64]:
        """Return the cells to show, in their order."""
        session = self.session
        rows = sorted_rows(session, self._key, self._descending)
        if len(rows) and self.filters.filters:
            rows = rows[self.filters.filter.mask(session)[rows]]
        return rows

    def _start_place(self) -> None:
        """Begin where the classes meet: there a look is worth most."""
        scores = self.session.scores
        by_score = usable(self.session, self._key) == "score"
        if scores is not None and by_score and scores.n_classes == 2:
            self.show_score(0.0)
        else:
            self.view.show_place(0)

    def _show_spectrum(self) -> None:
        scores = self.session.scores
        if scores is None:
            self.spectrum.show_scores(
                np.empty(0, np.float32), self.session.scale, ("", "")
            )
            return
        if scores.n_classes > 2:
            self.spectrum.show_classes(self._shares(scores))
            return
        ends = (scores.names[0], scores.names[1])
        self.spectrum.show_scores(scores.score, self.session.scale, ends)

    def _shares(self, scores: ScoreColumns) -> list[ClassShare]:
        """Return how many cells are called each class."""
        palette, shapes = self.session.palette, shapes_of(self.session.palette)
        counts = np.bincount(scores.prediction + 1, minlength=scores.n_classes + 1)
        return [
            ClassShare(name, int(counts[i + 1]), palette[name], shapes[name])
            for i, name in enumerate(scores.names[:-1])
        ]

    def _ask_class(self, name: str) -> None:
        """Show the cells of one class, or all again."""
        asked = Asked("", name)
        self.session.ask(None if self.session.asked == asked else asked)

    def show_score(self, score: float) -> None:
        """Scroll to the cells of about this score, sorting by score if need be."""
        scores = self.session.scores
        if scores is None:
            return
        if usable(self.session, self._key) != "score":
            self.sort.setCurrentIndex(self.sort.findData("score"))
        values = scores.score[self.model.rows]
        known = values[np.isfinite(values)]
        sign = -1 if self._descending else 1
        place = int(np.searchsorted(sign * known, sign * score))
        self.view.show_place(min(place, max(len(known) - 1, 0)))
        self._show_span()

    def _show_span(self) -> None:
        scores, (first, last) = self.session.scores, self.view.visible_span()
        by_score = usable(self.session, self._key) == "score"
        if scores is None or last < first or not by_score or scores.n_classes > 2:
            self.spectrum.show_view(None)
            return
        ends = scores.score[self.model.rows[[first, last]]]
        known = np.nan_to_num(ends, nan=self.session.scale.limit)
        self.spectrum.show_view((float(known[0]), float(known[1])))

    def _on_project(self) -> None:
        self.thumbnails.clear()
        self._order_stale = True
        self.mark_dirty()

    def _on_scores(self) -> None:
        self._order_stale = self._order_stale or self._key not in ("time", "track")
        self.mark_dirty()

    def _on_asked(self) -> None:
        """Show the cells that another panel asks for, or all again."""
        asked = self.session.asked
        if asked is not None:
            self.filter_button.setChecked(True)
            self.filters.show_kind(asked.key)
        elif Asked.from_key(self.filters.filter.kind) is not None:
            self.filter_button.setChecked(False)

    def _on_labels(self, rows: NDArray[np.int64]) -> None:
        """Draw some frames anew; another label leaves the cells where they are."""
        self.looks.look_again(rows)
        if self.filters.filter.kind in (FILTERED_OUT, USABLE):
            self._order_stale = True
            self.mark_dirty()
        self.view.viewport().update()

    def _on_classes(self) -> None:
        self._on_looks()
        self.mark_dirty()

    def _on_filter_button(self, shown: bool) -> None:
        if not shown and self.filters.filters:
            self.filters.reset()
        self.filters.setVisible(shown and self.session.project is not None)
        self.keep_height()

    def _on_filter(self) -> None:
        self._order_stale = True
        if Asked.from_key(self.filters.filter.kind) is None:
            self.session.ask(None)
        self.mark_dirty()

    def _on_looks(self) -> None:
        self.looks.forget()
        self.view.viewport().update()

    def _on_sort(self) -> None:
        if self._syncing:
            return
        self._key = self.sort.currentData()
        self._descending = self.reverse.isChecked()
        self._order_stale = True
        self.mark_dirty()

    def _on_contrast(self) -> None:
        self.thumbnails.contrast = self.contrast.currentData()
        self.view.viewport().update()

    def _on_size(self, edge: int) -> None:
        first, _ = self.view.visible_span()
        self.thumbnails.edge = edge - 2 * FRAME
        self.view.set_edge(edge)
        self.keep_height()
        self.view.show_place(first, middle=False)
        self._show_span()

    def _on_selection(self) -> None:
        if self._syncing:
            return
        if not self.is_seen():
            self._dirty = True
        elif not self._shows_selection():
            self._sync_selection(scroll=True)

    def _sync_selection(self, scroll: bool) -> None:
        """Show the session's selection in the list."""
        session = self.session
        self._note_selection()
        self.delegate.current = -1 if session.current is None else session.current
        places = self.model.places_of(session.selected)
        self._syncing = True
        self.view.show_selected(places)
        if session.current is not None:
            place = self.model.place_of(session.current)
            if place >= 0:
                self.view.mark_current(place)
                if scroll:
                    self.view.show_place(place, middle=not self._in_view(place))
        self._syncing = False
        scores = session.scores
        known = scores is not None and session.current is not None
        mark = scores.score[session.current] if known and scores is not None else np.nan
        self.spectrum.show_mark(float(mark) if np.isfinite(mark) else None)
        self.view.viewport().update()

    def _in_view(self, place: int) -> bool:
        first, last = self.view.visible_span()
        return first <= place <= last

    def _on_picked(self) -> None:
        """Hand what was picked in the list to the session."""
        if self._syncing:
            return
        selection = self.view.selectionModel()
        rows = self.model.rows[self.view.selected_places()]
        current = selection.currentIndex().data(RowRole)
        self._syncing = True
        if len(rows) == 1:
            self.session.select(int(rows[0]), go=True)
        else:
            self.session.select_many(rows, current if current in rows else None)
        self._syncing = False
        self.delegate.current = -1 if self.session.current is None else current
        self.view.viewport().update()

    def _toggle(self, place: int) -> None:
        """Take one cell into the selection, or out of it."""
        row = self.model.rows[[place]]
        rows = np.setxor1d(self.session.selected, row)
        self.session.select_many(rows, int(row[0]) if row[0] in rows else None)

    def _go(self, index: QModelIndex) -> None:
        row = index.data(RowRole)
        if row is not None and len(self.session.selected) <= 1:
            self.session.go_requested.emit(int(row))

    def _zoom(self, index: QModelIndex) -> None:
        row = index.data(RowRole)
        if row is not None:
            self.cell_menu.zoom_to(int(row))

    def _offer(self, place: QPoint) -> None:
        """Offer what can be done with the cell under the mouse."""
        row = self.view.indexAt(place).data(RowRole)
        if row is not None:
            self.cell_menu.offer(int(row), self.view.viewport().mapToGlobal(place))

    def _clear(self) -> None:
        self.session.select(None)

    def on_theme(self) -> None:
        """Follow the theme."""
        self.spectrum.set_ink(self.theme.text)
        self.delegate.accent = QColor(self.theme.text)
        self.view.viewport().update()
