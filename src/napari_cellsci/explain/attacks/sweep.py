"""What becomes of a score along an attack: many ε from one gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_cellsci.explain.attacks.target import (
    Space,
    Target,
    evaluating,
    rows_at_once,
)
from napari_cellsci.tasks import CancelToken

if TYPE_CHECKING:
    from napari_cellsci.cells.spec import CropSpec
    from napari_cellsci.representation.encoder import Encoder

Doubles = NDArray[np.float64]
Ends: TypeAlias = tuple[Tensor, Tensor]
"""Least and greatest value that is allowed; broadcast to what is attacked."""


def pixel_ends(spec: CropSpec) -> Ends:
    """Return the bounds of the normalised pixels of each channel, each (C, 1, 1)."""
    low, high = torch.tensor(spec.limits).T[:, :, None, None]
    return low, high


def at_most(epsilon: float) -> float:
    """Return the largest float32 that is not above `epsilon`.

    Without it 0.1 would become 0.1000000015.
    """
    found = np.float32(epsilon)
    if float(found) > epsilon:
        found = np.nextafter(found, np.float32(-np.inf))
    return float(found)


def evaluate(
    target: Target, x: Tensor, space: Space, *, token: CancelToken | None = None
) -> Tensor:
    """Return the outputs (n, outputs) of normalised crops or latents, in parts."""
    step, found = rows_at_once(x, space), []
    with evaluating([target]), torch.inference_mode():
        for start in range(0, max(len(x), 1), step):
            if token is not None:
                token.raise_if_cancelled()
            part = x[start : start + step]
            if space == "image":
                part = part.contiguous(memory_format=torch.channels_last)
            found.append(target.outputs(part, space))
    return torch.cat(found).clone()


def encode(encoder: Encoder, x: Tensor) -> Tensor:
    """Return the latent means (n, D) of normalised crops, in parts."""
    through = Target(encoder.latent_mean, "crops", None, (encoder.network,))
    return evaluate(through, x, "image")


def outputs_along(
    target: Target,
    x: Tensor,
    unit: Tensor,
    epsilons: Sequence[float] | Doubles,
    space: Space,
    *,
    start: Tensor | None = None,
    clip: Ends | None = None,
    token: CancelToken | None = None,
) -> NDArray[np.float32]:
    """Return the outputs (E, n, outputs) at ``x + ε · unit`` for many ε.

    Parameters
    ----------
    target : Target
    x : Tensor of shape (n, …)
        Normalised crops, or latents.
    unit : Tensor like x
        From `direction`; it does not depend on ε.
    epsilons : sequence of float
    space : {"image", "latent"}
    start : Tensor of shape (n, outputs), optional
        Outputs at ε = 0 where they are known, which spares one pass.
    clip : (Tensor, Tensor), optional
        Ends of what is evaluated; see `pixel_ends`.
    token : CancelToken, optional
    """
    result: NDArray[np.float32] | None = None
    cells = max(rows_at_once(x, space) // max(len(epsilons), 1), 1)
    with evaluating([target]), torch.inference_mode():
        for first in range(0, max(len(x), 1), cells):
            if token is not None:
                token.raise_if_cancelled()
            rows = slice(first, first + cells)
            outputs = _along(target, x[rows], unit[rows], epsilons, space, start, clip)
            if start is not None:
                outputs = _with_start(outputs, epsilons, start[rows])
            if result is None:
                shape = (len(epsilons), len(x), outputs.shape[-1])
                result = np.empty(shape, np.float32)
            result[:, rows] = outputs.numpy()
    assert result is not None
    return result


def _along(
    target: Target,
    x: Tensor,
    unit: Tensor,
    epsilons: Sequence[float] | Doubles,
    space: Space,
    start: Tensor | None,
    clip: Ends | None,
) -> Tensor:
    wanted = [at_most(float(e)) for e in epsilons if start is None or e != 0]
    shape = (-1, *[1] * x.ndim)
    steps = torch.tensor(wanted, dtype=torch.float32).view(shape)
    moved = torch.addcmul(x, steps, unit.float()).flatten(0, 1)
    if clip is not None:
        moved.clamp_(*clip)
    if space == "image":
        moved = moved.contiguous(memory_format=torch.channels_last)
    outputs = target.outputs(moved, space)
    return outputs.view(len(wanted), len(x), -1)


def _with_start(
    outputs: Tensor, epsilons: Sequence[float] | Doubles, start: Tensor
) -> Tensor:
    """Put the outputs at ε = 0 where they belong."""
    found = iter(outputs)
    return torch.stack([start if e == 0 else next(found) for e in epsilons])


def classes_of(outputs: NDArray[Any]) -> NDArray[np.int64]:
    """Return the class of outputs (…, outputs), −1 where one is not finite."""
    from napari_cellsci.heads.losses import decide

    finite = np.isfinite(outputs).all(-1)
    decided = decide(np.where(finite[..., None], outputs, 0))
    return np.asarray(np.where(finite, decided, -1), np.int64)
