"""A classifier on latents that has been opened, and the names of what it reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal
from qtpy.QtGui import QImage

from napari_cellsci.explain.codebook import CodeBook
from napari_cellsci.panels._pictures import Limits, limits_of, to_image, to_pixels
from napari_cellsci.panels._source import SourceService
from napari_cellsci.panels.latents.service import LatentService

if TYPE_CHECKING:
    from napari_cellsci.project.bundles import Bundle
    from napari_cellsci.representation.atlas import LatentAtlas
    from napari_cellsci.viewer.session import Session


@dataclass(eq=False)
class OpenClassifier:
    """A classifier on latents and what these look like.

    Parameters
    ----------
    source : str
        How the project finds it.
    bundle : Bundle
    book : CodeBook
    """

    source: str
    bundle: Bundle
    book: CodeBook

    def called(self, atlas: LatentAtlas) -> None:
        """Take over the names of an atlas."""
        self.book = self.book.called(atlas)

    @cached_property
    def limits(self) -> Limits:
        """Display limits of all decoded pictures."""
        strips = self.book.strips
        return limits_of(strips.reshape(-1, *strips.shape[2:]))

    def images(self, pixels: NDArray[np.float32]) -> list[QImage]:
        """Return decoded pictures (n, C, S, S) with the contrast of all others."""
        return [to_image(one) for one in to_pixels(pixels, self.limits)]


class ClassifierService(SourceService):
    """Opens a classifier on latents, which keep the names they are given elsewhere.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    opened : OpenClassifier, optional
    names_changed : Signal
        Latents are called something else.
    """

    names_changed = Signal()
    opened: Any

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.opened = None
        session.service(LatentService).atlas_changed.connect(self._on_renamed)

    def _drop(self) -> None:
        self.opened = None

    def _take_names(self) -> None:
        """Name the latents as the Latents panel does, or find their names out."""
        opened = self.opened
        if opened is None or self._session.project is None:
            return
        code = self._session.service(LatentService).code
        known = code is not None and code.encoder.hash == opened.book.encoder
        if known and code.atlas is not None:
            self._call(code.atlas)
        else:
            self._find_atlas(opened.bundle.encoder)

    def _call(self, atlas: LatentAtlas) -> None:
        """Call the latents what an atlas of theirs says."""
        self.opened.called(atlas)

    def _on_atlas(self, atlas: LatentAtlas) -> None:
        if self.opened is not None and atlas.encoder == self.opened.book.encoder:
            self._call(atlas)
            self.names_changed.emit()

    def _on_renamed(self) -> None:
        code = self._session.service(LatentService).code
        if code is not None and code.atlas is not None:
            self._on_atlas(code.atlas)
