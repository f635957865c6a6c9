"""What attacks say of models, in numbers: curves, energy, likeness, invariance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_cellsci.explain.attacks.gradient import gradients
from napari_cellsci.explain.attacks.steps import direction
from napari_cellsci.explain.attacks.sweep import classes_of, evaluate, outputs_along
from napari_cellsci.explain.attacks.target import Space, Target, height, push
from napari_cellsci.representation.views import N_VIEWS, dihedral
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

if TYPE_CHECKING:
    from napari_cellsci.representation.encoder import Encoder

Doubles = NDArray[np.float64]
IMAGE_STEPS: tuple[float, ...] = tuple(round(0.05 * i, 2) for i in range(21))
"""ε of the paper's curves for images, in units of normalised pixels."""
LATENT_STEPS: tuple[float, ...] = tuple(round(0.1 * i, 1) for i in range(21))
"""ε for latents, in units of the prior's standard deviation."""


@dataclass(frozen=True, eq=False, slots=True)
class Curve:
    """Accuracy of K heads against ε.

    Parameters
    ----------
    epsilons : tuple of float (E,)
    accuracy : array (K, E)
        Share of the cells that are called what they are. A score that is not a number
        is not right.
    n : int
        Cells.
    broken : int
        Pairs of cell and head whose gradient was not finite; they do not move.
    dead : int
        Pairs whose gradient was zero everywhere.
    """

    epsilons: tuple[float, ...]
    accuracy: Doubles
    n: int
    broken: int = 0
    dead: int = 0

    @property
    def mean(self) -> Doubles:
        """Mean over heads (E,)."""
        return np.asarray(self.accuracy.mean(0))

    @property
    def sd(self) -> Doubles:
        """Population standard deviation over heads (E,)."""
        return np.asarray(self.accuracy.std(0))

    def at(self, epsilon: float) -> tuple[float, float]:
        """Return mean and sd of the accuracy at some ε, between the measured ones."""
        where = self.epsilons
        return (
            float(np.interp(epsilon, where, self.mean)),
            float(np.interp(epsilon, where, self.sd)),
        )


def accuracy_curve(
    targets: Sequence[Target],
    x: Tensor,
    y: NDArray[np.integer[Any]],
    epsilons: Sequence[float],
    space: Space,
    *,
    mask: Any = None,
    what: str = "Attacking",
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
) -> Curve:
    """Attack every head on its own at all ε, and count who is still right.

    One gradient per head: that of FGSM does not depend on ε.

    Parameters
    ----------
    targets : sequence of Target
        K heads.
    x : Tensor of shape (n, …)
        Normalised crops, or latents.
    y : int array (n,)
        What the cells are.
    epsilons : sequence of float
    space : {"image", "latent"}
    mask : array, optional
        What may be changed.
    what : str
        To call it in events.
    on_event, token
    """
    reference = torch.from_numpy(np.asarray(y, np.int64))
    on_event(Progress(what, 0, len(targets)))
    found = gradients(targets, x, reference, space, token=token)
    accuracy = np.empty((len(targets), len(epsilons)))
    for k, (target, one) in enumerate(zip(targets, found, strict=True)):
        way = push(one.outputs.shape[-1], reference, towards=False)
        unit = direction(one.sign, way, mask)
        outputs = outputs_along(
            target, x, unit, epsilons, space, start=one.outputs, token=token
        )
        accuracy[k] = (classes_of(outputs) == y).mean(1)
        on_event(Progress(what, k + 1, len(targets)))
    broken = sum(int(one.broken.sum()) for one in found)
    dead = sum(int(one.dead.sum()) for one in found)
    return Curve(tuple(map(float, epsilons)), accuracy, len(x), broken, dead)


def energy_share(values: Tensor, region: NDArray[np.bool_]) -> tuple[Doubles, Doubles]:
    """Return the share of a gradient's energy in a region, and the region's own.

    The sign makes all pixels of an FGSM perturbation alike; which of them matter is
    told by the gradient: its square summed inside over that of the whole crop.

    Parameters
    ----------
    values : Tensor of shape (n, C, S, S)
    region : bool array (n, S, S)

    Returns
    -------
    share, area : arrays (n,)
        0 to 1; `share` is NaN where the gradient is zero. Equal where the cell counts
        no more than anything else.
    """
    power = (values.double() ** 2).sum(1).numpy()
    whole = power.sum(axis=(1, 2))
    inside = np.where(region, power, 0).sum(axis=(1, 2))
    with np.errstate(invalid="ignore"):
        share = np.where(whole > 0, inside / whole, np.nan)
    return share, region.mean(axis=(1, 2))


@dataclass(frozen=True, slots=True)
class Views:
    """How a model sees the eight views of cells.

    Parameters
    ----------
    same : float
        Share of the cells that are called the same in all views.
    wobble : float
        Standard deviation of the score over views (root mean square over cells), in
        units of its standard deviation over cells.
    """

    same: float
    wobble: float


def over_views(target: Target, x: Tensor, *, token: CancelToken | None = None) -> Views:
    """Measure how invariant a model is to quarter turns and mirrors.

    Parameters
    ----------
    target : Target
    x : Tensor of shape (n, C, S, S)
        Normalised crops.
    token : CancelToken, optional
    """
    outputs = torch.stack(
        [
            evaluate(target, dihedral(x, g).contiguous(), "image", token=token)
            for g in range(N_VIEWS)
        ]
    )
    classes = classes_of(outputs.numpy())
    reference = torch.from_numpy(np.maximum(classes[0], 0))
    f = height(outputs, reference).double().numpy()
    same = float((classes == classes[0]).all(0).mean())
    between = float(f[0].std())
    within = float(np.sqrt(f.var(axis=0).mean()))
    return Views(same, within / between if between > 0 else float("nan"))


def likeness(
    encoder: Encoder,
    z: NDArray[np.float32],
    pixels: NDArray[np.float32],
    latents: Sequence[int],
    step: float = 1.0,
) -> Doubles:
    """Say how much a change of pixels looks like raising each latent.

    Parameters
    ----------
    encoder : Encoder
    z : array (n, D)
        Latents of the cells.
    pixels : array (n, C, S, S)
        Changes of their normalised crops.
    latents : sequence of int
    step : float
        How far latents are moved both ways.

    Returns
    -------
    array (n, len(latents))
        Cosine between the change and what the decoder draws differently, −1 to 1. That
        of unrelated changes is about one over the width of a crop.
    """
    flat = pixels.reshape(len(pixels), -1).astype(np.float64)
    length = np.linalg.norm(flat, axis=1)
    found = np.zeros((len(z), len(latents)))
    for place, latent in enumerate(latents):
        move = np.zeros(z.shape[1], np.float32)
        move[latent] = step
        drawn = encoder.decode(z + move) - encoder.decode(z - move)
        effect = drawn.reshape(len(z), -1).astype(np.float64)
        scale = np.maximum(np.linalg.norm(effect, axis=1) * length, 1e-12)
        found[:, place] = np.einsum("np,np->n", flat, effect) / scale
    return found


def half_life(curve: Curve) -> float:
    """Return the ε at which a curve has lost half of what it started with.

    NaN if it never does.
    """
    mean = curve.mean
    below = np.flatnonzero(mean <= mean[0] / 2)
    if not below.size or below[0] == 0:
        return float("nan")
    i = int(below[0])
    return float(
        np.interp(-mean[0] / 2, -mean[i - 1 : i + 1], curve.epsilons[i - 1 : i + 1])
    )
