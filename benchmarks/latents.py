"""What the latent panels cost: a lasso among 100,000 cells, a slider, strips.

Run with ``xvfb-run -a python benchmarks/latents.py``. Times are those of the main
thread (CPU), the median of several runs, and count everything that follows: the ring in
the movie, the gallery, the cell strip. Drawing itself is the graphics card's work and
not counted, but for the line that says so.
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
import window
from qtpy.QtCore import QPointF

from napari_cellsci.panels.cell_strip.panel import CellStripPanel
from napari_cellsci.panels.gallery.panel import GalleryPanel
from napari_cellsci.panels.latent_map.panel import LatentMapPanel
from napari_cellsci.panels.latents.panel import LatentsPanel
from napari_cellsci.panels.latents.pictures import decoded_images
from napari_cellsci.panels.latents.service import Code, LatentService
from napari_cellsci.project.bundles import shipped_bundle
from napari_cellsci.representation.config import EncoderConfig
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.representation.networks import new_network
from napari_cellsci.viewer.overlay import Overlay
from napari_cellsci.viewer.session import get_session

FRAMES, CELLS = 100, 1000
BUDGET_MS = {
    "lasso: all views follow": 100,
    "slider: decoded picture, values and score": 30,
    "128 slider: decoded picture, values and score": 30,
}


class Project(window.Project):
    """100,000 cells whose crops are all the same."""

    encoders: tuple[Any, ...] = ()
    spec = shipped_bundle().spec

    def __init__(self, folder: Path) -> None:
        window.CELLS, window.FRAMES = CELLS, FRAMES
        super().__init__(folder)
        crop = np.arange(64 * 64, dtype=np.uint16).reshape(1, 1, 64, 64)
        self._crops = np.broadcast_to(crop, (len(self.cells), 1, 64, 64))

    def latent_atlas(self, encoder: Any, **_: Any) -> Any:
        raise RuntimeError("not measured")


def measure(deed: Callable[[int], Any], turns: int = 9) -> float:
    """Return the median milliseconds of main-thread work, drawing left out."""
    return window.measure(deed, turns)


def drawn(panel: LatentMapPanel, turns: int = 9) -> float:
    """Return the median milliseconds until all cells are on the screen again."""
    spent = []
    for _ in range(turns):
        start = time.perf_counter()
        panel.plot.canvas.widget.grabFramebuffer()
        spent.append((time.perf_counter() - start) * 1e3)
    return statistics.median(spent)


def lasso_of(panel: LatentMapPanel, turn: int) -> np.ndarray:
    """Return 200 corners around a part of the cloud."""
    at = np.linspace(0, 2 * np.pi, 200)
    reach = 0.5 + 0.2 * (turn % 4) + 0.1 * np.sin(9 * at)
    return np.column_stack([reach * np.cos(at) - 0.3 * (turn % 3), reach * np.sin(at)])


def lassos(panel: LatentMapPanel, session: Any) -> dict[str, float]:
    sizes = []

    def whole(turn: int) -> None:
        rows = panel.plot.points.inside(lasso_of(panel, turn))
        panel.plot.enclosed.emit(rows, "replace")
        sizes.append(len(session.selected))

    def alone(turn: int) -> None:
        panel.plot.points.inside(lasso_of(panel, turn))

    found = {"lasso: which cells it holds": measure(alone)}
    found["lasso: all views follow"] = measure(whole)
    print(f"lassos held {min(sizes):,} to {max(sizes):,} cells")

    def click(turn: int) -> None:
        panel.plot.picked.emit((turn * 7919 + 13) % session.n_cells, "replace")

    found["click: the movie goes there, all views follow"] = measure(click)

    def hover(turn: int) -> None:
        panel.plot.cell_at(QPointF(100 + turn, 120))

    found["hover: which cell it is"] = measure(hover)
    return found


def map_of(panel: LatentMapPanel) -> dict[str, float]:
    ways = ("time", "score")

    def color(turn: int) -> None:
        panel.color_box.chosen.emit(ways[turn % 2])

    def axis(turn: int) -> None:
        panel.choose_x(f"z{turn % 5}")

    def label(turn: int) -> None:
        panel.session.labels_changed.emit(np.array([turn]))

    return {
        "map: a cell is labelled": measure(label),
        "map: other colours": measure(color),
        "map: another axis": measure(axis),
        "map: drawn once (with the graphics driver)": drawn(panel),
    }


def sliders(panel: LatentsPanel) -> dict[str, float]:
    panel.strips.want = lambda latents: None  # strips are made beside the main thread

    def slide(turn: int) -> None:
        panel.desk.set_value(turn % 5, (turn % 60) / 10 - 3)
        panel._show_picture()

    def paint(turn: int) -> None:
        bar = panel.view.verticalScrollBar()
        bar.setValue((bar.value() + 40) % max(bar.maximum(), 1))
        panel.view.viewport().repaint()

    images = decoded_images(np.zeros((7, 1, 64, 64)), np.array([[0.0, 1.0]]), None)
    for latent in range(128):
        panel.delegate.strips[latent] = images
        panel.delegate.effects[latent] = images[0]
    return {
        "slider: decoded picture, values and score": measure(slide, 41),
        "latents: scroll step": measure(paint, 41),
    }


def many_latents(panel: LatentsPanel, service: LatentService) -> dict[str, float]:
    """Measure the same list with 128 latents; only what is in view is decoded."""
    spec = service.code.encoder.spec
    config = EncoderConfig(latent=128)
    encoder = Encoder(spec, config, new_network(config, spec.n_channels, spec.size))
    latents = np.random.default_rng(0).normal(size=(len(service.code.latents), 128))
    service.code = Code("many", encoder, latents.astype(np.float32))
    start = time.thread_time()
    service.changed.emit()
    shown = (time.thread_time() - start) * 1e3
    found = {"128 latents: shown": shown}
    return found | {f"128 {name}": ms for name, ms in sliders(panel).items()}


def main() -> int:
    viewer = napari.Viewer(show=True)
    session = get_session(viewer)
    with tempfile.TemporaryDirectory() as folder:
        project: Any = Project(Path(folder))
        session.project = project
        session.service(Overlay)
        session.set_scores(
            window.scores_of(project, 0),
            SimpleNamespace(
                encoder=None, name="benchmark", hash="0", record={}, n_members=1
            ),
        )
        service = session.service(LatentService)
        latents = np.random.default_rng(0).normal(size=(len(project.cells), 32))
        encoder = shipped_bundle().encoder
        assert encoder is not None
        service.code = Code("shipped", encoder, latents.astype(np.float32))
        service.choose = service.ensure = lambda *_, **__: None
        panels: list[Any] = [GalleryPanel(viewer), CellStripPanel(viewer)]
        panels.append(LatentMapPanel(viewer))
        for panel, size in zip(
            panels, ((1300, 190), (1300, 160), (360, 560)), strict=True
        ):
            panel.resize(*size)
            panel.show()
            window.pump()
        found = lassos(panels[-1], session) | map_of(panels[-1])
        panels[-1].hide()
        panels.append(LatentsPanel(viewer))
        panels[-1].resize(360, 800)
        panels[-1].show()
        window.pump()
        found |= sliders(panels[-1])
        found |= many_latents(panels[-1], service)
        for panel in panels:
            panel.dispose()
            panel.close()
        session.project = None
        viewer.close()
    print(f"{FRAMES * CELLS:,} cells; ms, main thread")
    missed = 0
    for name, value in found.items():
        budget = BUDGET_MS.get(name)
        missed += budget is not None and value > budget
        print(f"{name:50s} {value:8.1f}" + (f"   (< {budget})" if budget else ""))
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
