"""What is looked at after a formula was written: its meaning, boundary and parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_cellsci.explain.formula_reading import in_words, read_formula
from napari_cellsci.panels._parts import Section, WrapLabel
from napari_cellsci.panels._theme import STEP, Theme
from napari_cellsci.panels.expressions.boundary_box import BoundaryBox
from napari_cellsci.panels.expressions.parts import spread_of
from napari_cellsci.panels.expressions.parts_view import PartsView
from napari_cellsci.panels.expressions.regions_box import RegionsBox
from napari_cellsci.viewer.colors import NEGATIVE, POSITIVE, UNLABELLED

if TYPE_CHECKING:
    from napari_cellsci.panels.expressions.bench import Written
    from napari_cellsci.panels.expressions.service import ExpressionService
    from napari_cellsci.viewer.session import Session

PAUSE_MS = 250
"""After scores have followed: what is typed must never wait for drawings."""


class MoreBox(QWidget):
    """Sections on the formula that is written; those that are folded cost nothing.

    Parameters
    ----------
    session : Session
    service : ExpressionService
    theme : Theme
    """

    def __init__(
        self, session: Session, service: ExpressionService, theme: Theme
    ) -> None:
        super().__init__()
        self._session, self._service = session, service
        self._read: Written | None = None
        self._wait = QTimer(self)
        self._wait.setSingleShot(True)
        self._wait.setInterval(PAUSE_MS)
        self._wait.timeout.connect(self.show_now)
        self.words = WrapLabel()
        self.boundary = BoundaryBox(theme)
        self.parts = PartsView(theme)
        self.parts_words = WrapLabel(name="muted")
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(STEP)
        layout.addWidget(self.parts)
        layout.addWidget(self.parts_words)
        self.reading_section = Section("In words", self.words)
        self.boundary_section = Section("Where it decides", self.boundary)
        self.parts_section = Section("Its parts and cells along them", inside)
        self.regions = RegionsBox()
        self.regions_section = Section("Regions of all classes", self.regions)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(STEP)
        for section in self.sections:
            column.addWidget(section)
            section.toggled.connect(self._on_toggled)
        self.reading_section.expand()

    @property
    def sections(self) -> tuple[Section, ...]:
        """All sections, from top to bottom."""
        return (
            *(self.reading_section, self.boundary_section),
            *(self.parts_section, self.regions_section),
        )

    def set_theme(self, theme: Theme) -> None:
        """Take over the theme's colours."""
        self.boundary.set_theme(theme)
        self.parts.set_theme(theme)

    def show_soon(self) -> None:
        """Follow the formula once typing rests."""
        self.setVisible(self._service.bench.written is not None)
        opened = self._service.opened
        several = opened is not None and len(opened.bundle.classes) > 2
        self.regions_section.setVisible(several)
        self._wait.start()

    def show_now(self) -> None:
        """Bring every open section up to date."""
        self._wait.stop()
        written, opened = self._service.bench.written, self._service.opened
        if written is None or opened is None:
            return
        if self.reading_section.isExpanded() and self._read is not written:
            self._read = written
            self._show_reading(written)
        if self.boundary_section.isExpanded():
            self.boundary.show_written(opened, written, self._session.current)
        if self.parts_section.isExpanded():
            self._show_parts(written)
        if self.regions_section.isExpanded():
            self.regions.show_bundles(self._service.kept, written.subject)

    def _on_toggled(self, opened: bool) -> None:
        if opened:
            self.show_now()

    def _show_reading(self, written: Written) -> None:
        subject = written.subject
        reading = read_formula(written.expression, subject.columns(written.expression))
        said = in_words(reading, subject.classes, subject.label)
        self.words.setText("\n".join(f"• {line}" for line in said))

    def _show_parts(self, written: Written) -> None:
        subject, palette = written.subject, self._session.palette
        parts = spread_of(written)
        usual = dict(zip(subject.classes, (NEGATIVE, POSITIVE), strict=True))
        below, above = (palette.get(c, usual[c]) for c in subject.classes)
        if UNLABELLED in (below, above):
            below, above = NEGATIVE, POSITIVE
        self.parts.show_parts(
            parts, subject.written(written.expression), (below, above)
        )
        which = "labelled" if parts and parts[0].labelled else "called"
        low, high = subject.classes
        self.parts_words.setText(
            f"Cells {which} {low} and {high}, each drawn to the same area; the dotted "
            "line is 0."
        )
