"""What the Network panel's card says: where things stand, and what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellsci.panels._jobs import JobState
from napari_cellsci.panels._parts import StatusCard
from napari_cellsci.panels.network.service import NetworkService, OpenNetworks
from napari_cellsci.panels.score.service import SHIPPED

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session


class NetworkStanding:
    """Tells on a card how the networks stand.

    Parameters
    ----------
    session : Session
    card : StatusCard
    """

    def __init__(self, session: Session, card: StatusCard) -> None:
        self._session, self._card = session, card
        self._service = session.service(NetworkService)

    def tell(self) -> None:
        """Say it."""
        service, card = self._service, self._card
        job = service.job
        if job.state is JobState.FAILED and job.failure is not None:
            card.tell(job.failure.message, "error", details=job.failure.details)
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
            card.tell(
                "No network yet: this project has no heads on latents.",
                reason="Train some: cellsci train-head PROJECT --scheme 3 finds small "
                "ones. Or look at the one that comes with the plugin.",
                action=("Show the shipped one", self._show_shipped),
            )
        else:
            card.tell("Not opened.", reason=job.message, action=("Open", self._open))

    def _show_shipped(self) -> None:
        self._service.choose(SHIPPED)

    def _open(self) -> None:
        self._service.ensure(again=True)

    def _tell_opened(self, opened: OpenNetworks) -> None:
        service, bundle = self._service, opened.bundle
        member, active = service.member, service.active_member
        alone = service.is_scored and active == member
        if not service.is_scored:
            reason = "The movie shows other scores, or none."
        elif active is None:
            reason = f"The movie shows the mean of all {opened.n_members} models."
        else:
            reason = f"The movie shows the scores of model {active} alone."
        rates = bundle.heads.report.member_balanced_accuracies
        right = ""
        if member < len(rates):
            right = f": {rates[member]:.1%} right on held-out tracks"
        action = ("Score with this model alone", service.use_member)
        self._card.tell(
            f"Model {member} of {bundle.name} (scheme {bundle.scheme}){right}.",
            "good" if alone else "info",
            reason=reason,
            action=None if alone else action,
        )
