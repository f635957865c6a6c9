"""The *Label* panel."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import (
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QTabBar,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from napari_cellsci.panels._base import PanelBase
from napari_cellsci.panels._jobs import JobState
from napari_cellsci.panels._parts import (
    RunLine,
    Section,
    WrapLabel,
    plain_button,
    whole_number,
)
from napari_cellsci.panels._theme import STEP
from napari_cellsci.panels.gallery.thumbnails import Thumbnails
from napari_cellsci.panels.label import contents
from napari_cellsci.panels.label.cards import CardList
from napari_cellsci.panels.label.classes_box import ClassesBox
from napari_cellsci.panels.label.curve_view import CurveView
from napari_cellsci.panels.label.filter_box import FilterBox
from napari_cellsci.panels.label.service import LabelService
from napari_cellsci.panels.label.strokes import deed_of
from napari_cellsci.panels.label.ways import WaysBox
from napari_cellsci.viewer import keys
from napari_cellsci.viewer.label_keys import LabelKeys

if TYPE_CHECKING:
    import napari.viewer

PICTURE = 72
TABS = (
    ("queue", "Queue", "Cells most worth a label, and why"),
    (
        "check",
        "Check",
        "Labels that look wrong, people who disagree, and flips no cell does",
    ),
    ("events", "Mitoses", "What happens along the tracks, with its duration"),
    ("history", "History", "Everything that was done to labels"),
)
EMPTY = {
    "queue": "Press Learn: the cells most worth a label appear here.",
    "check": "Nothing to check: no label contradicts the classifier or another person.",
    "events": "Score the cells, or label some and press Learn.",
    "history": "Nothing was labelled yet.",
}
LEARNING = "Looking for the cells most worth a label."
DONE = "No cell of the queue is left to label."
ONCE = "Each cell was imaged once: what happens over time is told of tracks."


class LabelPanel(PanelBase):
    """Give cells their class; see what to label next, what to check, what was done."""

    title = "Label"
    data_filter = "CSV (*.csv)"

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self.service = self.session.service(LabelService)
        self.keys = self.session.service(LabelKeys)
        self.thumbnails = Thumbnails(self.session)
        self._told: tuple[str, str] | None = None
        self._build_classes()
        self._build_current()
        self._build_lists()
        self._build_ways()
        self.run_line = RunLine("Learn", self.service.job, self.service.learn)
        self.foot.addWidget(self.run_line)
        self._connect()
        self.service.hold()
        self.on_theme()
        self.refresh()

    def _build_classes(self) -> None:
        self.classes = ClassesBox()
        self.body.addWidget(self.classes)

    def _build_current(self) -> None:
        self.picture = QLabel()
        self.picture.setFixedSize(PICTURE, PICTURE)
        self.words = WrapLabel()
        self.reason = WrapLabel(name="muted")
        self.accept = plain_button("Accept", "")
        self.skip = plain_button("Skip", "")
        self.back = plain_button("◂", "")
        self.next = plain_button("Next ▸", "")
        self.undo = plain_button("↶", "")
        self.redo = plain_button("↷", "")
        self._buttons = {
            "accept": self.accept,
            "skip": self.skip,
            "back": self.back,
            "next": self.next,
            "undo": self.undo,
            "redo": self.redo,
        }
        right = QVBoxLayout()
        right.setSpacing(STEP // 2)
        right.addWidget(self.words)
        right.addWidget(self.reason)
        right.addStretch()
        top = QHBoxLayout()
        top.setSpacing(2 * STEP)
        top.addWidget(self.picture, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(right, 1)
        row = QFlowLayout()
        row.setHorizontalSpacing(STEP)
        row.setVerticalSpacing(STEP)
        for name in ("back", "next", "accept", "skip", "undo", "redo"):
            button = self._buttons[name]
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            row.addWidget(button)
        self.current = QWidget()
        box = QVBoxLayout(self.current)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(STEP)
        box.addLayout(top)
        box.addLayout(row)
        self.body.addWidget(self.current)

    def _build_lists(self) -> None:
        self.tabs = QTabBar()
        self.tabs.setObjectName("sections")
        self.tabs.setDrawBase(False)
        self.tabs.setExpanding(True)
        self.tabs.setElideMode(Qt.TextElideMode.ElideNone)
        self.tabs.setUsesScrollButtons(True)
        self.tabs.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        for i, (key, title, tip) in enumerate(TABS):
            self.tabs.addTab(title)
            self.tabs.setTabData(i, key)
            self.tabs.setTabToolTip(i, tip)
        self.list = CardList(self.thumbnails)
        self.list.setMinimumHeight(160)
        self.empty = WrapLabel(name="muted")
        self.curve = CurveView()
        self.sense = WrapLabel(name="muted")
        self.body.addWidget(self.tabs)
        self.body.addWidget(self.empty)
        self.body.addWidget(self.list, 1)
        self.body.addWidget(self.sense)
        self.body.addWidget(self.curve)

    def _build_ways(self) -> None:
        self.filter_box = FilterBox(self.session)
        self.filter_section = Section("Cell filter", self.filter_box)
        self.filter_section.toggled.connect(self._show_filter)
        self.body.addWidget(self.filter_section)
        self.ways_box = WaysBox(self.session)
        self.ways = Section("Way of working", self.ways_box)
        self.ways.toggled.connect(self.ways_box.refresh)
        self.body.addWidget(self.ways)
        self.help = QWidget()
        self.help_grid = QGridLayout(self.help)
        self.help_grid.setContentsMargins(0, 0, 0, 0)
        self.help_grid.setColumnStretch(1, 1)
        self.key_section = Section("Keys", self.help)
        self.body.addWidget(self.key_section)

    def _connect(self) -> None:
        session, service = self.session, self.service
        for signal in (
            session.project_changed,
            session.scores_changed,
            session.classes_changed,
            session.movie_changed,
            service.changed,
            self.filter_box.service.changed,
        ):
            self._on(signal, self.mark_dirty)
        self._on(session.labels_changed, self._on_labels)
        self._on(session.project_changed, self._on_project)
        self._on(session.current_changed, self._on_current)
        self._on(session.selection_changed, self._on_current)
        self._on(service.told, self._on_told)
        self._on(service.job.changed, self._on_job)
        self._on(self.filter_box.service.job.changed, self.filter_box.on_job)
        self._on(self.keys.changed, self._show_keys)
        self.classes.chosen.connect(self._label)
        self.classes.asked.connect(self._change_class)
        self.tabs.currentChanged.connect(self._show_list)
        self.list.picked.connect(self._go)
        self.accept.clicked.connect(self.service.accept)
        self.skip.clicked.connect(self.service.skip)
        self.back.clicked.connect(self.service.back)
        self.next.clicked.connect(self.service.next)
        self.undo.clicked.connect(self.service.undo)
        self.redo.clicked.connect(self.service.redo)
        self.key_section.toggled.connect(self._show_keys)

    def refresh(self) -> None:
        """Bring everything up to date."""
        project = self.session.project
        has_cells = project is not None
        for part in (
            *(self.classes, self.current, self.tabs, self.list, self.empty),
            *(self.curve, self.sense, self.filter_section, self.ways),
            self.key_section,
        ):
            part.setVisible(has_cells)
        if project is not None:
            self.service.begin()
        self._tell()
        if project is None:
            return
        labels = project.labels
        self.classes.show_classes(labels.classes, labels.counts(), self.theme)
        self.ways_box.refresh()
        self._show_filter()
        self._show_current()
        self._show_list()
        live = self.service.live
        self.curve.show_points(() if live is None else live.curve)
        self.sense.setText("" if live is None else live.sentence)
        self.sense.setVisible(bool(self.sense.text()))

    def _show_filter(self, *_: object) -> None:
        # Every label brings the panel up to date: what is folded away can wait.
        if self.filter_section.isExpanded():
            self.filter_box.refresh(self.theme)

    def _show_current(self) -> None:
        session, service = self.session, self.service
        self._note_selection()
        row, labels = session.current, session.project.labels
        many = len(session.selected) > 1
        self.picture.setVisible(row is not None)
        if many:
            self.words.setText(f"{whole_number(len(session.selected))} cells selected")
            self.reason.setText("A class key labels all of them, as one action.")
        elif row is None:
            self.words.setText("No cell selected.")
            self.reason.setText("Press Next, or click a cell in movie or gallery.")
        else:
            self.words.setText(contents.name_of(session, row))
            self.reason.setText(self._about(row))
        if row is not None:
            self.picture.setPixmap(
                self.thumbnails.pixmap(row).scaled(
                    PICTURE,
                    PICTURE,
                    Qt.AspectRatioMode.KeepAspectRatio,
                    Qt.TransformationMode.SmoothTransformation,
                )
            )
        allowed = {
            "accept": (bool(service.guess()), "The classifier suggests nothing here"),
            "skip": (row is not None, "Select a cell first"),
            "back": (True, ""),
            "next": (service.waiting() is not None, "Press Learn for a queue"),
            "undo": (labels.can_undo, "There is nothing to undo"),
            "redo": (labels.can_redo, "There is nothing to redo"),
        }
        for deed, (possible, why_not) in allowed.items():
            button = self._buttons[deed]
            button.setEnabled(possible)
            button.setToolTip(keys.tip(deed) if possible else why_not)

    def _about(self, row: int) -> str:
        """Return what is known of a cell: its label, the suggestion, why it is here."""
        label = self.session.project.labels.get(row)
        parts = [f"Labelled {label}." if label else "No label yet."]
        guess = self.service.guess()
        if guess:
            p = self.session.scores.certainty[row]
            sure = f" (P = {p:.2f})" if np.isfinite(p) else ""
            parts.append(f"The classifier says {guess}{sure}.")
        if self.session.left_out[row]:
            parts.append(f"Filtered out; {keys.key_of('filter')} takes it back.")
        reason = self.service.reason(row)
        if reason and not label:
            parts.append(f"Queued: {reason}.")
        return " ".join(parts)

    def _show_list(self, *_: object) -> None:
        session, live = self.session, self.service.live
        if session.project is None:
            return
        key = self.tabs.tabData(self.tabs.currentIndex())
        if key == "queue":
            cards = contents.queue_cards(session, live, self.service.skipped)
        elif key == "check":
            cards = contents.check_cards(session, live)
        elif key == "events":
            cards = contents.event_cards(session)
        else:
            cards = contents.history_cards(session)
        self.list.show_cards(cards, session.current)
        self.list.setVisible(bool(cards))
        self.empty.setText("" if cards else self._why_empty(key))
        self.empty.setVisible(not cards)

    @property
    def _learns_first(self) -> bool:
        """Whether there is no queue yet, but one is being made."""
        return self.service.live is None and self.service.job.state.busy

    def _why_empty(self, key: str) -> str:
        if key == "queue" and self._learns_first:
            return LEARNING
        if key == "queue" and self.service.live is not None:
            return DONE
        if key == "events" and not contents.has_times(self.session):
            return ONCE
        return EMPTY[key]

    def _show_keys(self, *_: object) -> None:
        self.classes.show_keys()
        if not self.key_section.isExpanded():
            return
        while self.help_grid.count():
            old = self.help_grid.takeAt(0).widget()
            old.hide()
            old.deleteLater()
        for i, (key, words) in enumerate(keys.help_rows()):
            self.help_grid.addWidget(QLabel(key), i, 0)
            self.help_grid.addWidget(WrapLabel(words), i, 1)
        note = WrapLabel(
            "They work on our layers, here and in the gallery. Others can be set in "
            "napari's preferences, under Cellsci.",
            "muted",
        )
        self.help_grid.addWidget(note, self.help_grid.rowCount(), 0, 1, 2)

    def _tell(self) -> None:
        project, job = self.session.project, self.service.job
        self.run_line.allow("" if project is not None else "Make a project first.")
        if project is None:
            self.card.tell(
                "No cells yet.",
                reason="Make or open a project in Cells; then label some of its cells.",
            )
            return
        if job.state is JobState.FAILED and job.failure is not None:
            self.card.tell(job.failure.message, "error", details=job.failure.details)
            return
        said = (
            f"{whole_number(self.session.n_cells)} cells, "
            f"{whole_number(len(project.labels))} labelled."
        )
        told = self._told
        kind: Any = told[1] if told else "info"
        reason = told[0] if told else self._next_step()
        self.card.tell(said, kind, reason=reason)

    def _next_step(self) -> str:
        if self._learns_first:
            return LEARNING
        if self.service.live is None:
            return "Next: press Learn to see which cells are most worth a label."
        if self.service.waiting() is None:
            return DONE
        return f"Next: press {keys.key_of('next') or 'Next'}, then a class key."

    def _on_told(self, words: str, kind: str) -> None:
        self._told = (words, kind)
        if self.is_seen():
            self._tell()

    def _on_job(self) -> None:
        self.run_line.refresh()
        if self._learns_first and self.is_seen():
            self._tell()
        elif not self.service.job.state.busy:
            self.mark_dirty()

    def _on_project(self) -> None:
        self._told = None
        self.thumbnails.clear()

    def _on_labels(self) -> None:
        (self.mark_soon if self.service.goes_on else self.mark_dirty)()

    def _on_current(self) -> None:
        if not self.is_seen() or self._dirty:
            self.mark_dirty()
        elif self.session.project is not None and not self._shows_selection():
            self._show_current()
            self.list.show_current(self.session.current)

    def _label(self, name: str) -> None:
        self.service.label(name, how="click")

    def _change_class(self, deed: str, name: str, value: str) -> None:
        labels = self.session.project.labels
        if deed == "select":
            series = labels.as_series()
            self.session.select_many(series.index[series == name].tolist())
            return
        acts: dict[str, tuple[Any, ...]] = {
            "rename": (labels.rename_class, name, value),
            "recolour": (labels.recolour_class, name, value),
            "merge": (labels.merge_classes, name, value),
            "use": (labels.use_class, name, True),
            "leave": (labels.use_class, name, False),
        }
        if deed == "add":
            done = self.service.edit(partial(labels.add_class, name, trained=True))
        else:
            done = self.service.edit(*acts[deed])
        if done:
            self._on_told("Done; undo takes it back.", "info")

    def _go(self, row: int) -> None:
        self.session.select(row, go=True)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Do what a key of labelling stands for."""
        deed = deed_of(event)
        if deed is None:
            super().keyPressEvent(event)
        else:
            self.service.perform(deed)

    def on_theme(self) -> None:
        """Follow the theme."""
        self.list.set_theme(self.theme)
        self.curve.set_theme(self.theme)

    def dispose(self) -> None:
        """Let go of the keys."""
        if not self._disposed:
            self.service.release()
        super().dispose()

    def python_code(self) -> str | None:
        """Return the lines that list the cells most worth a label."""
        project = self.session.project
        if project is None:
            return None
        return (
            "from napari_cellsci import Project\n\n"
            f"with Project.open({str(project.path)!r}) as project:\n"
            "    print(project.suggest(20))\n"
            f"    project.labels.set(0, {project.labels.names[0]!r})\n"
            "    print(project.labels.history())\n"
        )

    def command_line(self) -> str | None:
        """Return the command that lists the cells most worth a label."""
        project = self.session.project
        return None if project is None else f'cellsci suggest "{project.path}" -n 20'

    def has_data(self) -> bool:
        """Whether there are labels."""
        project = self.session.project
        return project is not None and len(project.labels) > 0

    def save_data(self, path: str) -> None:
        """Write the labels as CSV."""
        self.session.project.labels.export_csv(path)
