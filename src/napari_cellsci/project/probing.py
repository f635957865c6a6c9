"""Probing the code of a project's labelled cells for their classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.heads.probe import Judged, ProbeConfig, probe
from napari_cellsci.labels import Labels
from napari_cellsci.project import codes
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.usable import usable_only
from napari_cellsci.tasks import CancelToken, OnEvent

if TYPE_CHECKING:
    from napari_cellsci.representation.encoder import Encoder

METHODS = {"mlp": "MLP probe", "linear": "linear probe"}


@dataclass(frozen=True, eq=False, slots=True)
class ProbeResult:
    """What the latents of an encoder tell of the classes.

    Parameters
    ----------
    encoder : str
        Its name.
    classes : tuple of str
    counts : dict of str to int
        Cells of each class.
    n_groups : int
        Tracks (or groups of images) they are in; none is both learned from and judged.
    mlp, linear : Judged
        The probe of two hidden layers, and a linear one on the same parts.
    folds : int
    """

    encoder: str
    classes: tuple[str, ...]
    counts: dict[str, int]
    n_groups: int
    mlp: Judged
    linear: Judged
    folds: int

    @property
    def n_cells(self) -> int:
        """Labelled cells."""
        return sum(self.counts.values())

    @property
    def chance(self) -> float:
        """Balanced accuracy of guessing."""
        return 1 / len(self.classes)

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Cells by label (rows) and what the MLP probe says (columns), (C, C)."""
        return self.mlp.confusion

    @property
    def table(self) -> pd.DataFrame:
        """Index: MLP probe, linear probe, chance; rates with their 95% intervals."""
        rows = {}
        for key, name in METHODS.items():
            found: Judged = getattr(self, key)
            rows[name] = {
                "balanced_accuracy": found.balanced_accuracy,
                "low": found.interval[0],
                "high": found.interval[1],
                "accuracy": found.accuracy,
            }
        rows["chance"] = {"balanced_accuracy": self.chance}
        return pd.DataFrame.from_dict(rows, orient="index")

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        low, high = self.mlp.interval
        said = (
            f"From the latents of {self.encoder!r} an MLP probe tells "
            f"{len(self.classes)} classes apart with a balanced accuracy of "
            f"{self.mlp.balanced_accuracy:.1%} [{low:.1%}–{high:.1%}], a linear probe "
            f"with {self.linear.balanced_accuracy:.1%} "
            f"[{self.linear.interval[0]:.1%}–{self.linear.interval[1]:.1%}]; chance is "
            f"{self.chance:.1%} ({self.n_cells:,} cells of {self.n_groups:,} groups, "
            f"each judged by probes that have not seen its group)."
        )
        if low <= self.chance:
            said += " That is not more than chance could give."
        return said

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "encoder": self.encoder,
            "classes": list(self.classes),
            "counts": self.counts,
            "cells": self.n_cells,
            "groups": self.n_groups,
            "folds": self.folds,
            "chance": self.chance,
            **{key: judged_values(getattr(self, key)) for key in METHODS},
            "sentence": self.sentence,
        }


@dataclass(frozen=True, eq=False, slots=True)
class ClassedCells:
    """The cells labelled as one of the classes that are told apart.

    Parameters
    ----------
    rows, y, groups : int arrays (n,)
        Row ids, class numbers, and the number of the track or group.
    counts : dict of str to int
    """

    rows: NDArray[np.int64]
    y: NDArray[np.int64]
    groups: NDArray[np.int64]
    counts: dict[str, int]


def judged_values(found: Judged) -> dict[str, Any]:
    """Return JSON values of what was found on unseen cells."""
    return {
        "balanced_accuracy": found.balanced_accuracy,
        "interval": list(found.interval),
        "accuracy": found.accuracy,
        "accuracy_interval": list(found.accuracy_interval),
        "recall": found.recall.tolist(),
        "confusion": found.confusion.tolist(),
    }


def probe_encoder(
    bench: Bench,
    labels: Labels,
    encoder: Encoder,
    name: str,
    classes: Sequence[str] | None,
    config: ProbeConfig,
    on_event: OnEvent,
    token: CancelToken | None,
) -> ProbeResult:
    """Probe an encoder; see `Project.probe`."""
    names, cells = cells_of_classes(bench, labels, classes)
    latents, _ = codes.latents(bench, encoder, on_event=on_event, token=token)
    found = probe(
        latents[cells.rows],
        cells.y,
        cells.groups,
        len(names),
        config,
        class_names=names,
        on_event=on_event,
        token=token,
    )
    n_groups = len(np.unique(cells.groups))
    return ProbeResult(
        name, names, cells.counts, n_groups, found.mlp, found.linear, found.folds
    )


def cells_of_classes(
    bench: Bench, labels: Labels, classes: Sequence[str] | None
) -> tuple[tuple[str, ...], ClassedCells]:
    """Return the classes that are meant and the cells labelled as one of them.

    By default those that are trained and have labels. Cells that are filtered out are
    passed over where the project is set so.

    Raises
    ------
    InputError
        If fewer than two classes are left, or a name is not known.
    """
    labels.refresh()
    series = labels.as_series()
    if usable_only(bench):
        series = series[~series.index.isin(labels.left_out)]
    known = [known.name for known in labels.classes]
    if classes is None:
        trained = [one.name for one in labels.classes if one.position is not None]
        names = [name for name in trained if (series == name).any()]
    else:
        names = list(dict.fromkeys(name.strip() for name in classes))
        strange = [name for name in names if name not in known]
        if strange:
            raise InputError(
                f"There is no class {strange[0]!r}; the project has {', '.join(known)}."
            )
    if len(names) < 2:
        said = f"only {names[0]!r} has any" if names else "there are none"
        raise InputError(
            "Classes are told apart by labels of at least two of them, and "
            f"{said if classes is None else 'one was named'}: label cells of another "
            "class too."
        )
    series = series[series.isin(names)]
    numbers = {name: number for number, name in enumerate(names)}
    rows = series.index.to_numpy(dtype=np.int64)
    y = np.array([numbers[name] for name in series], dtype=np.int64)
    counts = {name: int((y == number).sum()) for name, number in numbers.items()}
    return tuple(names), ClassedCells(rows, y, bench.groups()[rows], counts)
