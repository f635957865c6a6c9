"""Opens a classifier to attack it; long attacks run in threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.panels._jobs import Job, Work
from napari_cellsci.panels._source import SHIPPED, SourceOffer, SourceService
from napari_cellsci.panels.latents.service import LatentService
from napari_cellsci.panels.score.service import ScoreService
from napari_cellsci.project.robustness import newest_of_each_kind
from napari_cellsci.viewer.attack_layers import AttackLayers

if TYPE_CHECKING:
    from napari_cellsci.project import Project
    from napari_cellsci.project.attacked_movie import AttackedMovie
    from napari_cellsci.project.attacking import Attacked
    from napari_cellsci.project.bundles import Bundle
    from napari_cellsci.project.failing import FailureModes
    from napari_cellsci.project.robustness import Robustness
    from napari_cellsci.project.scoring import Scores
    from napari_cellsci.representation.atlas import LatentAtlas
    from napari_cellsci.tasks import CancelToken, OnEvent
    from napari_cellsci.viewer.session import Session


@dataclass(frozen=True, eq=False, slots=True)
class Opened:
    """A classifier ready to be attacked: its crops, noise, and latents in words."""

    source: str
    bundle: Bundle
    crops: Any
    noise: float | None
    atlas: LatentAtlas | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Blended:
    """Many attacked cells: scores before, after, and cut again from the movie."""

    attacked: Attacked
    movie: AttackedMovie
    before: Scores
    after: Scores
    recut: Scores


class RobustnessService(SourceService):
    """What the Robustness panel works with.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    changed : Signal
        Another classifier is open, or a result came or went.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.opened: Opened | None = None
        self.blended: Blended | None = None
        self.found: Robustness | None = None
        self.failures: FailureModes | None = None
        self.layers = session.service(AttackLayers)
        self.movie_job, self.curve_job, self.failure_job = Job(), Job(), Job()
        self.movie_job.succeeded.connect(self._on_blended)
        self.curve_job.succeeded.connect(self._on_found)
        self.failure_job.succeeded.connect(self._on_failures)
        session.service(LatentService).atlas_changed.connect(self._on_renamed)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """All jobs."""
        return self.job, self.movie_job, self.curve_job, self.failure_job

    def offers(self) -> list[SourceOffer]:
        """Return the classifiers to choose from."""
        project = self._session.project
        if project is None:
            return []
        found = [
            SourceOffer(
                info.name, info.name, f"Scheme {info.scheme}, made {info.made_at[:10]}"
            )
            for info in reversed(project.bundles)
        ]
        tip = "Comes with the plugin, trained on simulated nuclei"
        return [*found, SourceOffer("mitosis (shipped)", SHIPPED, tip)]

    @property
    def source(self) -> str | None:
        """The classifier that is meant: chosen, else in use, else the newest."""
        known = [offer.source for offer in self.offers()]
        if self._chosen in known:
            return self._chosen
        scored = self._session.service(ScoreService).scored
        if scored is not None and str(scored.source) in known:
            return str(scored.source)
        return known[0] if known else None

    def _key(self, source: str) -> str:
        return f"{source} {self._session.n_cells}"  # crops are those of all cells

    def _work(self, project: Project, source: str) -> Work:
        return partial(_open, project, source)

    def blend(self, options: dict[str, Any]) -> None:
        """Attack many cells and put them back into the movie."""
        project, opened = self._session.project, self.opened
        if project is not None and opened is not None:
            movie = self._session.movie
            work = partial(_blend, project, opened.bundle, options, movie)
            self.movie_job.start(work, inputs=self._inputs)

    def measure(self, every: bool) -> None:
        """Measure accuracy under attack of this classifier, or of every kind."""
        project, opened = self._session.project, self.opened
        if project is not None and opened is not None:
            bundles = None if every else [opened.bundle]
            work = partial(_measure, project, bundles)
            self.curve_job.start(work, inputs=self._inputs)

    def fail(self, row: int, every: bool) -> None:
        """Show a cell in every way a picture may fail to classifiers.

        Parameters
        ----------
        row : int
        every : bool
            To the newest of every kind as well, not to the opened one alone.
        """
        project, opened = self._session.project, self.opened
        if project is not None and opened is not None:
            others = newest_of_each_kind(project.bundles) if every else []
            names = [name for name in others if name != opened.bundle.name]
            work = partial(_fail, project, row, [opened.bundle, *names])
            self.failure_job.start(work, inputs=self._inputs)

    def show_scores(self, which: str) -> None:
        """Colour the movie by scores "before", "after", or "recut"."""
        if self.blended is not None:
            scores = getattr(self.blended, which)
            self._session.set_scores(scores, self.blended.attacked.bundle)

    def undo(self) -> None:
        """Take the layers away and show the scores there were before."""
        self.movie_job.cancel()
        if self.blended is not None:
            scored = self._session.service(ScoreService).scored
            self.blended = None
            if scored is not None:
                self._session.set_scores(scored.scores, scored.bundle)
        self.layers.remove()
        self.changed.emit()

    def _on_opened(self, opened: Opened) -> None:
        self.opened = opened
        self.failures = None
        self.changed.emit()
        if opened.bundle.encoder is not None:
            self._find_atlas(opened.bundle.encoder)

    def _on_atlas(self, atlas: LatentAtlas) -> None:
        encoder = None if self.opened is None else self.opened.bundle.encoder
        if self.opened and encoder is not None and atlas.encoder == encoder.hash:
            self.opened = replace(self.opened, atlas=atlas)
            self.changed.emit()

    def _on_renamed(self) -> None:
        code = self._session.service(LatentService).code
        if code is not None and code.atlas is not None:
            self._on_atlas(code.atlas)

    def _on_scores(self) -> None:
        self.changed.emit()  # another classifier may be meant now

    def _on_blended(self, blended: Blended) -> None:
        self.blended = blended
        self.layers.show_movie(blended.movie)
        self.show_scores("after")
        self.changed.emit()

    def _on_found(self, found: Robustness) -> None:
        self.found = found
        self.changed.emit()

    def _on_failures(self, failures: FailureModes) -> None:
        self.failures = failures
        self.changed.emit()

    def _drop(self) -> None:
        self.opened = self.blended = self.found = self.failures = None
        for job in (self.movie_job, self.curve_job, self.failure_job):
            job.abandon()


def _open(
    project: Project, source: str, on_event: OnEvent, token: CancelToken
) -> Opened:
    bundle = project.bundle(source)
    crops, noise = project.crops_for(bundle, on_event=on_event, token=token)
    return Opened(source, bundle, crops, noise)


def _blend(
    project: Project,
    bundle: Bundle,
    options: dict[str, Any],
    movie: str | None,
    on_event: OnEvent,
    token: CancelToken,
) -> Blended:
    known: dict[str, Any] = {"on_event": on_event, "token": token}
    attacked = project.attack(bundle, **options, **known)
    shown = project.attacked_movie(attacked, movie)
    before = project.score(bundle, member=options.get("member"), **known)
    table = attacked.table
    rows = attacked.rows
    after = _with(before, rows, table["score_after"], table["prediction_after"])
    where, score, decided = shown.recut(**known)
    names = np.array([*bundle.classes, ""], object)
    recut = _with(before, rows[where], score, names[decided])
    return Blended(attacked, shown, before, after, recut)


def _with(
    scores: Scores, rows: NDArray[np.int64], score: Any, prediction: Any
) -> Scores:
    """Return scores with those of some cells replaced."""
    table = scores.table.copy()
    values = np.asarray(score, float)
    table.loc[rows, "score"] = values
    table.loc[rows, "prediction"] = np.asarray(prediction)
    # A calibrated probability is of pictures as they are, not of attacked ones.
    table.loc[rows, "probability"] = 1 / (1 + np.exp(-np.clip(values, -50, 50)))
    return replace(scores, table=table)


def _measure(
    project: Project, bundles: list[Any] | None, on_event: OnEvent, token: CancelToken
) -> Robustness:
    return project.robustness(bundles, on_event=on_event, token=token)


def _fail(
    project: Project,
    row: int,
    bundles: Sequence[Any],
    on_event: OnEvent,
    token: CancelToken,
) -> FailureModes:
    return project.failure_modes(row, bundles, on_event=on_event, token=token)
