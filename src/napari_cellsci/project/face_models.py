"""The face of `Project` towards encoders, heads and scores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.labels import Labels
from napari_cellsci.project import codes, export, models, scoring
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.crop_store import CropStore
from napari_cellsci.tasks import CancelToken, OnEvent, ignore

if TYPE_CHECKING:
    from napari_cellsci.project.bundles import Bundle
    from napari_cellsci.representation.encoder import Encoder


class ModelsFace:
    """What a `Project` can do with models; mixed into it."""

    _bench: Bench
    _labels: Labels

    @property
    def encoders(self) -> list[models.EncoderInfo]:
        """The encoders trained in this project, oldest first."""
        return models.read_encoders(self._bench)

    @property
    def bundles(self) -> list[models.BundleInfo]:
        """The bundles trained in this project, oldest first."""
        return models.read_bundles(self._bench)

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
        usable_only: bool | None = None,
        of_class: str | None = None,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
        **settings: Any,
    ) -> Encoder:
        """Train an encoder on the crops of all cells, or of those that are usable.

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
            By default the preset (of other kinds than "tcvae" after the kind) and a
            number.
        usable_only : bool, optional
            Whether cells that are filtered out are passed over; by default as the
            project is set (`Project.usable_only`).
        of_class : str, optional
            Learn from the cells labelled as this class only.
        on_event, token
            A cancelled run keeps its checkpoint and can be resumed.
        **settings
            Further fields of `EncoderConfig`, such as ``kind``: "tcvae", "bvae" or
            "infogan".

        Raises
        ------
        InputError
            If a setting or the crops cannot be used.
        """
        from napari_cellsci.project.training import train_encoder

        given = {"steps": steps, "beta": beta, "seed": seed, **settings}
        return train_encoder(
            self._bench,
            self._labels,
            preset,
            start_from=start_from,
            resume=resume,
            name=name,
            usable_only=usable_only,
            of_class=of_class,
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
        from_search: str | bool = False,
        classes: Sequence[str] | None = None,
        usable_only: bool | None = None,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
        **settings: Any,
    ) -> Bundle:
        """Train heads on the labelled cells and keep them as a bundle.

        Parameters
        ----------
        scheme : {1, 2, 3}
            CNNs on crops, dense heads on latents, or sparse heads on latents.
        models : int
            Heads; the score is their mean.
        name : str, optional
            Of the bundle; by default the scheme and a number.
        encoder : str, path, Bundle or Encoder, optional
            By default the newest of the project. Heads on crops need none; one made
            for the same crops comes along, for reconstructions and for telling
            unusual cells. Without one, these are told from pixel statistics.
        seed : int
        from_search : bool or str
            Scheme 3: whether to take the settings that the last search (or the run of
            that name) found best.
        classes : sequence of str, optional
            Classes to tell apart, in their order; with two, the second is the one with
            scores ≥ 0. By default those that the project uses for training.
        usable_only : bool, optional
            Whether cells that are filtered out are passed over; by default as the
            project is set (`Project.usable_only`).
        **settings
            Further fields of `CNNConfig`, `DenseConfig` or `SparseConfig`.

        Raises
        ------
        InputError
            If there are too few labels, or no encoder.
        """
        from napari_cellsci.project.head_training import train_head
        from napari_cellsci.project.trained_on import TrainedOn

        return train_head(
            self._bench,
            self._labels,
            scheme,
            models=models,
            name=name,
            encoder=encoder,
            seed=seed,
            from_search=from_search,
            trained_on=TrainedOn(
                None if classes is None else tuple(classes), usable_only
            ),
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
