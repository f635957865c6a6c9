"""What the map keeps while its panel is closed: choices, the UMAP, class statistics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_cellsci.panels._jobs import Job, JobState
from napari_cellsci.panels.latent_map.axes import component_key, latent_key
from napari_cellsci.panels.latent_map.plot import Tool
from napari_cellsci.panels.latents.service import Code, LatentService
from napari_cellsci.representation.separation import (
    Densities,
    Separation,
    class_densities,
    fisher_ratio,
    separation,
)
from napari_cellsci.viewer.map_colors import MapColor, movie_palette

if TYPE_CHECKING:
    from napari_cellsci.project import Project
    from napari_cellsci.tasks import CancelToken, OnEvent
    from napari_cellsci.viewer.session import Session

ClassesBy: TypeAlias = Literal["prediction", "label", "movie"]


@dataclass(frozen=True, slots=True)
class MapChoice:
    """What the user chose; None means the panel's own choice."""

    x: str | None = None
    y: str | None = None
    color: MapColor = "score"
    tool: Tool = "lasso"
    classes_by: ClassesBy = "prediction"


@dataclass(frozen=True, eq=False, slots=True)
class Classes:
    """Which class every cell belongs to, and how the classes look.

    Parameters
    ----------
    codes : array (n,) of int
        Position in `names`, −1 for none.
    names, colors : tuple of str
    """

    codes: NDArray[np.int64]
    names: tuple[str, ...]
    colors: tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class ClassStatistics:
    """How the classes lie along every latent."""

    classes: Classes
    densities: Densities
    separation: Separation


class MapService:
    """Keeps the map's choices; computes UMAP and class statistics in threads.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    umap_job, classes_job : Job
    umap_changed, classes_changed : Signal
        Their results are there, or no longer hold.
    axes_changed : Signal
        Something else was put on an axis.
    """

    umap_changed = Signal()
    classes_changed = Signal()
    axes_changed = Signal()

    def __init__(self, session: Session) -> None:
        self._session = session
        self._latents = session.service(LatentService)
        self.choice = MapChoice()
        self.plane: NDArray[np.float32] | None = None
        self.statistics: ClassStatistics | None = None
        self._usual: tuple[str, str] | None = None
        self._stale = True
        self.umap_job = Job()
        self.classes_job = Job()
        self.umap_job.succeeded.connect(self._on_plane)
        self.classes_job.succeeded.connect(self._on_statistics)
        self._latents.changed.connect(self._on_code)
        session.scores_changed.connect(self._on_scores)
        session.labels_changed.connect(self._on_classes)
        session.classes_changed.connect(self._on_classes)

    def choose(self, **changes: Any) -> None:
        """Change fields of `choice`."""
        self.choice = replace(self.choice, **changes)

    @property
    def axes(self) -> tuple[str, str]:
        """What is on the x and y axes: chosen, or by default; "" before there is any.

        The default is the two latents that separate the classes best, else the two
        most active ones, as they were when the cells were last encoded or scored.
        """
        code = self._latents.code
        if code is not None and self._usual is None:
            self._usual = _usual_axes(code, self.classes().codes)
        usual = self._usual or ("", "")
        return self.choice.x or usual[0], self.choice.y or usual[1]

    def put(self, axis: str, key: str) -> None:
        """Put something on the x or the y axis."""
        self.choose(**{axis: key})
        self.axes_changed.emit()

    def lay_out(self) -> None:
        """Compute the UMAP, or read it if it has been computed before."""
        project, code = self._session.project, self._latents.code
        if project is None or code is None:
            return
        if self.umap_job.state is JobState.RUNNING:
            return
        self.umap_job.start(partial(_umap, project, code), inputs=self._inputs)

    def _inputs(self) -> int:
        return id(self._latents.code and self._latents.code.encoder)

    def classes(self) -> Classes:
        """Return the classes that are compared; by label where nothing is predicted."""
        session, by = self._session, self.choice.classes_by
        if by == "movie":
            found = movie_palette(session)
            codes = np.empty(0, np.int64) if not session.table else session.table.movie
            return Classes(codes, tuple(found), tuple(found.values()))
        palette = session.palette
        if by == "prediction" and session.scores is not None:
            codes = session.predicted_codes()
            # Cells without any structure are no class of interest.
            codes = np.where(session.scores.blank, -1, codes)
        else:
            codes = session.label_codes()
        return Classes(codes, tuple(palette), tuple(palette.values()))

    def compare(self) -> None:
        """Bring the class statistics up to date."""
        code, table = self._latents.code, self._session.table
        if code is None or table is None or not self._stale:
            return
        self._stale = False
        project = self._session.project
        assert project is not None  # there is no table without one
        work = partial(_compare, code.latents, self.classes(), project.groups)
        self.classes_job.start(work, inputs=self._inputs)

    def _on_plane(self, plane: NDArray[np.float32]) -> None:
        self.plane = plane
        self.umap_changed.emit()

    def _on_statistics(self, statistics: ClassStatistics) -> None:
        self.statistics = statistics
        self.classes_changed.emit()

    def forget_classes(self) -> None:
        """Say that the classes are others."""
        self._stale = True
        self.classes_changed.emit()

    def _on_scores(self) -> None:
        self._usual = None
        self.forget_classes()

    def _on_classes(self) -> None:
        self.forget_classes()

    def _on_code(self) -> None:
        self.plane = self.statistics = self._usual = None
        self._stale = True
        self.umap_job.cancel()
        self.classes_job.cancel()
        self.umap_changed.emit()
        self.classes_changed.emit()


def _usual_axes(code: Code, codes: NDArray[np.int64]) -> tuple[str, str]:
    ratio = fisher_ratio(code.latents, codes)
    order = code.order()
    # What hardly varies may part the classes too, but shows next to nothing.
    active = [index for index in order if code.is_active(index)] or order
    best = sorted(active, key=lambda index: -ratio[index])
    keys = [latent_key(index) for index in best[:2]]
    return keys[0], keys[1] if len(keys) > 1 else component_key(0)


def _umap(
    project: Project, code: Code, on_event: OnEvent, token: CancelToken
) -> NDArray[np.float32]:
    return project.umap(code.encoder, on_event=on_event, token=token)


def _compare(
    latents: NDArray[np.float32],
    classes: Classes,
    tracks: NDArray[np.int64],
    on_event: OnEvent,
    token: CancelToken,
) -> ClassStatistics:
    from napari_cellsci.tasks import Progress

    on_event(Progress("Comparing the classes", 0, 0))
    densities = class_densities(latents, classes.codes, len(classes.names))
    token.raise_if_cancelled()
    found = separation(latents, classes.codes, tracks)
    return ClassStatistics(classes, densities, found)
