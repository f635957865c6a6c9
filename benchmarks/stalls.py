"""How much training holds the window up: late heartbeats of its main thread.

Run with ``xvfb-run -a python benchmarks/stalls.py [--place window] [--steps 200]``. A
timer is to fire every 10 ms; how late it fires is what a user feels. It is measured in
the same napari window three times: idle, with the Train panel open on an encoder that
trains in a process of its own, and with one that trains in a thread of the window.
Medians, 99th percentiles and maxima are printed, and what training adds to the idle
window's. On a computer whose cores other programs hold, all of them grow.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import napari
import numpy as np
from qtpy.QtCore import QObject, QTimer
from qtpy.QtWidgets import QApplication

from napari_cellsci.cells.simulator import SimulationConfig, simulate
from napari_cellsci.panels.train.panel import RUNS, TrainPanel
from napari_cellsci.panels.train.service import HERE, OWN, TrainService
from napari_cellsci.project import Project
from napari_cellsci.project.run_request import RunRequest
from napari_cellsci.viewer.session import get_session

BEAT_MS, BUDGET_MS = 10, 50


class Heart(QObject):
    """Fires every 10 ms and notes how late it was."""

    def __init__(self) -> None:
        super().__init__()
        self.late: list[float] = []
        self._due = time.perf_counter() + BEAT_MS / 1000
        self._timer = QTimer(self)
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def _beat(self) -> None:
        now = time.perf_counter()
        self.late.append(max(now - self._due, 0) * 1000)
        self._due = now + BEAT_MS / 1000

    def stop(self) -> np.ndarray[Any, Any]:
        self._timer.stop()
        return np.array(self.late)


def listen(seconds: float) -> np.ndarray[Any, Any]:
    """Return how late every beat of some seconds was (ms)."""
    heart, end = Heart(), time.perf_counter() + seconds
    while time.perf_counter() < end:
        QApplication.processEvents()
        time.sleep(0.001)
    return heart.stop()


def under_way(service: TrainService, place: str, steps: int) -> None:
    """Start a run and wait until it takes steps."""
    settings = {"preset": "good", "steps": steps, "device": "cpu", "log_every": 1}
    run = service.start(RunRequest("train_encoder", settings, threads=1), place)
    while service.log(run).step < 3:
        QApplication.processEvents()
        time.sleep(0.005)


def end(service: TrainService) -> None:
    """Cancel what is under way and wait for its end."""
    for run in service.busy:
        service.cancel(run)
    while service.busy or service.job.state.busy:
        QApplication.processEvents()
        time.sleep(0.005)


def summary(late: np.ndarray[Any, Any]) -> dict[str, float]:
    """Return median, 99th percentile and maximum (ms)."""
    return {
        "median": float(np.median(late)),
        "p99": float(np.percentile(late, 99)),
        "max": float(late.max()),
        "beats": float(len(late)),
    }


def main() -> int:
    """Measure, print, and tell by the exit code whether the budget is kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--steps", type=int, default=4_000)
    parser.add_argument("--place", choices=(OWN, HERE, "both"), default="both")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), given)
    print(json.dumps(found, indent=1))
    added = found.get(OWN, found.get(HERE, {})).get("max", 0) - found["idle"]["max"]
    print(f"The longest stall while training is {added:+.0f} ms beside the idle one.")
    return 0 if added <= BUDGET_MS else 1


def measure(folder: Path, given: Any) -> dict[str, dict[str, float]]:
    """Return the summaries of the idle window and while training."""
    simulate(SimulationConfig(frames=12, cells=40, size=400, seed=1)).save(folder / "s")
    project = Project.create(
        folder / "p",
        image=folder / "s" / "movie.tif",
        tracks=folder / "s" / "tracks.csv",
    )
    viewer = napari.Viewer(show=True)
    panel = TrainPanel(viewer)
    viewer.window.add_dock_widget(panel, name="Train")
    session = get_session(viewer)
    session.project = project
    service = session.service(TrainService)
    panel.tabs.setCurrentIndex(RUNS)
    listen(3)  # what opening the window leaves behind
    found = {"idle": summary(listen(given.seconds))}
    for place in (OWN, HERE) if given.place == "both" else (given.place,):
        under_way(service, place, given.steps)
        found[place] = summary(listen(given.seconds))
        end(service)
    session.project = None
    viewer.close()
    return found


if __name__ == "__main__":
    sys.exit(main())
