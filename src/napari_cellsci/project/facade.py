"""`Project`: one folder with movies, cells, labels, models and scores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import pandas as pd

from napari_cellsci.cells.sizing import Sizing, sizing_of
from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.cells.steps import Normalise, pipelines_of
from napari_cellsci.io.movies import Movie
from napari_cellsci.labels import Labels
from napari_cellsci.labels.classes import checked_names
from napari_cellsci.project import (
    creation,
    generations,
    image_reading,
    image_sets,
    models,
    reading,
)
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.crop_store import CropStore
from napari_cellsci.project.face_analysis import AnalysisFace
from napari_cellsci.project.face_attacks import AttacksFace
from napari_cellsci.project.face_classes import ClassesFace
from napari_cellsci.project.face_filter import FilterFace
from napari_cellsci.project.face_formulas import FormulasFace
from napari_cellsci.project.face_images import ImagesFace
from napari_cellsci.project.face_labels import LabelsFace
from napari_cellsci.project.face_latents import LatentsFace
from napari_cellsci.project.face_layouts import LayoutsFace
from napari_cellsci.project.face_models import ModelsFace
from napari_cellsci.project.face_networks import NetworksFace
from napari_cellsci.project.face_runs import RunsFace
from napari_cellsci.project.face_search import SearchFace
from napari_cellsci.project.image_choice import ImageChoice
from napari_cellsci.project.image_files import relocate_set
from napari_cellsci.project.image_reading import ImageOptions
from napari_cellsci.project.movie_files import masks_of, relocate
from napari_cellsci.project.movies import MovieInfo
from napari_cellsci.project.summary import summarise
from napari_cellsci.tasks import CancelToken, Done, OnEvent, ignore

CLASSES = ("interphase", "metaphase")
"""What cells of movies are told apart by unless other classes are named."""


class Project(
    ModelsFace,
    ClassesFace,
    LatentsFace,
    LayoutsFace,
    NetworksFace,
    SearchFace,
    RunsFace,
    LabelsFace,
    ImagesFace,
    AttacksFace,
    FormulasFace,
    FilterFace,
    AnalysisFace,
):
    """A folder with movies, their cells and crops, labels, encoders and bundles.

    Make one with `create`, or `open` it; close it when done, or use it in a ``with``
    block. It may be used from several threads.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._labels = Labels(bench.store, bench.cells)

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        image: reading.ImageSource = None,
        tracks: reading.TrackSource = None,
        masks: Any = None,
        images: Any = None,
        labels: str | os.PathLike[str] | None = None,
        group_by: str | None = None,
        tile: tuple[int, ...] | None = None,
        sizing: str | Sequence[Sizing] | None = None,
        normalise: Normalise = "zscore",
        axes: str | None = None,
        pixel_size: float | None = None,
        frame_interval: float | None = None,
        fov_um: float | None = None,
        fov_px: float | None = None,
        size: int | None = None,
        channels: Sequence[int | str] | None = None,
        z: int | Literal["max"] = "max",
        classes: Sequence[str] | None = None,
        name: str | None = None,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> Self:
        """Make a project of a movie, or of images of single cells, and crop all cells.

        Parameters
        ----------
        path : path
            The folder to make; it does not exist yet, or is empty.
        image : path, array or Movie, optional
        tracks : path, array (N, 4 or 5), DataFrame or Tracks, optional
            Without tracks the objects of `masks` are linked.
        masks : path or array (T, Y, X), optional
            Integer labels, for measuring the cells.
        images : path, array, or sequence of arrays, optional
            Images of single cells instead of a movie: a folder (several subfolders
            are classes), a TIFF of many pages, npy, npz, zarr; see
            `io.images.open_images`.
        labels : path, optional
            CSV with the columns image (name) or index (number from 0), class, and
            any column of groups.
        group_by : str, optional
            Column of `labels`: images of one group are together held out or trained
            on. By default ``group`` if there is one, else each image is its own.
        tile : tuple of int, optional
            Height and width (px) of the tiles that montages are cut into, and width
            of the lines between tiles, if there are any.
        sizing : str or sequence of Sizing, optional
            How images are brought to the size of a crop, one for all channels or one
            for each ("noise,constant:20"); padded with noise like their border's by
            default.
        normalise : str or sequence
            How pixels are normalised, one for all channels or one for each
            ("brightfield,fluorescence"); see `cells.steps.pipeline_from_text`. What
            that needs of data is fitted when an encoder or CNN is trained.
        axes : str, optional
            Of the image, where its metadata are wrong or missing; of images with N
            for the images, for example "NCYX".
        pixel_size, frame_interval : float, optional
            µm and seconds; win over the metadata.
        fov_um, fov_px : float, optional
            Width of a crop in µm (default 21.3, the paper's) or in movie px. Of
            images by default what holds nearly all of them whole.
        size : int, optional
            Width of a crop as it is stored (px): 64, less where all images are smaller.
        channels : sequence of int or str, optional
            Channels that make a crop: by default the first of a movie, all of images.
        z : int or "max"
            Plane of a stack, or its maximum projection.
        classes : sequence of str, optional
            Classes to tell apart; with two, the second is the one with scores ≥ 0. By
            default interphase and metaphase, or what folders and labels of images say.
        name : str, optional
            Of the movie, or of the set of images.
        on_event, token
            Listener and cancel token.

        Raises
        ------
        InputError
            If anything given cannot be used; nothing is left behind.
        Cancelled
            If the token asks for it; nothing is left behind.
        """
        folder = Path(path).absolute()
        named = None if classes is None else checked_names(classes)
        steps = pipelines_of(normalise)
        listening: dict[str, Any] = {"on_event": on_event, "token": token}
        if images is not None:
            image_reading.refuse_both(image, tracks, masks)
            csv = None if labels is None else Path(labels)
            image_sets.create(
                folder,
                images,
                ImageOptions(axes, tile, name, pixel_size, csv, group_by),
                ImageChoice(fov_um, fov_px, size, channels, sizing_of(sizing), steps),
                classes=named,
                **listening,
            )
        else:
            image_reading.refuse_neither(image, labels, group_by, tile)
            creation.create(
                folder,
                image,
                tracks,
                masks,
                classes=named or CLASSES,
                choose=reading.Choice(
                    fov_um,
                    fov_px,
                    64 if size is None else size,
                    (0,) if channels is None else tuple(channels),
                    z,
                    steps,
                ),
                axes=axes,
                name=name,
                pixel_size=pixel_size,
                frame_interval=frame_interval,
                **listening,
            )
        on_event(Done("Making the project"))
        return cls.open(folder)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open a project and collect what a crash may have left in it.

        Raises
        ------
        ProjectError
            If the folder is not a project, is damaged, or of a newer version.
        """
        bench = Bench(Path(path).absolute())
        try:
            with bench.store.impatient():
                bench.rooms.collect_orphans()
                models.collect_orphans(bench)
            return cls(bench)
        except BaseException:
            bench.close()
            raise

    def close(self) -> None:
        """Let go of its files; further use raises `ProjectError`."""
        self._bench.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """The project's folder."""
        return self._bench.folder

    @property
    def name(self) -> str:
        """What the folder is called."""
        return self._bench.folder.name

    @property
    def spec(self) -> CropSpec:
        """How its cells are cropped."""
        return self._bench.spec

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that are told apart; with two, the second has scores ≥ 0."""
        return tuple(
            known.name for known in self._labels.classes if known.position is not None
        )

    @property
    def labels(self) -> Labels:
        """What people say the cells are."""
        return self._labels

    @property
    def movies(self) -> list[MovieInfo]:
        """What is known of the movies, without opening them."""
        return list(self._bench.movies())

    def movie(self, name: str | None = None) -> Movie:
        """Open a movie; without a name the only or first one.

        Raises
        ------
        ProjectError
            If its file is gone or has changed.
        """
        info = self._bench.movies()[0] if name is None else self._bench.info(name)
        return self._bench.movie(info)

    def masks(self, name: str | None = None) -> Any | None:
        """Return the label images (T, Y, X) of a movie, None where there are none.

        Their values are track ids if `MovieInfo.masks_tracked`, else the cells'
        ``label_id`` in each frame.
        """
        info = self._bench.movies()[0] if name is None else self._bench.info(name)
        return masks_of(info, self._bench.folder)

    def relocate_movie(self, name: str, path: str | os.PathLike[str]) -> None:
        """Say where the file of a movie, or the images of a set, are now.

        Raises
        ------
        InputError
            If `path` is not what was added.
        """
        bench, info = self._bench, self._bench.info(name)
        if info.is_images:
            table = bench.images_of(info)
            relocate_set(bench.store, info, Path(path), bench.folder, table)
        else:
            relocate(bench.store, info, Path(path), bench.folder)
        bench.forget()

    def add_movie(
        self,
        image: reading.ImageSource,
        tracks: reading.TrackSource = None,
        *,
        masks: Any = None,
        axes: str | None = None,
        pixel_size: float | None = None,
        frame_interval: float | None = None,
        name: str | None = None,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> str:
        """Add another movie and crop its cells as the others were.

        The parameters are those of `create`. A movie of another pixel size is
        resampled to the project's field of view.

        Returns
        -------
        str
            Its name, unique in the project.

        Raises
        ------
        InputError
            If anything given cannot be used; the project stays as it was.
        """
        bench = self._bench
        new = reading.read_movie(
            image,
            tracks,
            masks,
            choose=lambda movie: bench.spec,
            axes=axes,
            name=name,
            pixel_size=pixel_size,
            frame_interval=frame_interval,
            on_event=on_event,
            token=token,
        )
        creation.tell_twin(bench.movies(), bench.cells(), new, on_event)
        name = creation.add_movie(
            bench.store,
            bench.folder,
            bench.folder,
            new,
            on_event=on_event,
            token=token,
        )
        bench.forget()
        on_event(Done("Adding the movie"))
        return name

    @property
    def cells(self) -> pd.DataFrame:
        """All cells: index = row id; movie, track_id, t, y, x (px), … properties.

        Images of single cells have t 0, their number as track_id, image (the name),
        group, original_height and original_width (px).
        """
        return self._bench.cells().copy()

    def __len__(self) -> int:
        return sum(info.n_cells for info in self._bench.movies())

    def crops(
        self,
        spec: CropSpec | None = None,
        *,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> CropStore:
        """Return the raw crops of all cells (n, C, S, S), read from disk as needed.

        Crops of another `spec` are cut once and kept beside the project's own.
        """
        return generations.crops(self._bench, spec, on_event=on_event, token=token)

    def info(self) -> dict[str, Any]:
        """Return how the project stands, as JSON values."""
        return summarise(self._bench, self._labels)
