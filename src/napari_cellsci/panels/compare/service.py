"""Comparing a project's classifiers in a thread."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_cellsci.figures.comparison import Gathered, Model, gather
from napari_cellsci.panels._jobs import Job
from napari_cellsci.panels.score.service import ScoreService

if TYPE_CHECKING:
    from napari_cellsci.project import Project
    from napari_cellsci.tasks import CancelToken, OnEvent
    from napari_cellsci.viewer.session import Session


class CompareService:
    """Loads the classifiers of the project and what is known of their heads.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    changed : Signal
        `gathered` is another one, or there is none any more.
    job : Job
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._every = False
        self._asked: tuple[object, ...] | None = None
        self.gathered: Gathered | None = None
        self.job = Job()
        self.job.succeeded.connect(self._on_done)
        session.project_changed.connect(self._on_project)

    @property
    def every(self) -> bool:
        """Whether all classifiers are compared, or the newest of every kind."""
        return self._every

    @every.setter
    def every(self, every: bool) -> None:
        if every != self._every:
            self._every = every
            self.ensure()

    def names(self) -> list[str]:
        """Return the classifiers of the project."""
        project = self._session.project
        return [] if project is None else [info.name for info in project.bundles]

    def ensure(self, again: bool = False) -> None:
        """Compare if that has not been done for the present classifiers.

        Parameters
        ----------
        again : bool
            Also if that failed or was cancelled before.
        """
        project, names = self._session.project, self.names()
        if project is None or not names:
            return
        key = (id(project), tuple(names), self._every)
        if key == self._asked and not again:
            return
        self._asked = key
        chosen = names if self._every else None
        self.job.start(partial(_gather, project, chosen), inputs=self._inputs)

    def _inputs(self) -> tuple[object, ...] | None:
        return self._asked

    @property
    def active(self) -> tuple[str, int | None] | None:
        """The classifier whose scores are shown, and its one model if it is one."""
        scored = self._session.service(ScoreService).scored
        return None if scored is None else (scored.scores.bundle, scored.scores.member)

    def use(self, model: Model) -> None:
        """Score with one model alone: it is then the active one everywhere."""
        self._session.service(ScoreService).run(model.bundle, model.member)

    def _on_done(self, gathered: Gathered) -> None:
        self.gathered = gathered
        self.changed.emit()

    def _on_project(self) -> None:
        self._asked = self.gathered = None
        self.job.abandon()
        self.changed.emit()


def _gather(
    project: Project, names: list[str] | None, on_event: OnEvent, token: CancelToken
) -> Gathered:
    return gather(project, names, on_event=on_event, token=token)
