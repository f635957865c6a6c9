"""The face of `Project` towards the networks of its heads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_cellsci.project.bench import Bench
from napari_cellsci.project.scoring import find_bundle
from napari_cellsci.tasks import CancelToken, OnEvent, ignore

if TYPE_CHECKING:
    from napari_cellsci.explain.codebook import CodeBook
    from napari_cellsci.explain.topology import Topology


class NetworksFace:
    """How a `Project` shows the networks of heads on latents; mixed into it."""

    _bench: Bench

    def network(self, bundle: Any = None, member: int = 0) -> Topology:
        """Return one head of a bundle as a graph.

        Parameters
        ----------
        bundle : str, path or Bundle, optional
            As in `Project.score`.
        member : int
            Number of the head, from 0.

        Raises
        ------
        InputError
            If its heads read crops (scheme 1), or there is no such head.
        """
        from napari_cellsci.explain.topology import Topology

        return Topology.of(find_bundle(self._bench, bundle, ignore).heads, member)

    def codebook(
        self,
        bundle: Any = None,
        *,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> CodeBook:
        """Return what the inputs of a bundle's networks look like and are called.

        Parameters
        ----------
        bundle : str, path or Bundle, optional
            As in `Project.score`.
        on_event, token
            Cells without latents are encoded, and latents named, first.

        Raises
        ------
        InputError
            If its heads read crops (scheme 1).
        """
        from napari_cellsci.explain.codebook import open_codebook
        from napari_cellsci.explain.topology import Topology
        from napari_cellsci.project import codes
        from napari_cellsci.project.latent_atlas import latent_atlas

        found = find_bundle(self._bench, bundle, ignore)
        Topology.of(found.heads)
        assert found.encoder is not None  # heads on latents always have one
        latents, _ = codes.latents(
            self._bench, found.encoder, on_event=on_event, token=token
        )
        atlas = latent_atlas(self._bench, found, on_event, token)
        return open_codebook(found.encoder, latents, atlas)
