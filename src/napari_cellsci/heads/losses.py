"""How outputs are compared with classes, and what they say about a class."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor


def n_outputs(n_classes: int) -> int:
    """Return the outputs a head needs: one for two classes, else one per class."""
    return 1 if n_classes == 2 else n_classes


def class_weights(
    y: npt.NDArray[np.int64], n_classes: int, balanced: bool
) -> npt.NDArray[np.float32]:
    """Return the weight of each class (C,); the mean over `y` is 1.

    Balanced weights are inversely proportional to a class's frequency, so that each
    class pulls as hard as any other. Classes that `y` lacks get 0.
    """
    counts = np.bincount(y, minlength=n_classes)
    if not balanced:
        return np.ones(n_classes, np.float32)
    present = counts > 0
    weights = np.zeros(n_classes, np.float32)
    weights[present] = len(y) / (present.sum() * counts[present])
    return weights


def wanted_outputs(
    y: npt.NDArray[np.int64], n_classes: int, smoothing: float = 0.0
) -> npt.NDArray[np.float32]:
    """Return the probabilities a head is asked for (n, outputs).

    Smoothing asks for ``1 − s + s/C`` instead of certainty (arXiv 1512.00567, section
    7), without which the scores of a few separable cells grow for as long as training
    lasts.
    """
    certain = np.eye(n_classes)[y]
    wanted = certain * (1 - smoothing) + smoothing / n_classes
    return np.asarray(wanted[:, 1:] if n_classes == 2 else wanted, np.float32)


def loss(outputs: Tensor, wanted: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean cross-entropy over a batch (nats).

    Parameters
    ----------
    outputs : Tensor of shape (..., B, outputs)
        Logits; one output means two classes.
    wanted : Tensor of shape (..., B, outputs)
        Probabilities; of the second class for one output.
    weights : Tensor of shape (..., B)
        Weight of each cell, usually of its class.

    Returns
    -------
    Tensor of shape (...)
    """
    if outputs.shape[-1] == 1:
        each = F.binary_cross_entropy_with_logits(outputs, wanted, reduction="none")
        each = each.squeeze(-1)
    else:
        each = -(outputs.log_softmax(-1) * wanted).sum(-1)
    return (each * weights).mean(-1)


def loss_gradient(outputs: Tensor, wanted: Tensor, weights: Tensor) -> Tensor:
    """Return the derivative of the sum of `loss` with respect to `outputs`."""
    scale = (weights / outputs.shape[-2]).unsqueeze(-1)
    single = outputs.shape[-1] == 1
    found = torch.sigmoid(outputs) if single else outputs.softmax(-1)
    return found.sub_(wanted).mul_(scale)


def decide(scores: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
    """Return the class each score stands for.

    Parameters
    ----------
    scores : array of shape (..., outputs)
        One output: class 1 where it is ≥ 0; more: the largest wins.
    """
    if scores.shape[-1] == 1:
        return np.asarray(scores[..., 0] >= 0, np.int64)
    return np.asarray(np.argmax(scores, axis=-1), np.int64)
