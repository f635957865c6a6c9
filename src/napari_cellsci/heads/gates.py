"""Gates before the inputs of dense heads, pressed shut by an L0 penalty.

Hard-concrete gates (Louizos et al., arXiv 1712.01312): each input is multiplied by a
random number that is exactly 0 or 1 with a probability that is learned, and every gate
that is likely open costs.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from napari_cellsci.heads.losses import loss_gradient
from napari_cellsci.heads.training import HeadTraining

_TEMPERATURE, _LOW, _HIGH = 2 / 3, -0.1, 1.1
_COST = 0.01
"""What an open gate costs (nats)."""
_RATE = 1e-2
"""Learning rate of the gates."""


class GatedTraining(HeadTraining):
    """Dense heads that learn which inputs they can do without.

    The parameters are those of `HeadTraining`; steps are taken in torch.

    Attributes
    ----------
    logits : Tensor of shape (K, D)
        The larger, the likelier a gate is open.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        shape = self.model.n_models, self.model.sizes[0]
        self.logits = torch.full(shape, 2.0, dtype=self.model.parameters.dtype)
        self._first = torch.zeros_like(self.logits)
        self._second = torch.zeros_like(self.logits)
        self._generator = torch.Generator().manual_seed(self.model.n_models)

    @property
    def open(self) -> Tensor:
        """Which gates are not shut (bool, K × D)."""
        likely = torch.sigmoid(self.logits) * (_HIGH - _LOW) + _LOW
        return likely > 0

    def _one_step(self, rows: Tensor, due: Tensor | None) -> Tensor:
        gate, slope = self._draw()
        first = self.model.weights[0]
        whole = first.clone()
        # A gate before an input is a factor of all weights that leave it.
        first.mul_(gate.unsqueeze(1))
        x = self.table.index_select(0, rows)
        outputs = self.model.forward(x.view(self.model.n_models, self.batch, -1))
        self.model.backward(loss_gradient(outputs, *self._asked(rows)))
        gradient = self.model.weight_gradients[0]
        self._move((gradient * whole).sum(1) * slope)
        gradient.mul_(gate.unsqueeze(1))
        first.copy_(whole)
        self.optimiser.step(due)
        return outputs

    def _draw(self) -> tuple[Tensor, Tensor]:
        """Return random gates and their derivative by the logits."""
        u = torch.rand(self.logits.shape, generator=self._generator).clamp(
            1e-6, 1 - 1e-6
        )
        s = torch.sigmoid((u.logit() + self.logits) / _TEMPERATURE)
        wide = s * (_HIGH - _LOW) + _LOW
        inside = (wide > 0) & (wide < 1)
        slope = (_HIGH - _LOW) / _TEMPERATURE * s * (1 - s) * inside
        return wide.clamp(0, 1), slope

    def _move(self, gradient: Tensor) -> None:
        """Take a step of Adam with the logits, against the loss and the penalty."""
        likely = torch.sigmoid(self.logits - _TEMPERATURE * math.log(-_LOW / _HIGH))
        gradient = gradient + _COST * likely * (1 - likely)
        n = self.step + 1
        self._first.lerp_(gradient, 0.1)
        self._second.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        scale = (self._second / (1 - 0.999**n)).sqrt() + 1e-8
        self.logits.addcdiv_(self._first / (1 - 0.9**n), scale, value=-_RATE)
