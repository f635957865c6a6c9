"""Where a score rises: its gradient by pixels or latents, head by head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_cellsci.explain.attacks.target import (
    Space,
    Target,
    evaluating,
    height,
    rows_at_once,
)
from napari_cellsci.tasks import CancelToken


@dataclass(frozen=True, eq=False, slots=True)
class Gradient:
    """The gradient of a score at some cells.

    Parameters
    ----------
    values : Tensor of shape (n, …)
        Like what was derived by; zero where it is not finite.
    outputs : Tensor of shape (n, outputs)
        The outputs there, as they are.
    broken : bool Tensor of shape (n,)
        Cells where the score or any part of its gradient is not finite: a formula
        beyond its domain, say. Their gradient counts as zero.
    dead : bool Tensor of shape (n,)
        Other cells whose gradient is zero everywhere.
    """

    values: Tensor
    outputs: Tensor
    broken: Tensor
    dead: Tensor

    @property
    def sign(self) -> Tensor:
        """The sign of every value: −1, 0 or 1, as int8."""
        return self.values.sign().to(torch.int8)


def gradient(
    target: Target,
    x: Tensor,
    reference: Tensor,
    space: Space,
    *,
    token: CancelToken | None = None,
) -> Gradient:
    """Return the gradient of one target; see `gradients`."""
    return gradients([target], x, reference, space, token=token)[0]


def gradients(
    targets: Sequence[Target],
    x: Tensor,
    reference: Tensor,
    space: Space,
    *,
    token: CancelToken | None = None,
) -> list[Gradient]:
    """Return the gradients of several targets at the same cells.

    Heads that share an encoder share one pass through it; each has a backward pass of
    its own, because an attack takes the sign head by head.

    Parameters
    ----------
    targets : sequence of Target
    x : Tensor of shape (n, C, S, S) or (n, D)
        Normalised crops, or latents.
    reference : int Tensor of shape (n,)
        Class of every cell; see `height`.
    space : {"image", "latent"}
    token : CancelToken, optional

    Raises
    ------
    InputError
        If latents are to be changed that a target does not read.
    Cancelled
        If the token asks for it.
    """
    for target in targets:
        target.check(space)
    parts: list[list[tuple[Tensor, Tensor]]] = [[] for _ in targets]
    step = rows_at_once(x, space)
    with evaluating(targets), torch.enable_grad():
        for start in range(0, max(len(x), 1), step):
            if token is not None:
                token.raise_if_cancelled()
            rows = slice(start, start + step)
            found = _part(targets, x[rows], reference[rows], space)
            for known, one in zip(parts, found, strict=True):
                known.append(one)
    return [_joined(part) for part in parts]


def _part(
    targets: Sequence[Target], x: Tensor, reference: Tensor, space: Space
) -> list[tuple[Tensor, Tensor]]:
    if space == "latent":
        return [_direct(target, x, reference) for target in targets]
    x = x.contiguous(memory_format=torch.channels_last)
    codes: dict[int, tuple[Tensor, Tensor]] = {}
    found = []
    for target in targets:
        if target.reads == "crops":
            found.append(_direct(target, x, reference))
            continue
        assert target.encoder is not None
        key = id(target.encoder)
        if key not in codes:
            leaf = x.detach().requires_grad_()
            codes[key] = leaf, target.encoder.latent_mean(leaf)
        leaf, code = codes[key]
        outputs, by_code = _direct(target, code, reference)
        (by_pixel,) = torch.autograd.grad(code, leaf, by_code, retain_graph=True)
        found.append((outputs, by_pixel))
    return found


def _direct(target: Target, x: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """Return outputs and gradient by what the heads read."""
    leaf = x.detach().requires_grad_()
    outputs = target.read(leaf)
    # Cells do not touch one another: the gradient of the sum is that of each.
    total = height(outputs, reference).sum()
    if not total.requires_grad:  # a head that has become a constant
        return outputs.detach(), torch.zeros_like(leaf)
    (values,) = torch.autograd.grad(total, leaf, allow_unused=True)
    return outputs.detach(), torch.zeros_like(leaf) if values is None else values


def _joined(parts: list[tuple[Tensor, Tensor]]) -> Gradient:
    outputs = torch.cat([part[0] for part in parts])
    values = torch.cat([part[1] for part in parts]).contiguous()
    finite = values.flatten(1).isfinite().all(1) & outputs.isfinite().all(1)
    shape = (-1, *[1] * (values.ndim - 1))
    values = torch.where(finite.view(shape), values, torch.zeros_like(values))
    dead = finite & ~values.flatten(1).any(1)
    return Gradient(values, outputs, ~finite, dead)
