"""A cell filter that was learned, as it is kept on disk."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_cellsci.cells.spec import CropSpec
from napari_cellsci.errors import BundleError, InputError
from napari_cellsci.heads.usable.compare import MethodReport
from napari_cellsci.heads.usable.judges import (
    CALLED,
    METHODS,
    Judge,
    Method,
    Sights,
    judge_from_state,
)
from napari_cellsci.representation.storage import read_model, write_model
from napari_cellsci.tasks import CancelToken, OnEvent, ignore

KIND = "napari-cellsci cell filter"
SCHEMA = 1


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class CellFilter:
    """What tells usable cells from junk.

    Parameters
    ----------
    name : str
    method : {"cnn", "logistic", "size"}
    spec : CropSpec
        How the crops it looks at are cut.
    judge : Judge
        Learned from all labelled cells.
    junk, usable : tuple of str
        Classes that count as either.
    threshold : float
        A cell is kept whose probability of being usable is at least this.
    reports : tuple of MethodReport
        What every kind of filter that was compared got right on held-out cells.
    record : dict
        JSON values: settings, labels, data, versions.
    """

    name: str
    method: Method
    spec: CropSpec
    judge: Judge
    junk: tuple[str, ...]
    usable: tuple[str, ...]
    threshold: float
    reports: tuple[MethodReport, ...] = ()
    record: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise InputError(
                f"A threshold lies between 0 and 1, not at {self.threshold:g}."
            )

    @property
    def report(self) -> MethodReport | None:
        """What filters of its own kind got right on held-out cells."""
        for report in self.reports:
            if report.method == self.method:
                return report
        return None

    @property
    def needs_sizes(self) -> bool:
        """Whether it looks at the sizes of the cells."""
        return self.method == "size"

    @property
    def words(self) -> str:
        """What it is, for the history of labels."""
        at = "" if self.method == "size" else f", threshold {self.threshold:.3g}"
        return f"{CALLED[self.method]} {self.name!r}{at}"

    def with_threshold(self, threshold: float) -> CellFilter:
        """Return the same filter with another threshold."""
        return replace(self, threshold=float(threshold))

    def probability(
        self,
        cells: Sights,
        *,
        on_event: OnEvent = ignore,
        token: CancelToken | None = None,
    ) -> npt.NDArray[np.float64]:
        """Return the probability of being usable (n,).

        Raises
        ------
        InputError
            If it needs sizes that are not known.
        """
        if self.needs_sizes and cells.sizes is None:
            raise InputError(
                "The sizes of these cells are not known, which the size rule needs: "
                "choose another filter, or add masks."
            )
        return self.judge.probability(cells, on_event=on_event, token=token)

    def save(self, folder: Path) -> None:
        """Write ``filter.json`` and ``weights.safetensors`` to a folder."""
        description = {
            "kind": KIND,
            "schema": SCHEMA,
            "name": self.name,
            "method": self.method,
            "spec": self.spec.to_dict(),
            "judge": self.judge.meta(),
            "junk": list(self.junk),
            "usable": list(self.usable),
            "threshold": self.threshold,
            "reports": [report.to_dict() for report in self.reports],
            "record": self.record,
        }
        write_model(folder, description, self.judge.state_dict(), name="filter")

    @classmethod
    def load(cls, folder: Path) -> CellFilter:
        """Read what `save` wrote.

        Raises
        ------
        BundleError
            If it is damaged or no cell filter.
        """
        said, tensors = read_model(folder, kind=KIND, schema=SCHEMA, name="filter")
        try:
            method = said["method"]
            if method not in METHODS:
                raise ValueError(f"unknown method {method!r}")
            spec = CropSpec.from_dict(said["spec"])
            return cls(
                name=str(said["name"]),
                method=method,
                spec=spec,
                judge=judge_from_state(method, spec, said["judge"], tensors),
                junk=tuple(said["junk"]),
                usable=tuple(said["usable"]),
                threshold=float(said["threshold"]),
                reports=tuple(MethodReport.from_dict(r) for r in said["reports"]),
                record=dict(said["record"]),
            )
        except (KeyError, TypeError, ValueError, RuntimeError, InputError) as error:
            raise BundleError(
                f"The cell filter in {folder} cannot be read ({error}): learn it again."
            ) from error
