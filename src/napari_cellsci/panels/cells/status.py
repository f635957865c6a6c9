"""What the Cells panel says of where things stand, and what it offers to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari_cellsci.panels._jobs import JobState
from napari_cellsci.panels._parts import whole_number
from napari_cellsci.viewer import tags

if TYPE_CHECKING:
    from napari_cellsci.panels.cells.panel import CellsPanel
    from napari_cellsci.project import Project


def tell(panel: CellsPanel, *, ready: bool) -> None:
    """Write the status card.

    Parameters
    ----------
    panel : CellsPanel
    ready : bool
        Whether everything needed for cropping is chosen; the run line says what is not.
    """
    card, job = panel.card, panel.service.job
    opening = ("Open a project…", panel.open_project)
    sample = ("Open the sample", panel.service.open_sample)
    if job.state.busy:
        # What is being done stands beside the Cancel button.
        card.tell("Cancelling…" if job.cancelling else "Working…")
    elif job.state is JobState.FAILED and job.failure is not None:
        failure = job.failure
        card.tell(failure.message, "error", action=opening, details=failure.details)
    elif panel.trouble:
        card.tell(panel.trouble, "warning", action=opening)
    elif panel.session.project is not None:
        _tell_project(panel, panel.session.project, opening)
    elif panel.combos["Image"].value is None:
        what = "A project is a folder with the crops, labels and models of movies."
        card.tell(
            "No project yet. Open a movie and its tracks (… below), or start from the "
            "simulated sample.",
            reason=job.ending or what,
            action=sample,
            second=opening,
        )
    else:
        text = "Check the crops below, then press Crop cells."
        if not ready:
            text = "No project yet. Choose below what the cells are cut from."
        card.tell(text, reason=job.ending, action=opening)


def _tell_project(
    panel: CellsPanel, project: Project, opening: tuple[str, Any]
) -> None:
    session, n = panel.session, len(project.movies)
    where = "1 movie" if n == 1 else f"{n} movies"
    scored, following = "not scored yet", "Next: score the cells."
    action = ("Show Score", panel.show_scores)
    if panel.scoring.job.state.busy:
        scored, following = "being scored", ""
    elif session.scores is None:
        action = ("Score cells", panel.score)
    else:
        named = "" if session.bundle is None else f" by {session.bundle.name}"
        scored = f"scored{named}"
        following = "To add another movie, choose its layers below."
    job = panel.service.job
    if job.warnings and job.state is JobState.DONE:
        following = " ".join([*job.warnings, following])
    labelled = whole_number(len(project.labels)) if len(project.labels) else "none"
    panel.card.tell(
        f"{project.name}: {whole_number(session.n_cells)} cells in {where}, "
        f"{labelled} labelled, {scored}.",
        "good",
        reason=job.ending or following,
        action=action,
        second=opening,
    )


def why_not_added(project: Project, image: Any) -> str:
    """Say why a layer's movie cannot be added to the open project; "" if it can."""
    if image is not None and any(
        tags.is_layer_of(image, project.path, info.name) for info in project.movies
    ):
        return (
            "This movie is in the project: choose another to add, or another folder "
            "for a new project."
        )
    return ""
