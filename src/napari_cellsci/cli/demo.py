"""`cellsci demo`: from a simulated movie to scores, in a window or without one."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from napari_cellsci.cli.talk import Json, Talk, talking, use_threads

if TYPE_CHECKING:
    from napari_cellsci.project import Project, Scores

WORKSPACE = "napari-cellsci.open_workspace"
"""The command of napari's plugin menu that lays the panels out."""
NO_WINDOW = (
    "To see the window, run `cellsci demo` where there is a display (and "
    "`pip install 'napari-cellsci[all]'` if napari has no Qt)."
)


def demo(
    out: Annotated[
        Path, typer.Option(help="Folder for the sample, the project and the results.")
    ] = Path("cellsci-demo"),
    headless: Annotated[
        bool, typer.Option("--headless", help="Open no window.")
    ] = False,
    screenshot: Annotated[
        Path | None,
        typer.Option(help="Write a picture of the scored movie there; open no window."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Simulate a movie, crop and score its cells, and show them in napari.

    Without a display it does the same, and writes scores.csv and a picture.
    """
    with talking(as_json) as talk:
        use_threads(None)
        folder = out.absolute()
        path = prepare(folder, talk)
        if not headless and screenshot is None and has_display() and not as_json:
            talk.say(f"Opening napari on {path} …")
            open_window(path)
            return
        report(path, folder, screenshot, talk)


def has_display() -> bool:
    """Whether a window could be opened here."""
    return not sys.platform.startswith("linux") or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )


def prepare(folder: Path, talk: Talk) -> Path:
    """Make the sample movie and its project, where they are not there yet."""
    from napari_cellsci.cells.simulator import SimulationConfig, simulate
    from napari_cellsci.disk import whole_folder
    from napari_cellsci.project import Project

    sample, path = folder / "sample", folder / "mitosis"
    if not (sample / "truth.csv").is_file():
        with whole_folder(sample) as temporary:
            made = simulate(
                SimulationConfig(), on_event=talk.on_event, token=talk.token
            )
            made.save(temporary)
    if not (path / "project.sqlite").is_file():
        Project.create(
            path,
            image=sample / "movie.tif",
            tracks=sample / "tracks.csv",
            masks=sample / "labels.tif",
            name="Simulated mitosis",
            on_event=talk.on_event,
            token=talk.token,
        ).close()
    return path


def report(path: Path, folder: Path, picture: Path | None, talk: Talk) -> None:
    """Score the project, write scores.csv and the picture, compare with the truth."""
    from napari_cellsci.figures.overview import save_overview
    from napari_cellsci.project import Project

    with Project.open(path) as project:
        scores = project.score("shipped", on_event=talk.on_event, token=talk.token)
        table, image = folder / "scores.csv", picture or folder / "overview.png"
        scores.save_csv(table)
        save_overview(project, scores, image)
        right = compare(project, scores, folder / "sample" / "truth.csv")
    counts = scores.counts()
    said = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    talk.result(
        {
            "project": str(path),
            "scores": str(table),
            "picture": str(image),
            "cells": len(scores.table),
            "predictions": counts,
            "balanced_accuracy": right,
        },
        f"{len(scores.table):,} cells scored: {said} (balanced accuracy against the "
        f"known truth {right:.3f}).\nscores   {table}\npicture  {image}\n"
        f"project  {path}\n{NO_WINDOW}",
    )


def compare(project: Project, scores: Scores, truth: Path) -> float:
    """Return the balanced accuracy of the scores on the classes that are told apart."""
    import pandas as pd

    known = pd.read_csv(truth)[["track_id", "t", "class"]]
    both = scores.table.merge(known, on=["track_id", "t"], how="inner")
    recalls = [
        float((both.loc[both["class"] == name, "prediction"] == name).mean())
        for name in project.classes
    ]
    return sum(recalls) / len(recalls)


def open_window(path: Path) -> None:
    """Open napari with the workspace on a project, and wait until it is closed.

    Raises
    ------
    InputError
        If napari has no Qt to make a window with.
    """
    from napari_cellsci.errors import InputError

    try:
        import napari

        viewer = napari.Viewer(title="napari-cellsci")
    except ImportError as error:
        raise InputError(
            "napari has no Qt to open a window with: `pip install "
            "'napari-cellsci[all]'`, or run `cellsci demo --headless`."
        ) from error
    run_command(WORKSPACE, viewer=viewer, project=path, score=True)
    napari.run()


def run_command(name: str, **values: Any) -> Any:
    """Run a command of napari's plugin menu by its id in the manifest."""
    from npe2 import PluginManager

    manager = PluginManager.instance()
    manager.discover()
    return manager.commands.execute(name, kwargs=values)
