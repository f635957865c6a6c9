"""Keeping the formula that is written as a classifier of the project."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_cellsci.panels._jobs import Job, JobState
from napari_cellsci.panels.expressions.service import ExpressionService
from napari_cellsci.panels.score.service import ScoreService

if TYPE_CHECKING:
    from napari_cellsci.project import Project
    from napari_cellsci.project.bundles import Bundle
    from napari_cellsci.tasks import CancelToken, OnEvent
    from napari_cellsci.viewer.session import Session


class SavingService:
    """Saves the written formula.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    changed : Signal
        `said` or `hindrance` may be other ones.
    job : Job
    said : str
        What became of the last formula that was saved.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self.said = ""
        self.job = Job()
        self.job.succeeded.connect(self._on_saved)
        self.job.changed.connect(self._on_job)
        session.project_changed.connect(self._on_project)

    @property
    def hindrance(self) -> str:
        """Why the formula cannot be saved now; "" if it can."""
        service = self._session.service(ExpressionService)
        if service.opened is None or service.bench.written is None:
            return "Write a formula first."
        if len(service.opened.bundle.classes) > 2:
            return (
                "A classifier of more than two classes needs a formula for each: give "
                "them to the command cellsci formula."
            )
        return "It is being saved." if self.job.state.busy else ""

    def save(self) -> None:
        """Judge the formula on the labelled cells and keep it."""
        project, service = (
            self._session.project,
            self._session.service(ExpressionService),
        )
        opened, written = service.opened, service.bench.written
        if project is None or opened is None or written is None or self.hindrance:
            return
        self.said = ""
        work = partial(_save, project, written.expression.text(), opened.bundle)
        self.job.start(work, inputs=self._inputs)

    def _inputs(self) -> tuple[int, int]:
        return id(self._session.project), self._session.n_cells

    def _on_saved(self, bundle: Bundle) -> None:
        self.said = f"Kept as {bundle.name}; Score and Compare list it now."
        self._session.service(ExpressionService).take_found()
        self._session.service(ScoreService).offers_changed.emit()
        self.changed.emit()

    def _on_job(self) -> None:
        if self.job.state is JobState.FAILED and self.job.failure is not None:
            self.said = self.job.failure.message
        self.changed.emit()

    def _on_project(self) -> None:
        self.said = ""
        self.job.abandon()
        self.changed.emit()


def _save(
    project: Project, text: str, bundle: Bundle, on_event: OnEvent, token: CancelToken
) -> Bundle:
    return project.add_formula(
        text, encoder=bundle.encoder, on_event=on_event, token=token
    )
