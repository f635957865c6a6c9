"""What a search looks for, and what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from napari_cellsci.errors import InputError
from napari_cellsci.formulas.expression import Expression
from napari_cellsci.formulas.nodes import BINARY, PAPER_WEIGHTS, UNARY

Loss = Literal["hinge", "logistic", "mse"]
LOSSES: tuple[Loss, ...] = ("hinge", "logistic", "mse")
PRESETS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "paper": (BINARY, UNARY),
    "plain": (BINARY, ("square", "abs")),
}
"""Operators with two arguments and with one, by the name of the choice."""
LEAST_SIZE = 7
"""PySR refuses smaller limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpec:
    """What a search looks for.

    Parameters
    ----------
    operators : {"paper", "plain"}
        The paper's ten operators, or + − × ÷ square abs.
    loss : {"hinge", "logistic", "mse"}
        Hinge and logistic loss take targets ±1, mse any.
    maxsize : int
        Complexity at most; operators count as `weights` say.
    parsimony : float
        What a node costs, in units of the loss of the constant 0.
    nested : bool
        Whether sin and exp may stand inside sin and exp.
    weights : mapping of str to int
        Complexity of operators where it is not 1.
    seed : int
    evaluations : int, optional
        Budget of the built-in engine; what it finds in one repeats exactly.
    iterations : int, optional
        Budget of PySR, in its iterations; repeats exactly too.
    seconds : float, optional
        Time at most, for both; what is found then depends on the machine.
    cores : int
        Threads of the built-in engine; they change nothing but the time.
    """

    operators: str = "paper"
    loss: Loss = "hinge"
    maxsize: int = 20
    parsimony: float = 1e-3
    nested: bool = False
    weights: Mapping[str, int] = field(default_factory=lambda: dict(PAPER_WEIGHTS))
    seed: int = 0
    evaluations: int | None = None
    iterations: int | None = None
    seconds: float | None = None
    cores: int = 1

    def __post_init__(self) -> None:
        if self.operators not in PRESETS:
            known = " or ".join(PRESETS)
            raise InputError(f"Operators are {known}, not {self.operators!r}.")
        if self.loss not in LOSSES:
            raise InputError(f"The loss is {', '.join(LOSSES)}, not {self.loss!r}.")
        if self.maxsize < LEAST_SIZE:
            raise InputError(
                f"A formula needs room: allow a size of {LEAST_SIZE} at least, not "
                f"{self.maxsize}."
            )
        if any(weight < 1 for weight in self.weights.values()):
            raise InputError("The complexity of an operator is at least 1.")
        for name in ("evaluations", "iterations", "seconds"):
            budget = getattr(self, name)
            if budget is not None and not budget > 0:
                raise InputError(f"{name} must be more than 0, not {budget}.")
        if self.cores < 1:
            raise InputError("A search needs at least one core.")

    @property
    def binary(self) -> tuple[str, ...]:
        """Operators with two arguments."""
        return PRESETS[self.operators][0]

    @property
    def unary(self) -> tuple[str, ...]:
        """Operators with one argument."""
        return PRESETS[self.operators][1]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; `from_dict` reads them."""
        values = asdict(self)
        values["weights"] = dict(self.weights)
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SearchSpec:
        """Rebuild a specification from `to_dict`."""
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A formula of a front.

    Attributes
    ----------
    complexity : int
    loss : float
        On the training rows.
    expression : Expression
    """

    complexity: int
    loss: float
    expression: Expression
