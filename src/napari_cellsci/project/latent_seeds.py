"""Whether encoders that differ in their seed alone find the same latents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from napari_cellsci.project import codes
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.models import EncoderInfo, load_encoder, read_encoders
from napari_cellsci.representation.disentangle import udr
from napari_cellsci.representation.encoder import Encoder
from napari_cellsci.tasks import CancelToken, OnEvent

MOST_CELLS = 4_000
"""Cells that are looked at, spread evenly over the project."""


@dataclass(frozen=True, slots=True)
class OverSeeds:
    """How alike the latents of an encoder and of its likes are.

    Parameters
    ----------
    encoders : tuple of str
        Names of the project's other encoders of the same crops and settings but for
        the seed.
    udr : float, optional
        Median over them (`disentangle.udr`), 0 to 1; None if there are none.
    """

    encoders: tuple[str, ...] = ()
    udr: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "encoders": list(self.encoders)}


def over_seeds(
    bench: Bench, encoder: Encoder, on_event: OnEvent, token: CancelToken | None
) -> OverSeeds:
    """Compare an encoder with its likes; see `Project.latents_over_seeds`."""
    mine = _but_seed(encoder.spec.to_dict(), encoder.config.to_dict())
    infos = [info for info in read_encoders(bench) if info.hash != encoder.hash]
    infos = [info for info in infos if _settings(info) == mine]
    if not infos:
        return OverSeeds()
    encoders = [encoder, *(load_encoder(bench, info.name) for info in infos)]
    found = [
        codes.latents(bench, each, on_event=on_event, token=token)[0]
        for each in encoders
    ]
    n = len(found[0])
    rows = np.unique(np.linspace(0, n - 1, min(n, MOST_CELLS)).astype(np.int64))
    likeness = udr([z[rows] for z in found], [each.active for each in encoders])
    return OverSeeds(tuple(info.name for info in infos), float(likeness[0]))


def _settings(info: EncoderInfo) -> Any:
    return _but_seed(info.summary.get("spec", {}), info.summary.get("config", {}))


def _but_seed(spec: Mapping[str, Any], config: Mapping[str, Any]) -> Any:
    return spec, {name: value for name, value in config.items() if name != "seed"}
