"""The label log on disk: rows are only ever added."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, Protocol

from napari_cellsci.labels.class_state import ClassEdit
from napari_cellsci.labels.state import Action, Kind


class Database(Protocol):
    """What the label log needs of the project's database."""

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """Hold the write lock; commit at the end, roll back on any exception."""
        ...

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        ...

    def data_version(self) -> int:
        """Return a number that changes when another connection commits."""
        ...


def append(
    inside: sqlite3.Connection,
    *,
    who: str,
    how: str,
    kind: Kind,
    cells: Sequence[int] = (),
    classes: Sequence[int | None] = (),
    target: int | None = None,
    edits: Sequence[ClassEdit] = (),
    said: str = "",
    back: Sequence[int] = (),
) -> Action:
    """Add one action within the caller's transaction and return it with its id."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    told: dict[str, Any] = {}
    if edits:
        told = {"edits": [[e.id, e.field, e.after] for e in edits], "said": said}
    elif kind == "filter":
        told = {"said": said, "back": list(back)}
    cursor = inside.execute(
        "INSERT INTO label_actions (at, who, how, kind, target, detail) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (at, who, how, kind, target, json.dumps(told)),
    )
    number = int(cursor.lastrowid or 0)
    inside.executemany(
        "INSERT INTO label_changes VALUES (?, ?, ?)",
        zip(
            [number] * len(cells),
            cells,
            classes or [None] * len(cells),
            strict=True,
        ),
    )
    return Action(
        number,
        at,
        who,
        how,
        kind,
        tuple(cells),
        tuple(classes),
        target,
        tuple(edits),
        said,
        tuple(back),
    )


def read_after(database: Database, last: int) -> list[Action]:
    """Return the actions that were logged after number `last`, in order."""
    heads = database.rows(
        "SELECT id, at, who, how, kind, target, detail FROM label_actions WHERE id > ? "
        "ORDER BY id",
        (last,),
    )
    if not heads:
        return []
    # The bound keeps both queries on the same set if someone commits in between.
    changes = database.rows(
        "SELECT action_id, cell_id, class_id FROM label_changes "
        "WHERE action_id > ? AND action_id <= ? ORDER BY action_id, cell_id",
        (last, heads[-1]["id"]),
    )
    touched: dict[int, list[tuple[int, int | None]]] = {}
    for action_id, cell, value in changes:
        touched.setdefault(action_id, []).append((cell, value))
    return [_action(head, touched.get(head["id"], [])) for head in heads]


def _action(head: Any, touched: list[tuple[int, int | None]]) -> Action:
    told = json.loads(head["detail"])
    return Action(
        head["id"],
        head["at"],
        head["who"],
        head["how"],
        head["kind"],
        tuple(cell for cell, _ in touched),
        tuple(value for _, value in touched),
        head["target"],
        tuple(ClassEdit(*edit) for edit in told.get("edits", ())),
        told.get("said", ""),
        tuple(told.get("back", ())),
    )
