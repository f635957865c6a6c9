"""K formulas as heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_cellsci.errors import BundleError, InputError
from napari_cellsci.formulas.expression import Expression, FormulaError
from napari_cellsci.heads.formula_torch import evaluate
from napari_cellsci.heads.latent_members import Scores
from napari_cellsci.tasks import CancelToken, OnEvent, Progress, ignore

_ROWS_AT_ONCE = 65_536


def latent_names(width: int) -> tuple[str, ...]:
    """Return what formulas call the latents of an encoder, from z0 on."""
    return tuple(f"z{d}" for d in range(width))


def median_of_defined(
    members: npt.NDArray[np.floating],
) -> npt.NDArray[np.floating]:
    """Return the median over heads (K, n, outputs) of the values that are no NaN.

    Returns
    -------
    array of shape (n, outputs)
        NaN where there is none.
    """
    defined = ~np.isnan(members).any(-1, keepdims=True)
    known = np.where(defined, members, np.nan)
    some = defined.any(0)[:, 0]
    found = np.full(members.shape[1:], np.nan, members.dtype)
    if some.any():
        found[some] = np.nanmedian(known[:, some], axis=0)
    return found


@dataclass(frozen=True, slots=True)
class FormulaMembers:
    """Formulas over latents.

    Parameters
    ----------
    formulas : tuple of tuple of Expression
        For every head one formula, or one per class.
    width : int
        Latents of the encoder, D.
    """

    formulas: tuple[tuple[Expression, ...], ...]
    width: int

    def __post_init__(self) -> None:
        known = set(latent_names(self.width))
        for head in self.formulas:
            for formula in head:
                strange = [name for name in formula.names if name not in known]
                if strange:
                    raise InputError(
                        f"The formula {formula} reads {', '.join(strange)}, but the "
                        f"latents are z0 to z{self.width - 1}."
                    )
        if not self.formulas or len({len(head) for head in self.formulas}) != 1:
            raise InputError("Every head needs the same number of formulas.")

    @property
    def n_models(self) -> int:
        """Number of heads."""
        return len(self.formulas)

    @property
    def n_outputs(self) -> int:
        """Formulas of a head: one for two classes, else one per class."""
        return len(self.formulas[0])

    @property
    def input(self) -> Literal["latents"]:
        """What the heads look at."""
        return "latents"

    @property
    def used_inputs(self) -> npt.NDArray[np.bool_]:
        """Which latents each head reads (K, D)."""
        found = np.zeros((self.n_models, self.width), bool)
        for k, head in enumerate(self.formulas):
            for formula in head:
                found[k, [int(name[1:]) for name in formula.names]] = True
        return found

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Expression size of each head (K,): nodes, each counted once."""
        return np.array([sum(f.size for f in head) for head in self.formulas])

    def scores(
        self,
        x: npt.ArrayLike,
        *,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> Scores:
        """Return the values of every formula.

        Parameters
        ----------
        x : array of shape (n, D) or (n, views, D)
            Latent means; of several views the first, the crop as it is, counts.
        on_event : callable
        token : CancelToken, optional

        Returns
        -------
        float32 array of shape (K, n, outputs)
            NaN where a formula is not defined or not finite.

        Raises
        ------
        InputError
            If the latents are of another width than the formulas were found on.
        """
        latents = np.asarray(x)
        latents = latents[:, 0] if latents.ndim == 3 else latents
        if latents.ndim != 2 or latents.shape[1] != self.width:
            raise InputError(
                f"These formulas read {self.width} latents per cell, but an array of "
                f"shape {latents.shape} was given: use their own encoder."
            )
        n = len(latents)
        result = np.empty((self.n_models, n, self.n_outputs), np.float32)
        for start in range(0, n, _ROWS_AT_ONCE):
            if token is not None:
                token.raise_if_cancelled()
            part = slice(start, start + _ROWS_AT_ONCE)
            columns = dict(zip(latent_names(self.width), latents[part].T, strict=True))
            for k, head in enumerate(self.formulas):
                for output, formula in enumerate(head):
                    with np.errstate(over="ignore"):
                        result[k, part, output] = formula(columns)
            on_event(Progress("Scoring", min(start + _ROWS_AT_ONCE, n), n))
        result[~np.isfinite(result)] = np.nan
        return result

    def outputs(self, x: Tensor) -> Tensor:
        """Return the values (K, n, outputs) of latents (n, D), differentiably.

        Finite outside a formula's domain too; see `formula_torch.evaluate`.
        """
        columns = dict(zip(latent_names(self.width), x.unbind(1), strict=True))
        like = x[:, 0]
        return torch.stack(
            [
                torch.stack(
                    [evaluate(f.root, columns, like, guarded=True) for f in head], -1
                )
                for head in self.formulas
            ]
        )

    def select(self, models: Sequence[int]) -> FormulaMembers:
        """Return some of the heads."""
        return FormulaMembers(tuple(self.formulas[k] for k in models), self.width)

    def state_dict(self) -> dict[str, Tensor]:
        """Return no tensors: formulas are text."""
        return {}

    def meta(self) -> dict[str, Any]:
        """Return the JSON values that define the heads, and their sizes."""
        return {
            "kind": "formula",
            "width": self.width,
            "formulas": [[str(f) for f in head] for head in self.formulas],
            "inputs": [np.flatnonzero(row).tolist() for row in self.used_inputs],
            "expression_size": self.sizes.tolist(),
            "complexity": [sum(f.complexity() for f in head) for head in self.formulas],
        }

    @classmethod
    def from_state(
        cls, meta: dict[str, Any], tensors: dict[str, Tensor]
    ) -> FormulaMembers:
        """Rebuild heads from `meta`; text is parsed, never evaluated.

        Raises
        ------
        BundleError
            If a formula cannot be read, or its sizes are not its own.
        """
        width = int(meta["width"])
        names = latent_names(width)
        try:
            formulas = tuple(
                tuple(Expression.parse(str(text), names) for text in head)
                for head in meta["formulas"]
            )
            members = cls(formulas, width)
        except FormulaError as error:
            raise BundleError(
                f"A formula of this classifier cannot be read: {error}"
            ) from error
        except InputError as error:
            raise BundleError(str(error)) from error
        if tensors or members.meta() != dict(meta):
            raise BundleError("The sizes of these formulas are not their own.")
        return members
