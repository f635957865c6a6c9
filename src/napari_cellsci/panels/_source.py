"""Things opened from a chosen source by a job, again only when that is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_cellsci.panels._jobs import Job, Work

if TYPE_CHECKING:
    from napari_cellsci.project import Project
    from napari_cellsci.representation.atlas import LatentAtlas
    from napari_cellsci.representation.encoder import Encoder
    from napari_cellsci.tasks import CancelToken, OnEvent
    from napari_cellsci.viewer.session import Session

IN_USE = "in use"
"""Source: the classifier whose scores are shown, or its encoder."""
SHIPPED = "shipped"
"""Source: what comes with the plugin."""


@dataclass(frozen=True, slots=True)
class SourceOffer:
    """A source one can choose: what to call it, how to find it, and a tip."""

    title: str
    source: str
    tip: str = ""


class SourceService:
    """Opens the source that is meant, and finds out what its latents mean.

    Whoever derives from it says which source is meant (`source`), how it is opened
    (`_work`), and takes what comes of it (`_on_opened`, `_on_atlas`, `_drop`).

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    changed : Signal
        What is opened is another one, or there is none any more.
    job, atlas_job : Job
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._chosen: str | None = None
        # Which source is there, is being opened, or failed.
        self._asked: str | None = None
        self.job, self.atlas_job = Job(), Job()
        self.job.succeeded.connect(self._on_opened)
        self.atlas_job.succeeded.connect(self._on_atlas)
        session.project_changed.connect(self._on_project)
        session.scores_changed.connect(self._on_scores)

    @property
    def source(self) -> str | None:
        """The source that is meant: chosen, or by default; None if there is none."""
        raise NotImplementedError

    def choose(self, source: str) -> None:
        """Open another source, from now on."""
        self._chosen = source
        self.ensure(again=True)

    def ensure(self, again: bool = False) -> None:
        """Open the source if it is not open; called by whoever shows it.

        Parameters
        ----------
        again : bool
            Also if that failed or was cancelled before.
        """
        session, source = self._session, self.source
        if session.project is None or source is None or not session.n_cells:
            return
        key = self._key(source)
        if self._is_settled(key, again):
            return
        self._asked = key
        self.atlas_job.cancel()
        self.job.start(self._work(session.project, source), inputs=self._inputs)
        self.changed.emit()

    def _is_settled(self, key: str, again: bool) -> bool:
        """Return whether a source is there already, being opened, or failed."""
        return self._asked == key and not again

    def _key(self, source: str) -> str:
        bundle = self._session.bundle
        return f"{source} {bundle.hash}" if source == IN_USE and bundle else source

    def _inputs(self) -> tuple[int, int, str | None]:
        return id(self._session.project), self._session.n_cells, self._asked

    def _find_atlas(self, encoder: Encoder) -> None:
        """Find out what the latents mean; what was found before is there at once."""
        work = partial(_describe, self._session.project, encoder)
        self.atlas_job.start(work, inputs=self._inputs)

    def _on_project(self) -> None:
        self._chosen = None
        self._forget()

    def _forget(self) -> None:
        self._asked = None
        self.job.abandon()
        self.atlas_job.abandon()
        self._drop()
        self.changed.emit()

    def _work(self, project: Project, source: str) -> Work:
        """Return the work that opens a source."""
        raise NotImplementedError

    def _drop(self) -> None:
        """Let go of what is opened."""
        raise NotImplementedError

    def _on_opened(self, opened: Any) -> None:
        raise NotImplementedError

    def _on_atlas(self, atlas: LatentAtlas) -> None:
        raise NotImplementedError

    def _on_scores(self) -> None:
        raise NotImplementedError


def _describe(
    project: Project, encoder: Encoder, on_event: OnEvent, token: CancelToken
) -> LatentAtlas:
    return project.latent_atlas(encoder, on_event=on_event, token=token)
