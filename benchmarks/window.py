"""What the window costs with 50,000 cells: recolouring, changes of frame, the gallery.

Run with ``xvfb-run -a python benchmarks/window.py``. Times are those of the main thread
(CPU), the median of several runs. Drawing itself is the graphics card's work and not
counted; without one (software GL) it costs more than everything here.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import napari
import numpy as np
import pandas as pd
from psygnal import Signal
from qtpy.QtWidgets import QApplication

from napari_cellsci.panels.cell_strip.panel import CellStripPanel
from napari_cellsci.panels.gallery.panel import GalleryPanel
from napari_cellsci.project import Scores
from napari_cellsci.project.movies import MovieInfo
from napari_cellsci.viewer.navigation import Navigator
from napari_cellsci.viewer.overlay import Overlay
from napari_cellsci.viewer.session import get_session

FRAMES, CELLS, EDGE = 100, 500, 1024
BUDGET_MS = {
    "recolour markers": 50,
    "recolour markers, tracks and outlines": 150,
    "change of frame: our own work": 5,
    "gallery opens": 100,
    "gallery scroll step": 5,
    "gallery re-sort": 20,
    "selection change, all views": 50,
}


class Labels:
    """A project without labels."""

    changed = Signal(np.ndarray)
    classes_changed = Signal()
    classes = (
        SimpleNamespace(name="interphase", colour="#0072B2"),
        SimpleNamespace(name="metaphase", colour="#D55E00"),
    )
    names = ("interphase", "metaphase")
    left_out = np.zeros(0, np.int64)

    def as_series(self) -> pd.Series:
        return pd.Series([], index=pd.Index([], dtype=np.int64), dtype=object)

    def called_now(self, name: str) -> str:
        return name

    def __len__(self) -> int:
        return 0


class Project:
    """50,000 cells that drift, with masks; their crops lie on disk as in a project."""

    path = Path("benchmark")
    classes = ("interphase", "metaphase")
    bundles: tuple[Any, ...] = ()

    residual_columns: tuple[str, ...] = ()
    usable_only = False

    def __init__(self, folder: Path) -> None:
        rng = np.random.default_rng(0)
        start = rng.uniform(20, EDGE - 20, (CELLS, 1, 2))
        drift = np.cumsum(rng.normal(0, 1, (CELLS, FRAMES, 2)), axis=1)
        place = np.clip(start + drift, 8, EDGE - 9).reshape(-1, 2)
        self.cells = pd.DataFrame(
            {
                "movie": "movie",
                "track_id": np.repeat(np.arange(1, CELLS + 1), FRAMES),
                "t": np.tile(np.arange(FRAMES), CELLS),
                "y": place[:, 0],
                "x": place[:, 1],
            }
        )
        self.labels = Labels()
        self.image = rng.integers(0, 999, (FRAMES, EDGE, EDGE), dtype=np.uint16)
        self._masks = np.zeros((FRAMES, EDGE, EDGE), np.uint16)
        for row in self.cells.itertuples():
            y, x = int(row.y), int(row.x)
            self._masks[row.t, y - 6 : y + 6, x - 6 : x + 6] = row.track_id
        shape = (len(self.cells), 1, 64, 64)
        self._crops = np.lib.format.open_memmap(
            folder / "crops.npy", "w+", np.uint16, shape
        )
        for at in range(0, shape[0], 5000):
            part = self._crops[at : at + 5000]
            part[:] = rng.integers(0, 999, part.shape, dtype=np.uint16)

    @property
    def movies(self) -> list[MovieInfo]:
        return [
            MovieInfo(
                name="movie",
                path=None,
                n_frames=FRAMES,
                shape=(EDGE, EDGE),
                pixel_size=None,
                frame_interval=240.0,
                n_cells=len(self.cells),
                axes="TYX",
                n_channels=1,
                n_planes=1,
                dtype="<u2",
                masks_tracked=True,
            )
        ]

    def movie(self, name: str) -> Any:
        from napari_cellsci.io.movies import Movie

        return Movie(self.image, "TYX", name, frame_interval=240.0)

    def masks(self, name: str) -> Any:
        return self._masks

    def crops(self) -> Any:
        return self._crops

    def close(self) -> None:
        """There is nothing to close."""


def scores_of(project: Project, seed: int) -> Scores:
    score = np.random.default_rng(seed).normal(-2, 2, len(project.cells))
    table = project.cells.assign(
        score=score,
        score_sd=0.3,
        probability=1 / (1 + np.exp(-score)),
        prediction=np.where(score >= 0, "metaphase", "interphase"),
        ood=0.1,
    )
    return Scores(table, "benchmark", "0" * 12, project.classes)


def pump() -> None:
    for _ in range(4):
        QApplication.processEvents()


def measure(deed: Callable[[int], Any], turns: int = 9) -> float:
    """Return the median milliseconds of main-thread work, drawing left out."""
    spent = []
    for turn in range(turns):
        start = time.thread_time()
        deed(turn)
        spent.append((time.thread_time() - start) * 1e3)
        pump()
    return statistics.median(spent)


def recolouring(session: Any, overlay: Overlay) -> dict[str, float]:
    by = ("prediction", "score")

    def all_layers(turn: int) -> None:
        session.show(color_by=by[turn % 2])

    everything = measure(all_layers)
    layers = {role: overlay.layer(role) for role in ("tracks", "outlines")}
    for layer in layers.values():
        layer.metadata = {}
    markers = measure(all_layers)
    session.show(color_by="score")
    return {
        "recolour markers": markers,
        "recolour markers, tracks and outlines": everything,
    }


def frame_changes(viewer: Any, session: Any, overlay: Overlay) -> dict[str, float]:
    """Measure a change of frame with our layers, hidden, and napari's own floor."""

    def step(turn: int) -> None:
        viewer.dims.set_current_step(0, (turn * 37 + 11) % FRAMES)

    ours = [overlay.layer(role) for role in ("markers", "tracks", "outlines", "ring")]
    found = {"change of frame: everything shown": measure(step, 15)}
    for layer in ours:
        layer.visible = False
    alone = measure(step, 15)
    found["change of frame: image alone"] = alone
    for layer, name in zip(
        ours, ("markers", "tracks", "outlines", "ring"), strict=True
    ):
        layer.visible = True
        found[f"change of frame: {name} add"] = measure(step, 15) - alone
        layer.visible = False
    four = np.array([[t, 0.0, 0] for t in range(4)])
    plain = viewer.add_points(four, size=3)
    found["change of frame: any four points add"] = measure(step, 15) - alone
    viewer.layers.remove(plain)
    for layer in ours:
        layer.visible = True
    found["change of frame: our own work"] = own_work(viewer, session)
    return found


def own_work(viewer: Any, session: Any) -> float:
    """Measure what follows a change of frame on our side: selection and panels."""
    panels = [GalleryPanel(viewer), CellStripPanel(viewer)]
    for panel in panels:
        panel.resize(1300, 160)
        panel.show()
    session.select(FRAMES * 3)
    pump()
    navigator = session.service(Navigator)
    viewer.dims.events.current_step.disconnect(navigator.sync)
    spent = []
    for turn in range(15):
        viewer.dims.set_current_step(0, (turn * 37 + 11) % FRAMES)
        pump()
        start = time.thread_time()
        navigator.sync()
        spent.append((time.thread_time() - start) * 1e3)
        pump()
    viewer.dims.events.current_step.connect(navigator.sync)
    for panel in panels:
        panel.dispose()
        panel.close()
    return statistics.median(spent)


def gallery(viewer: Any, session: Any) -> dict[str, float]:
    def opened(turn: int) -> None:
        panel = GalleryPanel(viewer)
        panel.resize(1300, 190)
        panel.show()
        QApplication.processEvents()
        panels.append(panel)

    panels: list[GalleryPanel] = []
    found = {"gallery opens": measure(opened, 5)}
    panel = panels[-1]
    for other in panels[:-1]:
        other.dispose()
        other.close()

    def scroll(turn: int) -> None:
        bar = panel.view.verticalScrollBar()
        bar.setValue(bar.value() + bar.singleStep())
        panel.view.viewport().repaint()

    def sort(turn: int) -> None:
        panel.sort.setCurrentIndex(turn % panel.sort.count())

    def select(turn: int) -> None:
        session.select((turn * 7919 + 13) % session.n_cells)
        session.service(Overlay).catch_up()

    found["gallery scroll step"] = measure(scroll, 41)
    found["gallery re-sort"] = measure(sort)
    found["selection change, all views"] = measure(select, 15)
    panel.dispose()
    panel.close()
    return found


def main() -> int:
    viewer = napari.Viewer(show=True)
    session = get_session(viewer)
    with tempfile.TemporaryDirectory() as folder:
        project: Any = Project(Path(folder))
        session.project = project
        overlay = session.service(Overlay)
        pump()
        session.set_scores(scores_of(project, 0))
        pump()
        found = gallery(viewer, session)
        found |= frame_changes(viewer, session, overlay)
        found |= recolouring(session, overlay)
        session.project = None
        viewer.close()
    print(f"{FRAMES * CELLS:,} cells in {FRAMES} frames of {EDGE} px; ms, main thread")
    missed = 0
    for name, value in found.items():
        budget = BUDGET_MS.get(name)
        missed += budget is not None and value > budget
        print(f"{name:44s} {value:8.1f}" + (f"   (< {budget})" if budget else ""))
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
