"""The face of `Project` towards maps of all cells."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.project import layouts
from napari_cellsci.project.bench import Bench
from napari_cellsci.tasks import CancelToken, OnEvent, ignore


class LayoutsFace:
    """How a `Project` lays its cells out in a plane; mixed into it."""

    _bench: Bench

    def umap(
        self,
        encoder: Any = None,
        *,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> NDArray[np.float32]:
        """Return a UMAP (n, 2) of the latents of all cells, computing it once.

        Parameters
        ----------
        encoder : str, path, Bundle or Encoder, optional
            As in `Project.find_encoder`.
        on_event, token
            Progress and cancellation.

        Raises
        ------
        InputError
            If umap-learn is not installed, or there are too few cells.
        """
        from napari_cellsci.project.latent_atlas import encoder_of

        found = encoder_of(self._bench, encoder)
        return layouts.umap(self._bench, found, on_event=on_event, token=token)

    def has_umap(self, encoder: Any = None) -> bool:
        """Return whether `umap` has been computed for the present cells."""
        from napari_cellsci.project.latent_atlas import encoder_of

        return layouts.kept_umap(self._bench, encoder_of(self._bench, encoder))
