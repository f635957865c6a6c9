"""Labelling without widgets: what keys and buttons do, and the heads that follow."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal
from qtpy.QtCore import QObject, QTimer

from napari_cellsci.errors import InputError
from napari_cellsci.panels._jobs import Job
from napari_cellsci.panels.label import walk
from napari_cellsci.viewer.label_keys import LabelKeys

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_cellsci.project import Project
    from napari_cellsci.project.labelling import Live
    from napari_cellsci.tasks import CancelToken, OnEvent
    from napari_cellsci.viewer.session import Session

HANDFUL = 5
"""After so many new labels the heads learn again."""
QUEUE = 40
LOOK_MS = 1500
"""How often another window's labels are looked for."""


class LabelService(QObject):
    """What can be done with labels in one viewer; made by `Session.service`.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    changed : Signal
        Queue, checks, or the way of working changed.
    told : Signal
        A sentence on what was just done, and its kind ("info", "warning", "error").
    job : Job
        Learning from the labels.
    live : Live or None
        What was learnt last.
    goes_on : bool
        Whether labels are changing and another cell will be shown right after.
    """

    changed = Signal()
    told = Signal(str, str)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.job = Job()
        self.job.succeeded.connect(self._on_learnt)
        self.live: Live | None = None
        self.advances, self.learns, self.scores_follow = True, True, True
        self.new_labels = 0
        self.skipped: set[int] = set()
        self._passed: list[int] = []
        self._again = self._begun = self._keeps_scores = False
        self.goes_on = False
        self._holders = 0
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self.look)
        keys = session.service(LabelKeys)
        keys.pressed.connect(self.perform)
        session.project_changed.connect(self._on_project)

    def hold(self) -> None:
        """Bind the keys, and look for other windows' labels, until `release`."""
        self._holders += 1
        self._session.service(LabelKeys).hold()
        self._timer.start()

    def release(self) -> None:
        """End what `hold` began."""
        self._holders = max(0, self._holders - 1)
        self._session.service(LabelKeys).release()
        if not self._holders:
            self._timer.stop()

    @property
    def names(self) -> tuple[str, ...]:
        """The classes in the order of their keys."""
        project = self._session.project
        return () if project is None else project.labels.names

    def perform(self, deed: str) -> None:
        """Do what a key stands for; see `viewer.keys`."""
        if self._session.project is None:
            return
        if deed.startswith("class_"):
            place = int(deed.removeprefix("class_")) - 1
            if place < len(self.names):
                self.label(self.names[place], how="key")
            return
        deeds: dict[str, Callable[[], Any]] = {
            "clear": self.clear,
            "accept": self.accept,
            "next": self.next,
            "back": self.back,
            "skip": self.skip,
            "uncertain": partial(self.go_to, walk.uncertain, "uncertain cell"),
            "unlabelled": partial(self.go_to, walk.unlabelled, "unlabelled cell"),
            "disagreement": partial(self.go_to, walk.disagreement, "disagreement"),
            "filter": self.filter_out,
            "undo": self.undo,
            "redo": self.redo,
        }
        deeds[deed]()

    def label(self, name: str, how: str = "click") -> bool:
        """Label the selected cells; go on to the next where that is wanted."""
        rows = self._rows()
        project = self._session.project
        if project is None or not len(rows):
            self.told.emit("Select a cell first.", "warning")
            return False
        many = len(rows) > 1
        goes_on = self.advances and not many
        act: Callable[..., None] = project.labels.set_many
        act = partial(act, rows, name, how="bulk" if many else how)
        if not self._try(act, goes_on):
            return False
        what = f"{len(rows):,} cells are {name} now." if many else f"This is {name}."
        self.told.emit(what, "info")
        self._count(len(rows))
        if goes_on:
            self.next()
        return True

    def clear(self) -> None:
        """Take the labels of the selected cells away."""
        project, rows = self._session.project, self._rows()
        if project is not None and len(rows):
            self._try(partial(project.labels.clear_many, rows, how="key"))

    def filter_out(self) -> None:
        """Filter the selected cells out, or take them back if all of them are out."""
        project, rows = self._session.project, self._rows()
        if project is None or not len(rows):
            self.told.emit("Select a cell first.", "warning")
            return
        labels, out = project.labels, bool(self._session.left_out[rows].all())
        act = labels.take_back if out else labels.leave_out
        if self._try(partial(act, rows.tolist(), how="key")):
            cells = "This cell" if len(rows) == 1 else f"{len(rows):,} cells"
            done = "taken back" if out else "filtered out; the same key takes it back"
            verb = "is" if len(rows) == 1 else "are"
            self.told.emit(f"{cells} {verb} {done}.", "info")

    def accept(self) -> None:
        """Label the current cell as the classifier would."""
        guess = self.guess()
        if guess:
            self.label(guess, how="suggestion")
        else:
            self.told.emit("There is no suggestion for this cell.", "warning")

    def guess(self) -> str:
        """Return the classifier's word for the current cell, "" without one."""
        scores, current = self._session.scores, self._session.current
        if scores is None or current is None:
            return ""
        word = scores.verdict(current)
        return word if word in self.names else ""

    def undo(self) -> None:
        """Take back what this annotator did last, and show where."""
        self._reverse("undo")

    def redo(self) -> None:
        """Bring back what was undone last, and show where."""
        self._reverse("redo")

    def next(self) -> None:
        """Go to the best cell of the queue that still waits."""
        row = self.waiting()
        if row is None:
            self.told.emit("The queue is empty: press Learn for another.", "info")
        else:
            self._go(row)

    def waiting(self) -> int | None:
        """Return the first cell of the queue without a label, the current one last."""
        codes, current = self._session.label_codes(), self._session.current
        open_ = [
            pick.row
            for pick in (self.live.queue if self.live else [])
            if codes[pick.row] < 0 and pick.row not in self.skipped
        ]
        others = [row for row in open_ if row != current]
        return (others or open_ or [None])[0]

    def back(self) -> None:
        """Go to the cell one was at before."""
        current = self._session.current
        while self._passed:
            row = self._passed.pop()
            if row != current and row < self._session.n_cells:
                self._session.select(row, go=True)
                return
        self.told.emit("There is no cell before this one.", "info")

    def skip(self) -> None:
        """Queue the current cell no more, and go on."""
        if self._session.current is not None:
            self.skipped.add(self._session.current)
            self.changed.emit()
        self.next()

    def go_to(self, find: Callable[[Session], int | None], what: str) -> None:
        """Go to the next cell of some kind after the current one."""
        row = find(self._session)
        if row is None:
            self.told.emit(f"There is no other {what}.", "info")
        else:
            self._go(row)

    def reason(self, row: int | None) -> str:
        """Return why a cell is in the queue, "" if it is not."""
        for pick in self.live.queue if self.live else []:
            if pick.row == row:
                return str(pick.reason)
        return ""

    def begin(self) -> None:
        """Make the first queue, once, where all cells are encoded already.

        Whoever only opens the panel keeps the scores that are shown.
        """
        encoded = getattr(self._session.bundle, "encoder", None) is not None
        if encoded and self.live is None and not self._begun:
            self._begun = True
            self.learn(keep_scores=self._session.scores is not None)

    def learn(self, keep_scores: bool = False) -> None:
        """Train on the labels there are; queue and scores follow.

        Parameters
        ----------
        keep_scores : bool
            Go on showing the scores there are, whatever `scores_follow` says.
        """
        project = self._session.project
        if project is None:
            return
        if self.job.state.busy:
            self._again = True
            return
        self.new_labels = 0
        self._keeps_scores = keep_scores
        work = partial(_learn, project, tuple(self.skipped), self._session.bundle)
        self.job.start(work, inputs=self._inputs)

    def edit(self, deed: Callable[..., Any], *values: object) -> bool:
        """Change classes or the annotator; tell what stands in the way."""
        return self._try(partial(deed, *values))

    def look(self) -> None:
        """Take in what other windows and commands did meanwhile."""
        project = self._session.project
        if self._session.viewer is None:
            self._timer.stop()  # the window went, and the project was closed with it
            return
        if project is None:
            return
        try:
            count = project.labels.refresh()
        except InputError as error:
            self.told.emit(str(error), "error")
            return
        if count:
            things = "change" if count == 1 else "changes"
            self.told.emit(f"{count:,} {things} came from another window.", "info")

    def _inputs(self) -> tuple[int, int]:
        return id(self._session.project), self._session.n_cells

    def _rows(self) -> Any:
        selected, current = self._session.selected, self._session.current
        if len(selected) or current is None:
            return selected
        return np.array([current])

    def _count(self, labels: int) -> None:
        self.new_labels += labels
        if self.learns and self.new_labels >= HANDFUL and self.live is not None:
            self.learn()

    def _reverse(self, kind: str) -> None:
        project = self._session.project
        if project is None:
            return
        labels = project.labels
        done: list[Any] = []

        def act() -> None:
            done.append(getattr(labels, kind)(how="key"))

        if not self._try(act, goes_on=True):
            return
        if done[0] is None:
            self.told.emit(f"There is nothing to {kind}.", "info")
            return
        self.told.emit(f"{kind.capitalize()}: {labels.told(done[0])}", "info")
        if len(done[0].cells) == 1:
            self._session.select(done[0].cells[0], go=True)
        elif done[0].cells:
            self._session.select_many(done[0].cells)

    def _try(self, deed: Callable[[], Any], goes_on: bool = False) -> bool:
        self.goes_on = goes_on
        try:
            deed()
        except (InputError, OSError) as error:
            self.told.emit(str(error), "error")
            return False
        finally:
            self.goes_on = False
        return True

    def _go(self, row: int) -> None:
        if self._session.current is not None:
            self._passed = [*self._passed[-500:], self._session.current]
        self._session.select(row, go=True)

    def _on_learnt(self, live: Live) -> None:
        self.live = live
        follows = self.scores_follow and not self._keeps_scores
        if live.scores is not None and follows:
            from napari_cellsci.panels.score.service import Scored, ScoreService

            scored = Scored(live.scores, live.bundle, live.scores.bundle)
            self._session.service(ScoreService).scored = scored
            self._session.set_scores(live.scores, live.bundle)
        self.changed.emit()
        if self._again:
            self._again = False
            self.learn()

    def _on_project(self) -> None:
        self.live, self._again, self._begun = None, False, False
        self.new_labels = 0
        self.skipped.clear()
        self._passed.clear()
        self.job.cancel()
        self.job.reset()
        self.changed.emit()


def _learn(
    project: Project,
    skipped: tuple[int, ...],
    bundle: Any,
    on_event: OnEvent,
    token: CancelToken,
) -> Live:
    return project.learn(
        # The encoder in use has encoded all cells already.
        encoder=getattr(bundle, "encoder", None),
        prior=bundle,
        n=QUEUE,
        skipped=skipped,
        on_event=on_event,
        token=token,
    )
