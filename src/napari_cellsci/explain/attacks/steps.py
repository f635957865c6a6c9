"""Attacks: one step along the sign of the gradient, or several (FGSM, PGD).

Sources: arXiv 1412.6572 (FGSM), arXiv 1706.06083 (PGD), arXiv 2402.03115 section 6.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from napari_cellsci.explain.attacks.gradient import gradient
from napari_cellsci.explain.attacks.sweep import Ends, at_most, evaluate
from napari_cellsci.explain.attacks.target import Space, Target, height, push
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

PGD_STEPS = 10
_REACH = 2.5
"""Steps of PGD together reach this many times ε, so that they can turn around."""


def direction(
    sign: Tensor, way: Tensor, mask: Any = None, broken: Tensor | None = None
) -> Tensor:
    """Return the way of one step, in units of ε: −1, 0 or 1, as int8 (n, …).

    Parameters
    ----------
    sign : int8 Tensor of shape (n, …)
        Of the gradient.
    way : Tensor of shape (n,)
        From `push`.
    mask : array or Tensor, optional
        What may be changed; broadcast to the shape of `sign`.
    broken : bool Tensor of shape (n,), optional
        Cells to leave as they are.
    """
    shape = (-1, *[1] * (sign.ndim - 1))
    unit = sign * way.to(torch.int8).view(shape)
    if mask is not None:
        unit = unit * torch.as_tensor(mask).to(torch.int8)
    if broken is not None:
        unit = unit * (~broken).to(torch.int8).view(shape)
    return unit


def perturbation(
    unit: Tensor, epsilon: float, *, x: Tensor | None = None, clip: Ends | None = None
) -> Tensor:
    """Return δ = ε · unit; with `clip`, cut so that ``x + δ`` stays within its ends.

    Every component is exactly −ε, 0 or ε (in float32), or less if it was cut.
    """
    delta = unit.float() * at_most(epsilon)
    if clip is not None and x is not None:
        low, high = clip
        low, high = (low - x).clamp(max=0), (high - x).clamp(min=0)
        delta = torch.maximum(torch.minimum(delta, high), low)
    return delta


def fgsm(
    target: Target,
    x: Tensor,
    reference: Tensor,
    epsilon: float,
    space: Space,
    *,
    towards: bool = False,
    mask: Any = None,
    clip: Ends | None = None,
    token: CancelToken | None = None,
) -> Tensor:
    """Return δ of the fast gradient sign method: ``−ε · y± · sign(∇f)``.

    Parameters
    ----------
    target : Target
    x : Tensor of shape (n, C, S, S) or (n, D)
        Normalised crops, or latents.
    reference : int Tensor of shape (n,)
        The class each cell is led away from, or `towards`.
    epsilon : float
        In units of normalised pixels, or of the prior's standard deviation.
    space : {"image", "latent"}
    towards : bool
    mask : array or Tensor, optional
        Pixels or latents that may change.
    clip : (Tensor, Tensor), optional
        Ends of ``x + δ``; see `pixel_ends`.
    token : CancelToken, optional

    Returns
    -------
    Tensor like x
    """
    found = gradient(target, x, reference, space, token=token)
    way = push(found.outputs.shape[-1], reference, towards)
    unit = direction(found.sign, way, mask)
    return perturbation(unit, epsilon, x=x, clip=clip)


def pgd(
    target: Target,
    x: Tensor,
    reference: Tensor,
    epsilon: float,
    space: Space,
    *,
    steps: int = PGD_STEPS,
    towards: bool = False,
    mask: Any = None,
    clip: Ends | None = None,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> Tensor:
    """Return δ of projected gradient descent, never weaker than `fgsm`.

    Steps of ``2.5 ε / steps`` along the sign of the gradient where one stands, brought
    back to ±ε after each. Of the single step of FGSM and all places on the way, each
    cell takes the one that moves its score farthest.

    Parameters
    ----------
    steps : int
        The other parameters are those of `fgsm`.
    """
    epsilon = at_most(epsilon)
    stride = _REACH * epsilon / max(steps, 1)
    found = gradient(target, x, reference, space, token=token)
    way = push(found.outputs.shape[-1], reference, towards)
    record = _Record(reference, way, torch.zeros_like(x))
    record.offer(record.delta, found.outputs)
    unit = direction(found.sign, way, mask)
    single = perturbation(unit, epsilon, x=x, clip=clip)
    record.offer(single, evaluate(target, x + single, space, token=token))
    delta = torch.zeros_like(x)
    for number in range(steps):
        moved = (delta + stride * unit).clamp(-epsilon, epsilon)
        delta = perturbation(moved, 1.0, x=x, clip=clip)
        found = gradient(target, x + delta, reference, space, token=token)
        record.offer(delta, found.outputs)
        unit = direction(found.sign, way, mask)
        on_event(Progress("Attacking", number + 1, steps))
    return record.delta


class _Record:
    """The δ of every cell that moved its score farthest so far."""

    def __init__(self, reference: Tensor, way: Tensor, delta: Tensor) -> None:
        self._reference, self._way = reference, way
        self._gain = torch.full((len(delta),), -torch.inf)
        self.delta = delta

    def offer(self, delta: Tensor, outputs: Tensor) -> None:
        """Take over `delta` (n, …) where its `outputs` (n, outputs) are farther."""
        gain = height(outputs, self._reference) * self._way
        wins = gain > self._gain  # never where it is not a number
        shape = (-1, *[1] * (delta.ndim - 1))
        self.delta = torch.where(wins.view(shape), delta, self.delta)
        self._gain = torch.where(wins, gain, self._gain)
