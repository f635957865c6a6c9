"""What the encoder makes of a crop, computed in a thread."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_cellsci.panels._jobs import Job

if TYPE_CHECKING:
    from napari_cellsci.project import Project
    from napari_cellsci.project.bundles import Bundle
    from napari_cellsci.tasks import CancelToken, OnEvent
    from napari_cellsci.viewer.session import Session


@dataclass(frozen=True, eq=False, slots=True)
class Pair:
    """A crop as the encoder sees it and as it paints it again, (C, S, S) each."""

    row: int
    crop: NDArray[np.float32]
    again: NDArray[np.float32]


class Reconstructor:
    """Reconstructs the current cell; only the latest request counts.

    Parameters
    ----------
    session : Session

    Attributes
    ----------
    ready : Signal
        Carries a `Pair`.
    """

    ready = Signal(object)

    def __init__(self, session: Session) -> None:
        self._session = session
        self._wanted: int | None = None
        self.job = Job()
        self.job.succeeded.connect(self._on_done)

    @property
    def possible(self) -> bool:
        """Whether the classifier in use has an encoder."""
        bundle = self._session.bundle
        return bundle is not None and bundle.encoder is not None

    def ask(self, row: int) -> None:
        """Reconstruct a cell; the answer comes with `ready`."""
        session = self._session
        self._wanted = row
        if self.job.state.busy or not self.possible or session.project is None:
            return  # the cell wanted last is taken up when the thread is free
        work = partial(_reconstruct, session.project, session.bundle, row)
        self.job.start(work)

    def _on_done(self, pair: Pair) -> None:
        if pair.row == self._wanted:
            self.ready.emit(pair)
        elif self._wanted is not None:
            self.ask(self._wanted)


def _reconstruct(
    project: Project, bundle: Bundle, row: int, on_event: OnEvent, token: CancelToken
) -> Pair:
    from napari_cellsci.cells.normalise import normalised

    store: Any = project.crops(bundle.spec, token=token)
    crop = np.asarray(store[row])[np.newaxis]
    assert bundle.encoder is not None
    again = bundle.encoder.reconstruct(crop)[0]
    return Pair(row, normalised(crop, bundle.spec)[0], np.asarray(again))
