"""The label log as tables: what each action did, and what each cell is called."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import numpy as np
import pandas as pd

from napari_cellsci.labels.state import Action, LabelState

HISTORY_COLUMNS = [
    "when",
    "who",
    "how",
    "kind",
    "n_cells",
    "class",
    "target",
    "undone",
    "what",
]


def history_table(
    state: LabelState, names: Mapping[int, str], last: int | None = None
) -> pd.DataFrame:
    """Return the log or its `last` actions, oldest first; see `Labels.history`."""
    # Newest first to stop early: the log of a long day has thousands of actions.
    latest = list(islice(reversed(state.actions.values()), last))[::-1]
    rows = [
        (
            action.at,
            action.who,
            action.how,
            action.kind,
            len(action.cells),
            _one_name(action, names),
            action.target,
            state.is_undone(action.id),
            in_words(action, state, names),
        )
        for action in latest
    ]
    index = pd.Index([a.id for a in latest], name="action", dtype=np.int64)
    return pd.DataFrame(rows, columns=HISTORY_COLUMNS, index=index)


def in_words(action: Action, state: LabelState, names: Mapping[int, str]) -> str:
    """Return what an action did: "3 cells → metaphase", "undid: …"."""
    if action.target is not None:
        target = state.actions.get(action.target)
        what = "nothing" if target is None else in_words(target, state, names)
        return f"{'undid' if action.kind == 'undo' else 'redid'}: {what}"
    if action.kind == "class":
        return action.said
    if action.kind == "filter":
        return _filtered(action)
    if action.kind == "clear":
        return f"{cells(len(action.cells))} cleared"
    name = _one_name(action, names)
    if not name:
        name = f"{len(set(action.classes))} classes"
    return f"{cells(len(action.cells))} → {name}"


def _filtered(action: Action) -> str:
    """Return "40 cells filtered out, 2 cells taken back (…)"."""
    counts = {
        "filtered out": len(action.cells) - len(action.back),
        "taken back": len(action.back),
    }
    parts = [f"{cells(count)} {what}" for what, count in counts.items() if count]
    why = f" ({action.said})" if action.said else ""
    return ", ".join(parts) + why


def cells(count: int) -> str:
    """Return "1 cell" or "3 cells"."""
    return f"{count:,} cell" if count == 1 else f"{count:,} cells"


def label_table(
    labels: pd.Series[str], cells: pd.DataFrame, state: LabelState
) -> pd.DataFrame:
    """Return one row per labelled cell, with who gave the label, when and how.

    Returns
    -------
    DataFrame
        Columns movie, (image,) track_id, t, y, x, class, annotator, when, how; index =
        row id.
    """
    image = [name for name in ("image",) if name in cells]
    table = cells.loc[labels.index, ["movie", *image, "track_id", "t", "y", "x"]].copy()
    origins = [state.origin(row) for row in labels.index.tolist()]
    table["class"] = labels
    table["annotator"] = [action.who if action else "" for action in origins]
    table["when"] = [action.at if action else "" for action in origins]
    table["how"] = [action.how if action else "" for action in origins]
    return table


def _one_name(action: Action, names: Mapping[int, str]) -> str:
    values = set(action.classes)
    value = values.pop() if len(values) == 1 else None
    return "" if value is None else names[value]
