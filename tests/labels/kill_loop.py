"""Label, be killed at a random moment, look what is left; again and again.

    python kill_loop.py project.sqlite TURNS SEED

A process is forked for every turn, so that its imports cost nothing. It confirms each
action through a pipe. Prints the number of actions confirmed and those found in the
log; ends with an error if more than the last action was lost.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

from napari_cellsci.labels import Labels
from napari_cellsci.project.movies import read_movies
from napari_cellsci.project.store import Store
from napari_cellsci.project.tables import read_cells

NAMES = ("interphase", "metaphase")


def opened(path: Path) -> Labels:
    store = Store.open(path)
    cells = read_cells(store, read_movies(store))
    return Labels(store, lambda: cells, "ada")


def act(labels: Labels, number: int) -> None:
    """Do something that depends on the number alone."""
    if number % 7 == 5:
        labels.undo()
    elif number % 11 == 9:
        labels.set_many(range(6), NAMES[number % 2])
    else:
        labels.set(number % 12, NAMES[number // 12 % 2])


def labelling(path: Path, start: int, confirm: int, seconds: float) -> None:
    """Label until an alarm, which nothing here hears, ends this very process."""
    labels = opened(path)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    for number in range(start, start + 10_000):
        act(labels, number)
        os.write(confirm, b".")
        if number == start:
            signal.setitimer(signal.ITIMER_REAL, seconds)


def turn(path: Path, start: int, seconds: float) -> int:
    """Let a process label for so long; return how much it confirmed."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        labelling(path, start, write, seconds)
        os._exit(0)
    os.close(write)
    told = 0
    while part := os.read(read, 4096):
        told += len(part)
    os.close(read)
    end = os.waitpid(child, 0)[1]
    if not (os.WIFSIGNALED(end) and os.WTERMSIG(end) == signal.SIGALRM):
        sys.exit(f"the process was not killed, but ended with {end}")
    return told


def main() -> None:
    path, turns = Path(sys.argv[1]), int(sys.argv[2])
    rng = random.Random(int(sys.argv[3]))
    kept = confirmed = 0
    for _ in range(turns):
        confirmed += turn(path, kept, rng.uniform(1e-6, 0.02))
        labels = opened(path)
        before, kept = kept, len(labels._state.actions)
        told = confirmed - before
        if kept not in (before + told, before + told + 1):
            sys.exit(f"{told} actions were confirmed, {kept - before} are there")
        confirmed = kept
        check = labels._database.rows("PRAGMA integrity_check")[0][0]
        if check != "ok":
            sys.exit(f"the database is damaged: {check}")
        labels._database.close()
    sys.stdout.write(f"{turns} {kept}\n")


if __name__ == "__main__":
    main()
