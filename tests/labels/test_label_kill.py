"""A kill at any moment loses at most the last label, and two writers lose none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from napari_cellsci.labels import Labels
from napari_cellsci.project.movies import read_movies
from napari_cellsci.project.store import Store
from napari_cellsci.project.tables import read_cells

WRITER = """
import sys
from pathlib import Path
from napari_cellsci.labels import Labels
from napari_cellsci.project.movies import read_movies
from napari_cellsci.project.store import Store
from napari_cellsci.project.tables import read_cells

store = Store.open(Path(sys.argv[1]))
cells = read_cells(store, read_movies(store))
labels = Labels(store, lambda: cells, sys.argv[2])
for number in range(int(sys.argv[3])):
    labels.set(number % len(cells), ("interphase", "metaphase")[number // 12 % 2])
    print(number, flush=True)
"""


def writer(store: Store, who: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(store.path), who, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def read_again(path: Path) -> Labels:
    store = Store.open(path)
    cells = read_cells(store, read_movies(store))
    return Labels(store, lambda: cells, "ada")


def expected_after(count: int) -> dict[int, str]:
    names = ("interphase", "metaphase")
    return {n % 12: names[n // 12 % 2] for n in range(count)}


@pytest.mark.parametrize("survive", [1, 3, 8, 20])
def test_a_kill_loses_at_most_the_last_label(store: Store, survive: int) -> None:
    process = writer(store, "ada", 10_000)
    assert process.stdout is not None
    confirmed = [process.stdout.readline() for _ in range(survive)]
    process.kill()
    confirmed += process.stdout.readlines()
    process.wait()
    process.stdout.close()
    told = len([line for line in confirmed if line.endswith("\n")])
    labels = read_again(store.path)
    kept = len(labels.history())
    # An action that was written but not yet confirmed may be there as well.
    assert kept in (told, told + 1)
    assert labels.as_series().to_dict() == dict(sorted(expected_after(kept).items()))
    labels.set(0, "metaphase")
    labels.undo()
    assert len(labels.history()) == kept + 2


def kills(store: Store, turns: int) -> None:
    """Kill a labelling process so many times; see `kill_loop`."""
    script = Path(__file__).with_name("kill_loop.py")
    command = [sys.executable, str(script), str(store.path), str(turns), "0"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    survived, actions = done.stdout.split()
    assert int(survived) == turns
    assert int(actions) >= turns


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")
def test_kills_at_random_moments_lose_at_most_the_last_action(store: Store) -> None:
    kills(store, 8)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills forked processes")
def test_a_thousand_kills_lose_at_most_the_last_action(store: Store) -> None:
    kills(store, 1000)


def test_two_writers_lose_nothing(store: Store) -> None:
    writers = [writer(store, who, 30) for who in ("ada", "bob")]
    for process in writers:
        process.communicate()
        assert process.returncode == 0
    history = read_again(store.path).history()
    assert history["who"].value_counts().to_dict() == {"ada": 30, "bob": 30}
    assert history.index.is_monotonic_increasing
