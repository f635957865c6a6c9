"""The parts every panel is put together from: status card, run line, small widgets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import (
    QApplication,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QFlowLayout

from napari_cellsci.panels._jobs import Job, JobState
from napari_cellsci.panels._theme import STEP

Kind: TypeAlias = Literal["info", "good", "warning", "error"]
_NARROW = 220
Slot: TypeAlias = Callable[[], object]


class WrapLabel(QLabel):
    """A label that wraps, may be narrow, and can be selected with the mouse."""

    def __init__(self, text: str = "", name: str = "") -> None:
        super().__init__(text)
        self.setObjectName(name)
        self.setWordWrap(True)
        self.setMinimumWidth(1)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)

    def minimumSizeHint(self) -> QSize:
        """Ask for the height that the present width needs."""
        # Before the first layout the width is arbitrary and small.
        width = self.width() if self.isVisible() else max(self.width(), _NARROW)
        return QSize(1, self.heightForWidth(width))

    def sizeHint(self) -> QSize:
        """Leave the width to the layout."""
        return self.minimumSizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Ask for another height at another width."""
        super().resizeEvent(event)
        if event.oldSize().width() != event.size().width():
            self.updateGeometry()


class StatusCard(QFrame):
    """One sentence on where things stand, the next step as a button, and why not.

    The button has no plain connection to a closure: what it does is looked up when it
    is pressed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("card")
        self.text = WrapLabel()
        self.reason = WrapLabel(name="muted")
        self.button = QPushButton()
        self.button.setObjectName("plain")
        self.details = QPushButton("Copy details")
        self.details.setObjectName("plain")
        self.details.setToolTip("Copy the full error, for a bug report")
        self.second = QPushButton()
        self.second.setObjectName("plain")
        self._action: Slot | None = None
        self._other: Slot | None = None
        self._details = ""
        row = QFlowLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setHorizontalSpacing(STEP)
        row.setVerticalSpacing(STEP)
        row.addWidget(self.button)
        row.addWidget(self.second)
        row.addWidget(self.details)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * STEP, 2 * STEP, 2 * STEP, 2 * STEP)
        layout.setSpacing(STEP)
        layout.addWidget(self.text)
        layout.addWidget(self.reason)
        layout.addLayout(row)
        self.button.clicked.connect(self._act)
        self.second.clicked.connect(self._act_second)
        self.details.clicked.connect(self._copy)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.tell("")

    def tell(
        self,
        text: str,
        kind: Kind = "info",
        *,
        reason: str = "",
        action: tuple[str, Slot] | None = None,
        second: tuple[str, Slot] | None = None,
        details: str = "",
    ) -> None:
        """Show a sentence.

        Parameters
        ----------
        text : str
        kind : {"info", "good", "warning", "error"}
            Colour of the bar beside it.
        reason : str
            What is missing for the next step, or what to do.
        action, second : tuple of str and callable, optional
            Words and deed of the buttons.
        details : str
            What "Copy details" copies.
        """
        self.text.setText(text)
        self.reason.setText(reason)
        self.reason.setVisible(bool(reason))
        self._action = action[1] if action else None
        self.button.setText(action[0] if action else "")
        self.button.setVisible(action is not None)
        self._other = second[1] if second else None
        self.second.setText(second[0] if second else "")
        self.second.setVisible(second is not None)
        self._details = details
        self.details.setVisible(bool(details))
        if self.property("kind") != kind:
            self.setProperty("kind", kind)
            self.style().unpolish(self)
            self.style().polish(self)
        self.updateGeometry()

    def _act(self) -> None:
        if self._action is not None:
            self._action()

    def _act_second(self) -> None:
        if self._other is not None:
            self._other()

    def _copy(self) -> None:
        QApplication.clipboard().setText(self._details)


class RunLine(QWidget):
    """Run or Cancel, a thin bar, and the time gone and left, for one job.

    Parameters
    ----------
    verb : str
        What the button does, one plain verb.
    job : Job
    run : callable
        Called when the button is pressed and the job is not busy.
    """

    def __init__(self, verb: str, job: Job, run: Slot) -> None:
        super().__init__()
        self._verb, self._job, self._run = verb, job, run
        self._reason = ""
        self.button = QPushButton(verb)
        self.button.setObjectName("run")
        self.button.setMinimumWidth(88)
        self.bar = QProgressBar()
        self.bar.setObjectName("thin")
        self.bar.setTextVisible(False)
        self.words = WrapLabel(name="muted")
        right = QVBoxLayout()
        right.setContentsMargins(0, 0, 0, 0)
        right.setSpacing(STEP // 2)
        right.addWidget(self.words)
        right.addWidget(self.bar)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * STEP)
        layout.addWidget(self.button)
        layout.addLayout(right, 1)
        self.button.clicked.connect(self._press)
        self.refresh()

    def allow(self, reason: str = "") -> None:
        """Enable the button, or disable it and say why."""
        self._reason = reason
        self.refresh()

    def set_verb(self, verb: str) -> None:
        """Change what the button does, in words."""
        self._verb = verb
        self.refresh()

    def refresh(self) -> None:
        """Show how the job stands."""
        job = self._job
        busy, cancelling = job.state.busy, job.state is JobState.CANCELLING
        words = {True: "Cancel", False: self._verb}[busy]
        self.button.setText("Cancelling…" if cancelling else words)
        self.button.setEnabled(not cancelling and (busy or not self._reason))
        tip = self._reason or f"{self._verb} (long work can be cancelled)"
        self.button.setToolTip("Stop at the next safe point" if busy else tip)
        self.bar.setVisible(busy)
        self.words.setText(self._in_words() if busy else self._reason)
        self.words.setToolTip(self.words.text())
        progress = job.progress
        if progress is None or not progress.total:
            self.bar.setRange(0, 0)
        else:
            self.bar.setRange(0, progress.total)
            self.bar.setValue(progress.done)

    def _in_words(self) -> str:
        job = self._job
        parts = [job.progress.what] if job.progress else ["Starting"]
        parts.append(duration(job.elapsed))
        if job.remaining is not None:
            parts.append(f"{duration(job.remaining)} left")
        return " · ".join(parts)

    def _press(self) -> None:
        if self._job.state.busy:
            self._job.cancel()
        else:
            self._run()


def duration(seconds: float) -> str:
    """Write a duration for people: "4 s", "2 min 05 s", "1 h 10 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def plain_button(text: str, tip: str) -> QPushButton:
    """Return a button of the second rank."""
    button = QPushButton(text)
    button.setObjectName("plain")
    button.setToolTip(tip)
    return button


class Section(QWidget):
    """A part of a panel that is folded away under its title at first.

    Parameters
    ----------
    title : str
    inside : QWidget

    Signals
    -------
    toggled : bool
        It was opened or closed.
    """

    toggled = Signal(bool)

    def __init__(self, title: str, inside: QWidget) -> None:
        super().__init__()
        self._title, self._inside = title, inside
        self.button = QPushButton()
        self.button.setObjectName("fold")
        self.button.setCheckable(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(STEP)
        layout.addWidget(self.button)
        layout.addWidget(inside)
        self.button.toggled.connect(self._show)
        self._show(False)

    def isExpanded(self) -> bool:
        """Return whether it is open."""
        return bool(self.button.isChecked())

    def expand(self) -> None:
        """Open it."""
        self.button.setChecked(True)

    def collapse(self) -> None:
        """Close it."""
        self.button.setChecked(False)

    def _show(self, opened: bool) -> None:
        self.button.setText(f"{'▾' if opened else '▸'} {self._title}")
        self._inside.setVisible(opened)
        self.toggled.emit(opened)


def advanced_section(form: QFormLayout) -> Section:
    """Return a section that is closed at first, for what few people need."""
    inside = QWidget()
    form.setContentsMargins(0, 0, 0, 0)
    inside.setLayout(form)
    return Section("Advanced", inside)


def new_form() -> QFormLayout:
    """Return an empty form whose fields take the width there is."""
    form = QFormLayout()
    form.setContentsMargins(0, 0, 0, 0)
    form.setSpacing(STEP)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    return form


def heading(text: str) -> QLabel:
    """Return the title of a section."""
    label = QLabel(text)
    label.setObjectName("title")
    return label


def whole_number(n: int) -> str:
    """Write a count with thousands separators."""
    return f"{n:,}"
