"""Looks at an encoder while it learns: reconstructions and what its latents do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_cellsci.disk import disk_in_words, whole_file
from napari_cellsci.representation.kinds import KINDS
from napari_cellsci.representation.pictures import NAMES, Pictures, Pixels
from napari_cellsci.representation.quantise import information

if TYPE_CHECKING:
    from napari_cellsci.representation.run import TrainingRun

ROOM = "looks"
CROPS, STRIPS, STEPS, MOST = 7, 3, 7, 2.5
"""Crops that are shown, latents that are moved, pictures of each, and how far (sd)."""
_PERCENTILES = (0.5, 99.7)


@torch.inference_mode()
def pictures_of(run: TrainingRun) -> Pictures:
    """Return what the encoder of a run makes of some of its validation crops.

    Draws no random numbers, so that the run goes on as if nobody had looked.
    """
    every = run.validation_crops
    some = np.linspace(0, len(every) - 1, min(CROPS, len(every))).round().astype(int)
    x = every[torch.from_numpy(some).to(every.device)]
    network = run.network
    network.eval()
    mu, logvar = network.encoder(every[:256])
    kl = information(run.config, mu, logvar)
    latents = torch.argsort(kl, descending=True, stable=True)[:STRIPS]
    reach = min(MOST, KINDS[run.config.kind].reach)
    z = mu.mean(0).repeat(len(latents), STEPS, 1)
    for row, latent in enumerate(latents.tolist()):
        z[row, :, latent] = torch.linspace(-reach, reach, STEPS, device=z.device)
    recon = network.decoder(network.encoder(x)[0])
    strips = network.decoder(z.flatten(0, 1)).unflatten(0, z.shape[:2])
    network.train()
    low, high = _limits(x)
    grey = [_grey(part, low, high) for part in (x, recon, strips)]
    drawn = run.samples(CROPS)
    new = grey[0][:0] if drawn is None else _grey(drawn, low, high)
    return Pictures(grey[0], grey[1], grey[2], latents.cpu().numpy(), new)


def take_look(run: TrainingRun, folder: Path) -> Path:
    """Write the pictures of a run at its present step below its folder."""
    room = folder / ROOM
    with disk_in_words(room):
        room.mkdir(parents=True, exist_ok=True)
    path = room / f"{run.step:08d}.npz"
    pictures = pictures_of(run)
    with whole_file(path) as temporary:
        np.savez(temporary, **{name: getattr(pictures, name) for name in NAMES})
    return path


def _limits(crops: Tensor) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the grey values of each channel (C, 1, 1) that become black and white."""
    flat = crops.transpose(0, 1).flatten(1).float().cpu().numpy()
    low, high = np.percentile(flat, _PERCENTILES, axis=1)[..., None, None]
    return low, np.maximum(high, low + 1e-6)


def _grey(x: Tensor, low: NDArray[Any], high: NDArray[Any]) -> Pixels:
    values = (x.float().cpu().numpy() - low) / (high - low)
    return np.asarray(np.clip(values, 0, 1) * 255, np.uint8)


def variety(sums: Tensor, n: int) -> float:
    """Return how much reconstructions differ, relative to how much crops do.

    Parameters
    ----------
    sums : Tensor (2, 2, C, S, S)
        Sums, then sums of squares, over n crops and over their reconstructions.
    n : int
    """
    variance = sums[1] / n - (sums[0] / n).square()
    crops, recon = variance.clamp(min=0).mean((1, 2, 3)).sqrt().tolist()
    return float(recon / crops) if crops > 0 else 0.0
