"""How much each latent carries: nats per cell and the spread of its mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from napari_cellsci.representation.data import CropArray, Rows, read_rows
from napari_cellsci.representation.quantise import information
from napari_cellsci.tasks import CancelToken

if TYPE_CHECKING:
    from napari_cellsci.representation.encoder import Encoder

_CHUNK = 64


def nats(
    encoder: Encoder, crops: CropArray, rows: Rows, token: CancelToken | None = None
) -> NDArray[np.float64]:
    """Return what each latent carries (D,) over some raw crops; see `information`.

    Parameters
    ----------
    encoder : Encoder
    crops : array (n, C, S, S)
        Raw crops.
    rows : int array (k,)
        Those that are looked at.
    token : CancelToken, optional

    Raises
    ------
    Cancelled
        If the token asks for it.
    """
    return nats_and_noise(encoder, crops, rows, token)[0]


@torch.inference_mode()
def nats_and_noise(
    encoder: Encoder, crops: CropArray, rows: Rows, token: CancelToken | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what each latent carries (D,), and the mean variance of its posterior."""
    if not len(rows):
        return np.zeros(encoder.config.latent), np.ones(encoder.config.latent)
    parts = []
    for start in range(0, len(rows), _CHUNK):
        if token is not None:
            token.raise_if_cancelled()
        x = encoder.normalise(read_rows(crops, rows[start : start + _CHUNK]))
        parts.append(encoder.network.encoder(x))
    mu, logvar = (torch.cat(part).cpu().double() for part in zip(*parts, strict=True))
    noise = logvar.exp().expand(len(mu), -1).mean(0).numpy()
    return np.asarray(information(encoder.config, mu, logvar)), noise
