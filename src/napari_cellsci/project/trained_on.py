"""Which labelled cells heads learn from, and what is said of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_cellsci.errors import InputError
from napari_cellsci.labels import Labels
from napari_cellsci.project.bench import Bench
from napari_cellsci.project.usable import usable_only

_UNEVEN = 1.5
"""Cells of the commonest class per cell of the rarest from which it is told."""


@dataclass(frozen=True)
class LabelledCells:
    """The cells with a label of a class that is trained.

    Parameters
    ----------
    rows, y, groups : int arrays (n,)
        Row ids, class numbers, and the number of the track.
    counts : dict of str to int
    left_out : int
        Labelled cells that are passed over, since they are filtered out.
    """

    rows: NDArray[np.int64]
    y: NDArray[np.int64]
    groups: NDArray[np.int64]
    counts: dict[str, int]
    left_out: int = 0

    @property
    def classes(self) -> list[str]:
        """The classes by their numbers."""
        return list(self.counts)

    @property
    def fingerprint(self) -> str:
        """What tells these labels from others."""
        both = np.stack([self.rows, self.y])
        return hashlib.sha256(both.tobytes()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """Which labelled cells heads learn from.

    Parameters
    ----------
    classes : tuple of str, optional
        By default those that the project uses for training.
    usable_only : bool, optional
        Whether cells that are filtered out are passed over; by default as the project
        is set.
    """

    classes: tuple[str, ...] | None = None
    usable_only: bool | None = None


def labelled_cells(
    bench: Bench,
    labels: Labels,
    classes: Sequence[str] | None = None,
    usable: bool | None = None,
) -> LabelledCells:
    """Return the labelled cells of the classes that are trained.

    Parameters
    ----------
    bench : Bench
    labels : Labels
    classes : sequence of str, optional
        In their order; by default those that the project uses for training.
    usable : bool, optional
        Whether cells that are filtered out are passed over; by default as the project
        is set. A class is left out then that has no other labelled cells.

    Raises
    ------
    InputError
        If there are too few, or a class is unknown.
    """
    labels.refresh()
    names = _wanted(labels, classes)
    series = labels.as_series()
    series = series[series.isin(names)]
    labelled = len(series)
    if usable_only(bench, usable):
        before = series
        series = series[~series.index.isin(labels.left_out)]
        gone = set(before) - set(series)
        names = [name for name in names if name not in gone]
    numbers = {name: number for number, name in enumerate(names)}
    rows = series.index.to_numpy(dtype=np.int64)
    y = np.array([numbers[name] for name in series], dtype=np.int64)
    counts = {name: int((y == number).sum()) for name, number in numbers.items()}
    few = {name: count for name, count in counts.items() if count < 2}
    if few:
        said = " and ".join(f"{count} {name}" for name, count in few.items())
        raise InputError(
            f"There are too few labels to train on (only {said}): label at least two "
            "cells of each class, in different tracks."
        )
    if len(names) < 2:
        raise InputError(
            f"Only {names[0] if names else 'no class'} is left to train on: name "
            "another class, or take back cells that are filtered out."
        )
    left_out = labelled - len(series)
    groups = bench.groups()[rows]
    return LabelledCells(rows.astype(np.int64), y, groups, counts, left_out)


def _wanted(labels: Labels, classes: Sequence[str] | None) -> list[str]:
    """Return the classes to train on."""
    if classes is None:
        return [known.name for known in labels.classes if known.position is not None]
    names = [str(name).strip() for name in classes]
    for name in names:
        if name not in labels.names:
            raise InputError(
                f"{name!r} is not a class of this project: choose of "
                f"{', '.join(labels.names)}."
            )
    if len(set(names)) != len(names) or len(names) < 2:
        raise InputError(
            "Name at least two classes to train on, each once, as in interphase,"
            "metaphase,anaphase."
        )
    return names


def balance_in_words(counts: dict[str, int], balanced: bool) -> str:
    """Say how uneven classes are and what is done about it, "" where they are even."""
    rare, common = (
        min(counts, key=counts.__getitem__),
        max(counts, key=counts.__getitem__),
    )
    ratio = counts[common] / max(counts[rare], 1)
    if ratio < _UNEVEN:
        return ""
    done = (
        f"every class weighs the same in training, {rare} {ratio:.0f} times as much "
        f"a cell as {common}"
        if balanced
        else "nothing makes up for it (balanced=false), so that rare classes are "
        "called too seldom"
    )
    return (
        f"The classes are uneven ({counts[common]:,} {common}, {counts[rare]:,} "
        f"{rare}): {done}."
    )


def left_out_in_words(cells: LabelledCells) -> str:
    """Say how many labelled cells are passed over, "" if none are."""
    if not cells.left_out:
        return ""
    return (
        f"{cells.left_out:,} labelled cells are filtered out and not learned from; "
        f"the classes are {', '.join(cells.classes)}."
    )
