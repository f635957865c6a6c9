"""What the Robustness panel does, as Python and as a command."""

from __future__ import annotations

from typing import Any

_FLAGS = {"epsilon": "eps"}


def as_python(folder: str, source: str, options: dict[str, Any]) -> str:
    """Return lines that attack cells and write what becomes of them."""
    given = "".join(f", {key}={value!r}" for key, value in options.items())
    return (
        "from napari_cellsci import Project\n\n"
        f"with Project.open({folder!r}) as project:\n"
        f"    attacked = project.attack({source!r}{given})\n"
        '    project.save_attack(attacked, "attack.csv")\n'
        "print(attacked.summary())\n"
    )


def as_command(folder: str, source: str, options: dict[str, Any]) -> str:
    """Return the command that attacks cells and writes what becomes of them."""
    words = [f'cellsci attack "{folder}" --model "{source}"']
    for key, value in options.items():
        if value is None:
            continue
        if isinstance(value, list | tuple):
            value = ",".join(map(str, value))
        text = f'"{value}"' if " " in str(value) or "," in str(value) else str(value)
        words.append(f"--{_FLAGS.get(key, key)} {text}")
    return " ".join([*words, "-o attack"])
