"""Any sequence of actions equals a plain model, and the log replayed equals memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from napari_cellsci.labels import Labels
from napari_cellsci.labels.classes import add_classes
from napari_cellsci.labels.state import LabelState
from napari_cellsci.project.movies import MovieInfo, insert_movie
from napari_cellsci.project.store import Store
from napari_cellsci.project.tables import insert_cells

N = 6
CELLS = pd.DataFrame(
    {"movie": "m", "track_id": range(N), "t": 0, "y": 1.0, "x": 1.0},
    index=pd.RangeIndex(N),
)
NAMES = ["interphase", "metaphase"]
people = st.sampled_from(["ada", "bob"])
cells = st.integers(0, N - 1)
names = st.sampled_from(NAMES)


class PlainModel:
    """A list of actions, each with the cells it sets; the slow, obvious way."""

    def __init__(self) -> None:
        self.actions: list[tuple[str, dict[int, str | None]]] = []
        self.undone: list[bool] = []
        self.redo_stack: dict[str, list[int]] = {"ada": [], "bob": []}

    def act(self, who: str, change: dict[int, str | None]) -> None:
        self.actions.append((who, change))
        self.undone.append(False)
        self.redo_stack[who] = []

    def undo(self, who: str) -> None:
        # The own action done (or redone) last; a redone one returns to its place.
        mine = [
            number
            for number, (person, _) in enumerate(self.actions)
            if person == who and not self.undone[number]
        ]
        if mine:
            self.undone[mine[-1]] = True
            self.redo_stack[who].append(mine[-1])

    def redo(self, who: str) -> None:
        if self.redo_stack[who]:
            self.undone[self.redo_stack[who].pop()] = False

    def labels(self) -> dict[int, str]:
        found: dict[int, str | None] = {}
        for (_, change), undone in zip(self.actions, self.undone, strict=True):
            if not undone:
                found.update(change)
        return {cell: name for cell, name in sorted(found.items()) if name is not None}


class LabelMachine(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.store = Store.create(Path(self.folder.name) / "project.sqlite")
        info = MovieInfo(
            name="m",
            path=None,
            n_frames=1,
            shape=(9, 9),
            pixel_size=None,
            frame_interval=None,
            n_cells=N,
            axes="TYX",
            n_channels=1,
            n_planes=1,
            dtype="<u2",
        )
        with self.store.transaction() as inside:
            add_classes(inside, NAMES, trained=True)
            insert_cells(inside, insert_movie(inside, info), 0, CELLS)
        # Two windows with a connection each, and one person at each.
        self.other = Store.open(self.store.path)
        self.windows = {
            "ada": Labels(self.store, lambda: CELLS, "ada"),
            "bob": Labels(self.other, lambda: CELLS, "bob"),
        }
        self.model = PlainModel()

    @rule(who=people, cell=cells, name=names)
    def set_one(self, who: str, cell: int, name: str) -> None:
        self.windows[who].set(cell, name)
        self.model.act(who, {cell: name})

    @rule(who=people, chosen=st.sets(cells, min_size=1), name=names)
    def set_many(self, who: str, chosen: set[int], name: str) -> None:
        self.windows[who].set_many(chosen, name)
        self.model.act(who, dict.fromkeys(chosen, name))

    @rule(who=people, chosen=st.sets(cells, min_size=1))
    def clear_many(self, who: str, chosen: set[int]) -> None:
        self.windows[who].clear_many(chosen)
        self.model.act(who, dict.fromkeys(chosen, None))

    @rule(who=people)
    def undo(self, who: str) -> None:
        self.windows[who].undo()
        self.model.undo(who)

    @rule(who=people)
    def redo(self, who: str) -> None:
        self.windows[who].redo()
        self.model.redo(who)

    @rule(who=people)
    def reopen(self, who: str) -> None:
        store = self.store if who == "ada" else self.other
        self.windows[who] = Labels(store, lambda: CELLS, who)

    @invariant()
    def every_window_and_the_replayed_log_equal_the_model(self) -> None:
        expected = self.model.labels()
        for labels in self.windows.values():
            labels.refresh()
            assert labels.as_series().to_dict() == expected
        state = self.windows["ada"]._state
        assert LabelState(state.actions.values()).values == state.values

    def teardown(self) -> None:
        self.store.close()
        self.other.close()
        self.folder.cleanup()


LabelMachine.TestCase.settings = settings(
    deadline=None, max_examples=25, stateful_step_count=25
)
TestLabelLog = LabelMachine.TestCase
