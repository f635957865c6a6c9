"""The face of `Project` towards the meaning of latents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_cellsci.project.bench import Bench
from napari_cellsci.tasks import CancelToken, OnEvent, ignore

if TYPE_CHECKING:
    from napari_cellsci.project.latent_seeds import OverSeeds
    from napari_cellsci.representation.atlas import LatentAtlas
    from napari_cellsci.representation.encoder import Encoder


class LatentsFace:
    """What a `Project` knows of latents; mixed into it."""

    _bench: Bench

    def find_encoder(self, encoder: Any = None) -> Encoder:
        """Return the encoder that is meant: by name, "shipped", a bundle's, a folder's.

        By default the newest of the project, or the shipped one where there is none.

        Raises
        ------
        InputError
            If there is nothing like that.
        """
        from napari_cellsci.project.latent_atlas import encoder_of

        return encoder_of(self._bench, encoder)

    def latent_atlas(
        self,
        encoder: Any = None,
        *,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> LatentAtlas:
        """Find out what every latent follows, and what it is called; kept once made.

        Parameters
        ----------
        encoder : str, path, Bundle or Encoder, optional
            As in `find_encoder`.
        on_event, token

        Returns
        -------
        LatentAtlas
            Latents most active first, with names, categories and their evidence.

        Raises
        ------
        InputError
            If there is no such encoder, or it reads other crops.
        Cancelled
            If the token asks for it; nothing is kept then.
        """
        from napari_cellsci.project.latent_atlas import latent_atlas

        return latent_atlas(self._bench, encoder, on_event, token)

    def latents_over_seeds(
        self,
        encoder: Any = None,
        *,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> OverSeeds:
        """Compare the latents with those of encoders that differ in their seed alone.

        Disentangled latents are the same ones whatever the seed. Train the same
        settings again with another seed (`Project.train_encoder`, ``seed``) to know.

        Parameters
        ----------
        encoder : str, path, Bundle or Encoder, optional
            As in `find_encoder`.
        on_event, token
            Cells without latents are encoded first.

        Returns
        -------
        OverSeeds
            Names of the others, and the UDR; None if there are no others.

        Raises
        ------
        InputError
            If there is no such encoder, or nothing varies in a code.
        """
        from napari_cellsci.project.latent_seeds import over_seeds

        return over_seeds(self._bench, self.find_encoder(encoder), on_event, token)

    def rename_latent(
        self, index: int, name: str | None, encoder: Any = None
    ) -> LatentAtlas:
        """Call a latent something; every bundle made from the encoder says so then.

        Parameters
        ----------
        index : int
            Its number, from 0.
        name : str or None
            None goes back to what was found; an empty name means none at all.
        encoder
            As in `latent_atlas`.

        Returns
        -------
        LatentAtlas
            With the new name.

        Raises
        ------
        InputError
            If there is no such latent, or the name cannot be used.
        """
        from napari_cellsci.project.latent_atlas import latent_atlas, rename_latent

        rename_latent(self._bench, index, name, encoder)
        return latent_atlas(self._bench, encoder, ignore, None)
