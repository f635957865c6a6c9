"""Who is at the keyboard, kept from one session to the next."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

from napari_cellsci.disk import disk_in_words, whole_file

_LONGEST = 200


def login_name() -> str:
    """Return who is at the keyboard, as far as the system knows."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


def annotator() -> str:
    """Return in whose name one labels: the name last given, or the login name."""
    try:
        name = _file().read_text(encoding="utf-8")[:_LONGEST].strip()
    except (OSError, UnicodeDecodeError):
        return login_name()
    return name if name.isprintable() and name else login_name()


def remember_annotator(name: str) -> None:
    """Let projects opened from now on, also by the command line, label as `name`.

    Raises
    ------
    ProjectError
        If the user's settings cannot be written.
    """
    path = _file()
    with disk_in_words(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as temporary:
            temporary.write_text(f"{name}\n", encoding="utf-8")


def _file() -> Path:
    """Return the file of the name: a setting of the user, not of a project."""
    folder = os.environ.get("CELLSCI_CONFIG")
    if not folder:
        from platformdirs import user_config_dir

        folder = user_config_dir("napari-cellsci", appauthor=False)
    return Path(folder) / "annotator.txt"
