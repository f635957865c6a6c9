"""How large the heads of a set are, whatever their scheme."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_cellsci.heads.formula_members import FormulaMembers
from napari_cellsci.heads.headset import HeadSet, LatentMembers, SparseMembers
from napari_cellsci.heads.sizes import (
    active_weights,
    dense_expression_size,
    dense_weights,
    expression_size,
    used_inputs,
)

Ints = npt.NDArray[np.int64]
_CNN_HEAD, _CNN_VECTOR = (16, 16, 16), 32


@dataclass(frozen=True, slots=True)
class HeadSizes:
    """Sizes of K heads.

    Attributes
    ----------
    weights : int array of shape (K,)
        Active weights, biases not counted; of formulas their numbers.
    paper, tree : int arrays of shape (K,)
        Expression sizes by both conventions; see `sizes.expression_size`. Those of
        dense heads are equations 11 and 13 of the paper in both.
    inputs : bool array of shape (K, D), or None
        Which latents each head reads; None for heads on crops.
    """

    weights: Ints
    paper: Ints
    tree: Ints
    inputs: npt.NDArray[np.bool_] | None


def head_sizes(heads: HeadSet) -> HeadSizes:
    """Return how large the heads of a set are.

    Of a CNN (scheme 1) the layers count that stand where a head on latents would.
    """
    members = heads.members
    if isinstance(members, SparseMembers):
        masks = members.network.masks
        return HeadSizes(
            active_weights(masks),
            expression_size(masks, "paper"),
            expression_size(masks, "tree"),
            used_inputs(masks),
        )
    if isinstance(members, FormulaMembers):
        # A formula has no weights; its numbers are counted instead.
        numbers = [sum(len(f.numbers) for f in head) for head in members.formulas]
        return HeadSizes(
            np.array(numbers), members.sizes, members.sizes, members.used_inputs
        )
    if isinstance(members, LatentMembers):
        widths, norm = members.network.sizes, False
        inputs = np.ones((heads.n_members, widths[0]), bool)
    else:
        shape = members.meta()["shape"]
        hidden = shape.get("head", _CNN_HEAD)
        widths = (shape.get("latent", _CNN_VECTOR), *hidden, heads.n_outputs)
        norm, inputs = True, None
    same = np.ones(heads.n_members, np.int64)
    size = same * dense_expression_size(widths, batch_norm=norm)
    return HeadSizes(same * dense_weights(widths), size, size, inputs)
