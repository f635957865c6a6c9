"""What a panel's card says of a classifier that is opened: where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_cellsci.panels._classifier import ClassifierService
from napari_cellsci.panels._jobs import Failure, JobState
from napari_cellsci.panels._parts import StatusCard
from napari_cellsci.panels._source import SHIPPED

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session


class ClassifierStanding:
    """Tells on a card how a classifier stands that a panel opens.

    Whoever derives from it says what there is to say once it is open (`_tell_opened`)
    and where there is none to open (`_tell_none`).

    Parameters
    ----------
    session : Session
    card : StatusCard
    kind : type of ClassifierService
        The service that opens it.
    """

    def __init__(
        self, session: Session, card: StatusCard, kind: type[ClassifierService]
    ) -> None:
        self._session, self._card = session, card
        self._service: Any = session.service(kind)

    def tell(self) -> None:
        """Say it."""
        service, card = self._service, self._card
        job = service.job
        if job.state is JobState.FAILED and job.failure is not None:
            self._tell_failed(job.failure)
        elif self._session.project is None:
            card.tell(
                "No cells yet.",
                reason="Make or open a project in Cells; then train or score.",
            )
        elif service.opened is not None:
            self._tell_opened(service.opened)
        elif job.state.busy:
            card.tell(f"{job.progress.what}…" if job.progress else "Opening…")
        elif service.source is None:
            self._tell_none()
        else:
            card.tell("Not opened.", reason=job.message, action=("Open", self._open))

    def _tell_failed(self, failure: Failure) -> None:
        self._card.tell(failure.message, "error", details=failure.details)

    def _tell_opened(self, opened: Any) -> None:
        raise NotImplementedError

    def _tell_none(self) -> None:
        raise NotImplementedError

    def _use_shipped(self) -> None:
        self._service.choose(SHIPPED)

    def _open(self) -> None:
        self._service.ensure(again=True)
