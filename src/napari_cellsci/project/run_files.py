"""The small files of a run's folder: what is wished of it, and its sign of life."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_cellsci.disk import process_lives, whole_file
from napari_cellsci.project.run_state import Wish

ROOM = "runs"
EVENTS, CONFIG, OUTPUT = "events.jsonl", "config.json", "output.txt"
_BEAT, _WISH = "beat.json", "wish"
BEAT_SECONDS = 2.0
_SILENT_HERE, _SILENT_THERE = 120.0, 180.0
"""Seconds without a sign of life after which a run counts as interrupted.

A process of this machine that is gone is known at once; its number may be another's by
now. Clocks of other machines may differ.
"""


@dataclass(frozen=True, slots=True)
class Beat:
    """The last sign of life of a run.

    Attributes
    ----------
    owner : str
        Tells one sitting of a run from the next.
    pid : int
    host : str
    age : float
        Seconds.
    """

    owner: str
    pid: int
    host: str
    age: float


def write_beat(folder: Path, owner: str) -> None:
    """Give a sign of life."""
    values = {"owner": owner, "pid": os.getpid(), "host": socket.gethostname()}
    write_whole(folder / _BEAT, json.dumps(values))


def read_beat(folder: Path) -> Beat | None:
    """Return the last sign of life, None if there is none."""
    place = folder / _BEAT
    try:
        age = time.time() - place.stat().st_mtime
        values = json.loads(place.read_text(encoding="utf-8"))
        return Beat(values["owner"], int(values["pid"]), values["host"], age)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_wish(folder: Path, wish: Wish) -> None:
    """Ask something of a run; `Wish.NONE` takes back what was asked."""
    if wish is Wish.NONE:
        (folder / _WISH).unlink(missing_ok=True)
    else:
        write_whole(folder / _WISH, str(wish))


def read_wish(folder: Path) -> Wish:
    """Return what is asked of a run."""
    try:
        return Wish((folder / _WISH).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Wish.NONE


def lives(folder: Path, pid: int | None, host: str | None) -> bool:
    """Whether a run that is not over is still in hand.

    Parameters
    ----------
    folder : Path
    pid, host
        Of the process that took it in hand.
    """
    beat = read_beat(folder)
    here = host == socket.gethostname()
    if here and not process_lives(pid or -1):
        return False
    if beat is None or beat.pid != pid:
        return True  # not yet begun, or written before there were signs of life
    return beat.age < (_SILENT_HERE if here else _SILENT_THERE)


def write_config(folder: Path, config: Mapping[str, Any]) -> None:
    """Write the settings where a person finds them."""
    write_whole(folder / CONFIG, json.dumps(config, indent=1))


def write_whole(path: Path, text: str) -> None:
    """Replace a small file by `text`."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def has_checkpoint(folder: Path) -> bool:
    """Whether a run of an encoder can go on where it left off."""
    return (folder / "checkpoint.json").is_file()


def has_kept(folder: Path) -> bool:
    """Whether anything is kept of what a run had learnt."""
    names = ("checkpoint.json", "heads.json", "cnn0.json")
    return any((folder / name).is_file() for name in names)


def last_words(folder: Path, lines: int = 12) -> str:
    """Return the end of what a run's process wrote by itself."""
    with suppress(OSError):
        text = (folder / OUTPUT).read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.strip().splitlines()[-lines:])
    return ""
