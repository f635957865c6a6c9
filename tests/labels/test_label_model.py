"""Any sequence of actions equals a plain model, and the log replayed equals memory."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from napari_cellsci.errors import InputError
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
names = st.sampled_from([*NAMES, "anaphase", "debris"])


@dataclass
class Deed:
    """One action: what it gives cells, and what it does to classes, by number."""

    who: str
    cells: dict[int, int | None] = field(default_factory=dict)
    added: int | None = None
    names: dict[int, str] = field(default_factory=dict)
    merges: dict[int, int] = field(default_factory=dict)
    undone: bool = False


class PlainModel:
    """A list of actions read from the start whenever something is asked; slow."""

    def __init__(self) -> None:
        self.deeds: list[Deed] = []
        self.redo_stack: dict[str, list[Deed]] = {"ada": [], "bob": []}
        self.n_classes = len(NAMES)

    def standing(self) -> list[Deed]:
        return [deed for deed in self.deeds if not deed.undone]

    def raw(self) -> dict[int, int]:
        found: dict[int, int | None] = {}
        for deed in self.standing():
            found.update(deed.cells)
        return {cell: value for cell, value in found.items() if value is not None}

    def called(self) -> dict[int, str]:
        """What every class is called, also those that are gone."""
        found = dict(enumerate(NAMES))
        for deed in self.standing():
            found.update(deed.names)
        return found

    def merged(self) -> dict[int, int]:
        found: dict[int, int] = {}
        for deed in self.standing():
            found.update(deed.merges)
        return found

    def present(self) -> set[int]:
        added = {d.added for d in self.standing() if d.added is not None}
        return set(range(len(NAMES))) | added

    def final(self, number: int) -> int | None:
        """The class another counts as; None where merges go round in a circle."""
        merged = self.merged()
        for _ in range(self.n_classes + 1):
            if number not in merged:
                return number
            number = merged[number]
        return None

    def shown(self) -> dict[str, int]:
        """Names and numbers of the classes one can choose."""
        names, merged = self.called(), self.merged()
        return {names[n]: n for n in self.present() if n not in merged}

    def legal(self) -> bool:
        names, merged, present = self.called(), self.merged(), self.present()
        for number in range(self.n_classes):
            goal = self.final(number)
            if goal is None:
                return False
            if goal not in present and number in {*self.raw().values(), *present}:
                return False
        shown = [names[n] for n in present if n not in merged]
        trained = [n for n in range(len(NAMES)) if n not in merged]
        return len(set(shown)) == len(shown) and len(trained) >= 2

    def act(self, deed: Deed) -> bool:
        """Do something if it leaves classes that can be told apart."""
        self.deeds.append(deed)
        if (deed.merges or deed.names) and not self.legal():
            self.deeds.pop()
            return False
        self.redo_stack[deed.who] = []
        return True

    def reverse(self, who: str, undo: bool) -> bool:
        stack = self.redo_stack[who]
        mine = [d for d in self.deeds if d.who == who and not d.undone]
        if (undo and not mine) or (not undo and not stack):
            return True
        deed = mine[-1] if undo else stack[-1]
        deed.undone = undo
        on_classes = deed.merges or deed.names or deed.added is not None
        if on_classes and not self.legal():
            deed.undone = not undo
            return False
        stack.append(deed) if undo else stack.pop()
        return True

    def labels(self) -> dict[int, str]:
        names, present, found = self.called(), self.present(), {}
        for cell, value in sorted(self.raw().items()):
            goal = self.final(value)
            if goal in present:
                found[cell] = names[goal]
        return found


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
        for store in (self.store, self.other):
            # The disk is not what is tested here, and waiting for it takes minutes.
            store._connection.execute("PRAGMA synchronous = OFF")
        self.windows = {
            "ada": Labels(self.store, lambda: CELLS, "ada"),
            "bob": Labels(self.other, lambda: CELLS, "bob"),
        }
        self.model = PlainModel()

    def window(self, who: str) -> Labels:
        self.windows[who].refresh()
        return self.windows[who]

    @rule(who=people, chosen=st.sets(cells, min_size=1), name=names)
    def set_many(self, who: str, chosen: set[int], name: str) -> None:
        number = self.model.shown().get(name)
        if number is None:
            with suppress(InputError):
                self.window(who).set_many(chosen, name)
                raise AssertionError("a class that is not there was accepted")
            return
        self.window(who).set_many(chosen, name)
        self.model.act(Deed(who, dict.fromkeys(chosen, number)))

    @rule(who=people, chosen=st.sets(cells, min_size=1))
    def clear_many(self, who: str, chosen: set[int]) -> None:
        self.windows[who].clear_many(chosen)
        self.model.act(Deed(who, dict.fromkeys(chosen, None)))

    @rule(who=people, name=names)
    def add_class(self, who: str, name: str) -> None:
        free = name not in self.model.shown()
        self.expect(free, self.window(who).add_class, name)
        if free:
            number = self.model.n_classes
            self.model.n_classes += 1
            self.model.act(Deed(who, added=number, names={number: name}))

    @rule(who=people, old=names, new=names)
    def rename(self, who: str, old: str, new: str) -> None:
        number = self.model.shown().get(old)
        done = number is not None and self.model.act(Deed(who, names={number: new}))
        self.expect(done, self.window(who).rename_class, old, new)

    @rule(who=people, name=names, into=names)
    def merge(self, who: str, name: str, into: str) -> None:
        shown = self.model.shown()
        possible = name in shown and into in shown and name != into
        done = possible and self.model.act(Deed(who, merges={shown[name]: shown[into]}))
        self.expect(done, self.window(who).merge_classes, name, into)

    @rule(who=people, undo=st.booleans())
    def reverse(self, who: str, undo: bool) -> None:
        window = self.window(who)
        done = self.model.reverse(who, undo)
        self.expect(done, window.undo if undo else window.redo)

    @rule(who=people)
    def reopen(self, who: str) -> None:
        store = self.store if who == "ada" else self.other
        self.windows[who] = Labels(store, lambda: CELLS, who)

    def expect(self, done: bool, deed: Any, *values: object) -> None:
        try:
            deed(*values)
        except InputError:
            assert not done
        else:
            assert done

    @invariant()
    def every_window_and_the_replayed_log_equal_the_model(self) -> None:
        expected, shown = self.model.labels(), self.model.shown()
        for labels in self.windows.values():
            labels.refresh()
            assert labels.as_series().to_dict() == expected
            assert set(labels.names) == set(shown)
            counts = {k: n for k, n in labels.counts().items() if n}
            assert counts == pd.Series(expected, dtype=object).value_counts().to_dict()
        state = self.windows["ada"]._state
        replayed = LabelState(state.actions.values())
        assert replayed.values == state.values
        assert replayed.undone == state.undone

    def teardown(self) -> None:
        self.store.close()
        self.other.close()
        self.folder.cleanup()


LabelMachine.TestCase.settings = settings(
    deadline=None, max_examples=25, stateful_step_count=25
)
TestLabelLog = LabelMachine.TestCase
