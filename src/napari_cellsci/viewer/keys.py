"""The keys of labelling: one list for bindings, tooltips, the panel and the docs.

Only keys that napari leaves free, and digits on layers and widgets of ours. Each can
be set in napari's preferences, under the name of the plugin.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

PLUGIN, CATEGORY = "napari-cellsci", "keys"
N_CLASS_KEYS = 9


@dataclass(frozen=True, slots=True)
class Deed:
    """Something a key does.

    Parameters
    ----------
    id : str
        Its name in napari's preferences.
    key : str
        The key it has unless one sets another.
    words : str
        What it does, in the imperative.
    tip : str
        One more line.
    """

    id: str
    key: str
    words: str
    tip: str = ""


CLASS_DEEDS = tuple(
    Deed(
        f"class_{number}",
        str(number),
        f"Label the selected cells as class {number}",
        "Classes are numbered as in the Label panel",
    )
    for number in range(1, N_CLASS_KEYS + 1)
)
DEEDS = (
    *CLASS_DEEDS,
    Deed("clear", "0", "Clear the label of the selected cells"),
    Deed("accept", "Enter", "Accept what the classifier suggests"),
    Deed("next", "N", "Go to the next cell in the queue"),
    Deed("back", "H", "Go back to the cell before"),
    Deed("skip", "Q", "Skip this cell", "It is not queued again in this session"),
    Deed("uncertain", "G", "Go to the next uncertain cell"),
    Deed("unlabelled", "J", "Go to the next unlabelled cell", "Along its track first"),
    Deed(
        "disagreement",
        "K",
        "Go to the next disagreement",
        "Between a label and the classifier",
    ),
    Deed(
        "filter",
        ".",
        "Filter the selected cells out, or take them back",
        "They stay in the project, and undo brings them back",
    ),
    Deed("undo", "U", "Undo what you did last to labels"),
    Deed("redo", "W", "Redo what you undid last"),
)
BY_ID = {deed.id: deed for deed in DEEDS}


def key_of(deed_id: str) -> str:
    """Return the key of a deed as it is set now, "" where it has none."""
    found = getattr(_settings(), deed_id, BY_ID[deed_id].key)
    return str(found).strip()


def keys_now() -> dict[str, str]:
    """Return the deed of every key; of two deeds with one key the first has it."""
    found: dict[str, str] = {}
    for deed in DEEDS:
        key = key_of(deed.id)
        if key:
            found.setdefault(key, deed.id)
    return found


def tip(deed_id: str) -> str:
    """Return what a deed does, with its key, for a tooltip."""
    deed, key = BY_ID[deed_id], key_of(deed_id)
    said = f"{deed.words} ({key})" if key else deed.words
    return f"{said}\n{deed.tip}" if deed.tip else said


def help_rows() -> list[tuple[str, str]]:
    """Return keys and what they do, in a few lines: the digits of classes as one."""
    first, last = key_of(CLASS_DEEDS[0].id), key_of(CLASS_DEEDS[-1].id)
    rows = [(f"{first} … {last}", "Label the selected cells")]
    rest = DEEDS[len(CLASS_DEEDS) :]
    return rows + [(key_of(deed.id), deed.words) for deed in rest]


def settings_events() -> Any | None:
    """Return the emitter that tells of other keys in napari's preferences, if any."""
    return getattr(_settings(), "events", None)


@cache
def _nothing() -> Any:
    """Stand in for the preferences of napari before 0.9, which has none of plugins."""
    return object()


def _settings() -> Any:
    try:
        from napari.settings import get_plugin_settings

        return getattr(get_plugin_settings(PLUGIN), CATEGORY)
    except (ImportError, KeyError, AttributeError):
        return _nothing()
