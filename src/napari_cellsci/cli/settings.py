"""Further settings on the command line: ``--set NAME=VALUE``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, overload

import typer

from napari_cellsci.errors import InputError

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Any further setting by its name, such as batch=128; repeatable.",
    ),
]
_WORDS = {"true": True, "false": False, "none": None}


def read_settings(
    given: Sequence[str] | None, options: Sequence[str] = ()
) -> dict[str, Any]:
    """Return settings by name; values with commas are lists.

    Parameters
    ----------
    given : sequence of str
    options : sequence of str
        Settings that the verb has options for.

    Raises
    ------
    InputError
        If one is not of the form NAME=VALUE, or has an option of its own.
    """
    found: dict[str, Any] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InputError(
                f"--set takes NAME=VALUE, for example batch=128; not {text!r}."
            )
        name = name.strip()
        if name in options:
            option = name.replace("_", "-")
            raise InputError(f"{name} has an option of its own: --{option}.")
        parts = value.split(",")
        values = [_value(part) for part in parts]
        found[name] = tuple(values) if len(parts) > 1 else values[0]
    return found


@overload
def comma_list(text: str) -> list[str]: ...
@overload
def comma_list(text: None) -> None: ...
def comma_list(text: str | None) -> list[str] | None:
    """Return names that were written with commas between them.

    Raises
    ------
    InputError
        If there is no name in the text.
    """
    if text is None:
        return None
    names = [part.strip() for part in text.split(",") if part.strip()]
    if not names:
        raise InputError(
            f"{text!r} names nothing: give names with commas between them, or leave "
            "the option out."
        )
    return names


def _value(text: str) -> Any:
    text = text.strip()
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
