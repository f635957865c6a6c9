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
    elif panel.images.wanted:
        card.tell(
            "No project yet. Check the crops below, then press Crop cells."
            if ready
            else "No project yet. Choose below where the images of single cells are.",
            reason=job.ending,
            action=opening,
        )
    elif panel.combos["Image"].value is None:
        what = "A project is a folder with the crops, labels and models of movies."
        card.tell(
            "No project yet. Open a movie and its tracks, or images of single cells "
            "(… below), or start from the simulated sample.",
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
    session = panel.session
    where = _places(project)
    scored, following = "not scored yet", "Next: score the cells."
    action = ("Show Score", panel.show_scores)
    if panel.scoring.job.state.busy:
        scored, following = "being scored", ""
    elif session.scores is None and _needs_training(project):
        following = "Next: train an encoder, then heads on labelled cells."
        action = ("Show Train", panel.show_training)
    elif session.scores is None:
        action = ("Score cells", panel.score)
    else:
        named = "" if session.bundle is None else f" by {session.bundle.name}"
        scored = f"scored{named}"
        following = "To add another movie, or images of cells, choose them below."
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


def _places(project: Project) -> str:
    """Say how many movies and sets of images a project has."""
    sets = sum(info.is_images for info in project.movies)
    movies = len(project.movies) - sets
    parts = [f"{movies} movie{'s' * (movies > 1)}"] * bool(movies)
    parts += [f"{sets} set{'s' * (sets > 1)} of images"] * bool(sets)
    return " and ".join(parts)


def _needs_training(project: Project) -> bool:
    """Whether no classifier fits: the one that ships was made for crops in µm."""
    scaled = all(info.pixel_size for info in project.movies if info.is_images)
    return not project.bundles and not scaled


def why_images_not_added(project: Project, images: Any) -> str:
    """Say why images cannot be added to the open project; "" if they can."""
    places = {str(info.path) for info in project.movies if info.is_images}
    if isinstance(images, str) and images in places:
        return (
            "These images are in the project: choose others to add, or another folder "
            "for a new project."
        )
    return ""


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
