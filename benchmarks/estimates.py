"""What the panel Train says a run will cost, against what the run then takes.

Run with ``python benchmarks/estimates.py [--project FOLDER] [--preset quick]
[--goals encoder,heads2]``. Every goal of the panel is estimated as its button does,
then carried out in a process of its own; heads and the search learn from the code that
ships. Wall-clock seconds are told beside the seconds of the processor, since other
programs may hold the computer up in between, and the largest resident memory. Without a
project a simulated movie is made. A project of one's own is copied, never changed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from napari_cellsci.cells.simulator import SimulationConfig, simulate
from napari_cellsci.panels.train.goals import GOALS, Setup, goal_of
from napari_cellsci.project import Project
from napari_cellsci.project.run_estimate import Estimate, estimate_apart

MB = 2**20


@dataclass(frozen=True)
class Cost:
    """What a run took: seconds, seconds of the processor, bytes."""

    wall: float
    processor: float
    memory: int


def simulated(folder: Path) -> Path:
    """Return a labelled project of a simulated movie."""
    simulate(SimulationConfig(frames=20, cells=60, size=500, seed=1)).save(folder / "s")
    with Project.create(
        folder / "p",
        image=folder / "s" / "movie.tif",
        tracks=folder / "s" / "tracks.csv",
    ) as project:
        project.labels.import_csv(folder / "s" / "truth.csv")
    return folder / "p"


def setup_of(key: str, preset: str) -> Setup:
    """Return what the panel would ask for."""
    return Setup(key, preset, encoder="shipped" if goal_of(key).on_latents else None)


def carried_out(project: Project, setup: Setup) -> Cost:
    """Carry a run out as the panel does, and tell what it took."""
    start = time.perf_counter()
    process = project.start_run(project.queue_run(setup.request()))
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{setup.goal} failed: {project.runs[-1].message}")
    wall, processor = time.perf_counter() - start, used.ru_utime + used.ru_stime
    return Cost(wall, processor, 1024 * used.ru_maxrss)


def told(key: str, found: Estimate, cost: Cost) -> str:
    """Return a line of the table."""
    low = found.seconds * (1 - min(found.spread, 0.5))
    high = found.seconds * (1 + found.spread)
    ratio = cost.wall / found.seconds
    return (
        f"{key:<8} said {low:5.0f} to {high:5.0f} s, took {cost.wall:5.0f} s "
        f"({ratio:.2f} x; processor {cost.processor:.0f} s); "
        f"said {found.memory / MB:5.0f} MB, took {cost.memory / MB:5.0f} MB"
    )


def main() -> int:
    """Estimate, carry out, and print both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--project", type=Path)
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--goals", default=",".join(goal.key for goal in GOALS))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as room:
        folder = Path(room)
        if given.project is not None:
            shutil.copytree(given.project, folder / "p")
        own = simulated(folder) if given.project is None else folder / "p"
        with Project.open(own) as project:
            project.crops()
            for key in given.goals.split(","):
                setup = setup_of(key, given.preset)
                found = estimate_apart(own, setup.request())
                print(told(key, found, carried_out(project, setup)), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
