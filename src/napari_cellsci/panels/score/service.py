"""Scoring in a thread; goes on when the Score panel is closed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_cellsci.errors import InputError
from napari_cellsci.panels._jobs import Job
from napari_cellsci.panels._source import SHIPPED
from napari_cellsci.tasks import Progress

if TYPE_CHECKING:
    from napari_cellsci.project import Project
    from napari_cellsci.project.bundles import Bundle
    from napari_cellsci.project.scoring import Scores
    from napari_cellsci.tasks import CancelToken, OnEvent
    from napari_cellsci.viewer.session import Session

FORMULA = "the formula being written"
"""What scores say they are from that no classifier has given."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A classifier one can choose: what to call it, and how the project finds it."""

    title: str
    source: str | Path
    tip: str = ""


@dataclass(frozen=True, eq=False, slots=True)
class Scored:
    """What scoring leaves: the scores and the classifier that made them."""

    scores: Scores
    bundle: Bundle
    source: str | Path


class ScoreService:
    """Runs scoring and hands the scores to the session.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    job : Job
    offers_changed : Signal
        The list of classifiers changed.
    """

    offers_changed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._folders: list[Path] = []
        self.scored: Scored | None = None
        self.job = Job()
        self.job.succeeded.connect(self._on_done)
        session.project_changed.connect(self._on_project)

    def offers(self) -> list[Offer]:
        """Return the classifiers to choose from: the project's newest first."""
        project = self._session.project
        found = []
        for info in reversed(project.bundles if project is not None else []):
            tip = f"Scheme {info.scheme}, made {info.made_at[:10]}"
            found.append(Offer(info.name, info.name, tip))
        found.append(
            Offer(
                "mitosis (shipped)",
                SHIPPED,
                "Comes with the plugin: encoder and models trained on simulated nuclei",
            )
        )
        for folder in self._folders:
            found.append(Offer(folder.name, folder, str(folder)))
        return found

    def add_folder(self, folder: Path) -> None:
        """Offer the classifier saved in a folder."""
        if folder not in self._folders:
            self._folders.append(folder)
        self.offers_changed.emit()

    def run(self, source: str | Path | None = None, member: int | None = None) -> None:
        """Score all cells of the open project.

        Parameters
        ----------
        source : str or path, optional
            Name of a project's classifier, "shipped", or a folder; by default the
            newest of the project, else the shipped one.
        member : int, optional
            One head instead of the mean of all.
        """
        project = self._session.project
        if project is not None:
            work = partial(_score, project, source, member)
            self.job.start(work, inputs=self._inputs)

    def _inputs(self) -> tuple[int, int]:
        return id(self._session.project), self._session.n_cells

    def refresh_labels(self) -> None:
        """Take in labels that another window or a command gave meanwhile."""
        project = self._session.project
        if project is not None:
            with suppress(InputError):  # told of when something is done with the labels
                project.labels.refresh()

    def _on_done(self, scored: Scored) -> None:
        if len(scored.scores.table) != self._session.n_cells:
            # A command added a movie meanwhile.
            self._session.reload_cells()
        self.scored = scored
        self.refresh_labels()
        self._session.set_scores(scored.scores, scored.bundle)

    def _on_project(self) -> None:
        self.scored = None
        self.job.cancel()
        self.job.reset()
        self.offers_changed.emit()


def _score(
    project: Project,
    source: Any,
    member: int | None,
    on_event: OnEvent,
    token: CancelToken,
) -> Scored:
    # The first time this loads torch, which takes seconds.
    on_event(Progress("Loading the classifier", 0, 0))
    from napari_cellsci.project import Bundle

    bundle = Bundle.load(source) if isinstance(source, Path) else project.bundle(source)
    token.raise_if_cancelled()
    scores = project.score(bundle, member=member, on_event=on_event, token=token)
    if source is None:
        named = [info.name for info in project.bundles]
        source = bundle.name if bundle.name in named else SHIPPED
    return Scored(scores, bundle, source)
