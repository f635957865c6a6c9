"""What the Expressions panel's card says: where things stand, and what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_cellsci.panels._jobs import Failure
from napari_cellsci.panels._parts import StatusCard
from napari_cellsci.panels._standing import ClassifierStanding
from napari_cellsci.panels.expressions import words
from napari_cellsci.panels.expressions.service import ExpressionService, Opened

if TYPE_CHECKING:
    from napari_cellsci.viewer.session import Session


class Standing(ClassifierStanding):
    """Tells on a card how the formulas stand.

    Parameters
    ----------
    session : Session
    card : StatusCard
    """

    def __init__(self, session: Session, card: StatusCard) -> None:
        super().__init__(session, card, ExpressionService)

    def _tell_failed(self, failure: Failure) -> None:
        self._card.tell(
            failure.message,
            "error",
            details=failure.details,
            action=("Use the shipped one", self._use_shipped),
        )

    def _tell_none(self) -> None:
        self._card.tell(
            "No code to write formulas about: this project has no classifier on "
            "latents.",
            reason="Train one in Train, or begin with the code that comes with "
            "the plugin.",
            action=("Use the shipped one", self._use_shipped),
        )

    def _tell_opened(self, opened: Opened) -> None:
        service, written = self._service, self._service.bench.written
        name = opened.bundle.name
        if written is None:
            self._card.tell(
                f"A formula over the latents of {name}.",
                reason="Write one below: the cells are scored as you type.",
            )
            return
        said = words.percent(written.verdict.balanced)
        right = f"{said} right (balanced)" if written.verdict.labelled else "no labels"
        agreed = words.percent(written.verdict.agreement)
        text = f"Size {written.verdict.size}: {right}, {agreed} as {name}."
        if service.is_shown:
            self._card.tell(
                text,
                "good",
                reason="Movie and gallery show the formula and follow as you type.",
                action=(f"Show {name} again", service.show_network),
            )
        else:
            self._card.tell(
                text,
                reason="The movie shows other scores.",
                action=("Show the formula", service.show),
            )
