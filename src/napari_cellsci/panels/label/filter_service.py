"""The cell filter of a viewer: learning it, its threshold, and what it leaves out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_cellsci.errors import InputError
from napari_cellsci.panels._jobs import Job

if TYPE_CHECKING:
    from napari_cellsci.heads.usable.cell_filter import CellFilter
    from napari_cellsci.project import Project
    from napari_cellsci.tasks import CancelToken, OnEvent
    from napari_cellsci.viewer.session import Session

RUNS, STEPS = 5, 100
"""Divisions and gradient steps in the window; the command does twice as many."""
COMPARED: tuple[str, ...] | None = None
"""Filters that are compared beside the chosen one; None means all that can be."""


@dataclass(frozen=True, eq=False, slots=True)
class Learnt:
    """A filter with the probabilities it gives all cells."""

    made: CellFilter
    probability: NDArray[np.float64]


class FilterService:
    """Learns a cell filter in a thread and applies it; made by `Session.service`.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    job : Job
    changed : Signal
        Another filter, another threshold, or trouble.
    learnt : Learnt or None
    threshold : float
    trouble : str
        What stands in the way, "" if nothing.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self.job = Job()
        self.job.succeeded.connect(self._on_learnt)
        self.learnt: Learnt | None = None
        self.threshold = 0.5
        self.trouble = ""
        session.project_changed.connect(self._on_project)

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes that can be junk: those that cells have."""
        project = self._session.project
        if project is None:
            return ()
        return tuple(name for name, n in project.labels.counts().items() if n)

    def learn(self, junk: str, method: str) -> None:
        """Compare filters, learn one, and judge all cells; nothing is left out yet."""
        project = self._session.project
        if project is not None and junk:
            self.trouble = ""
            self.job.start(partial(_learn, project, junk, method), inputs=self._inputs)

    @property
    def would_leave_out(self) -> int:
        """How many cells the threshold leaves out, but for those judged by hand."""
        if self.learnt is None:
            return 0
        return int((self.learnt.probability < self.threshold).sum())

    def set_threshold(self, threshold: float) -> None:
        """Choose another threshold."""
        self.threshold = float(np.clip(threshold, 0, 1))
        self.changed.emit()

    def apply(self) -> None:
        """Filter out the cells below the threshold and take back the others."""
        project, learnt = self._session.project, self.learnt
        if project is None or learnt is None:
            return
        from napari_cellsci.project.filtering import apply_threshold, keep

        made = learnt.made.with_threshold(self.threshold)
        self.learnt = Learnt(made, learnt.probability)
        try:
            keep(project._bench, made)
            apply_threshold(project.labels, made, learnt.probability)
            self.trouble = ""
        except (InputError, OSError) as error:
            self.trouble = str(error)
        self.changed.emit()

    def take_back(self) -> None:
        """Take back all cells that are filtered out."""
        project = self._session.project
        if project is not None:
            labels = project.labels
            labels.take_back(labels.left_out.tolist(), said="all")

    def train_on_usable(self, wanted: bool) -> None:
        """Set whether training passes over what is filtered out."""
        project = self._session.project
        if project is not None:
            project.usable_only = wanted
            self.changed.emit()

    def _inputs(self) -> tuple[int, int]:
        return id(self._session.project), self._session.n_cells

    def _on_learnt(self, learnt: Learnt) -> None:
        self.learnt, self.threshold = learnt, learnt.made.threshold
        self.changed.emit()

    def _on_project(self) -> None:
        self.learnt, self.trouble = None, ""
        self.job.cancel()
        self.job.reset()
        self.changed.emit()


def _learn(
    project: Project, junk: str, method: str, on_event: OnEvent, token: CancelToken
) -> Learnt:
    from napari_cellsci.project.filtering import usable_probability

    made = project.learn_filter(
        junk,
        method=method,
        methods=COMPARED,
        runs=RUNS,
        steps=STEPS,
        on_event=on_event,
        token=token,
    )
    p = usable_probability(
        project._bench, project.labels, made, on_event=on_event, token=token
    )
    return Learnt(made, p)
