"""Make docs/images/window.png: the workspace on the scored sample movie.

Run it on a display, or under ``xvfb-run -a -s "-screen 0 1920x1080x24"``. The picture
is of the running program: the sample is simulated, cropped, and scored by the
classifier that ships with the package.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

from napari_cellsci import Project
from napari_cellsci.cells.simulator import SimulationConfig, simulate
from napari_cellsci.panels.cell_strip.panel import CellStripPanel
from napari_cellsci.panels.score.service import ScoreService
from napari_cellsci.panels.workspace import open_workspace
from napari_cellsci.viewer.session import Session, get_session

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "window.png"
PATIENCE_S = 300


def make_project(folder: Path) -> Path:
    """Simulate the sample movie and crop its cells."""
    sample = simulate(SimulationConfig()).save(folder / "sample")
    Project.create(
        folder / "mitosis",
        image=sample / "movie.tif",
        tracks=sample / "labels.tif",
        name="Simulated mitosis",
    ).close()
    return folder / "mitosis"


def wait(ready: Callable[[], bool]) -> None:
    """Let the window work until something is there."""
    start = time.monotonic()
    while not ready():
        if time.monotonic() - start > PATIENCE_S:
            raise TimeoutError("The window did not get ready.")
        QApplication.processEvents()
        time.sleep(0.01)


def pause(seconds: float) -> None:
    """Let the window draw for a while."""
    end = time.monotonic() + seconds

    def over() -> bool:
        return time.monotonic() > end

    wait(over)


def select_metaphase(session: Session) -> None:
    """Go to a sure metaphase in the middle of a long track and of the frame."""
    table, scores = session.table, session.scores
    if table is None or scores is None:
        raise RuntimeError("There are no scores to show.")
    plain = (scores.prediction == 1) & ~scores.outside & ~scores.blank
    best = np.argsort(np.where(plain, scores.score, -np.inf))[::-1][:40]
    length = np.array([len(table.rows_of_track(row)) for row in best])
    middle = np.hypot(table.y[best] - table.y.mean(), table.x[best] - table.x.mean())
    session.select(int(best[np.argmax(length - middle / 20)]), go=True)


def show_workspace(viewer: Any, project: Path) -> None:
    """Open the workspace and wait until everything in it can be seen."""
    open_workspace(viewer, project)
    session = get_session(viewer)

    job = session.service(ScoreService).job

    def scored() -> bool:
        if job.failure is not None:
            raise RuntimeError(job.failure.message)
        return session.scores is not None

    wait(scored)
    panels = viewer.window.dock_widgets.values()
    strip = next(p for p in panels if isinstance(p, CellStripPanel))
    score = next(p for p in panels if getattr(p, "title", "") == "Score")
    score.parent().raise_()
    select_metaphase(session)

    def reconstructed() -> bool:
        return strip.again.image is not None

    wait(reconstructed)
    viewer.reset_view()
    pause(1.0)


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=PICTURE)
    parser.add_argument(
        "--size", default="1600x960", help="width x height of the window"
    )
    parser.add_argument("--theme", default="dark", choices=("dark", "light"))
    parser.add_argument("--project", type=Path, help="show this project instead")
    options = parser.parse_args()
    width, height = (int(n) for n in options.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        project = options.project or make_project(Path(folder))
        viewer = napari.Viewer(title="napari-cellsci", show=False)
        viewer.theme = options.theme
        viewer.window.resize(width, height)
        viewer.show()
        pause(0.2)
        viewer.window.resize(width, height)
        show_workspace(viewer, project)
        options.out.parent.mkdir(parents=True, exist_ok=True)
        viewer.screenshot(str(options.out), canvas_only=False, flash=False)
        get_session(viewer).project = None
        viewer.close()


if __name__ == "__main__":
    main()
