"""K small networks trained as one: a single buffer holds all their parameters.

Each row of a (K, P) buffer is one network; layer weights and biases are views of it.
A forward pass is one batched product per layer, the backward pass is written by hand
and Adam is a handful of element-wise calls, so that ten heads cost little more than
one. The gradient is dense: the gradient of weights that a mask holds at zero is there
for a topology rule to read.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Streams = tuple[np.random.Generator, np.random.Generator, np.random.Generator]


def random_streams(seed: int) -> Streams:
    """Return one model's own streams: initial weights, batches, dropout."""
    children = np.random.SeedSequence(seed).spawn(3)
    first, second, third = (
        np.random.Generator(np.random.SFC64(child)) for child in children
    )
    return first, second, third


def mish(x: Tensor) -> Tensor:
    """Return Mish, ``x · tanh(softplus(x))``, with a single exponential."""
    w = x.clamp(max=20.0).exp_()
    n = w * (w + 2)
    return n.div_(n + 2).mul_(x)


def mish_with_slope(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return Mish and its derivative.

    With ``w = exp(x)`` and ``n = w(w + 2)``, ``tanh(softplus(x)) = n / (n + 2) = t``
    and the derivative is ``t + x (1 − t²) w / (1 + w)``. `x` is capped at 20 inside the
    exponential, where both agree with their limits to machine precision.
    """
    w = x.clamp(max=20.0).exp_()
    n = w * (w + 2)
    t = n.div_(n + 2)
    value = x * t
    # x(1 − t²) = x − value·t
    slope = torch.addcmul(x, value, t, value=-1).mul_(w).div_(w + 1).add_(t)
    return value, slope


class BatchedMLP:
    """K independent multilayer perceptrons with Mish between layers.

    Parameters
    ----------
    sizes : sequence of int
        Widths from the input to the output, for example ``(32, 16, 16, 16, 1)``.
    seeds : sequence of int or None
        One per model; a model is the same whatever others it is batched with. None
        leaves its parameters at zero.
    dtype : torch.dtype

    Attributes
    ----------
    parameters, gradient : Tensor of shape (K, P)
        Layer after layer, weights (out × in, row by row) and then biases. `gradient`
        is dense and belongs to the last `backward`.
    mask : Tensor of shape (K, P), or None
        1 where a parameter may differ from zero; None means everywhere.
    weights : list of Tensor of shape (K, out, in)
        Views of `parameters`; `weight_gradients` are the same views of `gradient`.
    biases : list of Tensor of shape (K, 1, out)
        Views of `parameters`.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        seeds: Sequence[int | None],
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.sizes = tuple(int(size) for size in sizes)
        self.n_models = len(seeds)
        self.slices: list[tuple[slice, slice]] = []
        end = 0
        for n_in, n_out in pairwise(self.sizes):
            start, middle, end = end, end + n_in * n_out, end + n_in * n_out + n_out
            self.slices.append((slice(start, middle), slice(middle, end)))
        self.parameters = torch.zeros(self.n_models, end, dtype=dtype)
        self.gradient = torch.zeros_like(self.parameters)
        self.mask: Tensor | None = None
        self.weights, self.biases = self.views(self.parameters)
        self.weight_gradients, self.bias_gradients = self.views(self.gradient)
        self._inputs: list[Tensor] = []
        self._slopes: list[Tensor] = []
        for row, seed in zip(self.parameters, seeds, strict=True):
            if seed is not None:
                self._initialise(row, random_streams(seed)[0])

    def views(self, buffer: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return weights (K, out, in) and biases (K, 1, out) as views of a buffer.

        Parameters
        ----------
        buffer : Tensor of shape (K, P)
            `parameters`, `gradient`, `mask` or anything laid out like them.
        """
        weights, biases = [], []
        for (w, b), (n_in, n_out) in zip(
            self.slices, pairwise(self.sizes), strict=True
        ):
            weights.append(buffer[:, w].view(self.n_models, n_out, n_in))
            biases.append(buffer[:, b].unsqueeze(1))
        return weights, biases

    def _initialise(self, row: Tensor, rng: np.random.Generator) -> None:
        # The default of torch.nn.Linear: uniform within ±1/√fan-in, biases too.
        for (w, b), n_in in zip(self.slices, self.sizes[:-1], strict=True):
            n = b.stop - w.start
            draw = (2 * rng.random(n) - 1) / math.sqrt(n_in)
            row[w.start : b.stop] = torch.from_numpy(draw)

    @property
    def widths(self) -> tuple[int, ...]:
        """Neurons of the hidden layers of one model."""
        return self.sizes[1:-1]

    @property
    def masks(self) -> list[Tensor]:
        """Masks of the weights, layer by layer (K, out, in); views of `mask`."""
        mask = torch.ones_like(self.parameters) if self.mask is None else self.mask
        return self.views(mask)[0]

    @property
    def weight_positions(self) -> Tensor:
        """Positions of the weights among the parameters (n_weights,), in order."""
        return torch.cat([torch.arange(w.start, w.stop) for w, _ in self.slices])

    @property
    def n_weights(self) -> int:
        """Weights of one model, biases not counted."""
        return sum(a * b for a, b in pairwise(self.sizes))

    @property
    def n_biases(self) -> int:
        """Biases of one model."""
        return sum(self.sizes[1:])

    def outputs(self, x: Tensor) -> Tensor:
        """Evaluate all models on the same inputs, without dropout.

        Parameters
        ----------
        x : Tensor of shape (n, D)

        Returns
        -------
        Tensor of shape (K, n, outputs)
        """
        z = x.to(self.parameters.dtype).expand(self.n_models, *x.shape)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            z = mish(torch.baddbmm(bias, z, weight.transpose(1, 2)))
        return torch.baddbmm(self.biases[-1], z, self.weights[-1].transpose(1, 2))

    def forward(self, x: Tensor, keep: Sequence[Tensor] | None = None) -> Tensor:
        """Evaluate each model on its own batch and remember what `backward` needs.

        Parameters
        ----------
        x : Tensor of shape (K, B, D)
        keep : sequence of Tensor of shape (K, B, width), optional
            Dropout per hidden layer: 0 for a silenced neuron, 1/(1 − p) for the others.

        Returns
        -------
        Tensor of shape (K, B, outputs)
        """
        self._inputs, self._slopes = [x], []
        for layer, (weight, bias) in enumerate(
            zip(self.weights, self.biases, strict=True)
        ):
            z = torch.baddbmm(bias, self._inputs[-1], weight.transpose(1, 2))
            if layer == len(self.weights) - 1:
                break
            value, slope = mish_with_slope(z)
            if keep is not None:
                value, slope = value.mul_(keep[layer]), slope.mul_(keep[layer])
            self._inputs.append(value)
            self._slopes.append(slope)
        return z

    def backward(self, d_output: Tensor) -> None:
        """Write the dense gradient of a loss into `gradient`.

        Parameters
        ----------
        d_output : Tensor of shape (K, B, outputs)
            Derivative of the loss with respect to what `forward` returned.
        """
        d = d_output
        for layer in reversed(range(len(self.weights))):
            torch.bmm(
                d.transpose(1, 2), self._inputs[layer], out=self.weight_gradients[layer]
            )
            torch.sum(d, 1, keepdim=True, out=self.bias_gradients[layer])
            if layer:
                d = torch.bmm(d, self.weights[layer]).mul_(self._slopes[layer - 1])

    def select(self, models: Sequence[int]) -> BatchedMLP:
        """Return a copy of some of the models, in that order."""
        chosen = BatchedMLP(self.sizes, [None] * len(models), self.parameters.dtype)
        chosen.parameters.copy_(self.parameters[list(models)])
        if self.mask is not None:
            chosen.mask = self.mask[list(models)].clone()
        return chosen

    def state_dict(self) -> dict[str, Tensor]:
        """Return the tensors that define the models."""
        state = {"parameters": self.parameters.clone()}
        if self.mask is not None:
            state["mask"] = self.mask.clone()
        return state

    @classmethod
    def from_state(cls, sizes: Sequence[int], state: dict[str, Tensor]) -> BatchedMLP:
        """Rebuild models from `state_dict`.

        Raises
        ------
        ValueError
            If the tensors do not fit `sizes`.
        """
        parameters = state["parameters"]
        models = cls(sizes, [None] * len(parameters), parameters.dtype)
        if parameters.shape != models.parameters.shape:
            raise ValueError(
                f"parameters of shape {tuple(parameters.shape)} do not fit layers of "
                f"{models.sizes}"
            )
        models.parameters.copy_(parameters)
        if "mask" in state:
            models.mask = state["mask"].clone()
        return models


class BatchedAdam:
    """Adam on the whole buffer (arXiv 1412.6980), as torch.optim.Adam computes it.

    Parameters
    ----------
    model : BatchedMLP
    learning_rate : float
    betas : tuple of float
    eps : float
    l1 : array of shape (K,), optional
        Strength λ of an L1 penalty on weights, taken as a proximal step: after each
        step every weight shrinks towards zero by the learning rate times λ, and stops
        there.
    input_l1 : array of shape (K,), optional
        The same on the length of all weights that leave one input (a group lasso,
        which lets go of whole inputs).

    Attributes
    ----------
    first, second : Tensor of shape (K, P)
        Running moments; a topology rule zeroes those of weights it replaces.
    """

    def __init__(
        self,
        model: BatchedMLP,
        learning_rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        *,
        l1: npt.ArrayLike | None = None,
        input_l1: npt.ArrayLike | None = None,
    ) -> None:
        self.model = model
        self.l1 = _per_model(l1, model)
        self.input_l1 = _per_model(input_l1, model)
        self.learning_rate, self.betas, self.eps = learning_rate, betas, eps
        self.first = torch.zeros_like(model.parameters)
        self.second = torch.zeros_like(model.parameters)
        self.steps = 0

    def step(self, skip: Tensor | None = None) -> None:
        """Take one step along `model.gradient`, keeping masked parameters at zero.

        Parameters
        ----------
        skip : bool Tensor of shape (K,), optional
            Models that stay as they are in this step, moments and dense gradient
            included; the step counter goes on for all.
        """
        held = self._hold(skip)
        self.steps += 1
        gradient, parameters = self.model.gradient, self.model.parameters
        if self.model.mask is not None:
            gradient.mul_(self.model.mask)
        beta1, beta2 = self.betas
        self.first.lerp_(gradient, 1 - beta1)
        self.second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        root = math.sqrt(1 - beta2**self.steps)
        scale = self.second.sqrt().div_(root).add_(self.eps)
        rate = self.learning_rate / (1 - beta1**self.steps)
        parameters.addcdiv_(self.first, scale, value=-rate)
        self._shrink()
        if self.model.mask is not None:
            parameters.mul_(self.model.mask)
        for buffer, rows, values in held:
            buffer[rows] = values

    def _shrink(self) -> None:
        if self.l1 is not None:
            amount = (self.learning_rate * self.l1).view(-1, 1, 1)
            for weight in self.model.weights:
                weight.copy_((weight.abs() - amount).clamp_(min=0).copysign_(weight))
        if self.input_l1 is not None:
            amount = (self.learning_rate * self.input_l1).view(-1, 1, 1)
            first = self.model.weights[0]
            length = first.norm(dim=1, keepdim=True)
            tiny = torch.finfo(length.dtype).tiny
            first.mul_((1 - amount / length.clamp(min=tiny)).clamp_(min=0))

    def _hold(self, skip: Tensor | None) -> list[tuple[Tensor, Tensor, Tensor]]:
        if skip is None or not bool(skip.any()):
            return []
        rows = skip.nonzero()[:, 0]
        model = self.model
        buffers = (model.parameters, model.gradient, self.first, self.second)
        return [(buffer, rows, buffer[rows].clone()) for buffer in buffers]


def _per_model(values: npt.ArrayLike | None, model: BatchedMLP) -> Tensor | None:
    if values is None or not np.any(values):
        return None
    array = np.broadcast_to(np.asarray(values, np.float64), (model.n_models,))
    return torch.from_numpy(array.copy()).to(model.parameters.dtype)
