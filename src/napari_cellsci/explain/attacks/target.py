"""What is attacked: one head, or the mean of all, as a function one can derive."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from napari_cellsci.errors import InputError
from napari_cellsci.heads.formula_members import FormulaMembers
from napari_cellsci.heads.headset import HeadSet
from napari_cellsci.representation.encoder import Encoder

Space: TypeAlias = Literal["image", "latent"]
"""What is changed: the pixels of normalised crops, or latents."""
CPU_ROWS = 64
"""Crops whose feature maps fit a core's cache."""
LATENT_ROWS = 8192


@dataclass(frozen=True, eq=False, slots=True)
class Target:
    """One score function, with its encoder where it reads latents.

    Parameters
    ----------
    read : callable
        Latents (n, D), or normalised crops (n, C, S, S), to outputs (n, outputs).
    reads : {"latents", "crops"}
    encoder : Encoder, optional
        Makes the latents; always there for heads on latents.
    modules : tuple of torch.nn.Module
        What has to be in evaluation mode meanwhile.
    member : int, optional
        Number of the head; None for the mean of all.
    """

    read: Callable[[Tensor], Tensor]
    reads: Literal["latents", "crops"]
    encoder: Encoder | None
    modules: tuple[nn.Module, ...] = ()
    member: int | None = None

    @classmethod
    def of(
        cls, heads: HeadSet, encoder: Encoder | None, member: int | None = None
    ) -> Target:
        """Return one head, or all as the score combines them, as a target.

        Any kind of heads will do that gives differentiable outputs. Of formulas the
        median counts, and only where they are defined: elsewhere the output is NaN.

        Raises
        ------
        InputError
            If there is no such head.
        """
        members = heads.members
        chosen = members if member is None else heads.select(member).members
        modules = [*getattr(chosen, "networks", ())]
        if encoder is not None:
            modules.append(encoder.network)

        def read(x: Tensor) -> Tensor:
            return chosen.outputs(x).mean(0)

        if isinstance(chosen, FormulaMembers):
            medians = partial(_read_formulas, chosen)
            return cls(medians, heads.input, encoder, tuple(modules), member)
        return cls(read, heads.input, encoder, tuple(modules), member)

    @classmethod
    def each(cls, heads: HeadSet, encoder: Encoder | None) -> list[Target]:
        """Return every head as a target of its own."""
        return [cls.of(heads, encoder, k) for k in range(heads.n_members)]

    def check(self, space: Space) -> None:
        """Refuse an attack on latents where the score does not read any.

        Raises
        ------
        InputError
        """
        if space == "latent" and self.reads == "crops":
            raise InputError(
                "These heads read crops, not latents (scheme 1): attack the image, or "
                "choose heads on latents."
            )

    def outputs(self, x: Tensor, space: Space) -> Tensor:
        """Return the outputs (n, outputs) of latents or normalised crops."""
        if space == "latent" or self.reads == "crops":
            return self.read(x)
        assert self.encoder is not None
        return self.read(self.encoder.latent_mean(x))


def _read_formulas(members: FormulaMembers, x: Tensor) -> Tensor:
    """Return the median (n, outputs) of the formulas that are defined at latents."""
    # Their outputs stay finite outside of a domain, their scores do not. As in
    # `median_of_defined`, a head counts where all its formulas are defined.
    finite = np.isfinite(members.scores(x.detach().numpy()))
    defined = torch.from_numpy(finite.all(-1, keepdims=True))
    outputs = members.outputs(x)
    known = torch.where(defined, outputs, torch.full_like(outputs, torch.nan))
    return known.nanquantile(0.5, dim=0)


@contextmanager
def evaluating(targets: Sequence[Target]) -> Iterator[None]:
    """Put the modules of targets into evaluation mode, and back as they were."""
    modules = {m for t in targets for whole in t.modules for m in whole.modules()}
    before = [(module, module.training) for module in modules]
    try:
        for module, _ in before:
            module.training = False
        yield
    finally:
        for module, training in before:
            module.training = training


def height(outputs: Tensor, reference: Tensor) -> Tensor:
    """Return the number an attack moves (…, n).

    Parameters
    ----------
    outputs : Tensor of shape (…, n, outputs)
    reference : int Tensor of shape (n,)
        A class per cell; it only matters where there are more than two classes.

    Returns
    -------
    Tensor of shape (…, n)
        The score f of a single output; else the lead of the class `reference` over
        the best other one. Unlike a loss it does not flatten out: its gradient is
        there however sure the model is.
    """
    if outputs.shape[-1] == 1:
        return outputs[..., 0]
    index = reference.view(-1, 1).expand(*outputs.shape[:-1], 1)
    own = outputs.gather(-1, index)
    others = outputs.scatter(-1, index, -torch.inf)
    return own[..., 0] - others.amax(-1)


def push(n_outputs: int, reference: Tensor, towards: bool) -> Tensor:
    """Return the way (n,), +1 or −1, an attack moves the `height`.

    For a single output that is ``y± = ±1`` of the class `reference` (class 1 has
    scores ≥ 0), negative if the attack leads away from it: ``x − ε·y±·sign(∇f)``.
    """
    way = 1.0 if towards else -1.0
    if n_outputs == 1:
        return (reference.float() * 2 - 1) * way
    return torch.full(reference.shape, way)


def rows_at_once(x: Tensor, space: Space) -> int:
    """Return how many cells to work on at a time."""
    if space == "latent":
        return LATENT_ROWS
    return CPU_ROWS if x.device.type == "cpu" else 4096
