"""UMAP of latents in a process of its own, so that it can be stopped at any moment.

Neither its compilation nor its fit can be interrupted from within, and both would hold
up a window that lives in the same process.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

LEAST = 10
"""Fewer cells have no neighbourhoods to lay out."""
NEIGHBOURS = 15
HOW_TO_INSTALL = "UMAP needs another package: pip install 'napari-cellsci[umap]'"
_LOOK_S = 0.1


def umap_installed() -> bool:
    """Return whether `umap_layout` can be used."""
    return importlib.util.find_spec("umap") is not None


def umap_layout(
    z: NDArray[Any],
    *,
    seed: int = 0,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> NDArray[np.float32]:
    """Lay latents (n, D) out in a plane (n, 2) (McInnes et al., arXiv 1802.03426).

    The same latents and seed give the same plane.

    Raises
    ------
    InputError
        If umap-learn is not installed, there are too few cells, or it fails.
    Cancelled
        If the token asks for it.
    """
    if not umap_installed():
        raise InputError(HOW_TO_INSTALL + ".")
    if len(z) < LEAST:
        raise InputError(f"UMAP needs at least {LEAST} cells, not {len(z)}.")
    on_event(Progress("Laying out the cells (UMAP)", 0, 0))
    with tempfile.TemporaryDirectory(prefix="cellsci-umap-") as folder:
        given, made = Path(folder, "z.npy"), Path(folder, "xy.npy")
        np.save(given, np.asarray(z, np.float32), allow_pickle=False)
        command = [sys.executable, "-m", __name__, str(given), str(made), str(seed)]
        _run(command, Path(folder, "errors.txt"), token)
        plane = np.load(made, allow_pickle=False)
    return np.asarray(plane, np.float32)


def _run(command: list[str], errors: Path, token: CancelToken | None) -> None:
    """Run a child until it ends; end it when the token asks for it."""
    with (
        errors.open("wb") as told,
        subprocess.Popen(command, stderr=told, stdout=subprocess.DEVNULL) as child,
    ):
        try:
            while child.poll() is None:
                if token is not None:
                    token.raise_if_cancelled()
                try:
                    child.wait(_LOOK_S)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if child.poll() is None:
                child.kill()
    if child.returncode != 0:
        lines = errors.read_text(encoding="utf-8", errors="replace").split("\n")
        last = next(
            (line for line in reversed(lines) if line.strip()), "no reason given"
        )
        raise InputError(f"UMAP failed: {last.strip()}")


def _main(given: str, made: str, seed: str) -> None:
    """Do the work of the child."""
    import umap

    z = np.load(given, allow_pickle=False)
    fitted = umap.UMAP(
        n_neighbors=min(NEIGHBOURS, len(z) - 1), random_state=int(seed), n_jobs=1
    ).fit_transform(z)
    np.save(made, np.asarray(fitted, np.float32), allow_pickle=False)


if __name__ == "__main__":
    _main(*sys.argv[1:4])
