"""The encoder and heads of every scheme, trained on real cells from the panel."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_cellsci.panels.train.goals import Setup
from napari_cellsci.panels.train.panel import RUNS, TrainPanel
from napari_cellsci.project import Project
from napari_cellsci.project.run_log import RunLog
from napari_cellsci.project.run_state import RunState
from napari_cellsci.viewer.session import get_session

pytestmark = [pytest.mark.gui, pytest.mark.slow]
HOUR = 3_600_000
PRESET = os.environ.get("CELLSCI_PRESET", "good")
"""Of the encoder; heads are always the ten of "good"."""
STOPPED = {"encoder": 250, "heads1": 250, "heads3": 1_500}
"""Steps at which runs are cancelled on their way, by goal."""
NOT_KEPT = {"heads3"}
"""At that step these are still scouting, of which nothing is kept: they begin anew."""


@pytest.fixture(scope="module")
def folders(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two projects of the movie: for the panel, and for the command line."""
    data, room = real_data / "hela", tmp_path_factory.mktemp("train")
    with Project.create(
        room / "panel",
        image=data / "movie.tif",
        tracks=data / "tracks.csv",
        pixel_size=0.645,
        frame_interval=1800,
    ) as project:
        project.labels.import_csv(data / "labels.csv")
    shutil.copytree(room / "panel", room / "command")
    return [room / "panel", room / "command"]


@pytest.fixture
def panel(
    viewer: Any, dock: Callable[[type], Any], folders: list[Path]
) -> Iterator[TrainPanel]:
    with Project.open(folders[0]) as project:
        get_session(viewer).project = project
        opened: TrainPanel = dock(TrainPanel)
        yield opened
        for child in opened.service._children:  # A run is done before its process is.
            child.wait()
        get_session(viewer).project = None


def begun(panel: TrainPanel, goal: str) -> RunLog:
    """Start a run from the panel, with everything as it is offered."""
    preset = PRESET if goal == "encoder" else "good"
    panel.setup_page.take(Setup(goal, preset))
    panel.refresh()
    panel.run_bar.button.click()
    assert panel.page == RUNS
    return panel.service.log(panel.chosen[0])


def interrupted(panel: TrainPanel, qtbot: Any, log: RunLog, goal: str) -> None:
    """Cancel the run at its step, and go on with it."""
    step, again = STOPPED[goal], "Run again" if goal in NOT_KEPT else "Go on"
    bar, card = panel.run_bar, panel.card.text
    qtbot.waitUntil(lambda: log.step >= step, timeout=HOUR)
    assert bar.button.text() == "Cancel"
    bar.button.click()
    assert bar.button.text() == "Cancelling…"
    qtbot.waitUntil(lambda: "Cancelled at step" in card.text(), timeout=HOUR)
    assert bar.button.text() == again
    bar.button.click()
    assert panel.chosen[0].state.busy


def commanded(panel: TrainPanel, folder: Path) -> subprocess.Popen[bytes]:
    """Give the command the panel copies, for another project."""
    words = shlex.split(panel.command_line() or "")
    assert words[0] == "cellsci"
    words[words.index(str(panel.service.project.path))] = str(folder)
    words = [sys.executable, "-m", "napari_cellsci.cli", *words[1:]]
    return subprocess.Popen([*words, "--json"], stdout=subprocess.DEVNULL)


def assert_close(own: RunLog, other: RunLog) -> float:
    """Compare all that two runs told; return the largest difference."""
    pairs = [(name, curve, other.curves[name]) for name, curve in own.curves.items()]
    for name, curves in own.each.items():
        both = zip(curves, other.each[name], strict=True)
        pairs += [(name, curve, again) for curve, again in both]
    worst = 0.0
    for name, curve, again in pairs:
        (x, y), (x2, y2) = curve.arrays, again.arrays
        np.testing.assert_array_equal(x, x2, err_msg=name)
        np.testing.assert_allclose(y, y2, rtol=1e-5, atol=1e-5, err_msg=name)
        worst = max(worst, float(np.nanmax(np.abs(y - y2), initial=0.0)))
    return worst


@pytest.mark.parametrize("goal", ["encoder", "heads2", "heads3", "heads1"])
def test_a_run_of_the_panel_tells_what_its_command_tells(
    panel: TrainPanel, qtbot: Any, folders: list[Path], goal: str
) -> None:
    own = begun(panel, goal)
    qtbot.waitUntil(lambda: own.step > 0, timeout=HOUR)
    panel.service.look()
    command = commanded(panel, folders[1])  # beside the panel's own
    if goal in STOPPED:
        interrupted(panel, qtbot, own, goal)
    qtbot.waitUntil(lambda: " is done: " in panel.card.text.text(), timeout=HOUR)
    assert command.wait() == 0
    assert panel.chosen[0].state is RunState.DONE
    with Project.open(folders[1]) as project:
        other = project.run_log("last")
    assert set(own.curves) == set(other.curves)
    worst = assert_close(own, other)
    threads = panel.chosen[0].config["versions"]["threads"]
    said = f"{goal}: {own.step:,} steps, {threads} threads, differs by {worst:.2g}"
    print(f"\n{said}: {panel.card.text.text()}")  # noqa: T201
