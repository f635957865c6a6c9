"""What the Network panel's card says: where things stand, and what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellsci.panels._parts import StatusCard
from napari_cellsci.panels._standing import ClassifierStanding
from napari_cellsci.panels.network.service import NetworkService, OpenNetworks

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session


class NetworkStanding(ClassifierStanding):
    """Tells on a card how the networks stand.

    Parameters
    ----------
    session : Session
    card : StatusCard
    """

    def __init__(self, session: Session, card: StatusCard) -> None:
        super().__init__(session, card, NetworkService)

    def _tell_none(self) -> None:
        self._card.tell(
            "No network yet: this project has no heads on latents.",
            reason="Train some: cellsci train-head PROJECT --scheme 3 finds small "
            "ones. Or look at the one that comes with the plugin.",
            action=("Show the shipped one", self._use_shipped),
        )

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
        report = bundle.heads.report
        rates = report.member_balanced_accuracies
        right = ""
        if member < len(rates):
            right = f": {rates[member]:.1%} right on held-out {report.unit}s"
        action = ("Score with this model alone", service.use_member)
        self._card.tell(
            f"Model {member} of {bundle.name} (scheme {bundle.scheme}){right}.",
            "good" if alone else "info",
            reason=reason,
            action=None if alone else action,
        )
