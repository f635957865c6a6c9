"""K trained heads with what was learned about them on unseen cells."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor

from napari_cellsci.errors import BundleError, InputError
from napari_cellsci.heads.calibrate import Calibration
from napari_cellsci.heads.cnn_network import CropMembers
from napari_cellsci.heads.evaluate import HeldOut
from napari_cellsci.heads.formula_members import FormulaMembers, median_of_defined
from napari_cellsci.heads.latent_members import LatentMembers, Scores
from napari_cellsci.heads.losses import decide, n_outputs
from napari_cellsci.heads.sparse_members import SparseMembers
from napari_cellsci.tasks import CancelToken, OnEvent, ignore

__all__ = ["HeadSet", "LatentMembers", "Members", "Scores", "SparseMembers"]


class Members(Protocol):
    """K heads that take the same input."""

    @property
    def n_models(self) -> int:
        """Number of heads."""

    @property
    def input(self) -> Literal["latents", "crops"]:
        """What the heads look at."""

    def scores(
        self, x: npt.ArrayLike, *, on_event: OnEvent, token: CancelToken | None
    ) -> Scores:
        """Return every head's outputs, (K, n, outputs)."""

    def outputs(self, x: Tensor) -> Tensor:
        """Return every head's outputs (K, n, outputs), differentiably.

        Of latents (n, D), or of normalised crops (n, C, S, S).
        """

    def select(self, models: list[int]) -> Members:
        """Return some of the heads."""

    def state_dict(self) -> dict[str, Tensor]:
        """Return the tensors that define the heads."""

    def meta(self) -> dict[str, Any]:
        """Return the JSON values that define the heads."""


_Kind = type[LatentMembers] | type[CropMembers] | type[FormulaMembers]
_KINDS: dict[str, _Kind] = {
    "latents": LatentMembers,
    "sparse": SparseMembers,
    "formula": FormulaMembers,
    "crops": CropMembers,
}


def _kind(meta: dict[str, Any]) -> _Kind:
    return _KINDS[meta["members"].get("kind", meta["input"])]


SIGMA_OF_MAD = 1.4826
"""Standard deviation of a normal distribution by its median absolute deviation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadSet:
    """K heads of one scheme, their calibration and their record on unseen cells.

    Parameters
    ----------
    scheme : int
        1 for heads on crops, 2 for dense heads on latents, 3 for sparse ones, 4 for
        formulas.
    n_classes : int
    members : Members
    calibration : Calibration
        Fitted to out-of-fold scores, folds divided by track.
    report : HeldOut
    config : dict
        JSON values of the training configuration.
    """

    scheme: int
    n_classes: int
    members: Members
    calibration: Calibration
    report: HeldOut
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def n_members(self) -> int:
        """Number of heads K."""
        return self.members.n_models

    @property
    def n_outputs(self) -> int:
        """Outputs of a head: one for two classes, else one per class."""
        return n_outputs(self.n_classes)

    @property
    def input(self) -> Literal["latents", "crops"]:
        """What the heads look at."""
        return self.members.input

    def scores(
        self,
        x: npt.ArrayLike,
        *,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> Scores:
        """Return every head's score of every cell.

        Parameters
        ----------
        x : array of shape (n, D), (n, views, D) or (n, C, H, W)
            Latent means, or raw crops cut as the heads' crop specification says.
        on_event : callable
        token : CancelToken, optional

        Returns
        -------
        float32 array of shape (K, n, outputs)
        """
        return self.members.scores(x, on_event=on_event, token=token)

    def combined(self, members: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Return one score of those of all heads.

        Their mean; of formulas the median of those that are defined, since a single one
        may be as large as exp(exp(z)).

        Parameters
        ----------
        members : array of shape (K, n, outputs)

        Returns
        -------
        array of shape (n, outputs)
            NaN where no head is defined.
        """
        if isinstance(self.members, FormulaMembers):
            return median_of_defined(members)
        return np.asarray(members.mean(axis=0))

    def spread(self, scores: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        """Return how far the heads disagree about each cell.

        The standard deviation; of formulas, whose scores are joined by the median and
        of which one may be as large as exp(exp(z)), 1.4826 times the median distance
        from it, which is the same for normally distributed scores.

        Parameters
        ----------
        scores : array of shape (K, n)
            One number of every head for each cell; NaN where a head is not defined.

        Returns
        -------
        array of shape (n,)
            NaN where no head is defined.
        """
        if isinstance(self.members, FormulaMembers):
            middle = median_of_defined(scores[..., None])
            away = np.abs(scores[..., None] - middle)
            return SIGMA_OF_MAD * median_of_defined(away)[:, 0]
        return np.asarray(scores.std(axis=0))

    def decide(self, scores: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
        """Return the class of scores (..., outputs); one output: 1 where it is ≥ 0."""
        return decide(scores)

    def probabilities(
        self, scores: npt.NDArray[np.floating]
    ) -> npt.NDArray[np.float64]:
        """Return calibrated probabilities (n, C) of mean scores (n, outputs)."""
        return self.calibration.probabilities(scores)

    def probability(self, scores: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Return one calibrated probability per cell.

        Parameters
        ----------
        scores : array of shape (n, outputs)
            Mean over heads.

        Returns
        -------
        array of shape (n,)
            Of the second of two classes, or of the most likely of several.
        """
        probabilities = self.probabilities(scores)
        return probabilities[:, 1] if self.n_outputs == 1 else probabilities.max(1)

    def select(self, member: int) -> HeadSet:
        """Return a set of one head; calibration and report stay those of all.

        Raises
        ------
        InputError
            If there is no such head.
        """
        if not 0 <= member < self.n_members:
            raise InputError(
                f"There is no head {member}: they are numbered 0 to "
                f"{self.n_members - 1}."
            )
        return HeadSet(
            scheme=self.scheme,
            n_classes=self.n_classes,
            members=self.members.select([member]),
            calibration=self.calibration,
            report=self.report,
            config=self.config,
        )

    def state_dict(self) -> dict[str, Tensor]:
        """Return the tensors that define the heads."""
        return self.members.state_dict()

    def meta(self) -> dict[str, Any]:
        """Return plain JSON values; with `state_dict`, `from_state` reads them."""
        return {
            "scheme": self.scheme,
            "n_classes": self.n_classes,
            "input": self.input,
            "members": self.members.meta(),
            "calibration": asdict(self.calibration),
            "report": self.report.to_dict(),
            "config": self.config,
        }

    @classmethod
    def from_state(cls, meta: dict[str, Any], tensors: dict[str, Tensor]) -> HeadSet:
        """Rebuild a set from `meta` and `state_dict`.

        Raises
        ------
        BundleError
            If values are missing or the tensors do not fit them.
        """
        try:
            return cls(
                scheme=int(meta["scheme"]),
                n_classes=int(meta["n_classes"]),
                members=_kind(meta).from_state(meta["members"], tensors),
                calibration=Calibration(**meta["calibration"]),
                report=HeldOut.from_dict(meta["report"]),
                config=dict(meta["config"]),
            )
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise BundleError(
                f"The heads of this classifier cannot be read ({error}): train or "
                "export it again."
            ) from error
