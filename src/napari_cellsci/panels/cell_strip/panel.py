"""The *Cell* panel: everything about the selected cell in one strip."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QRectF, QSize, Qt, QTimer
from qtpy.QtGui import QAction, QColor, QImage, QPainter, QPaintEvent, QResizeEvent
from qtpy.QtWidgets import QBoxLayout, QSizePolicy, QToolButton, QWidget

from napari_cellsci.labels.timeline import smoothed
from napari_cellsci.panels._base import PanelBase
from napari_cellsci.panels._parts import WrapLabel
from napari_cellsci.panels._pictures import limits_of, to_image, to_pixels
from napari_cellsci.panels._theme import STEP
from napari_cellsci.panels.cell_strip.curve import ScoreCurve
from napari_cellsci.panels.cell_strip.film import LEAST, FilmStrip, Frame, window_around
from napari_cellsci.panels.cell_strip.reconstruct import Pair, Reconstructor
from napari_cellsci.panels.gallery.thumbnails import Thumbnails
from napari_cellsci.viewer import painted, readout
from napari_cellsci.viewer.navigation import Navigator
from napari_cellsci.viewer.predicted_layers import show_predicted

if TYPE_CHECKING:
    import napari.viewer

SMOOTH_MINUTES = 6.0
"""Standard deviation of the average in time, where it is asked for."""
UNBOUNDED, FILM_HEIGHT = 16_777_215, 130
"""Heights of the film (px): Qt's own bound, and where the parts are stacked."""
WIDE = 640
"""From this width the parts stand side by side (px)."""
SETTLE_MS = 60
"""A reconstruction is asked for when the cell has stayed this long."""


class Picture(QWidget):
    """One crop with a caption below it."""

    def __init__(self, caption: str, tip: str) -> None:
        super().__init__()
        self._caption, self._note = caption, ""
        self._image: QImage | None = None
        self._outdated = False
        self._ink = QColor("#999999")
        self.setToolTip(tip)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(56, LEAST)

    def sizeHint(self) -> QSize:
        """Return a usual size."""
        return QSize(
            max(LEAST, self.fontMetrics().horizontalAdvance(self._caption)), 96
        )

    def set_ink(self, color: str) -> None:
        """Set the colour of the caption."""
        self._ink = QColor(color)
        self.update()

    def show_image(self, image: QImage | None, note: str = "") -> None:
        """Show a picture, or a note on why there is none."""
        self._image, self._note, self._outdated = image, note, False
        self.update()

    def outdate(self) -> None:
        """Let the picture fade, which is of another cell, until the right one comes."""
        self._outdated = True
        self.update()

    @property
    def outdated(self) -> bool:
        """Whether the picture is of a cell selected before."""
        return self._outdated

    @property
    def image(self) -> QImage | None:
        """The picture shown."""
        return self._image

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint picture and caption."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        line = self.fontMetrics().height()
        side = min(self.width(), self.height() - line - 8)
        place = QRectF((self.width() - side) / 2, 2, side, side)
        if self._image is not None:
            painter.setOpacity(0.2 if self._outdated else 1)
            painter.drawImage(place, self._image)
            painter.setOpacity(1)
        else:
            faint = QColor(self._ink)
            faint.setAlpha(70)
            painter.setPen(faint)
            painter.drawRoundedRect(place.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
            painter.setPen(self._ink)
            middle = int(
                (Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter).value
            ) | int(Qt.TextFlag.TextWordWrap.value)
            painter.drawText(place.adjusted(4, 4, -4, -4), middle, self._note)
        painter.setPen(self._ink)
        caption = QRectF(0, place.bottom() + 6, self.width(), line)
        center = int(Qt.AlignmentFlag.AlignHCenter.value)
        painter.drawText(caption, center, self._caption)


PREDICTED = "Show predicted channel"
"""In the menu: the residual of a channel that a network predicts from another."""


class CellStripPanel(PanelBase):
    """The selected cell: crop, reconstruction, film of its track, score over time."""

    title = "Cell"

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer, scrolls=False)
        self.thumbnails = Thumbnails(self.session)
        self.reconstructor = self.session.service(Reconstructor)
        self.navigator = self.session.service(Navigator)
        self._track: NDArray[np.int64] = np.empty(0, np.int64)
        self._drawn: tuple[Any, ...] = ()
        self._paired: int | None = None
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self._ask)
        self._build()
        self._connect()
        self.on_theme()
        self.refresh()

    def _build(self) -> None:
        self.words = WrapLabel()
        self.header.insertWidget(0, self.words, 1)
        self.crop = Picture("crop", "The cell as it was cut")
        self.again = Picture(
            "reconstruction",
            "The cell as the encoder remembers it: no score knows what is missing here",
        )
        self.film = FilmStrip()
        self.curve = ScoreCurve()
        self.once = WrapLabel(name="muted")
        self.once.setText("Imaged once: there is no course over time.")
        self.parts = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self.parts.setSpacing(2 * STEP)
        pictures = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        pictures.setSpacing(STEP)
        pictures.addWidget(self.crop)
        pictures.addWidget(self.again)
        self.parts.addLayout(pictures, 0)
        self.parts.addWidget(self.film, 5)
        self.parts.addWidget(self.curve, 4)
        self.parts.addWidget(self.once, 4)
        self.body.addLayout(self.parts, 1)

    def _connect(self) -> None:
        session = self.session
        self._on(session.project_changed, self._on_project)
        self._on(session.current_changed, self.mark_dirty)
        self._on(session.scores_changed, self.mark_dirty)
        self._on(session.labels_changed, self.mark_soon)
        self._on(session.display_changed, self.mark_dirty)
        self._on(self.navigator.frame_changed, self._on_frame)
        self._on(self.reconstructor.ready, self._show_pair)
        self.film.picked.connect(self._go_row)
        self.film.stepped.connect(self._step)
        self.curve.picked.connect(self._go_place)

    def refresh(self) -> None:
        """Show the current cell, or say how to choose one."""
        session = self.session
        row, table = session.current, session.table
        empty = row is None or table is None
        self.card.setVisible(empty)
        for part in (self.crop, self.again, self.film, self.curve, self.words):
            part.setVisible(not empty)
        self.once.setVisible(False)
        if row is None or table is None:
            has_cells = session.project is not None
            self.card.tell(
                "No cell selected." if has_cells else "No cells yet.",
                reason="Click a cell in the movie or in the gallery."
                if has_cells
                else "Make or open a project in Cells.",
            )
            return
        track = table.rows_of_track(row)
        # Another frame of the same track leaves the curve as it is.
        drawn = self._drawing()
        same = drawn == self._drawn and np.array_equal(track, self._track)
        self._track, self._drawn = track, drawn
        self.words.setText(readout.line(session, row))
        self.words.setToolTip("\n".join(readout.describe(session, row)))
        self.crop.show_image(self.thumbnails.pixmap(row).toImage())
        once = len(track) == 1
        self.once.setVisible(once)
        self._show_film(row)
        if once:
            self.curve.hide()
        elif not same:
            self._show_curve()
            self._drawn = self._drawing()
        self._show_time()
        self._forget_pair()

    def _drawing(self) -> tuple[Any, ...]:
        """Return what the curve depends on besides the track."""
        smoothed = self.session.display.smoothed
        return self.session.scores, smoothed, self.curve.isVisible()

    def _show_film(self, row: int) -> None:
        frames = self._channels(row) if len(self._track) == 1 else self._frames(row)
        self.film.setVisible(bool(frames))
        self.film.show_frames(frames, row)

    def _channels(self, row: int) -> list[Frame]:
        """Return the channels of a cell that was seen once, one by one."""
        crop, limits = self.session.crops[row], self.thumbnails.limits(row)
        if len(crop) == 1:
            return []
        color = QColor.fromRgbF(
            *map(float, painted.paint(self.session, np.array([row]))[0])
        )
        pictures = [
            to_image(to_pixels(crop[None, [c]], limits[[c]])[0])
            for c in range(len(crop))
        ]
        named = enumerate(pictures)
        return [Frame(row, image, color, f"channel {c}") for c, image in named]

    def _frames(self, row: int) -> list[Frame]:
        session = self.session
        part = window_around(self._track, row, self.film.room())
        rows = self._track[part]
        colors = painted.paint(session, rows)
        clock = session.clock(row)
        assert session.table is not None
        return [
            Frame(
                int(r),
                self.thumbnails.pixmap(int(r)).toImage(),
                QColor.fromRgbF(*(float(v) for v in color)),
                clock.words(int(session.table.t[r])),
            )
            for r, color in zip(rows, colors, strict=True)
        ]

    def _show_curve(self) -> None:
        session = self.session
        scores, table = session.scores, session.table
        self.curve.setVisible(scores is not None)
        if scores is None or table is None:
            return
        rows = self._track
        self.curve.show_track(
            table.t[rows],
            scores.score[rows],
            scores.score_sd[rows],
            session.scale.colors(scores.score[rows]),
            session.clock(int(rows[0])),
        )
        self._show_smoothed(rows, scores)

    def _show_smoothed(self, rows: NDArray[np.int64], scores: Any) -> None:
        """Draw what smoothing would make of the scores, if that is asked for."""
        table, session = self.session.table, self.session
        if table is None or not session.display.smoothed or scores.n_classes > 2:
            self.curve.show_smoothed(None)
            return
        interval = session.frame_interval
        frames = SMOOTH_MINUTES * 60 / interval if interval else 1.0
        event = 0 if np.nanmean(scores.score >= 0) > 0.5 else 1
        one = np.zeros(len(rows), np.int64)
        made = smoothed(one, table.t[rows], scores.score[rows], frames, event)
        self.curve.show_smoothed(made)

    def _show_time(self) -> None:
        row, table = self.session.current, self.session.table
        if row is not None and table is not None:
            self.curve.show_time(int(table.t[row]))

    def _on_frame(self, frame: int) -> None:
        """Mark the time on screen, also where the track has a gap."""
        if self.is_seen() and self.session.current is not None:
            self.curve.show_time(frame)

    def _forget_pair(self) -> None:
        if not self.reconstructor.possible:
            why = "score the cells first"
            if self.session.scores is not None:
                why = "this classifier has no encoder"
            self.again.show_image(None, why)
            return
        if self.session.current != self._paired:
            self.again.outdate()
        self._settle.start()

    def _ask(self) -> None:
        row = self.session.current
        if row is not None and self.is_seen():
            self.reconstructor.ask(row)

    def _show_pair(self, pair: Pair) -> None:
        if pair.row != self.session.current:
            return
        self._paired = pair.row
        limits = limits_of(pair.crop[np.newaxis])
        self.again.show_image(to_image(to_pixels(pair.again[np.newaxis], limits)[0]))

    def _go_row(self, row: int) -> None:
        self.session.select(row, go=True)

    def _go_place(self, place: int) -> None:
        if 0 <= place < len(self._track):
            self._go_row(int(self._track[place]))

    def _step(self, by: int) -> None:
        found = np.flatnonzero(self._track == self.session.current)
        if found.size:
            place = int(np.clip(found[0] + by, 0, len(self._track) - 1))
            self._go_place(place)

    def _on_project(self) -> None:
        self.thumbnails.clear()
        self.curve.clear()
        self.mark_dirty()

    def full_height(self) -> int:
        """Return the height of two lines of words and the lowest strip."""
        words = 2 * self.fontMetrics().lineSpacing()
        return max(self.menu_button.sizeHint().height(), words) + LEAST + 3 * STEP

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Stand the parts side by side or one above the other."""
        super().resizeEvent(event)
        wide = self.width() >= WIDE
        kind = QBoxLayout.Direction
        direction = kind.LeftToRight if wide else kind.TopToBottom
        if self.parts.direction() != direction:
            self.parts.setDirection(direction)
            self.film.setMaximumHeight(UNBOUNDED if wide else FILM_HEIGHT)
        row = self.session.current
        if row is not None and not self._dirty:
            self._show_film(row)

    def on_theme(self) -> None:
        """Follow the theme."""
        theme = self.theme
        self.crop.set_ink(theme.muted)
        self.again.set_ink(theme.muted)
        self.film.set_colors(theme.muted, theme.accent)
        self.curve.set_theme(theme)

    def dispose(self) -> None:
        """Stop waiting for a reconstruction."""
        self._settle.stop()
        super().dispose()

    def _make_menu(self) -> QToolButton:
        button = super()._make_menu()
        menu = button.menu()
        action = QAction(PREDICTED, menu)
        action.triggered.connect(self._show_predicted)
        menu.insertAction(menu.actions()[-1], action)
        return button

    def _refresh_menu(self) -> None:
        super()._refresh_menu()
        project = self.session.project
        reason = ""
        if self.session.current is None:
            reason = "Select a cell first"
        elif project is None or not project.channel_models:
            reason = "Predict a channel first: cellsci predict-channel"
        for action in self.menu_button.menu().actions():
            if action.text() == PREDICTED:
                action.setEnabled(not reason)
                action.setToolTip(reason or "Beside the movie, as layers of their own")

    def _show_predicted(self) -> None:
        row = self.session.current
        if row is not None:
            self.attempt(partial(show_predicted, self.session, row))

    data_filter = "CSV (*.csv)"

    def has_data(self) -> bool:
        """Whether a cell with scores is selected."""
        return self.session.current is not None and self.session.scores is not None

    def save_data(self, path: str) -> None:
        """Write the scores along the track as CSV."""
        from pathlib import Path

        from napari_cellsci.disk import whole_file

        table, scores = self.session.table, self.session.scores
        if table is None or scores is None:
            return
        rows: Any = self._track
        columns = np.column_stack(
            [
                table.track[rows],
                table.t[rows],
                scores.score[rows],
                scores.score_sd[rows],
            ]
        )
        with whole_file(Path(path)) as temporary:
            np.savetxt(
                temporary,
                columns,
                delimiter=",",
                header="track_id,t,score,score_sd",
                comments="",
                fmt=["%d", "%d", "%.6g", "%.6g"],
            )
