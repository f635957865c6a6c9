"""Making and opening projects; goes on when the Cells panel is closed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from napari.layers import Layer
from psygnal import Signal

from napari_cellsci.panels._jobs import Job
from napari_cellsci.viewer import tags
from napari_cellsci.viewer.opening import Kind, open_layers, placed
from napari_cellsci.viewer.sample import LayerTuple, layers_of

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_cellsci.panels.cells.choice import CellsSource
    from napari_cellsci.panels.cells.images_source import ImagesSource
    from napari_cellsci.project import Project
    from napari_cellsci.tasks import CancelToken, OnEvent
    from napari_cellsci.viewer.session import Session


@dataclass(frozen=True, eq=False)
class Made:
    """A project with a movie that was just cropped from layers."""

    project: Project
    movie: str


class CellsService:
    """Runs the work of the Cells panel and hands its results to the session.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    job : Job
        Making, extending or opening a project, or opening a file.
    opened : Signal
        Carries the layers that were added.
    """

    opened = Signal(list)

    def __init__(self, session: Session) -> None:
        self._session = session
        self._layers: WeakValueDictionary[str, Layer] = WeakValueDictionary()
        self.job = Job()
        self.job.succeeded.connect(self._on_done)

    def create(
        self, source: CellsSource, path: Path, layers: Mapping[str, Layer]
    ) -> None:
        """Make a project from layers.

        Parameters
        ----------
        source : CellsSource
        path : Path
            Folder to make.
        layers : mapping of role to layer
            The layers that will show the project's movie.
        """
        self._layers = WeakValueDictionary(layers)
        self.job.start(partial(_create, source, path))

    def add(self, source: CellsSource, layers: Mapping[str, Layer]) -> None:
        """Add a movie from layers to the open project."""
        project = self._session.project
        if project is not None:
            self._layers = WeakValueDictionary(layers)
            self.job.start(partial(_add, source, project))

    def create_images(self, source: ImagesSource, path: Path) -> None:
        """Make a project of images of single cells."""
        self._layers = WeakValueDictionary()
        self.job.start(partial(_create_images, source, path))

    def add_images(self, source: ImagesSource) -> None:
        """Add images of single cells to the open project."""
        project = self._session.project
        if project is not None:
            self._layers = WeakValueDictionary()
            self.job.start(partial(_add_images, source, project))

    def open(self, path: Path) -> None:
        """Open a project."""
        self._layers = WeakValueDictionary()
        self.job.start(partial(_open, path))

    def open_sample(self) -> None:
        """Simulate the sample movie and add its layers."""
        self.job.start(_simulate)

    def open_file(
        self,
        kind: Kind,
        path: Path,
        *,
        pixel_size: float | None = None,
        image: Image | None = None,
    ) -> None:
        """Open a movie, tracks or masks from a file, and add their layers.

        Parameters
        ----------
        kind : {"Image", "Tracks", "Labels"}
        path : Path
        pixel_size : float, optional
            µm, for tracks in µm.
        image : Image, optional
            Layer that tracks and masks are laid on.
        """
        self._layers = WeakValueDictionary({} if image is None else {"image": image})
        self.job.start(partial(_open_file, kind, path, pixel_size))

    def _on_layers(self, layers: list[LayerTuple]) -> None:
        viewer, image = self._session.viewer, self._layers.get("image")
        if viewer is None:
            return
        added = [
            viewer.add_layer(Layer.create(*placed(layer, image))) for layer in layers
        ]
        self.opened.emit(added)

    def _on_done(self, made: Made | list[LayerTuple]) -> None:
        viewer = self._session.viewer
        if isinstance(made, list):
            self._on_layers(made)
            return
        if viewer is None:
            made.project.close()
            return
        for role, layer in self._layers.items():
            if layer in viewer.layers:  # it may have been deleted meanwhile
                tags.tag(layer, made.project.path, made.movie, role)  # type: ignore[arg-type]
                if role == "masks":
                    layer.visible = False  # outlines show the cells from now on
        self._session.project = made.project
        self._session.movie = made.movie


def _simulate(on_event: OnEvent, token: CancelToken) -> list[LayerTuple]:
    from napari_cellsci.cells.simulator import SimulationConfig, simulate

    return layers_of(simulate(SimulationConfig(), on_event=on_event, token=token))


def _open_file(
    kind: Kind,
    path: Path,
    pixel_size: float | None,
    on_event: OnEvent,
    token: CancelToken,
) -> list[LayerTuple]:
    return open_layers(
        kind, path, pixel_size=pixel_size, on_event=on_event, token=token
    )


def _create(
    source: CellsSource, path: Path, on_event: OnEvent, token: CancelToken
) -> Made:
    from napari_cellsci.project import Project

    settings, movie = source.settings, source.source.open()
    width = {"fov_um" if settings.fov_unit == "µm" else "fov_px": settings.fov}
    project = Project.create(
        path,
        **source.create_arguments(movie, on_event, token),
        **width,  # type: ignore[arg-type]
        channels=settings.channels,
        z=settings.z,
        normalise=settings.normalise or "zscore",
        on_event=on_event,
        token=token,
    )
    return Made(project, project.movies[0].name)


def _add(
    source: CellsSource, project: Project, on_event: OnEvent, token: CancelToken
) -> Made:
    movie = source.source.open()
    arguments: dict[str, Any] = source.create_arguments(movie, on_event, token)
    image = arguments.pop("image")
    name = project.add_movie(image, **arguments, on_event=on_event, token=token)
    return Made(project, name)


def _create_images(
    source: ImagesSource, path: Path, on_event: OnEvent, token: CancelToken
) -> Made:
    project = source.create(path, on_event, token)
    return Made(project, project.movies[0].name)


def _add_images(
    source: ImagesSource, project: Project, on_event: OnEvent, token: CancelToken
) -> Made:
    return Made(project, source.add(project, on_event, token))


def _open(path: Path, on_event: OnEvent, token: CancelToken) -> Made:
    from napari_cellsci.project import Project

    project = Project.open(path)
    return Made(project, project.movies[0].name)
