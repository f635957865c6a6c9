"""The face of `Project` towards maps of all cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.project import layouts, models
from napari_cellsci.project.bench import Bench
from napari_cellsci.tasks import CancelToken, OnEvent, ignore

if TYPE_CHECKING:
    from napari_cellsci.representation.encoder import Encoder


class LayoutsFace:
    """How a `Project` lays its cells out in a plane; mixed into it."""

    _bench: Bench

    def umap(
        self,
        encoder: str | Encoder | None = None,
        *,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> NDArray[np.float32]:
        """Return a UMAP (n, 2) of the latents of all cells, computing it once.

        Parameters
        ----------
        encoder : str or Encoder, optional
            By default the newest of the project.
        on_event, token
            Progress and cancellation.

        Raises
        ------
        InputError
            If umap-learn is not installed, or there are too few cells.
        """
        code = self._code(encoder)
        return layouts.umap(self._bench, code, on_event=on_event, token=token)

    def has_umap(self, encoder: str | Encoder | None = None) -> bool:
        """Return whether `umap` has been computed for the present cells."""
        return layouts.kept_umap(self._bench, self._code(encoder))

    def _code(self, encoder: str | Encoder | None) -> Encoder:
        if encoder is None or isinstance(encoder, str):
            return models.load_encoder(self._bench, encoder)
        return encoder
