"""The top of the Latents panel: the decoded cell, its start, its score, its values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_cellsci.panels._choice import Choice, ChoiceBox
from napari_cellsci.panels._icons import IconButton
from napari_cellsci.panels._parts import WrapLabel
from napari_cellsci.panels._theme import STEP, Theme
from napari_cellsci.panels.cell_strip.panel import Picture
from napari_cellsci.panels.latents.desk import Desk
from napari_cellsci.panels.latents.pictures import decoded_images
from napari_cellsci.panels.latents.service import Code
from napari_cellsci.viewer.readout import significant

if TYPE_CHECKING:
    from napari_cellsci.panels._pictures import Limits
    from napari_cellsci.viewer.session import Session

PICTURE, SMALLER = 124, 84
"""Edges of the large picture (px), and of that in a low or narrow panel."""
NARROW = 280
"""Width (px) below which a panel is narrow."""
CAPTION = 24
ALL = "all"


class DeskBox(QWidget):
    """Shows the code on the desk as a picture and in words.

    Parameters
    ----------
    session : Session

    Signals
    -------
    channel_chosen :
        Another channel is to be shown; see `channel`.
    """

    channel_chosen = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._desk = session.service(Desk)
        self.channel: int | None = None
        self.picture = Picture("decoded", "The cell that the values below stand for")
        self.make_low(False)
        self.start_box = ChoiceBox("Where strips and sliders start from")
        self.channel_box = ChoiceBox("Which channel is shown")
        self.values = WrapLabel()
        self.score = WrapLabel()
        self.reset = IconButton("reset", "Take all changes back")
        self._lay_out()
        self.start_box.chosen.connect(self._on_start)
        self.channel_box.chosen.connect(self._on_channel)
        self.reset.clicked.connect(self._on_reset)

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(STEP)
        row.addWidget(self.start_box, 1)
        row.addWidget(self.reset)
        right = QVBoxLayout()
        right.setSpacing(STEP)
        right.addLayout(row)
        right.addWidget(self.channel_box)
        right.addWidget(self.values)
        right.addWidget(self.score)
        right.addStretch()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * STEP)
        layout.addWidget(self.picture, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(right, 1)

    def make_low(self, low: bool) -> None:
        """Leave more of the height to what lies below, or less."""
        self._low = low
        edge = SMALLER if low or self.width() < NARROW else PICTURE
        self.picture.setFixedSize(edge, edge + CAPTION)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Leave room for what stands beside the picture."""
        super().resizeEvent(event)
        self.make_low(self._low)

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self.picture.set_ink(theme.muted)
        self.reset.set_color(theme.text)

    def offer(self, code: Code) -> None:
        """Show where it can start from, and which channels there are."""
        why_not = "" if self._session.current is not None else "Select a cell first"
        starts = [
            Choice("zero", "from zero", "All latents at 0: the most ordinary cell"),
            Choice(
                "cell", "from the cell", "The latents of the selected cell", why_not
            ),
        ]
        self.start_box.offer([starts], "cell" if self._desk.from_cell else "zero")
        names = channel_names(self._session, code)
        if self.channel is not None and self.channel >= len(names):
            self.channel = None
        self.channel_box.setVisible(len(names) > 1)
        choices = [Choice(ALL, "all channels", "Composite of all channels")]
        choices += [Choice(str(c), name) for c, name in enumerate(names)]
        shown = ALL if self.channel is None else str(self.channel)
        self.channel_box.offer([choices], shown)

    def show_code(self, code: Code, limits: Limits) -> None:
        """Decode the code on the desk; quick enough to follow a slider."""
        desk = self._desk
        crop = code.encoder.decode(desk.z[np.newaxis])
        self.picture.show_image(decoded_images(crop, limits, self.channel)[0])
        self.reset.setEnabled(desk.edited)
        self.values.setText(self._values_in_words(code))
        self.score.setText(self._score_in_words())

    def _values_in_words(self, code: Code) -> str:
        changes, table = self._desk.changes(), self._session.table
        if changes:
            return "\n".join(
                f"{code.label(index)} = {signed(value)}" for index, value in changes
            )
        row = self._desk.row
        if row is None or table is None:
            return "All latents at 0."
        when = self._session.clock(row).words(int(table.t[row]))
        return f"Track {table.track[row]}, {when}."

    def _score_in_words(self) -> str:
        desk, scores = self._desk, self._session.scores
        now = desk.score(desk.z)
        if now is None or scores is None:
            return ""
        sign, name = ("▲", scores.names[1]) if now >= 0 else ("●", scores.names[0])
        words = f"{significant(now)} {sign} {name}"
        if desk.edited:
            before = desk.score(desk.base)
            return f"score {significant(before or 0)} → {words}"
        return f"score {words}"

    def _on_start(self, key: str) -> None:
        self._desk.start_from(key == "cell")

    def _on_channel(self, key: str) -> None:
        self.channel = None if key == ALL else int(key)
        self.channel_chosen.emit()

    def _on_reset(self) -> None:
        self._desk.reset()


def channel_names(session: Session, code: Code) -> list[str]:
    """Return what the channels of the crops are called."""
    project = session.project
    if project is None:
        return []
    known = project.movies[0].channel_names
    return [
        known[c] if isinstance(c, int) and c < len(known) else f"channel {c}"
        for c in project.spec.channels[: code.encoder.spec.n_channels]
    ]


def signed(value: float) -> str:
    """Write a number with its sign and three significant digits."""
    words = significant(value)
    return words if value < 0 else f"+{words}"
