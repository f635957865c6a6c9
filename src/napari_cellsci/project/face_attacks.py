"""The face of `Project` towards attacks and what they say of models."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_cellsci.labels import Labels
from napari_cellsci.project.bench import Bench
from napari_cellsci.tasks import CancelToken, OnEvent, ignore

if TYPE_CHECKING:
    from napari_cellsci.project.attack_plan import Kind
    from napari_cellsci.project.attacked_movie import AttackedMovie
    from napari_cellsci.project.attacking import Attacked
    from napari_cellsci.project.bundles import Bundle
    from napari_cellsci.project.crop_store import CropStore
    from napari_cellsci.project.failing import FailureModes
    from napari_cellsci.project.robustness import Robustness


class AttacksFace:
    """How a `Project` attacks its cells; mixed into it."""

    _bench: Bench
    _labels: Labels

    def attack(
        self,
        bundle: Any = None,
        *,
        kind: Kind = "fgsm-image",
        epsilon: float | None = None,
        member: int | None = None,
        cells: Any = None,
        towards: str | None = None,
        latents: Sequence[int | str] | None = None,
        steps: int = 10,
        clip: bool = False,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> Attacked:
        """Change the pictures of cells, or their latents, as little as moves a score.

        Parameters
        ----------
        bundle : str, path or Bundle, optional
            As in `Project.score`.
        kind : str
            ``fgsm-image``, ``fgsm-latent``, ``fgsm-neighbourhood``, ``pgd-image``,
            ``pgd-latent``, ``minimal`` or ``minimal-latent``; see `AttackPlan`.
        epsilon : float, optional
            In units of normalised pixels (default 0.1), or of the prior's standard
            deviation (default 1); for ``minimal`` the largest that is tried.
        member : int, optional
            One head instead of the mean of all.
        cells : str or sequence of int, optional
            "all", "labelled", a class, "track 7", or row ids; by default the labelled
            ones, or all where there is none.
        towards : str, optional
            A class to lead the cells to; by default away from their label, or from
            what they are taken for where they have none.
        latents : sequence of int or str, optional
            Latents that may move: numbers, names or categories.
        steps : int
            Of PGD.
        clip : bool
            Whether attacked pixels stay within the bounds of normalised pixels.
        on_event, token

        Returns
        -------
        Attacked

        Raises
        ------
        InputError
            If the choices do not go together or mean no cells.
        Cancelled
            If the token asks for it.
        """
        from napari_cellsci.project.attack_plan import AttackPlan
        from napari_cellsci.project.attacking import attack

        plan = AttackPlan(
            kind=kind,
            epsilon=epsilon,
            member=member,
            towards=towards,
            latents=None if latents is None else tuple(latents),
            steps=steps,
            clip=clip,
        )
        return attack(self._bench, self._labels, bundle, plan, cells, on_event, token)

    def attacked_movie(
        self, attacked: Attacked, movie: str | None = None
    ) -> AttackedMovie:
        """Return the movie with the perturbations of attacked cells put back.

        Parameters
        ----------
        attacked : Attacked
            From `attack`.
        movie : str, optional
            Needed where the cells lie in several.

        Raises
        ------
        InputError
            If it has to be named and is not.
        ProjectError
            If its file is gone or has changed.
        """
        from napari_cellsci.project.attacked_movie import attacked_movie

        return attacked_movie(self._bench, attacked, movie)

    def save_attack(
        self,
        attacked: Attacked,
        path: str | os.PathLike[str],
        movie: str | None = None,
    ) -> list[Path]:
        """Write an attack as .csv, .json, .npz or .tif, or all of them into a folder.

        Raises
        ------
        InputError
            If the suffix is not known or the place cannot be written.
        """
        from napari_cellsci.project.attack_files import save_attack

        place = Path(path)
        wants = place.suffix.lower() in ("", ".tif", ".tiff")
        shown = self.attacked_movie(attacked, movie) if wants else None
        return save_attack(attacked, shown, place)

    def crops_for(
        self,
        bundle: Bundle,
        *,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> tuple[CropStore, float | None]:
        """Return the crops a classifier reads, and the camera's noise in their units.

        The noise is told from some frames and some hundred cells; None if the movies
        cannot be read.

        Raises
        ------
        BundleError
            If this project's cells cannot be cut for it.
        """
        import numpy as np

        from napari_cellsci.explain.blend import crop_scale
        from napari_cellsci.project import generations
        from napari_cellsci.project.attacking import noise_floor

        bench = self._bench
        whose = f"The classifier {bundle.name!r}"
        spec = generations.satisfy(bench, bundle.spec, whose)
        crops = generations.crops(bench, spec, on_event=on_event, token=token)
        rows = np.unique(np.linspace(0, len(crops) - 1, 200).astype(np.int64))
        movies = bench.cells().loc[rows, "movie"].unique()
        return crops, noise_floor(
            bench, spec, movies, crop_scale(crops[rows], bundle.spec)
        )

    def robustness(
        self,
        bundles: Sequence[Any] | None = None,
        *,
        cells: Any = None,
        most: int = 400,
        seed: int = 0,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> Robustness:
        """Hold classifiers against attacks: accuracy against ε, checks, a verdict.

        Parameters
        ----------
        bundles : sequence of str, path or Bundle, optional
            By default the newest of every kind, or the one that ships.
        cells : optional
            As in `attack`; only labelled ones count.
        most : int
            Cells at most, an equal number of every class.
        seed : int
            Of which cells, and of who is put among whose neighbours.
        on_event, token

        Raises
        ------
        InputError
            If no cells of two classes are labelled.
        Cancelled
            If the token asks for it.
        """
        from napari_cellsci.project.robustness import robustness

        return robustness(
            self._bench,
            self._labels,
            bundles,
            cells=cells,
            most=most,
            seed=seed,
            on_event=on_event,
            token=token,
        )

    def failure_modes(
        self,
        cell: int,
        bundles: Sequence[Any] | None = None,
        *,
        other: int | None = None,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> FailureModes:
        """Show a cell in every way a picture may fail to classifiers.

        Parameters
        ----------
        cell : int
            Row id.
        bundles : sequence, optional
            As in `robustness`.
        other : int, optional
            The cell that is pasted in beside it; by default some other.
        on_event, token

        Raises
        ------
        InputError
            If there is no such cell.
        """
        from napari_cellsci.project.failing import failure_modes

        return failure_modes(
            self._bench, cell, bundles, other=other, on_event=on_event, token=token
        )
