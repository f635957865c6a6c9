"""Three ways to tell usable cells from junk, with one face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.heads.usable.network import (
    FilterConfig,
    FilterNet,
    network_probability,
    train_network,
)
from napari_cellsci.heads.usable.rule import SizeRule, find_rule
from napari_cellsci.representation.normalise import normalise
from napari_cellsci.tasks import CancelToken, OnEvent, ignore

Method: TypeAlias = Literal["cnn", "logistic", "size"]
METHODS: tuple[Method, ...] = get_args(Method)
CALLED: dict[Method, str] = {
    "cnn": "CNN",
    "logistic": "logistic regression",
    "size": "size rule",
}
_AT_ONCE = 512
Probability = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class Sights:
    """What filters look at.

    Parameters
    ----------
    crops : array-like (n, C, S, S)
        Raw.
    spec : CropSpec
        How they were cut.
    sizes : array (n, 2), optional
        Height and width of every cell in its original image (px).
    """

    crops: Any
    spec: CropSpec
    sizes: npt.NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.crops)

    def of(self, rows: npt.NDArray[np.int64]) -> Sights:
        """Return some of the cells, in memory."""
        sizes = None if self.sizes is None else self.sizes[rows]
        return Sights(self.crops[rows], self.spec, sizes)


class Judge(Protocol):
    """Something that was learned and gives the probability of being usable."""

    def probability(
        self, cells: Sights, *, on_event: OnEvent, token: CancelToken | None
    ) -> Probability:
        """Return the probability of being usable (n,)."""

    def meta(self) -> dict[str, Any]:
        """Return JSON values that, with the tensors, define it."""

    def state_dict(self) -> dict[str, Tensor]:
        """Return the tensors that define it."""


@dataclass(frozen=True, eq=False, slots=True)
class NetworkJudge:
    """The CNN of Isaksson 2018."""

    network: FilterNet

    def probability(
        self, cells: Sights, *, on_event: OnEvent, token: CancelToken | None
    ) -> Probability:
        """Return the probability of being usable (n,)."""
        return network_probability(
            self.network, cells.crops, cells.spec, on_event=on_event, token=token
        )

    def meta(self) -> dict[str, Any]:
        """Return JSON values that, with the tensors, define it."""
        return {}

    def state_dict(self) -> dict[str, Tensor]:
        """Return the tensors that define it."""
        return {
            name: tensor.detach().clone()
            for name, tensor in self.network.state_dict().items()
        }


@dataclass(frozen=True, eq=False, slots=True)
class LogisticJudge:
    """Logistic regression on normalised pixels.

    Parameters
    ----------
    weights : array (C·S·S,)
        Of normalised pixels; that they were standardised is worked in.
    bias : float
    """

    weights: npt.NDArray[np.float32]
    bias: float

    def probability(
        self, cells: Sights, *, on_event: OnEvent, token: CancelToken | None
    ) -> Probability:
        """Return the probability of being usable (n,)."""
        found = np.empty(len(cells), np.float64)
        for start in range(0, len(cells), _AT_ONCE):
            if token is not None:
                token.raise_if_cancelled()
            part = slice(start, start + _AT_ONCE)
            found[part] = _pixels(cells.crops[part], cells.spec) @ self.weights
        return np.asarray(0.5 * (1 + np.tanh(0.5 * (found + self.bias))))

    def meta(self) -> dict[str, Any]:
        """Return JSON values that, with the tensors, define it."""
        return {"bias": self.bias}

    def state_dict(self) -> dict[str, Tensor]:
        """Return the tensors that define it."""
        return {"weights": torch.from_numpy(self.weights)}


@dataclass(frozen=True, slots=True)
class SizeJudge:
    """The rule of sizes: it gives 1 or 0, nothing between."""

    rule: SizeRule

    def probability(
        self, cells: Sights, *, on_event: OnEvent, token: CancelToken | None
    ) -> Probability:
        """Return 1 for usable cells and 0 for others (n,)."""
        assert cells.sizes is not None
        return self.rule.passes(cells.sizes).astype(np.float64)

    def meta(self) -> dict[str, Any]:
        """Return JSON values that define it."""
        return self.rule.to_dict()

    def state_dict(self) -> dict[str, Tensor]:
        """Return no tensors."""
        return {}


def _pixels(crops: npt.NDArray[Any], spec: CropSpec) -> npt.NDArray[np.float32]:
    return normalise(np.ascontiguousarray(crops), spec).flatten(1).numpy()


def train_judge(
    method: Method,
    cells: Sights,
    usable: npt.NDArray[np.bool_],
    config: FilterConfig,
    seed: int,
    *,
    on_event: OnEvent = ignore,
    token: CancelToken | None = None,
    before: int = 0,
    total: int | None = None,
) -> Judge:
    """Learn from labelled cells; see `train_network` for what is common."""
    if method == "size":
        assert cells.sizes is not None
        return SizeJudge(find_rule(cells.sizes, usable, balanced=config.balanced))
    if method == "logistic":
        return _logistic(cells, usable, config)
    network = train_network(
        cells.crops,
        cells.spec,
        usable,
        config,
        seed,
        on_event=on_event,
        token=token,
        before=before,
        total=total,
    )
    return NetworkJudge(network)


def _logistic(
    cells: Sights, usable: npt.NDArray[np.bool_], config: FilterConfig
) -> LogisticJudge:
    from sklearn.linear_model import LogisticRegression

    x = _pixels(cells.crops, cells.spec).astype(np.float64)
    mean, spread = x.mean(0), x.std(0)
    # Pixels that never change, as padding, tell nothing.
    scale = np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 0.0)
    x -= mean
    x *= scale
    model = LogisticRegression(
        max_iter=300, class_weight="balanced" if config.balanced else None, tol=1e-3
    )
    model.fit(x, usable)
    weights = model.coef_[0] * scale
    bias = float(model.intercept_[0] - mean @ weights)
    return LogisticJudge(weights.astype(np.float32), bias)


def judge_from_state(
    method: Method, spec: CropSpec, meta: dict[str, Any], tensors: dict[str, Tensor]
) -> Judge:
    """Rebuild what was learned from `meta` and `state_dict`."""
    if method == "size":
        return SizeJudge(SizeRule(**meta))
    if method == "logistic":
        return LogisticJudge(tensors["weights"].numpy(), float(meta["bias"]))
    network = FilterNet(spec.n_channels, spec.size)
    network.load_state_dict(tensors)
    return NetworkJudge(network.eval())
