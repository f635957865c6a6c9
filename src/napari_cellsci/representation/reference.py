"""What is usual among an encoder's training crops, so that the unusual can be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_cellsci.representation.data import CropArray, Rows, read_rows
from napari_cellsci.representation.quantise import information
from napari_cellsci.tasks import CancelToken

if TYPE_CHECKING:
    from napari_cellsci.representation.encoder import Encoder

REFERENCE_ROWS = 10_000
QUANTILES = np.linspace(0, 1, 101)
_ENOUGH = 100
"""With fewer crops held out, quantiles are taken over all crops."""
_CHUNK = 64


def build_reference(
    encoder: Encoder,
    crops: CropArray,
    train_rows: Rows,
    validation_rows: Rows,
    token: CancelToken | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Measure latents and errors of up to `REFERENCE_ROWS` crops.

    Returns
    -------
    dict of array
        ``latent_mean`` (D,), ``latent_cov`` (D, D): of the means over training crops;
        ``kl`` (D,): nats a latent carries; ``error_quantiles``, ``distance_quantiles``
        (101,): percentiles 0 … 100 of the reconstruction error and of the Mahalanobis
        distance over the validation crops (all crops if fewer than 100 were held out).
    """
    rows = _thin(train_rows, REFERENCE_ROWS)
    mu, error, kl = _measure(encoder, crops, rows, token)
    mean, cov = mu.mean(0), np.atleast_2d(np.cov(mu, rowvar=False, bias=True))
    held_mu, held_error = mu, error
    if len(validation_rows) >= _ENOUGH:
        held_out = _thin(validation_rows, REFERENCE_ROWS)
        held_mu, held_error, _ = _measure(encoder, crops, held_out, token)
    reference = {
        "latent_mean": mean,
        "latent_cov": cov,
        "kl": kl,
        "error_quantiles": np.quantile(held_error, QUANTILES),
        "distance_quantiles": np.quantile(mahalanobis(held_mu, mean, cov), QUANTILES),
    }
    return {name: array.astype(np.float32) for name, array in reference.items()}


def mahalanobis(
    mu: NDArray[Any], mean: NDArray[Any], cov: NDArray[Any], *, ridge: float = 1e-4
) -> NDArray[np.float64]:
    """Distance of latents (n, D) from their usual place, in standard deviations.

    `ridge` is added to the variances (prior: 1) so that latents that never varied do
    not dominate by rounding errors.
    """
    regular = np.asarray(cov, np.float64) + ridge * np.eye(len(cov))
    whitened = np.linalg.solve(
        np.linalg.cholesky(regular), (np.asarray(mu, np.float64) - mean).T
    )
    return np.asarray(np.linalg.norm(whitened, axis=0))


def _thin(rows: Rows, most: int) -> Rows:
    step = -(-len(rows) // most)
    return rows[:: max(step, 1)]


@torch.inference_mode()
def _measure(
    encoder: Encoder, crops: CropArray, rows: Rows, token: CancelToken | None
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return means (n, D), reconstruction errors (n,) and nats per latent (D,)."""
    mus, errors, logvars = [], [], []
    for start in range(0, len(rows), _CHUNK):
        if token is not None:
            token.raise_if_cancelled()
        x = encoder.normalise(read_rows(crops, rows[start : start + _CHUNK]))
        mu, logvar = encoder.network.encoder(x)
        errors.append((encoder.network.decoder(mu) - x).square().mean((1, 2, 3)))
        logvars.append(logvar)
        mus.append(mu)
    mu = torch.cat(mus)
    kl = information(encoder.config, mu, torch.cat(logvars))
    return mu.double().numpy(), torch.cat(errors).numpy(), kl.numpy()
