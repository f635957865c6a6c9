"""Normalisation steps in torch; `cells.normalise` is their reference."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from napari_cellsci.cells.normalise import LEAST_DEVIATION
from napari_cellsci.cells.steps import (
    Background,
    Clip,
    Dots,
    Log,
    Pipeline,
    Step,
    Unit,
    ZScore,
)
from napari_cellsci.errors import InputError


def apply_pipeline(pipeline: Pipeline, x: Tensor) -> Tensor:
    """Return the pixels (n, S, S) of one channel after all steps.

    Raises
    ------
    InputError
        If a step needs fitting.
    """
    for step in pipeline:
        x = _apply(step, x)
    return x


def _apply(step: Step, x: Tensor) -> Tensor:
    if not step.fitted:
        raise InputError(
            f"The step {step.text} of normalisation has not been fitted to crops yet: "
            "train an encoder or CNN first."
        )
    match step:
        case ZScore(clip=clip):
            x = x - x.mean((1, 2), keepdim=True)
            std = x.square().mean((1, 2), keepdim=True).sqrt()
            return (x / std.clamp_min(1 / x.shape[-1])).clamp(-clip, clip)
        case Background():
            return _from_background(step, x)
        case Log(floor=floor):
            return x.clamp_min(floor).log()
        case Dots(means=means, deviations=deviations):
            assert means is not None
            assert deviations is not None
            return (x - means[-1]) / deviations[-1]
        case Clip(bound=bound):
            return x.clamp(-bound, bound)
        case Unit(bound=bound):
            return (x + bound) / (2 * bound)
    raise TypeError(f"{step} cannot be applied to tensors.")


def _from_background(step: Background, x: Tensor) -> Tensor:
    flat = x.flatten(1)
    background, cells = (places.to(x.device) for places in _places(step))
    sorted_ = flat[:, background].sort(1).values
    n = sorted_.shape[1]
    # As numpy's: the mean of the middle two where their number is even.
    median = (sorted_[:, (n - 1) // 2] + sorted_[:, n // 2]) / 2
    std = flat[:, cells].std(1, correction=0).clamp_min(LEAST_DEVIATION)
    return (x - median[:, None, None]) / std[:, None, None]


@lru_cache(maxsize=16)
def _places(step: Background) -> tuple[Tensor, Tensor]:
    """Return positions of background and of cells within a flattened crop."""
    cells: Any = torch.from_numpy(step.cells.ravel())
    return torch.nonzero(~cells).flatten(), torch.nonzero(cells).flatten()
