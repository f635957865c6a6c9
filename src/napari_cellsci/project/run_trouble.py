"""What went wrong in a run: its kind, plain words, and what to try."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from napari_cellsci.errors import (
    Collapsed,
    DataChanged,
    DeviceMissing,
    Diverged,
    InputError,
    MemoryShort,
)

_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
_LIBRARY = ("c10.dll", "dll load failed", "winerror 1114", "error loading")
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


class Trouble(StrEnum):
    """Kinds of trouble that are told apart."""

    MEMORY = "memory"
    DIVERGED = "diverged"
    COLLAPSED = "collapsed"
    DISK = "disk"
    DEVICE = "device"
    DATA = "data"
    LIBRARY = "library"
    INPUT = "input"
    KILLED = "killed"
    DEFECT = "defect"


@dataclass(frozen=True, slots=True)
class Advice:
    """What to try.

    Attributes
    ----------
    sentence : str
    words : str
        Of the button that tries it; "" if nothing can be done with one click.
    changes : dict
        Settings of the run that replaces the failed one.
    """

    sentence: str
    words: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)


def trouble_of(error: BaseException) -> Trouble:
    """Return the kind of an error."""
    for kind, errors in (
        (Trouble.MEMORY, (MemoryShort, MemoryError)),
        (Trouble.DIVERGED, (Diverged,)),
        (Trouble.COLLAPSED, (Collapsed,)),
        (Trouble.DEVICE, (DeviceMissing,)),
        (Trouble.DATA, (DataChanged,)),
    ):
        if isinstance(error, errors):
            return kind
    if any(getattr(cause, "errno", None) in _FULL for cause in _causes(error)):
        return Trouble.DISK
    text = str(error).lower()
    if isinstance(error, RuntimeError) and any(words in text for words in _NO_MEMORY):
        return Trouble.MEMORY
    if isinstance(error, OSError | ImportError) and any(w in text for w in _LIBRARY):
        return Trouble.LIBRARY
    if isinstance(error, InputError):
        return Trouble.INPUT if "disk" not in text else Trouble.DISK
    return Trouble.DEFECT


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def sentence_of(error: BaseException) -> str:
    """Return one sentence for people."""
    kind = trouble_of(error)
    if isinstance(error, InputError):
        return str(error)
    if kind is Trouble.MEMORY:
        return "There was too little memory for this batch and these networks."
    if kind is Trouble.DISK:
        return "The disk is full."
    if kind is Trouble.LIBRARY:
        return (
            "PyTorch could not be loaded beside the libraries that were loaded before "
            f"it ({_first_line(error)})."
        )
    return _first_line(error)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def advise(trouble: str, settings: Mapping[str, Any]) -> Advice | None:
    """Return what to try after some trouble.

    Parameters
    ----------
    trouble : str
        A `Trouble`.
    settings : dict
        Of the run: batch, learning_rate, beta, steps, …, as far as it has them.
    """
    try:
        kind = Trouble(trouble)
    except ValueError:
        return None
    given = _TELL.get(kind)
    return None if given is None else given(settings)


def _on_memory(settings: Mapping[str, Any]) -> Advice:
    batch = int(settings.get("batch", 0))
    if batch < 16:
        return Advice("Close other programs, or train on the CPU.")
    smaller = max(batch // 2 // 8 * 8, 8)
    return Advice(
        "A smaller batch needs less memory and learns nearly as well.",
        f"Run with batch {smaller}",
        {"batch": smaller},
    )


def _calmer(settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return what calms the game of a GAN: words for a button, and settings."""
    roth = float(f"{max(2 * float(settings.get('roth', 2.0)), 1.0):.2g}")
    rate = float(f"{float(settings.get('learning_rate', 2e-4)) / 2:.1g}")
    changes = {"roth": roth, "roth_end": roth / 10, "learning_rate": rate}
    return f"Run with roth {roth:g}, learning rate {rate:g}", changes


def _on_divergence(settings: Mapping[str, Any]) -> Advice:
    if settings.get("kind") == "infogan":
        return Advice(
            "The game between generator and discriminator blew up: more weight on the "
            "discriminator's gradients and smaller steps calm it.",
            *_calmer(settings),
        )
    rate = float(settings.get("learning_rate", 1e-3)) / 3
    rate = float(f"{rate:.1g}")
    return Advice(
        "Smaller steps keep the loss finite; extreme pixels (saturated or empty crops) "
        "can be the cause too.",
        f"Run with learning rate {rate:g}",
        {"learning_rate": rate},
    )


def _on_collapse(settings: Mapping[str, Any]) -> Advice:
    if settings.get("kind") == "infogan":
        return Advice(
            "The generator draws one and the same cell whatever the code. More weight "
            "on the discriminator's gradients and smaller steps keep both players in "
            "the game.",
            *_calmer(settings),
        )
    beta = float(settings.get("beta", 10.0))
    lower = float(f"{max(beta / 3, 1.0):.2g}")
    if lower >= beta:
        return Advice(
            "No latent says anything about the crops, so that all reconstructions are "
            "the mean cell: look at the crops in Gallery, or lower sigma_x."
        )
    return Advice(
        "No latent says anything about the crops, so that all reconstructions are the "
        "mean cell. A lower weight of the total correlation lets latents speak.",
        f"Run with β {lower:g}",
        {"beta": lower},
    )


def _on_device(settings: Mapping[str, Any]) -> Advice:
    return Advice(
        "This computer lacks the device the run asks for.",
        "Run on the CPU",
        {"device": "cpu", "precision": "32-true"},
    )


def _on_disk(settings: Mapping[str, Any]) -> Advice:
    return Advice("Free some space on the disk.")


def _on_data(settings: Mapping[str, Any]) -> Advice:
    return Advice(
        "Cells or crops changed since this run began, so that it cannot go on. A new "
        "run with the same settings learns from what there is now.",
        "Run anew",
    )


def _on_library(settings: Mapping[str, Any]) -> Advice:
    return Advice(
        "On Windows, PyTorch must be loaded before some other libraries: a run in a "
        "process of its own does so. If that fails too, install the Microsoft Visual "
        "C++ Redistributable.",
        "Run in its own process",
    )


def _on_kill(settings: Mapping[str, Any]) -> Advice:
    return Advice(
        "Its process ended without a word: it was killed, ran out of memory, or the "
        "computer was switched off."
    )


_TELL = {
    Trouble.MEMORY: _on_memory,
    Trouble.DIVERGED: _on_divergence,
    Trouble.COLLAPSED: _on_collapse,
    Trouble.DEVICE: _on_device,
    Trouble.DISK: _on_disk,
    Trouble.DATA: _on_data,
    Trouble.LIBRARY: _on_library,
    Trouble.KILLED: _on_kill,
}
