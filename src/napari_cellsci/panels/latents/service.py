"""The code of all cells: which encoder, their latents, and what these mean.

Computed in a thread, shared by the panels that look at latents, kept when they close.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_cellsci.panels._jobs import JobState, Work
from napari_cellsci.panels._source import (
    IN_USE,
    SHIPPED,
    SourceOffer,
    SourceService,
)
from napari_cellsci.representation.embedding import Components, principal_components

if TYPE_CHECKING:
    from napari_cellsci.project import Project
    from napari_cellsci.project.bundles import Bundle
    from napari_cellsci.representation.atlas import LatentAtlas
    from napari_cellsci.representation.encoder import Encoder
    from napari_cellsci.tasks import CancelToken, OnEvent
    from napari_cellsci.viewer.session import Session


_SHIPPED_TITLE = "mitosis (shipped)"


@dataclass(frozen=True, eq=False, slots=True)
class Code:
    """The latents of all cells of a project.

    Parameters
    ----------
    source : str
        How the project finds the encoder.
    encoder : Encoder
    latents : array (n, D)
    atlas : LatentAtlas, optional
        None until it has been found out.
    parts : Components, optional
        Their principal components.
    """

    source: str
    encoder: Encoder
    latents: NDArray[np.float32]
    atlas: LatentAtlas | None = None
    parts: Components | None = None

    @property
    def size(self) -> int:
        """Number of latents."""
        return int(self.latents.shape[1])

    def label(self, index: int) -> str:
        """Return ``size z29``, or ``z29`` while it has no name."""
        return f"z{index}" if self.atlas is None else self.atlas.label(index)

    def order(self) -> list[int]:
        """Return the latents' numbers, most active first."""
        if self.atlas is not None:
            return [info.index for info in self.atlas]
        spread = self.latents.var(axis=0) if len(self.latents) else np.zeros(self.size)
        return [int(i) for i in np.argsort(-spread, kind="stable")]

    def is_active(self, index: int) -> bool:
        """Return whether a latent carries anything, here or among what it learned."""
        if self.atlas is None:
            return bool(self.encoder.active[index])
        return self.atlas[index].active


class LatentService(SourceService):
    """Loads an encoder, encodes all cells, and finds out what the latents mean.

    Without a choice it takes the encoder of the classifier whose scores are shown,
    else the newest of the project. The shipped one is used only when asked for.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    changed : Signal
        `code` is another one, or there is none any more.
    atlas_changed : Signal
        Names or their evidence changed.
    job, atlas_job : Job
    """

    atlas_changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.code: Code | None = None

    def offers(self) -> list[SourceOffer]:
        """Return the encoders to choose from: in use, the project's, the shipped."""
        from napari_cellsci.project.bundles import shipped_encoder_hash

        session, found = self._session, []
        bundle = session.bundle
        hashes = set()
        if bundle is not None and bundle.encoder is not None:
            hashes.add(bundle.encoder.hash)
            tip = f"The encoder of the classifier {bundle.name}, whose scores are shown"
            found.append(SourceOffer(self._title(bundle), IN_USE, tip))
        project = session.project
        for info in reversed(project.encoders if project is not None else []):
            if info.hash not in hashes:
                tip = f"Trained in this project, {info.made_at[:10]}"
                found.append(SourceOffer(info.name, info.name, tip))
        if shipped_encoder_hash() not in hashes:
            tip = "Comes with the plugin, trained on simulated nuclei"
            found.append(SourceOffer(_SHIPPED_TITLE, SHIPPED, tip))
        return found

    def _title(self, bundle: Bundle) -> str:
        """Return what to call the encoder of the classifier in use."""
        from napari_cellsci.project.bundles import shipped_encoder_hash

        assert bundle.encoder is not None
        own, project = bundle.encoder.hash, self._session.project
        for info in project.encoders if project is not None else []:
            if info.hash == own:
                return info.name
        return _SHIPPED_TITLE if own == shipped_encoder_hash() else bundle.name

    @property
    def source(self) -> str | None:
        """The encoder that is meant: chosen, or by default; None if there is none."""
        usual = [offer.source for offer in self.offers()]
        if self._chosen in usual:
            return self._chosen
        return next((source for source in usual if source != SHIPPED), None)

    def _is_settled(self, key: str, again: bool) -> bool:
        # A code that is there is not computed once more.
        return self._asked == key and (self.code is not None or not again)

    def _work(self, project: Project, source: str) -> Work:
        return partial(_encode, project, source, self._session.bundle)

    def find_meaning(self) -> None:
        """Find out what the latents mean; names found before are there at once."""
        code = self.code
        if code is None or self._session.project is None:
            return
        # A run that is being cancelled was for another code: it is superseded.
        if self.atlas_job.state is JobState.RUNNING:
            return
        self._find_atlas(code.encoder)

    def rename(self, index: int, name: str | None) -> None:
        """Call a latent something.

        Parameters
        ----------
        index : int
        name : str or None
            Empty for none at all, None to go back to what was found.

        Raises
        ------
        InputError
            If the name cannot be used.
        """
        code, project = self.code, self._session.project
        if code is None or project is None:
            return
        atlas = project.rename_latent(index, name, code.encoder)
        self.code = replace(code, atlas=atlas)
        self.atlas_changed.emit()

    def _on_opened(self, code: Code) -> None:
        self.code = code
        self.changed.emit()
        self.find_meaning()

    def _on_atlas(self, atlas: LatentAtlas) -> None:
        if self.code is not None and atlas.encoder == self.code.encoder.hash:
            self.code = replace(self.code, atlas=atlas)
            self.atlas_changed.emit()

    def _on_scores(self) -> None:
        source = self.source
        if self.code is None or source is None or self._asked == self._key(source):
            return
        bundle = self._session.bundle
        encoder = None if bundle is None else bundle.encoder
        if encoder is not None and encoder.hash == self.code.encoder.hash:
            self._asked = self._key(source)  # the same under another name
            self.code = replace(self.code, source=source)
        else:
            self._forget()

    def _drop(self) -> None:
        self.code = None


def _encode(
    project: Project,
    source: str,
    bundle: Bundle | None,
    on_event: OnEvent,
    token: CancelToken,
) -> Code:
    from napari_cellsci.tasks import Progress

    on_event(Progress("Loading the encoder", 0, 0))
    # A bundle is asked for its encoder by the project, which takes over its names.
    meant = bundle if bundle is not None and source == IN_USE else source
    encoder = project.find_encoder(meant)
    token.raise_if_cancelled()
    z = project.latents(encoder, on_event=on_event, token=token)
    z = np.asarray(z, np.float32)
    return Code(source, encoder, z, parts=principal_components(z))
