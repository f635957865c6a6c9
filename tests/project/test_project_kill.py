"""A kill while a movie is added, and windows and workers that share one project."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from napari_cellsci.project import Project

ADDER = """
import sys
from napari_cellsci.project import Project

def tell(event):
    print(event, flush=True)
    sys.stdin.readline()

project = Project.open(sys.argv[1])
project.add_movie(sys.argv[2], sys.argv[3], on_event=tell)
print("added", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("survive", [1, 2, 3, 4])
def test_a_kill_while_adding_leaves_all_or_nothing(
    project: Project, simulated: Path, survive: int
) -> None:
    before = project.info()
    files = {path for path in project.path.rglob("*") if path.is_file()}
    project.close()
    movie, tracks = simulated / "movie.tif", simulated / "tracks.csv"
    process = subprocess.Popen(
        [sys.executable, "-c", ADDER, *map(str, (project.path, movie, tracks))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    for _ in range(survive):
        said = process.stdout.readline()
        assert said
        if said.startswith("added"):
            break
        if _ < survive - 1:
            process.stdin.write("\n")
            process.stdin.flush()
    process.kill()
    process.communicate()
    with Project.open(project.path) as again:
        if said.startswith(("added", "Done")):
            assert len(again) == 2 * before["cells"]
            assert len(again.crops()) == len(again)
        else:
            assert again.info() == before
            left = {path for path in project.path.rglob("*") if path.is_file()}
            assert left == files


def test_labels_are_set_while_a_worker_scores(ready: Project) -> None:
    before = ready.score("alone").table
    results: list[object] = []

    def work() -> None:
        try:
            for name in ("alone", "scheme2-1", "scheme1-1"):
                results.append(ready.score(name).table)
            results.append(ready.train_head(2, models=1, min_steps=50, epochs=1))
        except BaseException as error:  # noqa: BLE001
            results.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    actions = len(ready.labels.history())
    count = 0
    while worker.is_alive() or count < 20:
        ready.labels.set(count % 40, ("interphase", "metaphase")[count % 2])
        count += 1
    worker.join()
    assert not [result for result in results if isinstance(result, BaseException)]
    assert len(results) == 4
    np.testing.assert_array_equal(results[0]["score"], before["score"])  # type: ignore[index]
    assert len(ready.labels.history()) == actions + count
