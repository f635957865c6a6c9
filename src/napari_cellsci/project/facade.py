"""`Project`: one folder with movies, cells, labels, models and scores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.io.movies import Movie
from napari_cellsci.labels import Labels
from napari_cellsci.labels.classes import checked_names
from napari_cellsci.project import (
    codes,
    creation,
    export,
    generations,
    models,
    reading,
    scoring,
)
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.crop_store import CropStore
from napari_cellsci.project.movie_files import masks_of, relocate
from napari_cellsci.project.movies import MovieInfo
from napari_cellsci.project.runs import RunInfo, read_runs
from napari_cellsci.project.summary import summarise
from napari_cellsci.tasks import CancelToken, Done, OnEvent, ignore

if TYPE_CHECKING:
    from napari_cellsci.project.bundles import Bundle
    from napari_cellsci.representation.encoder import Encoder


class Project:
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
        image: reading.ImageSource,
        tracks: reading.TrackSource = None,
        masks: Any = None,
        axes: str | None = None,
        pixel_size: float | None = None,
        frame_interval: float | None = None,
        fov_um: float | None = None,
        fov_px: float | None = None,
        size: int = 64,
        channels: Sequence[int | str] = (0,),
        z: int | Literal["max"] = "max",
        classes: Sequence[str] = ("interphase", "metaphase"),
        name: str | None = None,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> Self:
        """Make a project of one movie and crop all its cells.

        Parameters
        ----------
        path : path
            The folder to make; it does not exist yet, or is empty.
        image : path, array or Movie
        tracks : path, array (N, 4 or 5), DataFrame or Tracks, optional
            Without tracks the objects of `masks` are linked.
        masks : path or array (T, Y, X), optional
            Integer labels, for measuring the cells.
        axes : str, optional
            Of the image, where its metadata are wrong or missing.
        pixel_size, frame_interval : float, optional
            µm and seconds; win over the metadata.
        fov_um, fov_px : float, optional
            Width of a crop in µm (default 21.3, the paper's) or in movie px.
        size : int
            Width of a crop as it is stored (px).
        channels : sequence of int or str
            Channels of the movie that make a crop.
        z : int or "max"
            Plane of a stack, or its maximum projection.
        classes : sequence of str
            Classes to tell apart; with two, the second is the one with scores ≥ 0.
        name : str, optional
            Of the movie.
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
        creation.create(
            folder,
            image,
            tracks,
            masks,
            classes=checked_names(classes),
            choose=reading.Choice(fov_um, fov_px, size, tuple(channels), z),
            axes=axes,
            name=name,
            pixel_size=pixel_size,
            frame_interval=frame_interval,
            on_event=on_event,
            token=token,
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
        """Say where the file of a movie is now.

        Raises
        ------
        InputError
            If `path` is not the file that was added.
        """
        relocate(
            self._bench.store, self._bench.info(name), Path(path), self._bench.folder
        )
        self._bench.forget()

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
        """All cells: index = row id; movie, track_id, t, y, x (px), … properties."""
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

    @property
    def encoders(self) -> list[models.EncoderInfo]:
        """The encoders trained in this project, oldest first."""
        return models.read_encoders(self._bench)

    @property
    def bundles(self) -> list[models.BundleInfo]:
        """The bundles trained in this project, oldest first."""
        return models.read_bundles(self._bench)

    @property
    def runs(self) -> list[RunInfo]:
        """The training runs, oldest first, finished or not."""
        return read_runs(self._bench.store, self._bench.folder)

    def encoder(self, name: str | None = None) -> Encoder:
        """Load an encoder; the newest without a name."""
        return models.load_encoder(self._bench, name)

    def bundle(self, name: str | None = None) -> Bundle:
        """Load a bundle: by name, "shipped", or the newest (else the shipped one)."""
        return models.load_bundle(self._bench, name)

    def latents(
        self,
        encoder: str | Encoder | None = None,
        views: bool = False,
        *,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> NDArray[np.float32] | CropStore:
        """Return the latents of all cells, computing them once.

        Returns
        -------
        array (n, D), or with `views` a view (n, 8, D) of what is on disk
        """
        code = self._encoder(encoder)
        if views:
            return codes.view_latents(self._bench, code, on_event=on_event, token=token)
        return codes.latents(self._bench, code, on_event=on_event, token=token)[0]

    def _encoder(self, encoder: str | Encoder | None) -> Encoder:
        if encoder is None or isinstance(encoder, str):
            return self.encoder(encoder)
        return encoder

    def train_encoder(
        self,
        preset: str = "good",
        *,
        steps: int | None = None,
        beta: float | None = None,
        seed: int = 0,
        start_from: Any = None,
        resume: str | bool | None = None,
        name: str | None = None,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
        **settings: Any,
    ) -> Encoder:
        """Train an encoder on all crops.

        Parameters
        ----------
        preset : {"quick", "good", "paper"}
        steps, beta, seed
            Override the preset: gradient steps, weight of the total correlation, seed.
        start_from : str, path, Bundle or Encoder, optional
            Whose weights to start from; "shipped" is the one of the package.
        resume : str or True, optional
            A run to go on with (True: the last that can be), with its own settings.
        name : str, optional
            By default the preset and a number.
        on_event, token
            A cancelled run keeps its checkpoint and can be resumed.
        **settings
            Further fields of `EncoderConfig`.

        Raises
        ------
        InputError
            If a setting or the crops cannot be used.
        """
        from napari_cellsci.project.training import train_encoder

        given = {"steps": steps, "beta": beta, "seed": seed, **settings}
        return train_encoder(
            self._bench,
            preset,
            start_from=start_from,
            resume=resume,
            name=name,
            overrides={k: v for k, v in given.items() if v is not None},
            on_event=on_event,
            token=token,
        )

    def train_head(
        self,
        scheme: int = 2,
        models: int = 10,
        *,
        name: str | None = None,
        encoder: Any = None,
        seed: int = 0,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
        **settings: Any,
    ) -> Bundle:
        """Train heads on the labelled cells and keep them as a bundle.

        Parameters
        ----------
        scheme : {1, 2}
            CNNs on crops, or dense heads on latents.
        models : int
            Heads; the score is their mean.
        name : str, optional
            Of the bundle; by default the scheme and a number.
        encoder : str, path, Bundle or Encoder, optional
            By default the newest of the project. Heads on crops need none; one made
            for the same crops comes along, for reconstructions and for telling
            unusual cells. Without one, these are told from pixel statistics.
        seed : int
        **settings
            Further fields of `DenseConfig` or `CNNConfig`.

        Raises
        ------
        InputError
            If there are too few labels, or no encoder.
        """
        from napari_cellsci.project.head_training import train_head

        return train_head(
            self._bench,
            self._labels,
            scheme,
            models=models,
            name=name,
            encoder=encoder,
            seed=seed,
            overrides=settings,
            on_event=on_event,
            token=token,
        )

    def score(
        self,
        bundle: Any = None,
        *,
        member: int | None = None,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> scoring.Scores:
        """Score every cell.

        Parameters
        ----------
        bundle : str, path or Bundle, optional
            A name, "shipped", or a folder; by default the newest of the project, or
            the shipped one where there is none.
        member : int, optional
            One head instead of the mean of all.

        Raises
        ------
        BundleError
            If the bundle is damaged, or this project's cells cannot be cut for it.
        """
        return scoring.score(self._bench, bundle, member, on_event, token)

    def export(
        self,
        path: str | os.PathLike[str],
        bundle: Any = None,
        *,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> None:
        """Write cells, labels and scores as .csv, .parquet or .h5ad (by suffix).

        Scores are those of `bundle`, or of the project's newest one; without any the
        table has none.

        Raises
        ------
        InputError
            If the suffix is unknown, or its library is not installed.
        """
        export.export(self._bench, self._labels, Path(path), bundle, on_event, token)

    def info(self) -> dict[str, Any]:
        """Return how the project stands, as JSON values."""
        return summarise(self._bench, self._labels)
