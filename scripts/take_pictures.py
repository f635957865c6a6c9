"""Make the pictures of the documentation: the workspace, and every panel at work.

    xvfb-run -a -s "-screen 0 1920x1200x24" python scripts/take_pictures.py

All are of the running program on the simulated sample movie: scored by the classifier
that ships for the picture of the whole window; for those of single panels also with
labels taken from the simulator, a code, sparse heads and formulas learned from them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import napari
import numpy as np
import pandas as pd
from qtpy.QtWidgets import QApplication

from napari_cellsci import Project
from napari_cellsci.cells.simulator import SimulationConfig, simulate
from napari_cellsci.panels.cell_strip.panel import CellStripPanel
from napari_cellsci.panels.score.service import ScoreService
from napari_cellsci.panels.workspace import KINDS, open_workspace, show_panel
from napari_cellsci.viewer.session import Session, get_session

PICTURES = Path(__file__).parents[1] / "docs" / "images"
WINDOW, WIDTH = (1600, 960), 440
"""Size of the picture of the window, and width of those of single panels (px)."""
PANELS = {
    "Label": 860,
    "Train": 880,
    "Latents": 860,
    "Latent map": 720,
    "Network": 1060,
    "Expressions": 1000,
    "Compare": 960,
    "Robustness": 1060,
}
"""Panels, and how high their pictures are (px)."""
LABELS = 240
"""Labels of either class that are taken from the simulator, at most."""
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


def teach(folder: Path, sample: Path) -> None:
    """Give a project of the sample labels, an encoder, heads and formulas."""
    truth = pd.read_csv(sample / "truth.csv")
    rng = np.random.default_rng(0)
    chosen = [
        rng.choice(rows, min(LABELS, len(rows)), replace=False)
        for name in ("interphase", "metaphase")
        if len(rows := np.flatnonzero(truth["class"] == name))
    ]
    truth.iloc[np.concatenate(chosen)].to_csv(sample / "labels.csv", index=False)
    with Project.open(folder) as project:
        project.labels.import_csv(sample / "labels.csv")
        project.train_encoder(preset="quick", name="own code")
        project.train_head(scheme=2, encoder="shipped", name="dense")
        project.train_head(scheme=3, encoder="shipped", name="sparse")
        project.discover(runs=5, name="formulas", source="sparse", evaluations=60_000)


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
    """Go to a sure metaphase of a long track, in the middle of frame and movie."""
    table, scores = session.table, session.scores
    if table is None or scores is None:
        raise RuntimeError("There are no scores to show.")
    plain = (scores.prediction == 1) & ~scores.outside & ~scores.blank
    best = np.argsort(np.where(plain, scores.score, -np.inf))[::-1][:40]
    length = np.array([len(table.rows_of_track(row)) for row in best])
    middle = np.hypot(table.y[best] - table.y.mean(), table.x[best] - table.x.mean())
    early = np.abs(table.t[best] - table.t.mean())
    session.select(int(best[np.argmax(length - middle / 20 - 2 * early)]), go=True)


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
    show_panel(viewer, "Score")
    select_metaphase(session)

    def reconstructed() -> bool:
        return strip.again.image is not None

    wait(reconstructed)
    viewer.reset_view()
    pause(1.0)


def settled(panel: Any) -> Callable[[], bool]:
    """Return whether no job of a panel's service is at work."""

    def idle() -> bool:
        service = getattr(panel, "service", None)
        found = [getattr(service, n, None) for n in ("job", "atlas_job", "deed")]
        jobs = [*(getattr(service, "jobs", None) or ()), *filter(None, found)]
        return not any(job.state.busy for job in jobs if hasattr(job, "state"))

    return idle


def perform(panel: Any, name: str) -> None:
    """Do in a panel what is worth seeing."""
    if name == "Train":
        panel.tabs.setCurrentIndex(panel.tabs.count() - 1)
        panel.list.choose([r.id for r in panel.service.runs if r.kind == "encoder"])
    elif name == "Network":
        panel.live.setChecked(True)
    elif name == "Expressions":
        panel.use(max(panel.front.items, key=lambda one: one.rate))
    elif name == "Compare":
        panel.compare()
    elif name == "Robustness":
        panel.find_smallest()
        panel.curves.expand()
        panel.curves.measure()


def picture_window(viewer: Any, project: Path, out: Path) -> None:
    """Write the picture of the whole window, scored by the classifier that ships."""
    show_workspace(viewer, project)
    viewer.screenshot(str(out), canvas_only=False, flash=False)
    get_session(viewer).project = None


def picture_panels(viewer: Any, out: Path, names: Sequence[str]) -> None:
    """Write a picture of each panel, alone and as high as it likes to be."""
    for name in names:
        show_panel(viewer, name)
        panel: Any = next(
            p
            for p in viewer.window.dock_widgets.values()
            if getattr(p, "title", None) == name
        )
        dock = panel.parent()
        dock.setFloating(True)
        dock.resize(WIDTH, PANELS.get(name, 860))
        pause(0.5)
        wait(settled(panel))
        perform(panel, name)
        pause(0.5)
        wait(settled(panel))
        pause(1.5)
        panel.grab().save(str(out / f"{name.lower().replace(' ', '_')}.png"))
        dock.setFloating(False)
        pause(0.2)


def open_viewer(theme: str) -> Any:
    """Open napari at the size of the picture."""
    viewer = napari.Viewer(title="napari-cellsci", show=False)
    viewer.theme = theme
    viewer.window.resize(*WINDOW)
    viewer.show()
    pause(0.2)
    viewer.window.resize(*WINDOW)
    return viewer


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=PICTURES)
    parser.add_argument("--theme", default="dark", choices=("dark", "light"))
    parser.add_argument(
        "--panels", nargs="*", default=tuple(PANELS), choices=sorted(KINDS)
    )
    parser.add_argument(
        "--room",
        type=Path,
        help="keep the project here; taken up again, it gives no picture of the window",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        room = options.room or Path(temporary)
        project = room / "mitosis"
        if not project.exists():
            make_project(room)
        with Project.open(project) as opened:
            taught = any(bundle.name == "formulas" for bundle in opened.bundles)
        viewer = open_viewer(options.theme)
        options.out.mkdir(parents=True, exist_ok=True)
        if not taught:
            picture_window(viewer, project, options.out / "window.png")
            teach(project, room / "sample")
        show_workspace(viewer, project)
        picture_panels(viewer, options.out, options.panels)
        get_session(viewer).project = None
        viewer.close()


if __name__ == "__main__":
    main()
