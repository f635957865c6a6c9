"""The line at the foot of the panel: start, pause, cancel, go on, and how far it is."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_cellsci.panels._parts import WrapLabel, plain_button
from napari_cellsci.panels._theme import STEP
from napari_cellsci.panels.train.words import progress_words
from napari_cellsci.project.run_files import has_kept
from napari_cellsci.project.run_log import RunLog
from napari_cellsci.project.run_state import RunState
from napari_cellsci.project.runs import RunInfo

TRAIN, CANCEL, RESUME = "train", "cancel", "resume"
PAUSE, GO_ON = "pause", "go on"


class RunBar(QWidget):
    """One main button, one beside it, a thin bar, and words.

    Signals
    -------
    pressed : str
        What the user wants: "train", "cancel", "resume", "pause" or "go on".
    """

    pressed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._main, self._side = TRAIN, ""
        self.button = QPushButton("Train")
        self.button.setObjectName("run")
        self.button.setMinimumWidth(88)
        self.second = plain_button("Pause", "")
        self.bar = QProgressBar()
        self.bar.setObjectName("thin")
        self.bar.setTextVisible(False)
        self.words = WrapLabel(name="muted")
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2 * STEP)
        row.addWidget(self.button)
        row.addWidget(self.second)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(STEP)
        layout.addWidget(self.bar)
        layout.addWidget(self.words)
        layout.addLayout(row)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.button.clicked.connect(self._press)
        self.second.clicked.connect(self._press_second)

    def offer_start(self, why_not: str = "") -> None:
        """Offer to start a new run, or say why that cannot be."""
        self._set(TRAIN, "Train", "Start the run that is set up above", not why_not)
        if why_not:
            self.button.setToolTip(why_not)
        self._set_second("", "", "")
        self.bar.setVisible(False)
        self._say(why_not)

    def show_run(self, run: RunInfo, log: RunLog) -> None:
        """Show how a run stands, and offer what can be done with it."""
        state = run.state
        if state is RunState.CANCELLING:
            self._set(CANCEL, "Cancelling…", "It stops at its next safe point", False)
        elif state.busy:
            self._set(CANCEL, "Cancel", "Stop; what was learnt is kept", True)
        elif state.stopped:
            kept = run.kind == "search" or has_kept(run.folder)
            self._set(
                RESUME,
                "Go on" if kept else "Run again",
                "Go on where it stopped" if kept else "Nothing was kept: begin anew",
                True,
            )
        else:
            self._set("", "", "", False)
        if state is RunState.RUNNING:
            self._set_second(PAUSE, "Pause", "Wait, keeping everything in memory")
        elif state is RunState.PAUSED:
            self._set_second(GO_ON, "Go on", "Go on at once")
        else:
            self._set_second("", "", "")
        self.bar.setVisible(state.busy)
        if state.busy:
            known = log.total > 0 and state is not RunState.QUEUED
            self.bar.setRange(0, log.total if known else 0)
            self.bar.setValue(log.step if known else 0)
        # How it ended stands on the card.
        self._say(progress_words(run, log) if state.busy else "")

    def _say(self, words: str) -> None:
        self.words.setText(words)
        self.words.setVisible(bool(words))

    def _set(self, what: str, words: str, tip: str, enabled: bool) -> None:
        self._main = what
        self.button.setVisible(bool(what))
        self.button.setText(words)
        self.button.setToolTip(tip)
        self.button.setEnabled(enabled)

    def _set_second(self, what: str, words: str, tip: str) -> None:
        self._side = what
        self.second.setVisible(bool(what))
        self.second.setText(words)
        self.second.setToolTip(tip)

    def _press(self) -> None:
        self.pressed.emit(self._main)

    def _press_second(self) -> None:
        self.pressed.emit(self._side)
