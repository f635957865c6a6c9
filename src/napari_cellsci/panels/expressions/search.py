"""A search for formulas in a thread, whose fronts are looked at while they grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_cellsci.formulas import Expression
from napari_cellsci.formulas.engines import PySR, Status
from napari_cellsci.panels._jobs import Job, JobState
from napari_cellsci.panels.expressions import candidates as lists
from napari_cellsci.panels.expressions.candidates import Candidate
from napari_cellsci.panels.expressions.service import ExpressionService

if TYPE_CHECKING:
    from napari_cellsci.project import Project
    from napari_cellsci.project.bundles import Bundle
    from napari_cellsci.tasks import CancelToken, OnEvent
    from napari_cellsci.viewer.session import Session

LOOK_MS = 600
MOST = 40
"""Formulas of growing fronts that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is searched for; see `Project.discover`."""

    engine: str = "auto"
    operators: str = "plain"
    nested: bool = False
    loss: str = "hinge"
    inputs: tuple[str, ...] = ()
    runs: int = 5
    maxsize: int = 20
    fetch_julia: bool = False
    evaluations: int | None = None

    def settings(self, source: str) -> dict[str, Any]:
        """Return the arguments of `Project.discover` that differ from its own."""
        given: dict[str, Any] = {
            "engine": self.engine,
            "operators": self.operators,
            "loss": self.loss,
            "runs": self.runs,
            "maxsize": self.maxsize,
            "source": source,
        }
        if self.inputs:
            given["inputs"] = list(self.inputs)
        if self.nested:
            given["nested"] = True
        if self.fetch_julia:
            given["fetch_julia"] = True
        if self.evaluations is not None:
            given["evaluations"] = self.evaluations
        return given


class SearchService:
    """Searches for formulas about the code that is open.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    front_changed : Signal
        `growing` has more or better formulas, or none any more.
    job : Job
    """

    front_changed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._fronts: Mapping[int, Sequence[Any]] | None = None
        self.growing: list[Candidate] = []
        self._wanted: list[str] = []
        self.asked: Asked | None = None
        self.said = ""
        self.job = Job()
        self.job.succeeded.connect(self._on_found)
        self.job.changed.connect(self._on_job)
        self._timer = QTimer()
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self._look)
        session.project_changed.connect(self._on_project)

    @staticmethod
    def pysr() -> Status:
        """Return whether PySR can be used; nothing is imported or started."""
        return PySR().status()

    def search(self, asked: Asked) -> None:
        """Begin a search."""
        from napari_cellsci.project.discovering import known_classes

        project, service = (
            self._session.project,
            self._session.service(ExpressionService),
        )
        if project is None or service.opened is None:
            return
        self.asked, self.said, self.growing = asked, "", []
        self._fronts = None
        known = project.labels.classes
        self._wanted = known_classes(project.labels, service.opened.bundle) or [
            one.name for one in known if one.position is not None
        ]
        settings = {**asked.settings(service.opened.source), "classes": self._wanted}
        work = partial(_search, project, settings, self._on_front)
        self.job.start(work, inputs=self._inputs)
        self._timer.start()
        self.front_changed.emit()

    def _inputs(self) -> tuple[int, int]:
        return id(self._session.project), self._session.n_cells

    def _on_front(self, fronts: Mapping[int, Sequence[Any]]) -> None:
        # In the worker's thread; the timer takes it up.
        self._fronts = dict(fronts)

    def _look(self) -> None:
        """Judge the formulas that were found so far."""
        if not self.job.state.busy:
            self._timer.stop()
        fronts, self._fronts = self._fronts, None
        service = self._session.service(ExpressionService)
        subject, opened = service.bench.subject, service.opened
        project = self._session.project
        if fronts is None or subject is None or opened is None or project is None:
            return
        about = project.labels.called_now(opened.about)
        known: dict[Expression, None] = {}
        for front in fronts_about(fronts, self._wanted, about):
            known.update(dict.fromkeys(one.expression for one in front))
        some = sorted(known, key=_size)[-MOST:]
        self.growing = lists.merged(
            lists.judged(subject, one, "being searched for") for one in some
        )
        self.front_changed.emit()

    def _on_found(self, bundle: Bundle) -> None:
        report = bundle.heads.report
        low, high = report.balanced_accuracy_interval
        whose = _whose(bundle.n_members, len(bundle.classes))
        self.said = (
            f"Kept as {bundle.name}: {whose} balanced accuracy "
            f"{100 * report.balanced_accuracy:.1f} % "
            f"[{100 * low:.1f}–{100 * high:.1f}] on held-out {report.unit}s."
        )
        self._end()

    def _on_job(self) -> None:
        if self.job.state is JobState.FAILED:
            self.asked, self.growing = None, []
        elif self.job.state is JobState.IDLE and self.asked is not None:
            self.said = "Stopped; what was found until then is kept."
            self._end()

    def _end(self) -> None:
        """Take over what the project keeps now."""
        self._timer.stop()
        self.asked, self.growing = None, []
        self._session.service(ExpressionService).take_found()
        self.front_changed.emit()

    def _on_project(self) -> None:
        self.asked, self.growing, self.said = None, [], ""
        self._timer.stop()
        self.job.abandon()
        self.front_changed.emit()


def fronts_about(
    fronts: Mapping[int, Sequence[Any]], classes: Sequence[str], about: str
) -> list[Sequence[Any]]:
    """Return the fronts whose formulas are meant to be 0 or more for one class.

    Parameters
    ----------
    fronts : mapping of int to sequence
        By search: one for each run, of more classes than two one for each class of it.
    classes : sequence of str
        That are searched for.
    about : str
    """
    if len(classes) == 2:
        return list(fronts.values()) if about == classes[1] else []
    wanted = [k for k, name in enumerate(classes) if name == about]
    return [front for k, front in fronts.items() if k % len(classes) in wanted]


def _whose(runs: int, classes: int) -> str:
    """Say of how many formulas the accuracy is."""
    if classes > 2:
        each = f"{classes} formulas, the largest wins"
        return f"{each}," if runs == 1 else f"{runs} × {each}; their median has"
    return "1 formula," if runs == 1 else f"{runs} formulas; their median has"


def _size(expression: Expression) -> int:
    return expression.size


def _search(
    project: Project,
    settings: dict[str, Any],
    on_front: Any,
    on_event: OnEvent,
    token: CancelToken,
) -> Bundle:
    return project.discover(
        **settings, on_front=on_front, on_event=on_event, token=token
    )
