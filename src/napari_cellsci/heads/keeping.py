"""Heads half trained, kept on disk: training that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from napari_cellsci.errors import BundleError
from napari_cellsci.representation.storage import read_model, write_model
from napari_cellsci.tasks import Checkpoint, OnEvent

if TYPE_CHECKING:
    from napari_cellsci.heads.training import HeadTraining

KIND = "half-trained napari-cellsci heads"
SCHEMA = 1
_SECONDS = 10.0
"""Between two checkpoints."""


@dataclass(slots=True)
class Keeper:
    """Keeps what is being trained in a folder.

    Parameters
    ----------
    folder : Path
    identity : str
        What must agree for training to go on: data, settings and threads of thought
        that lead to the same networks.
    on_event : callable
        Hears a `Checkpoint` for each one written.
    """

    folder: Path
    identity: str
    on_event: OnEvent
    _last: float = 0.0

    def __post_init__(self) -> None:
        self._last = time.monotonic()

    def read(self, name: str) -> dict[str, Tensor] | None:
        """Return the tensors that were kept under a name, None if there are none."""
        try:
            description, tensors = read_model(
                self.folder, kind=KIND, schema=SCHEMA, name=name
            )
        except BundleError:
            return None
        return tensors if description.get("identity") == self.identity else None

    def write(self, name: str, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Keep tensors under a name; those before are kept until these are whole."""
        description = {
            "kind": KIND,
            "schema": SCHEMA,
            "identity": self.identity,
            "step": step,
        }
        weights = f"{name}-{step}"
        write_model(self.folder, description, tensors, name=name, weights=weights)
        for old in self.folder.glob(f"{name}-*.safetensors"):
            if old.stem != weights:
                old.unlink(missing_ok=True)
        self.on_event(Checkpoint(step, str(self.folder / f"{name}.json")))
        self._last = time.monotonic()

    def restore(self, training: HeadTraining) -> None:
        """Let a fresh training go on from what was kept of it."""
        state = self.read("heads")
        if state is not None:
            training.load_state_dict(state)

    def visit(self, training: HeadTraining, *, now: bool = False) -> None:
        """Keep a training if it is time, or `now`."""
        if now or time.monotonic() - self._last >= _SECONDS:
            self.write("heads", training.step, training.state_dict())


Keep = Callable[[str], Keeper]
"""Makes the keeper for an identity."""


def identity_of(*parts: Any) -> str:
    """Return what tells settings and data from others."""
    digest = hashlib.sha256(repr((torch.__version__, *parts)).encode())
    return digest.hexdigest()[:16]
