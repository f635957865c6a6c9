"""Why there are no latents to show yet, and what to do about it."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

from napari_cellsci.errors import InputError
from napari_cellsci.panels._jobs import JobState
from napari_cellsci.panels._parts import StatusCard, whole_number
from napari_cellsci.panels._source import SHIPPED
from napari_cellsci.panels.latents.service import LatentService

if TYPE_CHECKING:
    from napari_cellsci.cells.spec import CropSpec
    from napari_cellsci.project import Project
    from napari_cellsci.viewer.session import Session


class Standing:
    """Tells on a panel's card how far the latents are.

    Parameters
    ----------
    session : Session
    card : StatusCard
    """

    def __init__(self, session: Session, card: StatusCard) -> None:
        self._session, self._card = session, card
        self._service = session.service(LatentService)

    def tell(self) -> bool:
        """Say what is missing; return whether there are latents to show."""
        session, service, card = self._session, self._service, self._card
        project, job = session.project, service.job
        if project is None:
            card.tell("No cells yet.", reason="Make or open a project in Cells.")
        elif not session.n_cells:
            card.tell("This project has no cells.", reason="Add a movie in Cells.")
        elif service.code is not None:
            return True
        elif job.state.busy:
            card.tell(f"Encoding {whole_number(session.n_cells)} cells…")
        elif job.state is JobState.FAILED and job.failure is not None:
            card.tell(
                job.failure.message,
                "error",
                action=("Try again", self.encode),
                details=job.failure.details,
            )
        elif service.source is None:
            self._tell_no_encoder(project)
        else:
            card.tell("The cells are not encoded.", action=("Encode", self.encode))
        return False

    def _tell_no_encoder(self, project: Project) -> None:
        misfit = shipped_misfit(project)
        self._card.tell(
            "No encoder yet: nothing describes the cells in numbers.",
            reason=f"Train one first. {misfit}"
            if misfit
            else "Train one, or look at your cells through the one that comes with "
            "the plugin.",
            action=None if misfit else ("Use the shipped encoder", self.use_shipped),
        )

    def encode(self) -> None:
        """Encode the cells, also if that failed before."""
        self._service.ensure(again=True)

    def use_shipped(self) -> None:
        """Encode the cells with the encoder that comes with the plugin."""
        self._service.choose(SHIPPED)


def shipped_misfit(project: Project) -> str:
    """Return why the shipped encoder cannot read this project's crops, or ""."""
    spec = _shipped_spec()
    if spec is None:
        return "This installation came without one."
    if spec.n_channels != project.spec.n_channels:
        return (
            f"The shipped one reads {spec.n_channels} channel, the crops of this "
            f"project have {project.spec.n_channels}."
        )
    for info in project.movies:
        try:
            spec.window(info.pixel_size)
        except InputError:
            return (
                f"The shipped one reads crops {spec.fov_um:g} µm wide, but the pixel "
                f"size of {info.name} is not known."
            )
    return ""


@lru_cache(maxsize=1)
def _shipped_spec() -> CropSpec | None:
    from napari_cellsci.cells.spec import CropSpec
    from napari_cellsci.project.bundles import shipped_folder

    try:
        text = (shipped_folder() / "model.json").read_text(encoding="utf-8")
        return CropSpec.from_dict(json.loads(text)["spec"])
    except (OSError, ValueError, KeyError):
        return None
